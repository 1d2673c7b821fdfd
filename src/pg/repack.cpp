#include "pg/repack.h"

#include <algorithm>
#include <optional>
#include <string>

#include "kvs/codec/item.h"
#include "kvs/tree/node.h"
#include "pg/chunk_store.h"
#include "pg/convert.h"
#include "pg/delta_depths.h"
#include "pg/guard.h"
#include "pg/operation_snapshot.h"
#include "pg/repack_plan.h"
#include "pg/replacement_sort.h"
#include "pg/stored_chunks.h"
#include "pg/table_access.h"

extern "C" {
#include "access/detoast.h"
}

namespace kvs::pg {

namespace {

enum ChunkColumn { kHashColumn = 1, kBodyColumn, kChunkColumns = kBodyColumn };

// A delta has to be so much smaller than the frame that is there: reading it costs a second chunk.
constexpr size_t kPaysNumerator = 6;
constexpr size_t kPaysDenominator = 10;

// It is written once, and never waited for.
constexpr int kDeltaLevel = 6;

class Repacking {
  public:
    Repacking(Snapshot snapshot, int64 max_chunks, size_t depths_memory)
        : snapshot_(snapshot),
          max_chunks_(max_chunks),
          depths_(depths_memory),
          // What this transaction has rewritten counts as it is now.
          chunks_(SnapshotSelf) {}

    RepackResult Run(int memory) {
        LoadDepths();
        ReplacementSort plan(ReplacementSort::Order::kByGeneration, memory);
        PlanRepacking(&chunks_, snapshot_, memory, &plan);
        Guarded([&] {
            const Object index = Object::kChunkPkey;
            table_ = OpenForWrite(Object::kChunk, &index, 1);
            row_context_ = AllocSetContextCreate(CurrentMemoryContext, "kvs repack", ALLOCSET_DEFAULT_SIZES);
        });
        Replacement replacement;
        while (result_.chunks_rewritten < max_chunks_ && plan.Next(&replacement)) {
            RepackNode(replacement.old_chunk, replacement.new_chunk);
        }
        Guarded([&] {
            MemoryContextDelete(row_context_);
            Close(&table_);
        });
        plan.Finish();
        chunks_.Finish();
        return result_;
    }

  private:
    // A row of the chunk table as it is now.
    struct Row {
        ItemPointerData tid;
        int depth = 0;
        size_t size = 0;  // of the frame
    };

    void LoadDepths() {
        StoredChunkHeads heads(snapshot_);
        while (heads.Next()) {
            if (const std::optional<DeltaLink> link = FrameDelta(heads.head())) {
                depths_.Add(link->base, link->depth);
            }
        }
        heads.Finish();
    }

    bool FindRow(const Hash& address, Row* row) {
        return Guarded([&] {
            CHECK_FOR_INTERRUPTS();
            MemoryContextReset(row_context_);
            MemoryContext caller = MemoryContextSwitchTo(row_context_);
            ScanKeyData key;
            KeyBytea(&key, kHashColumn, HashDatum(address));
            const bool found = Lookup(&table_, SnapshotSelf, &key, 1);
            if (found) {
                const Datum body = table_.Get(kBodyColumn);
                row->tid = table_.slot->tts_tid;
                row->size = toast_raw_datum_size(body) - VARHDRSZ;
                row->depth = FrameDepth(Contents(PG_DETOAST_DATUM_SLICE(body, 0, kMaxFrameHeadSize)));
                ExecClearTuple(table_.slot);
            }
            MemoryContextSwitchTo(caller);
            return found;
        });
    }

    void RepackNode(const Hash& old_address, const Hash& new_address) {
        Row row;
        if (!FindRow(old_address, &row) || row.depth > 0) {
            return;
        }
        const StoredChunk old_chunk = chunks_.Read(old_address);
        const StoredChunk new_chunk = chunks_.Read(new_address);
        if (old_chunk.state != StoredChunk::State::kWhole || new_chunk.state != StoredChunk::State::kWhole) {
            return;  // for kvs.check to tell
        }
        RepackBlobs(old_chunk.raw, new_chunk.raw);
        Rewrite(row, old_address, old_chunk.raw, new_address, new_chunk.raw);
    }

    // Values that became too large for their leaf are replaced with it, and as cold as it is.
    void RepackBlobs(const std::string& old_raw, const std::string& new_raw) {
        const Result<NodeRef> old_node = Node::Parse(old_raw);
        const Result<NodeRef> new_node = Node::Parse(new_raw);
        if (!old_node.ok() || !new_node.ok() || !old_node.value()->is_leaf() ||
            !new_node.value()->is_leaf()) {
            return;
        }
        std::string key;
        const Node& old_leaf = *old_node.value();
        const Node& new_leaf = *new_node.value();
        for (size_t i = 0; i < old_leaf.count() && result_.chunks_rewritten < max_chunks_; i++) {
            const std::optional<BlobRef> old_blob = BlobOf(old_leaf.Value(i));
            if (!old_blob) {
                continue;
            }
            const std::optional<size_t> found = new_leaf.Find(old_leaf.Key(i, &key));
            const std::optional<BlobRef> new_blob = found ? BlobOf(new_leaf.Value(*found)) : std::nullopt;
            if (new_blob && new_blob->address != old_blob->address) {
                RepackBlob(*old_blob, *new_blob);
            }
        }
    }

    static std::optional<BlobRef> BlobOf(std::string_view value) {
        const Result<DataItem> item = DecodeDataItem(value);
        return item.ok() ? item.value().blob : std::nullopt;
    }

    void RepackBlob(const BlobRef& old_blob, const BlobRef& new_blob) {
        Row row;
        if (std::max(old_blob.size, new_blob.size) >= kMaxDeltaChunkSize ||
            !FindRow(old_blob.address, &row) || row.depth > 0) {
            return;
        }
        const StoredChunk old_chunk = chunks_.Read(old_blob.address);
        const StoredChunk new_chunk = chunks_.Read(new_blob.address);
        if (old_chunk.state == StoredChunk::State::kWhole && new_chunk.state == StoredChunk::State::kWhole) {
            Rewrite(row, old_blob.address, old_chunk.raw, new_blob.address, new_chunk.raw);
        }
    }

    // Stores the chunk as a delta, if depths allow and it pays.
    void Rewrite(const Row& row, const Hash& address, const std::string& raw, const Hash& base,
                 const std::string& base_raw) {
        const int largest = depths_.LargestFor(address);
        Row base_row;
        if (raw.size() > kMaxDeltaChunkSize || base_raw.size() > kMaxDeltaChunkSize ||
            !FindRow(base, &base_row) || base_row.depth >= largest) {
            return;
        }
        // A whole base may become a delta one day, and needs room below; one that is a delta stays as it is.
        const int depth = base_row.depth > 0 ? base_row.depth + 1 : largest;
        const std::string frame = codec_.EncodeDelta(raw, base_raw, {base, depth}, kDeltaLevel);
        if (frame.size() * kPaysDenominator > row.size * kPaysNumerator) {
            return;
        }
        if (!Replace(row, address, frame)) {
            return;
        }
        depths_.Add(base, depth);
        result_.chunks_rewritten++;
        result_.bytes_before += static_cast<int64>(row.size);
        result_.bytes_after += static_cast<int64>(frame.size());
    }

    bool Replace(Row row, const Hash& address, const std::string& frame) {
        return Guarded([&] {
            MemoryContextReset(row_context_);
            MemoryContext caller = MemoryContextSwitchTo(row_context_);
            Datum values[kChunkColumns] = {HashDatum(address), MakeVarlena(frame)};
            bool nulls[kChunkColumns] = {false, false};
            const TM_Result updated = Update(&table_, &row.tid, values, nulls, snapshot_);
            MemoryContextSwitchTo(caller);
            return updated == TM_Ok;
        });
    }

    Snapshot snapshot_;
    int64 max_chunks_;
    DeltaDepths depths_;
    StoredChunks chunks_;
    FrameCodec codec_;
    Table table_;
    MemoryContext row_context_;
    RepackResult result_;
};

}  // namespace

RepackResult Repack(int64 max_chunks) {
    Snapshot snapshot = Guarded([] {
        LockChunksForBuild();
        LockChunkMaintenance();
        Snapshot registered = RegisterOperationSnapshot();
        PushActiveSnapshot(registered);
        return registered;
    });
    // A quarter each for depths, hot nodes met, and two of the three sorts; the third has what it takes.
    const int memory = std::max(maintenance_work_mem / 4, 64);
    const RepackResult result =
        Repacking(snapshot, max_chunks, static_cast<size_t>(memory) * 1024).Run(memory);
    Guarded([&] {
        PopActiveSnapshot();
        UnregisterSnapshot(snapshot);
        CommandCounterIncrement();
    });
    return result;
}

}  // namespace kvs::pg

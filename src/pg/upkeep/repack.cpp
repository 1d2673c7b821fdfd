#include "pg/upkeep/repack.h"

#include <algorithm>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "pg/chunk/chunk_table.h"
#include "pg/chunk/pack_encoder.h"
#include "pg/chunk/pack_reader.h"
#include "pg/chunk/pack_table.h"
#include "pg/chunk/stored_chunks.h"
#include "pg/table/table_access.h"
#include "pg/upkeep/chunk_families.h"
#include "pg/upkeep/repack_plan.h"
#include "pg/upkeep/repack_state.h"
#include "pg/upkeep/replaced_blobs.h"
#include "pg/wall/convert.h"
#include "pg/wall/guard.h"
#include "pg/wall/snapshot.h"

namespace kvs::pg {

namespace {

// What rows and their index entries take besides frames and packs, about.
constexpr size_t kChunkOverhead = 130;
constexpr size_t kPackOverhead = 120;
constexpr size_t kMemberOverhead = 50;

// Bytes of memory for a chunk of a batch, about.
constexpr size_t kBatchedChunkSize = 100;

// A pack that is being filled.
struct OpenPack {
    bool is_stored = false;
    ItemPointerData tid;  // of the stored one
    int64 id = 0;
    size_t stored_size = 0;
    size_t stored_count = 0;
    Pack pack;
    std::vector<int64> addresses;
    std::vector<ItemPointerData> rows;  // of the new members in the chunk table
    size_t frames = 0;                  // bytes of theirs
};

class Repacking {
  public:
    Repacking(Snapshot snapshot, int64 max_chunks, size_t memory, GcReport* report)
        : snapshot_(snapshot),
          max_chunks_(max_chunks),
          batch_size_(std::max<size_t>(memory / kBatchedChunkSize, 1000)),
          report_(report),
          // What this transaction has moved counts as it is now.
          stored_(SnapshotSelf) {}

    RepackResult Run(RepackScope scope, int memory) {
        RepackPlan plan(&stored_, snapshot_, memory);
        report_->Phase(GcPhase::kPlanning);
        bool is_whole = true;
        if (scope == RepackScope::kAll) {
            plan.AddAllCommits();
        } else {
            is_whole = plan.AddNewCommits(ReadRepackFrontier(), max_chunks_);
        }
        plan.Finish();
        plan_ = &plan;
        blobs_.emplace(&stored_, snapshot_, &plan.hot_data_roots());
        Open();
        report_->Phase(GcPhase::kPacking);
        bool is_done = false;
        while (!is_done) {
            Families batch;
            is_done = !LoadBatch(&batch);
            for (const std::vector<Replaced>& family : batch.all()) {
                PackFamily(family);
            }
            const Families blobs = blobs_->Take();
            for (const std::vector<Replaced>& family : blobs.all()) {
                PackFamily(family);
            }
            if (!is_done && HasRoom() == 0) {
                break;
            }
        }
        Close();
        plan.Close();
        stored_.Finish();
        result_.is_complete = is_done && is_whole;
        NoteRepacking(result_, is_done ? &plan.frontier() : nullptr);
        return result_;
    }

  private:
    // A row of the chunk table as it is now.
    struct Row {
        ItemPointerData tid;
        struct varlena* frame;
    };

    void Open() {
        Guarded([&] {
            table_ = OpenChunksForWrite();
            packs_ = OpenPacks(RowExclusiveLock);
            has_packs_ = HasPacks(&packs_);
            scratch_ = AllocSetContextCreate(CurrentMemoryContext, "kvs repack", ALLOCSET_DEFAULT_SIZES);
        });
    }

    void Close() {
        Guarded([&] {
            MemoryContextDelete(scratch_);
            ClosePacks(&packs_);
            kvs::pg::Close(&table_);
        });
    }

    int64 HasRoom() const { return max_chunks_ - result_.chunks_rewritten; }

    // Of the plan what is still a row; false if there is no more of it.
    bool LoadBatch(Families* batch) {
        Replacement replacement;
        while (batch->size() < batch_size_ && static_cast<int64>(batch->size()) < HasRoom()) {
            if (!plan_->Next(&replacement)) {
                return false;
            }
            if (IsRow(replacement.old_chunk)) {
                batch->Add({replacement.old_chunk, replacement.new_chunk});
            }
        }
        return true;
    }

    bool IsRow(const Hash& address) {
        return Guarded([&] {
            CHECK_FOR_INTERRUPTS();
            return FindRow(address, nullptr);
        });
    }

    // Server code; what it finds is in scratch_.
    bool FindRow(const Hash& address, Row* row) {
        MemoryContextReset(scratch_);
        MemoryContext caller = MemoryContextSwitchTo(scratch_);
        const bool found = FindChunkRow(&table_, SnapshotSelf, address);
        if (found && row != nullptr) {
            row->tid = table_.slot->tts_tid;
            row->frame = CopyChunkRowFrame(table_.slot);
        }
        ExecClearTuple(table_.slot);
        MemoryContextSwitchTo(caller);
        return found;
    }

    void PackFamily(const std::vector<Replaced>& family) {
        OpenPack open;
        if (has_packs_) {
            FindPackBefore(family.front().address, &open);
        }
        const Hash* next = nullptr;
        for (const Replaced& chunk : family) {
            Row row;
            const bool found = HasRoom() > static_cast<int64>(open.rows.size()) && Guarded([&] {
                                   CHECK_FOR_INTERRUPTS();
                                   return FindRow(chunk.address, &row);
                               });
            if (!found) {
                continue;
            }
            const std::string_view frame = Contents(row.frame);
            const StoredChunk stored = stored_.Verify(chunk.address, frame);
            if (stored.state != StoredChunk::State::kWhole || stored.raw.size() > kMaxPackedChunkSize) {
                continue;  // damage is for kvs.check to tell
            }
            blobs_->Collect(stored.raw, chunk.next);
            if (has_packs_ && IsPacked(chunk.address)) {
                DeleteRow(row.tid);
                Count(1, frame.size(), 0);
                continue;
            }
            if (!PackEncoder::HasRoomFor(open.pack, stored.raw.size())) {
                Store(&open, nullptr);
                open = {};
            }
            open.pack.Add(stored.raw);
            open.addresses.push_back(PackPrefix(chunk.address));
            open.rows.push_back(row.tid);
            open.frames += frame.size();
            next = &chunk.next;
        }
        Store(&open, next);
    }

    // The pack that waits for this chunk, if it has room.
    void FindPackBefore(const Hash& address, OpenPack* open) {
        struct varlena* body = nullptr;
        PackRow row = {};
        Guarded([&] {
            ForEachPackBefore(&packs_, PackPrefix(address), SnapshotSelf, [&] {
                row = ReadPackRow(&packs_, true);
                body = row.body;
                return true;
            });
        });
        if (body == nullptr) {
            return;
        }
        Result<Pack> pack = encoder_.Decode(Contents(body));
        if (pack.ok() && pack.value().count() == static_cast<size_t>(row.count)) {
            open->is_stored = true;
            open->tid = row.version.tid;
            open->id = row.version.id;
            open->stored_size = Contents(body).size();
            open->stored_count = static_cast<size_t>(row.count);
            open->addresses.assign(row.addresses, row.addresses + row.count);
            open->pack = std::move(pack).value();
        }
        Guarded([&] { FreePackRow(&row); });
    }

    bool IsPacked(const Hash& address) {
        const std::optional<PackedChunk> packed = PackReader::Get().Read(address, SnapshotSelf);
        return packed && packed->problem.empty();
    }

    // Moves the new members over, if that makes them smaller. `next`: what replaced the last one; null: the
    // pack is full.
    void Store(OpenPack* open, const Hash* next) {
        if (open->rows.empty()) {
            return;
        }
        const std::string body = encoder_.Encode(open->pack);
        const size_t before = open->frames + open->rows.size() * kChunkOverhead;
        const size_t after =
            body.size() + open->rows.size() * kMemberOverhead + (open->is_stored ? 0 : kPackOverhead);
        if (after >= before + open->stored_size) {
            return;
        }
        for (const ItemPointerData& row : open->rows) {
            DeleteRow(row);
        }
        Guarded([&] {
            MemoryContextReset(scratch_);
            MemoryContext caller = MemoryContextSwitchTo(scratch_);
            if (open->is_stored) {
                DeletePack(&packs_, open->tid, snapshot_);
            }
            InsertPack(&packs_, {open->is_stored ? open->id : NextPackId(), next != nullptr,
                                 next != nullptr ? PackPrefix(*next) : 0, open->addresses.data(),
                                 static_cast<int>(open->addresses.size()), body});
            MemoryContextSwitchTo(caller);
            // What was stored is found by what comes behind it.
            CommandCounterIncrement();
        });
        has_packs_ = true;
        Count(open->rows.size(), open->frames,
              static_cast<int64>(body.size()) - static_cast<int64>(open->stored_size));
    }

    // A row that is there in spite of it is one copy too many, and found by the next run.
    void DeleteRow(ItemPointerData tid) {
        Guarded([&] { Delete(&table_, &tid, snapshot_, true); });
    }

    void Count(size_t chunks, size_t before, int64 after) {
        result_.chunks_rewritten += static_cast<int64>(chunks);
        result_.bytes_before += static_cast<int64>(before);
        result_.bytes_after += after;
        report_->Add(GcCounter::kChunksPacked, static_cast<int64>(chunks));
    }

    Snapshot snapshot_;
    int64 max_chunks_;
    size_t batch_size_;
    GcReport* report_;
    StoredChunks stored_;
    PackEncoder encoder_;
    RepackPlan* plan_ = nullptr;
    Table table_ = {};
    PackTable packs_ = {};
    bool has_packs_ = false;
    MemoryContext scratch_ = nullptr;
    std::optional<ReplacedBlobs> blobs_;
    RepackResult result_;
};

}  // namespace

RepackResult Repack(RepackScope scope, int64 max_chunks, GcReport* report) {
    // The caller holds the locks that keep collections and other repackings away. So what is committed now is
    // what refs lead to, and the rows that are changed are those that are there; a snapshot of the
    // transaction may be older than a collection and name chunks that are gone.
    ActiveSnapshot fresh(RegisterLatestSnapshot());
    // A quarter each for hot nodes met and three sorts, two of which make room for the batches.
    const int memory = std::max(maintenance_work_mem / 4, 64);
    const RepackResult result =
        Repacking(fresh.get(), max_chunks, static_cast<size_t>(memory) * 2048, report).Run(scope, memory);
    fresh.Release();
    Guarded([] { CommandCounterIncrement(); });
    return result;
}

}  // namespace kvs::pg

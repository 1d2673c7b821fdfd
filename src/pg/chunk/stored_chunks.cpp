#include "pg/chunk/stored_chunks.h"

#include <utility>

#include "kvs/error.h"
#include "kvs/tree/chunk.h"
#include "kvs/tree/node.h"
#include "pg/chunk/chunk_table.h"
#include "pg/chunk/dictionary_cache.h"
#include "pg/wall/convert.h"
#include "pg/wall/guard.h"
#include "pg/wall/server_hasher.h"
#include "pg/wall/store_error.h"

namespace kvs::pg {

namespace {

constexpr size_t kVerifiedBytes = size_t{4} << 20;  // of one generation
constexpr size_t kPackBytes = size_t{16} << 20;
constexpr size_t kLargestKept = size_t{1} << 20;

[[noreturn]] void ThrowCorrupt(const Hash& address, const std::string& problem) {
    throw Damaged("chunk " + address.ToHex() + " " + problem);
}

[[noreturn]] void ThrowReadOnly() {
    throw Error(ErrorCode::kWrongState, "a store that is inspected cannot be written to");
}

}  // namespace

StoredChunks::StoredChunks(Snapshot snapshot) : snapshot_(snapshot), packs_(kPackBytes) {
    table_ = Guarded([] { return OpenChunksForRead(); });
}

void StoredChunks::Finish() {
    Guarded([&] { Close(&table_); });
}

const StoredChunks::Verified::Chunk* StoredChunks::Verified::Find(const Hash& address) const {
    if (const auto found = young_.find(address); found != young_.end()) {
        return &found->second;
    }
    const auto found = old_.find(address);
    return found == old_.end() ? nullptr : &found->second;
}

void StoredChunks::Verified::Add(const Hash& address, Chunk&& chunk) {
    if (chunk.raw.size() > kLargestKept) {
        return;
    }
    if (young_size_ > kVerifiedBytes) {
        old_ = std::move(young_);
        young_.clear();
        young_size_ = 0;
    }
    const size_t size = chunk.raw.size();
    if (young_.try_emplace(address, std::move(chunk)).second) {
        young_size_ += size;
    }
}

// A copy of the frame, null if there is none.
struct varlena* StoredChunks::Fetch(const Hash& address) {
    return Guarded([&] {
        CHECK_FOR_INTERRUPTS();
        struct varlena* found = nullptr;
        if (FindChunkRow(&table_, snapshot_, address)) {
            found = CopyChunkRowFrame(table_.slot);
            ExecClearTuple(table_.slot);
        }
        return found;
    });
}

StoredChunk StoredChunks::Read(const Hash& address) {
    StoredChunk chunk;
    if (struct varlena* frame = Fetch(address)) {
        chunk = Verify(address, Contents(frame));
        Guarded([&] { pfree(frame); });
    } else if (std::optional<PackedChunk> packed = packs_.Read(address, snapshot_)) {
        chunk.stored_size = packed->stored_size;
        chunk.raw = std::move(packed->raw);
        chunk.problem = std::move(packed->problem);
        if (chunk.problem.empty()) {
            chunk.state = StoredChunk::State::kWhole;
            verified_.Add(address, {chunk.raw, chunk.stored_size});
        } else {
            chunk.state = StoredChunk::State::kDamaged;
        }
    }
    stored_bytes_ += chunk.stored_size;
    return chunk;
}

TransactionId StoredChunks::Inserter(const Hash& address) {
    const TransactionId inserter = Guarded([&] { return InserterOf(&table_, snapshot_, address); });
    return inserter != InvalidTransactionId ? inserter : PackReader::Inserter(address, snapshot_);
}

bool StoredChunks::HasWholeRow(int64 prefix) {
    const Hash first = FirstAddress(prefix);
    Hash found = first;
    const bool is_there = Guarded([&] {
        IndexScanDesc scan = BeginChunkScan(&table_, snapshot_, &first);
        bool more = index_getnext_slot(scan, ForwardScanDirection, table_.slot);
        if (more) {
            const std::string_view address = ChunkRowAddress(table_.slot);
            more = address.size() == Hash::kSize;
            if (more) {
                found = Hash::FromBytes(address);
            }
        }
        index_endscan(scan);
        ExecClearTuple(table_.slot);
        return more;
    });
    return is_there && PackPrefix(found) == prefix && Read(found).state == StoredChunk::State::kWhole;
}

StoredChunk StoredChunks::Verify(const Hash& address, std::string_view frame) {
    StoredChunk chunk;
    chunk.stored_size = frame.size();
    chunk.state = StoredChunk::State::kDamaged;
    Result<std::string> raw = codec_.Decode(frame, &DictionaryCache::Get());
    if (!raw.ok()) {
        chunk.problem = raw.error().what();
        return chunk;
    }
    ServerHasher hasher;
    if (ChunkAddress(hasher, raw.value()) != address) {
        chunk.problem = "it does not hash to its address";
        return chunk;
    }
    chunk.state = StoredChunk::State::kWhole;
    chunk.raw = std::move(raw).value();
    verified_.Add(address, {chunk.raw, chunk.stored_size});
    return chunk;
}

std::string StoredChunks::ReadOrThrow(const Hash& address) {
    StoredChunk chunk = Read(address);
    if (chunk.state == StoredChunk::State::kMissing) {
        ThrowCorrupt(address, "is missing");
    }
    if (chunk.state == StoredChunk::State::kDamaged) {
        ThrowCorrupt(address, "is damaged: " + chunk.problem);
    }
    return std::move(chunk.raw);
}

NodeRef StoredChunks::TryReadNode(const Hash& address) {
    std::string raw;
    if (const Verified::Chunk* verified = verified_.Find(address)) {
        raw = verified->raw;
    } else {
        StoredChunk chunk = Read(address);
        if (chunk.state != StoredChunk::State::kWhole) {
            return nullptr;
        }
        raw = std::move(chunk.raw);
    }
    Result<NodeRef> node = Node::Parse(std::move(raw));
    return node.ok() ? std::move(node).value() : nullptr;
}

NodeRef StoredChunks::ReadNode(const Hash& address) {
    std::string raw;
    if (const Verified::Chunk* verified = verified_.Find(address)) {
        raw = verified->raw;
        stored_bytes_ += verified->stored_size;
    } else {
        raw = ReadOrThrow(address);
    }
    Result<NodeRef> node = Node::Parse(std::move(raw));
    if (!node.ok()) {
        ThrowCorrupt(address, std::string("is not a valid node: ") + node.error().what());
    }
    return std::move(node).value();
}

std::string StoredChunks::ReadBlob(const Hash& address) {
    const std::string raw = ReadOrThrow(address);
    const Result<std::string_view> payload = DecodeBlob(raw);
    if (!payload.ok()) {
        ThrowCorrupt(address, std::string("is not a valid blob: ") + payload.error().what());
    }
    return std::string(payload.value());
}

Hash StoredChunks::WriteNode(std::string) {
    ThrowReadOnly();
}

Hash StoredChunks::WriteBlob(std::string_view) {
    ThrowReadOnly();
}

StoredChunkScan::StoredChunkScan(Snapshot snapshot) {
    Guarded([&] {
        table_ = OpenChunksForRead();
        scan_ = BeginChunkScan(&table_, snapshot, nullptr);
        row_context_ = AllocSetContextCreate(CurrentMemoryContext, "kvs chunk scan", ALLOCSET_DEFAULT_SIZES);
    });
}

bool StoredChunkScan::Next() {
    return Guarded([&] {
        CHECK_FOR_INTERRUPTS();
        MemoryContextReset(row_context_);
        if (!index_getnext_slot(scan_, ForwardScanDirection, table_.slot)) {
            return false;
        }
        MemoryContext caller = MemoryContextSwitchTo(row_context_);
        address_ = ChunkRowAddress(table_.slot);
        MemoryContextSwitchTo(caller);
        return true;
    });
}

std::string_view StoredChunkScan::frame() {
    return Guarded([&] {
        MemoryContext caller = MemoryContextSwitchTo(row_context_);
        const std::string_view bytes = ChunkRowFrame(table_.slot);
        MemoryContextSwitchTo(caller);
        return bytes;
    });
}

void StoredChunkScan::Finish() {
    Guarded([&] {
        index_endscan(scan_);
        Close(&table_);
        MemoryContextDelete(row_context_);
    });
}

}  // namespace kvs::pg

#include "pg/chunk/chunk_store.h"

#include <algorithm>
#include <utility>
#include <vector>

#include "kvs/tree/chunk.h"
#include "kvs/tree/node.h"
#include "pg/chunk/chunk_insert.h"
#include "pg/chunk/node_cache.h"
#include "pg/chunk/pack_reader.h"
#include "pg/wall/convert.h"
#include "pg/wall/guard.h"
#include "pg/wall/server_hasher.h"
#include "pg/wall/settings.h"
#include "pg/wall/snapshot.h"
#include "pg/wall/store_error.h"

namespace kvs::pg {

namespace {

constexpr size_t kMaxPendingBytes = size_t{8} << 20;

FrameCodec& Codec() {
    static FrameCodec* codec = nullptr;
    if (codec == nullptr) {
        codec = new FrameCodec();
    }
    return *codec;
}

// For chunks that will stay, or that are sent somewhere.
int ThoroughLevel() {
    return settings.compression_level == 0 ? 0 : std::max(settings.compression_level, 1);
}

// The frame's bytes in the current memory context, nullptr if there is no such chunk.
struct varlena* FindFrame(const Hash& address, Snapshot snapshot) {
    Table chunks = OpenChunksForRead();
    struct varlena* frame = nullptr;
    if (FindChunkRow(&chunks, snapshot, address)) {
        frame = CopyChunkRowFrame(chunks.slot);
    }
    Close(&chunks);
    return frame;
}

bool HasRow(const Hash& address, Snapshot snapshot) {
    Table chunks = OpenChunksForRead();
    const bool found = FindChunkRow(&chunks, snapshot, address);
    Close(&chunks);
    return found;
}

[[noreturn]] void ThrowCorrupt(const Hash& address, const std::string& problem) {
    throw Damaged("chunk " + address.ToHex() + " " + problem);
}

// Looks for a chunk in rows and packs as each of some snapshots shows them, until `look` finds it.
//
// First everything committed by now, and what this transaction did: chunks never change. A chunk that is
// moved, or whose pack is written anew, at this moment may hide from that look: its old row is gone and its
// new one was not there yet. The operation's snapshot sees the old one, unless it is older than the chunk.
// Then a snapshot that is taken now sees the chunk in one of both places, however often it is moved
// meanwhile. (In a parallel query nothing is written, and all that is read belongs to the query's snapshot.)
template <typename Look>
bool LookForChunk(Snapshot snapshot, const Look& look) {
    if (look(static_cast<Snapshot>(SnapshotSelf)) || look(snapshot)) {
        return true;
    }
    if (IsInParallelMode()) {
        return false;
    }
    Snapshot latest = RegisterLatestSnapshot();
    const bool found = look(latest);
    ReleaseSnapshot(latest);
    return found;
}

}  // namespace

// The verified chunk; nullopt if there is none. `frame` takes the frame, empty if it is in a pack.
std::optional<std::string> ChunkStore::FindRaw(const Hash& address, std::string* frame) {
    if (const auto pending = pending_.find(address); pending != pending_.end()) {
        if (pending->second.empty()) {
            AwaitFrames();
        }
        *frame = pending->second;
        return Verified(address, *frame);
    }
    chunks_fetched_++;
    std::optional<std::string> raw;
    LookForChunk(snapshot_, [&](Snapshot snapshot) {
        if (struct varlena* found = Guarded([&] { return FindFrame(address, snapshot); })) {
            frame->assign(Contents(found));
            pfree(found);
            raw = Verified(address, *frame);
        } else if (std::optional<PackedChunk> packed = PackReader::Get().Read(address, snapshot)) {
            if (!packed->problem.empty()) {
                ThrowCorrupt(address, "is damaged: " + packed->problem);
            }
            raw = std::move(packed->raw);
        }
        return raw.has_value();
    });
    return raw;
}

std::string ChunkStore::ReadRaw(const Hash& address) {
    std::string frame;
    std::optional<std::string> raw = FindRaw(address, &frame);
    if (!raw) {
        ThrowCorrupt(address, "is missing");
    }
    return *std::move(raw);
}

std::optional<std::string> ChunkStore::TryReadRaw(const Hash& address) {
    std::string frame;
    return FindRaw(address, &frame);
}

bool ChunkStore::Contains(const Hash& address) {
    if (pending_.contains(address)) {
        return true;
    }
    return LookForChunk(snapshot_, [&](Snapshot snapshot) {
        return Guarded([&] { return HasRow(address, snapshot); }) ||
               PackReader::Get().Read(address, snapshot).has_value();
    });
}

ChunkStore::Portable ChunkStore::ReadPortable(const Hash& address) {
    Portable chunk;
    std::optional<std::string> raw = FindRaw(address, &chunk.frame);
    if (!raw) {
        ThrowCorrupt(address, "is missing");
    }
    chunk.raw = *std::move(raw);
    if (!IsPortableFrame(chunk.frame)) {
        chunk.frame = Codec().Encode(chunk.raw, ThoroughLevel());
    }
    return chunk;
}

std::string ChunkStore::Verified(const Hash& address, std::string_view frame) {
    Result<std::string> raw = Codec().Decode(frame, &DictionaryCache::Get());
    if (!raw.ok()) {
        ThrowCorrupt(address, std::string("is damaged: ") + raw.error().what());
    }
    ServerHasher hasher;
    if (ChunkAddress(hasher, raw.value()) != address) {
        ThrowCorrupt(address, "does not hash to its address");
    }
    return std::move(raw).value();
}

NodeRef ChunkStore::ReadNode(const Hash& address) {
    if (INTERRUPTS_PENDING_CONDITION()) {
        Guarded([] { ProcessInterrupts(); });
    }
    nodes_read_++;
    NodeCache& cache = NodeCache::Get();
    if (NodeRef cached = cache.Find(address, lends_)) {
        return cached;
    }
    Result<NodeRef> node = Node::Parse(ReadRaw(address));
    if (!node.ok()) {
        ThrowCorrupt(address, std::string("is not a valid node: ") + node.error().what());
    }
    cache.Add(address, node.value());
    return std::move(node).value();
}

NodeRef ChunkStore::BorrowNode(const Hash& address) {
    if (NodeRef borrowed = NodeCache::Get().Borrow(address)) {
        nodes_read_++;
        return borrowed;
    }
    return ReadNode(address);
}

const Dictionary* ChunkStore::DictionaryFor(std::string_view raw) {
    const std::optional<ChunkClass> chunk_class = ClassOfChunk(raw);
    if (!chunk_class || raw.size() > kMaxDictionaryChunkSize || settings.compression_level == 0) {
        return nullptr;
    }
    if (!dictionaries_) {
        dictionaries_ = ReadNewestDictionaries();
    }
    const std::optional<uint32_t>& id = (*dictionaries_)[static_cast<size_t>(*chunk_class)];
    return id ? DictionaryCache::Get().FindDictionary(*id) : nullptr;
}

Hash ChunkStore::Write(const std::string& raw) {
    ServerHasher hasher;
    const Hash address = ChunkAddress(hasher, raw);
    if (!pending_.contains(address)) {
        // With a dictionary thorough is as fast as fast is without.
        const Dictionary* dictionary = DictionaryFor(raw);
        const int level = thorough_ || dictionary != nullptr ? ThoroughLevel() : settings.compression_level;
        if (worker_ != nullptr && dictionary == nullptr && level != 0 &&
            raw.size() <= FrameWorker::kMaxChunk) {
            pending_.emplace(address, std::string());
            worker_->Add(address, raw, level);
            TakeFrames();
            FlushIfLarge();
        } else {
            AddPending(address, Codec().Encode(raw, level, dictionary));
        }
    }
    return address;
}

void ChunkStore::AddPending(const Hash& address, std::string frame) {
    pending_bytes_ += frame.size();
    pending_.emplace(address, std::move(frame));
    FlushIfLarge();
}

void ChunkStore::FlushIfLarge() {
    if (pending_bytes_ > kMaxPendingBytes) {
        Flush();
    }
}

void ChunkStore::CompressThoroughly(FrameWorker* worker) {
    AwaitFrames();
    worker_ = worker;
    thorough_ = worker != nullptr;
}

void ChunkStore::TakeFrames() {
    for (auto& [address, frame] : worker_->TakeDone()) {
        pending_bytes_ += frame.size();
        pending_[address] = std::move(frame);
    }
}

void ChunkStore::AwaitFrames() {
    if (worker_ != nullptr) {
        worker_->Drain();
        TakeFrames();
    }
}

void ChunkStore::AddFrame(const Hash& address, std::string frame) {
    if (!pending_.contains(address)) {
        AddPending(address, std::move(frame));
    }
}

Hash ChunkStore::WriteNode(std::string encoded) {
    if (INTERRUPTS_PENDING_CONDITION()) {
        Guarded([] { ProcessInterrupts(); });
    }
    const Hash address = Write(encoded);
    NodeCache::Get().Add(address, std::make_shared<Node>(std::move(encoded)));
    return address;
}

std::string ChunkStore::ReadBlob(const Hash& address) {
    const std::string raw = ReadRaw(address);
    const Result<std::string_view> payload = DecodeBlob(raw);
    if (!payload.ok()) {
        ThrowCorrupt(address, std::string("is not a valid blob: ") + payload.error().what());
    }
    return std::string(payload.value());
}

Hash ChunkStore::WriteBlob(std::string_view payload) {
    return Write(EncodeBlob(payload));
}

void ChunkStore::Flush() {
    if (pending_.empty()) {
        return;
    }
    AwaitFrames();
    std::vector<NewChunk> chunks;
    chunks.reserve(pending_.size());
    for (const auto& [address, frame] : pending_) {
        chunks.push_back({&address, frame});
    }
    InsertChunks(std::move(chunks));
    pending_.clear();
    pending_bytes_ = 0;
}

}  // namespace kvs::pg

#include "kvs/local/memory_node_store.h"

#include <mutex>

#include "kvs/error.h"
#include "kvs/tree/chunk.h"
#include "kvs/tree/node.h"

namespace kvs {

namespace {

[[noreturn]] void ThrowMissing(const Hash& address) {
    throw Error(ErrorCode::kCorruption, "chunk " + address.ToHex() + " is missing");
}

[[noreturn]] void ThrowDamaged(const Hash& address, const std::string& why) {
    throw Error(ErrorCode::kCorruption, "chunk " + address.ToHex() + " is damaged: " + why);
}

}  // namespace

std::string_view MemoryNodeStore::Chunk::bytes() const {
    return node ? node->bytes() : std::string_view(raw);
}

NodeRef MemoryNodeStore::ReadNode(const Hash& address) {
    reads_.fetch_add(1, std::memory_order_relaxed);
    {
        const std::shared_lock lock(mutex_);
        const auto found = chunks_.find(address);
        if (found == chunks_.end()) {
            ThrowMissing(address);
        }
        if (found->second.node) {
            return found->second.node;
        }
    }
    const std::unique_lock lock(mutex_);
    const auto found = chunks_.find(address);
    if (found == chunks_.end()) {
        ThrowMissing(address);
    }
    Chunk& chunk = found->second;
    if (!chunk.node) {
        if (ChunkAddress(*hasher_, chunk.raw) != address) {
            ThrowDamaged(address, "its contents do not hash to its address");
        }
        if (const std::optional<Error> fault = Node::Validate(chunk.raw)) {
            ThrowDamaged(address, fault->what());
        }
        chunk.node = std::make_shared<Node>(std::move(chunk.raw));
        chunk.raw.clear();
    }
    return chunk.node;
}

Hash MemoryNodeStore::WriteNode(std::string encoded) {
    return Write(std::move(encoded));
}

std::string MemoryNodeStore::ReadBlob(const Hash& address) {
    reads_.fetch_add(1, std::memory_order_relaxed);
    const std::string raw = ReadRaw(address);
    if (ChunkAddress(*hasher_, raw) != address) {
        ThrowDamaged(address, "its contents do not hash to its address");
    }
    const Result<std::string_view> payload = DecodeBlob(raw);
    if (!payload.ok()) {
        ThrowDamaged(address, payload.error().what());
    }
    return std::string(payload.value());
}

Hash MemoryNodeStore::WriteBlob(std::string_view payload) {
    return Write(EncodeBlob(payload));
}

Hash MemoryNodeStore::Write(std::string raw) {
    writes_.fetch_add(1, std::memory_order_relaxed);
    const Hash address = ChunkAddress(*hasher_, raw);
    const std::unique_lock lock(mutex_);
    chunks_.try_emplace(address, Chunk{std::move(raw), nullptr});
    return address;
}

size_t MemoryNodeStore::chunk_count() const {
    const std::shared_lock lock(mutex_);
    return chunks_.size();
}

uint64_t MemoryNodeStore::chunk_bytes() const {
    const std::shared_lock lock(mutex_);
    uint64_t bytes = 0;
    for (const auto& [address, chunk] : chunks_) {
        bytes += chunk.bytes().size();
    }
    return bytes;
}

bool MemoryNodeStore::Contains(const Hash& address) const {
    const std::shared_lock lock(mutex_);
    return chunks_.contains(address);
}

std::vector<Hash> MemoryNodeStore::Addresses() const {
    const std::shared_lock lock(mutex_);
    std::vector<Hash> addresses;
    addresses.reserve(chunks_.size());
    for (const auto& [address, chunk] : chunks_) {
        addresses.push_back(address);
    }
    return addresses;
}

std::string MemoryNodeStore::ReadRaw(const Hash& address) const {
    const std::shared_lock lock(mutex_);
    const auto found = chunks_.find(address);
    if (found == chunks_.end()) {
        ThrowMissing(address);
    }
    return std::string(found->second.bytes());
}

void MemoryNodeStore::ResetCounters() {
    reads_ = 0;
    writes_ = 0;
}

}  // namespace kvs

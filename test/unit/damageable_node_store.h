// A store in memory whose chunks can be lost and changed: for tests of what finds it.
#pragma once

#include <mutex>
#include <string>
#include <utility>

#include "kvs/local/memory_node_store.h"

namespace kvs {

// Both tell whether there was such a chunk.
class DamageableNodeStore : public MemoryNodeStore {
  public:
    using MemoryNodeStore::MemoryNodeStore;

    bool Erase(const Hash& address) {
        const std::unique_lock lock(mutex_);
        return chunks_.erase(address) > 0;
    }

    // Flips bit `bit % 8` of byte `bit / 8` (modulo the chunk's size).
    bool FlipBit(const Hash& address, size_t bit) {
        const std::unique_lock lock(mutex_);
        const auto found = chunks_.find(address);
        if (found == chunks_.end()) {
            return false;
        }
        Chunk& chunk = found->second;
        std::string raw(chunk.bytes());
        raw[bit / 8 % raw.size()] ^= static_cast<char>(1u << bit % 8);
        chunk = Chunk{std::move(raw), nullptr};
        return true;
    }
};

}  // namespace kvs

// A NodeStore in memory, for tests, examples and benches: counts what it is asked for.
//
// Safe for concurrent use if its hasher is. Chunks are verified when they are read for the first time, as a
// persistent store does when a node enters its cache.
#pragma once

#include <atomic>
#include <cstdint>
#include <shared_mutex>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "kvs/hash.h"
#include "kvs/node_store.h"

namespace kvs {

class MemoryNodeStore : public NodeStore {
  public:
    // `hasher` must outlive the store.
    explicit MemoryNodeStore(Hasher& hasher) : hasher_(&hasher) { chunks_.max_load_factor(0.5); }

    NodeRef ReadNode(const Hash& address) override;
    Hash WriteNode(std::string encoded) override;
    std::string ReadBlob(const Hash& address) override;
    Hash WriteBlob(std::string_view payload) override;

    // Chunks held, and their raw bytes.
    size_t chunk_count() const;
    uint64_t chunk_bytes() const;
    bool Contains(const Hash& address) const;
    std::vector<Hash> Addresses() const;
    // The raw chunk; Error(kCorruption) if it is missing.
    std::string ReadRaw(const Hash& address) const;

    // Calls since the last reset: nodes and blobs read, and written (whether or not they were there already).
    uint64_t reads() const { return reads_; }
    uint64_t writes() const { return writes_; }
    void ResetCounters();

  protected:
    struct Chunk {
        std::string raw;  // empty once a node has taken the bytes over
        NodeRef node;
        std::string_view bytes() const;
    };

    mutable std::shared_mutex mutex_;  // guards chunks_
    std::unordered_map<Hash, Chunk, HashOfHash> chunks_;

  private:
    Hash Write(std::string raw);

    Hasher* hasher_;
    std::atomic<uint64_t> reads_{0};
    std::atomic<uint64_t> writes_{0};
};

}  // namespace kvs

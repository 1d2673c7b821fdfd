// The second level of the node cache: a fixed number of partitions in shared memory, each a ring buffer of
// nodes under one lock. The oldest node is overwritten first, but one that was read since it was written
// moves to the front once more (CLOCK over a ring), so nothing is ever allocated or freed. While the oldest
// node of a partition is pinned, new nodes are not taken in there; it is not found any more from then on, so
// that this ends when those who have it let go.
#pragma once

#include <cstddef>
#include <string>

#include "kvs/hash.h"
#include "kvs/node_store.h"
#include "pg/chunk/node_cache_counts.h"

namespace kvs::pg {

// The locks of the partitions, as wait events show them.
constexpr const char* kNodeCacheTranche = "kvs_node_cache";
constexpr int kNodeCachePartitions = 64;

class SharedNodeCache {
  public:
    // Null unless the library was preloaded.
    static SharedNodeCache* Get();

    // Bytes of shared memory for a cache of `capacity` bytes of nodes.
    static size_t SharedSize(size_t capacity);

    // Creates or attaches; the caller holds AddinShmemInitLock.
    static void Attach(size_t capacity);

    // Copies the node's bytes into `out`. False if it is not there.
    bool Find(const Hash& address, std::string* out);

    // The node in place, pinned until the reference goes away; null if it is not there, or if this backend
    // holds enough pins. A pinned node cannot be overwritten, so it must be let go soon. The pins of a
    // backend that exits in the middle of an operation are released with it.
    NodeRef Borrow(const Hash& address);

    void Add(const Hash& address, const char* bytes, size_t size);

    // Adds to what the look-ups of all backends have come to.
    void Count(uint64_t hits, uint64_t misses);
    NodeCacheCounts counts();

  private:
    struct Partition;
    struct Counters;
    Partition* PartitionAt(size_t i) { return reinterpret_cast<Partition*>(base_ + i * partition_stride_); }
    Partition* PartitionOf(const Hash& address) {
        return PartitionAt(address.bytes[0] % kNodeCachePartitions);
    }

    Counters* counters_ = nullptr;
    char* base_ = nullptr;
    size_t partition_stride_ = 0;
};

}  // namespace kvs::pg

// Decoded tree nodes by address. Nodes are immutable, so nothing is ever invalidated.
//
// Each backend has a private cache of references; where the library is preloaded, a larger cache in shared
// memory stands beside it. Point look-ups borrow nodes from that one, so that all backends read the same
// memory, and so do operations that walk trees from their beginning to their end; who stands in nodes for
// longer has internal ones from the private cache, and leaves copied out.
// Nodes are verified before they enter either.
#pragma once

#include "kvs/hash.h"
#include "kvs/node_store.h"
#include "pg/chunk/node_cache_counts.h"

namespace kvs::pg {

class NodeCache {
  public:
    // This backend's cache.
    static NodeCache& Get();

    // The node, or null: a miss. `lend`: a leaf without a copy where it lies in shared memory.
    NodeRef Find(const Hash& address, bool lend = false);

    // The same for a point look-up, which lets go of the node soon: without a copy where it lies in shared
    // memory. Null is no miss yet: Find is to be asked then.
    NodeRef Borrow(const Hash& address);

    // `node` must be the verified node of `address`.
    void Add(const Hash& address, NodeRef node);

    // Of all backends since the server started, where they share a cache, else of this one.
    NodeCacheCounts counts();

  private:
    NodeCache() = default;
    void CountLookup(uint64_t* kind);
    void ShareCounts();

    class Private;
    Private* private_ = nullptr;
    NodeCacheCounts counted_;  // with a shared cache: not added there yet
};

}  // namespace kvs::pg

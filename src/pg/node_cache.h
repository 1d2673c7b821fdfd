// Decoded tree nodes by address. Nodes are immutable, so nothing is ever invalidated.
//
// Each backend has a private cache of references; where the library is preloaded, a larger cache in shared memory
// stands behind it, from which nodes are copied out (a pin would have to survive the death of its holder). Nodes
// are verified before they enter either.
#pragma once

#include "kvs/hash.h"
#include "kvs/node_store.h"

namespace kvs::pg {

class NodeCache {
  public:
    // This backend's cache.
    static NodeCache& Get();

    // The node, or null.
    NodeRef Find(const Hash& address);

    // `node` must be the verified node of `address`.
    void Add(const Hash& address, NodeRef node);

  private:
    NodeCache() = default;
    class Private;
    Private* private_ = nullptr;
};

}  // namespace kvs::pg

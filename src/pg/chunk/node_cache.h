// Decoded tree nodes by address. Nodes are immutable, so nothing is ever invalidated.
//
// Each backend has a private cache of references; where the library is preloaded, a larger cache in shared
// memory stands behind it, from which nodes are copied out, or borrowed for the length of a look-up. Leaves
// of the shared cache are not kept privately as well. Nodes are verified before they enter either.
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

    // The same for a point look-up, which lets go of the node soon: without a copy where it lies in shared
    // memory.
    NodeRef Borrow(const Hash& address);

    // `node` must be the verified node of `address`.
    void Add(const Hash& address, NodeRef node);

  private:
    NodeCache() = default;
    class Private;
    Private* private_ = nullptr;
};

}  // namespace kvs::pg

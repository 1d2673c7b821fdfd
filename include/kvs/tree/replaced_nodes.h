// Which nodes of one tree another tree has replaced, and by what.
#pragma once

#include <functional>

#include "kvs/hash.h"
#include "kvs/node_store.h"

namespace kvs {

// A node of `from` that is not in `to`, and a node of `to` over the same keys: of several the one with the
// most entries, and the last one if all keys of `to` come before. A node lies over the keys behind the last
// of the node before it, up to its own last.
struct ReplacedNode {
    Hash old_node;
    Hash new_node;
    int level = 0;  // of both
};

// Called with parents before their children, otherwise in key order.
using ReplacedNodeVisitor = std::function<void(const ReplacedNode& pair)>;

// Shared subtrees are skipped unread, and leaves are not read at all, so the cost is that of the internal
// nodes that differ. Nodes above the height of the other tree have no counterpart and are left out. Memory
// is one path in `from`, and in `to` the nodes over the same keys. Errors: as Tree.
void VisitReplacedNodes(NodeStore& store, const Hash& from, const Hash& to, const ReplacedNodeVisitor& visit);

}  // namespace kvs

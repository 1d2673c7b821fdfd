#include "kvs/tree/stats.h"

#include <algorithm>

#include "read.h"

namespace kvs {

namespace {

void WalkBelow(NodeStore& store, const Hash& address, const NodeRef& node, const NodeVisitor& visit) {
    if (!visit(address, node) || node->is_leaf()) {
        return;
    }
    for (size_t i = 0; i < node->count(); ++i) {
        WalkBelow(store, node->ChildHash(i), ReadChild(store, *node, i), visit);
    }
}

}  // namespace

void WalkNodes(NodeStore& store, const Hash& root, const NodeVisitor& visit) {
    if (root != kEmptyRoot) {
        WalkBelow(store, root, store.ReadNode(root), visit);
    }
}

TreeStats CollectTreeStats(NodeStore& store, const Hash& root) {
    TreeStats stats;
    WalkNodes(store, root, [&stats](const Hash&, const NodeRef& node) {
        const size_t size = node->bytes().size();
        stats.depth = std::max(stats.depth, node->level() + 1);
        ++stats.nodes;
        stats.bytes += size;
        if (node->is_leaf()) {
            ++stats.leaves;
            stats.leaf_bytes += size;
            stats.entries += node->count();
        }
        ++stats.nodes_by_size[std::min(size / TreeStats::kSizeClassBytes, TreeStats::kSizeClasses - 1)];
        return true;
    });
    return stats;
}

}  // namespace kvs

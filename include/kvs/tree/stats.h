// Visits every node of a tree, and sums up what is found.
//
// Memory is one path. Errors: as Tree.
#pragma once

#include <array>
#include <cstdint>
#include <functional>

#include "kvs/hash.h"
#include "kvs/node_store.h"
#include "kvs/tree/node.h"

namespace kvs {

// Called for a node before its children; false leaves the children out.
using NodeVisitor = std::function<bool(const Hash& address, const NodeRef& node)>;

// Visits the nodes in key order, parents first. The empty tree has none.
void WalkNodes(NodeStore& store, const Hash& root, const NodeVisitor& visit);

struct TreeStats {
    static constexpr size_t kSizeClasses = 25;       // the last takes everything above
    static constexpr size_t kSizeClassBytes = 1024;  // class i: encoded size in [i, i + 1) kB

    int depth = 0;  // levels; 0 for the empty tree, 1 for a single leaf
    uint64_t nodes = 0;
    uint64_t leaves = 0;
    uint64_t entries = 0;
    uint64_t bytes = 0;       // of all encoded nodes
    uint64_t leaf_bytes = 0;  // of the leaves among them
    std::array<uint64_t, kSizeClasses> nodes_by_size{};
};

TreeStats CollectTreeStats(NodeStore& store, const Hash& root);

}  // namespace kvs

// Proves that a tree is whole and in the one form that its contents allow.
//
// Checks that every node is there and intact, that levels, entry counts, last keys and key order agree
// between parents and children, that every node ends where the splitter says, and that no level above the
// lowest single node exists. Memory is one path.
#pragma once

#include <functional>
#include <string>

#include "kvs/hash.h"
#include "kvs/node_store.h"

namespace kvs {

// Called with the node concerned and what is wrong with it (lower case, no full stop).
using TreeProblemCallback = std::function<void(const Hash& address, const std::string& problem)>;

// Reports every problem found; a node that cannot be read is one, and what stands below it is left out.
void CheckTree(NodeStore& store, const Hash& root, const TreeProblemCallback& report);

}  // namespace kvs

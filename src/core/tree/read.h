// Reading nodes with the checks that keep a damaged tree from being walked: a level that does not fit could
// make a walk endless, a count that does not fit would make rank and nth lie.
#pragma once

#include <string>

#include "kvs/error.h"
#include "kvs/tree/node.h"

namespace kvs {

[[noreturn]] inline void ThrowMisfit(const Hash& address, const char* what) {
    throw Error(ErrorCode::kCorruption, "tree node " + address.ToHex() + " does not fit its parent: " + what);
}

// The node at `address`, which is child `i` of `parent`.
inline NodeRef CheckedChild(NodeRef child, const Hash& address, const Node& parent, size_t i) {
    if (child->level() != parent.level() - 1) [[unlikely]] {
        ThrowMisfit(address, "wrong level");
    }
    if (child->entries() != parent.ChildEntries(i)) [[unlikely]] {
        ThrowMisfit(address, "wrong number of entries");
    }
    return child;
}

// Child `i` of an internal node.
inline NodeRef ReadChild(NodeStore& store, const Node& parent, size_t i) {
    const Hash address = parent.ChildHash(i);
    return CheckedChild(store.ReadNode(address), address, parent, i);
}

// The same for a point look-up; see NodeStore::BorrowNode.
inline NodeRef BorrowChild(NodeStore& store, const Node& parent, size_t i) {
    const Hash address = parent.ChildHash(i);
    return CheckedChild(store.BorrowNode(address), address, parent, i);
}

}  // namespace kvs

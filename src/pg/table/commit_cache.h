// Commits that this backend has read and verified, by hash. They are immutable, so nothing is ever
// invalidated.
//
// What is remembered proves nothing of what is there: a transaction that stored a commit may have rolled
// back, a collection may have removed it. But a snapshot that shows a commit shows all of its ancestors,
// because they are stored before it, and removed after it or together with it. So the rule is that of nodes
// below a root: what a ref or a person names is looked up under the snapshot (ReadCommit), and only what such
// a commit leads to may come from here (ReadAncestor, and CommitTable, which follow that rule).
#pragma once

#include <memory>

#include "kvs/hash.h"
#include "kvs/version/ancestry.h"
#include "kvs/version/commit.h"

namespace kvs::pg {

using CommitRef = std::shared_ptr<const Commit>;

// Null if it is not remembered.
CommitRef FindKnownCommit(const Hash& hash);

// `commit` must have been verified to be the commit of `hash`. Up to 8 MB are kept, some 15,000 commits;
// those that were not used for long make room.
void RememberCommit(const Hash& hash, CommitRef commit);

// The same for ancestries, which are read by themselves and seldom. Up to 1 MB are kept, some 1,500.
AncestryRef FindKnownAncestry(const Hash& hash);
void RememberAncestry(const Hash& hash, AncestryRef ancestry);

}  // namespace kvs::pg

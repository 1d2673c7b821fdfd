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

struct KnownCommit {
    Commit commit;
    AncestryRef ancestry;  // null unless the row has that of this commit
};

using KnownCommitRef = std::shared_ptr<const KnownCommit>;

// Null if it is not remembered.
KnownCommitRef FindKnownCommit(const Hash& hash);

// `commit` must have been verified to be the commit of `hash`. Up to 8 MB are kept, some 8,000 commits;
// those that were not used for long make room.
void RememberCommit(const Hash& hash, KnownCommitRef commit);

// The same for ancestries of commits that were passed on the way to others, and not read. Up to 1 MB are
// kept.
AncestryRef FindKnownAncestry(const Hash& hash);
void RememberAncestry(const Hash& hash, AncestryRef ancestry);

}  // namespace kvs::pg

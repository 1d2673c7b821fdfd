// Making commits: of a flush, and of the operations that rewrite a branch.
#pragma once

#include <string>
#include <vector>

#include "kvs/hash.h"
#include "pg/table/branch_table.h"
#include "pg/table/change_log.h"
#include "pg/wall/server.h"

namespace kvs::pg {

// A commit that is to be made on top of another.
struct PlannedCommit {
    TreePair roots;
    std::vector<Hash> further_parents;  // those of a merge beside the first
    std::string author;
    std::string message;
};

// A commit as a parent.
struct CommitPlace {
    Hash hash;
    uint64_t generation;
};

// That of a stored commit, which cannot be collected from now on: see LockCommitForReference.
CommitPlace PlaceOf(const Hash& commit, Snapshot snapshot);

// Writes a commit on top of `parent`, which PlaceOf or this function has given.
CommitPlace MakeCommit(const PlannedCommit& planned, const CommitPlace& parent, Snapshot snapshot);

// The uncommitted work of a branch, all of it folded, becomes a commit that only the reflog knows: it is
// about to be thrown away.
void KeepDiscarded(const Branch& branch, Snapshot snapshot);

}  // namespace kvs::pg

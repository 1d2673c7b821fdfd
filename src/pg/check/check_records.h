// The part of kvs.check that compares what is recorded of branches beside their trees.
#pragma once

#include "pg/check/check_store.h"
#include "pg/wall/server.h"

namespace kvs::pg {

// The last move of a branch in the reflog, which collections never take away, says its name and where it
// stands, or that it is gone; only main, before anything moved it, has none. What the last flush folded last
// is a change of the branch, if the log keeps it from `low_seq` on. And commits took what this server's
// transactions had written by then.
void CheckBranchRecords(int64 low_seq, const FindingSink& sink);

// A merge is staged because of conflicts, and conflicts are those of a staged merge, on a branch that exists.
void CheckStagedMerges(const FindingSink& sink);

}  // namespace kvs::pg

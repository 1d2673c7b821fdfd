// From what a person writes (HEAD~2, main@{yesterday}, 3f2a) to a commit.
#pragma once

#include <string_view>

#include "kvs/entry.h"
#include "kvs/hash.h"
#include "pg/table/branch_table.h"
#include "pg/wall/server.h"

namespace kvs::pg {

// The state a ref means: a commit, or the live state of a branch (WORKING).
struct ResolvedRef {
    Hash commit;  // unless is_working
    bool is_working;
    Branch branch;   // of WORKING
    TreePair roots;  // of the commit, or the branch's working roots
    Timestamp committed_at;
};

// HEAD, WORKING and @{...} resolve inside `branch` (empty: the session's). Errors: kInvalidArgument for bad
// syntax, kUnknownRef.
ResolvedRef ResolveRef(std::string_view text, std::string_view branch, Snapshot snapshot);

// As ResolveRef, but WORKING is refused with kWrongState.
Hash ResolveCommit(std::string_view text, std::string_view branch, Snapshot snapshot);

}  // namespace kvs::pg

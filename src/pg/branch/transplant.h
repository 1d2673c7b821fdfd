// Revert and cherry-pick: what a commit changed is taken back, or put on top of another branch, as a commit
// of its own. Both are a three-way merge whose base is one end of that change:
//
//     revert of C         base C,            theirs its parent
//     cherry-pick of C    base C's parent,   theirs C
#pragma once

#include <optional>
#include <string_view>

#include "kvs/hash.h"
#include "pg/branch/merge_operation.h"
#include "pg/wall/server.h"

namespace kvs::pg {

// The new commit; nullopt if it would change nothing, and none is made. Branch as in FindBranch. Errors:
// kWrongState for a commit that cannot be taken back or picked, for conflicts, and where uncommitted work is
// in the way; kInvalidArgument for a parent that is missing or not there; those of RewriteBranch.
std::optional<Hash> RevertCommit(std::string_view ref, std::optional<int32> parent, std::string_view branch);
std::optional<Hash> CherryPick(std::string_view ref, MergeStrategy strategy, std::string_view branch);

}  // namespace kvs::pg

// Putting uncommitted work aside, and bringing it back.
#pragma once

#include <optional>
#include <string_view>

#include "kvs/hash.h"
#include "pg/branch/merge_operation.h"
#include "pg/wall/server.h"

namespace kvs::pg {

// Puts the branch's uncommitted work aside: the branch is as its head then. The number of the stash; nullopt
// if there was nothing. Errors: those of RewriteBranch.
std::optional<int64> StashWork(std::string_view branch, std::string_view message);

enum class AppliedStash { kStays, kIsDropped };

// Merges what a stash holds into the working state of a branch; commits nothing. With conflicts it is staged,
// with a NOTICE, and the stash stays. Errors: kNotFound; kWrongState where a merge is staged already; those
// of RewriteBranch.
MergeReport ApplyStash(int64 id, std::string_view branch, AppliedStash applied);

// The merge itself, of the stash's commit. As MergeInto.
MergeReport MergeStash(std::string_view branch, const Hash& stash, const MergeSteps& steps);

}  // namespace kvs::pg

// Uncommitted work put aside, _kvs.stash. A stash is a commit of the working state on top of the head it was
// made on; only its row refers to it.
#pragma once

#include <functional>
#include <optional>
#include <string_view>

#include "kvs/hash.h"
#include "pg/branch/merge_operation.h"
#include "pg/wall/server.h"

namespace kvs::pg {

// Puts the branch's uncommitted work aside: the branch is as its head then. nullopt if there was none.
std::optional<int64> StashWork(std::string_view branch, std::string_view message);

// Merges what a stash holds into the working state of a branch; commits nothing. As MergeInto.
MergeReport ApplyStash(std::string_view branch, const Hash& stash, const MergeSteps& steps);

// The stash's commit. Errors: kNotFound.
Hash FindStash(int64 id);

// Until the end of the transaction nobody else drops or pops it. Errors: kNotFound if somebody has.
void LockStash(int64 id);

// false if there is none.
bool DropStash(int64 id);

}  // namespace kvs::pg

// Rebase: the commits that a branch has and another ref does not are made again on top of that ref.
#pragma once

#include <optional>
#include <string_view>
#include <vector>

#include "kvs/hash.h"
#include "pg/branch/merge_operation.h"

namespace kvs::pg {

struct MovedCommit {
    Hash old_commit;
    std::optional<Hash> new_commit;  // none where it changes nothing any more
};

// The commits that were left behind, oldest first, along first parents. Nothing happens, and a NOTICE says
// so, to a branch that has the commit already. Errors: kWrongState for conflicts and for uncommitted work;
// those of RewriteBranch.
std::vector<MovedCommit> RebaseBranch(std::string_view branch, std::string_view onto, MergeStrategy strategy);

}  // namespace kvs::pg

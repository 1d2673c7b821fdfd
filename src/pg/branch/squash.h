// Squash: the commits of a branch above one of them become a single commit.
#pragma once

#include <optional>
#include <string_view>

#include "kvs/hash.h"

namespace kvs::pg {

// The new commit, on top of the one that `from_ref` means; nullopt if the squashed ones cancel out: none is
// made, and the branch goes back to that one. Uncommitted work stays as it is. Errors: kWrongState unless
// that commit lies below the branch's head; those of RewriteBranch.
std::optional<Hash> SquashBranch(std::string_view from_ref, std::string_view message,
                                 std::string_view branch);

}  // namespace kvs::pg

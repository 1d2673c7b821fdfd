// Squash: the commits of a branch above one of them become a single commit.
#pragma once

#include <string_view>

#include "kvs/hash.h"

namespace kvs::pg {

// The new head, made on top of the commit that `from_ref` means. Uncommitted work stays as it is. Errors:
// kWrongState unless that commit lies below the branch's head; those of RewriteBranch.
Hash SquashBranch(std::string_view from_ref, std::string_view message, std::string_view branch);

}  // namespace kvs::pg

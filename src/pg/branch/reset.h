// Reset: a branch goes to another commit.
#pragma once

#include <string_view>

#include "kvs/hash.h"

namespace kvs::pg {

enum class ResetMode {
    kHard,  // its contents become the commit's; uncommitted work stays reachable by the reflog
    kSoft,  // its contents stay, so that what differs from the commit is uncommitted work
};

// "hard", "soft". Errors: kInvalidArgument.
ResetMode ParseResetMode(std::string_view text);

// The new head. A hard reset ends a staged merge. Errors: kUnknownRef; those of RewriteBranch.
Hash ResetBranch(std::string_view ref, ResetMode mode, std::string_view branch);

}  // namespace kvs::pg

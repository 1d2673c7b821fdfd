// Deciding the conflicts of a staged merge.
#pragma once

#include <optional>
#include <string_view>

#include "pg/wall/server.h"

namespace kvs::pg {

struct ConflictDecision {
    std::string_view key;
    std::string_view resolution;  // as ParseResolution takes it
    Datum value;                  // jsonb; 0: none
    std::optional<std::string_view> path;
    std::string_view branch;  // as in FindBranch
};

// Decides the conflicts of a key, or the one at its path; false if there are none. Errors: kNullValue and
// kInvalidArgument where resolution and value do not go together, or one value is for several paths;
// kWrongState if no merge is staged.
bool ResolveConflicts(const ConflictDecision& decision);

}  // namespace kvs::pg

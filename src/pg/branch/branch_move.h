// Moving a branch to a commit that was made elsewhere: a step forward, or by force.
#pragma once

#include <optional>
#include <string_view>

#include "kvs/hash.h"
#include "pg/wall/server.h"

namespace kvs::pg {

// How a move is called in the reflog.
struct MoveOptions {
    bool force;             // also sideways or back, and over uncommitted work, which the reflog keeps
    const char* operation;  // in the reflog
};

// Moves the branch, or creates it, to `head`, which must be whole. Answers where it stood; nullopt if it is
// new. The change log gets one range record. A step forward takes the commit's trees as they are; where
// versions would rewind, each key that differs gets a version above both. Waits for the branch's writers, at
// most kvs.branch_lock_timeout. Errors: kWrongState without force; kInvalidArgument for a malformed name;
// kSerialization; 55P03.
std::optional<Hash> MoveBranchTo(std::string_view name, const Hash& head, const MoveOptions& options);

}  // namespace kvs::pg

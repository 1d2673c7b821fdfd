// Creating, deleting and renaming branches.
#pragma once

#include <string_view>

#include "pg/wall/server.h"

namespace kvs::pg {

// Creates a branch on the commit that `from_ref` means; WORKING takes the uncommitted work of the session's
// branch along, which is flushed first. Probes indexes only, so that it costs the same with any number of
// branches. Errors: kInvalidArgument for a malformed name, kAlreadyExists, kUnknownRef, kSerialization.
void CreateBranch(std::string_view name, std::string_view from_ref);

// Deletes a branch with its uncommitted work, which stays reachable by the reflog. Reads all refs, and the
// commits made since its head by the others (see IsReachable). Errors: kUnknownRef; kWrongState if it is the
// session's or the only one, or unless `force` has uncommitted work or commits that no other branch or tag
// reaches; kSerialization; 55P03.
void DeleteBranch(std::string_view name, bool force);

// Renames a branch with its reflog; a session that is on it follows. Nothing to do where it has the name
// already. Waits for a flush or commit of the branch. Errors: kUnknownRef, kInvalidArgument, kAlreadyExists,
// kSerialization.
void RenameBranch(std::string_view name, std::string_view new_name);

}  // namespace kvs::pg

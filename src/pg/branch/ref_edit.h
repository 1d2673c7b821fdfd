// What operations that create, rename and delete branches and tags have in common. Branches and tags share
// one name space; each has a table and a unique index of its own, so whoever takes a name holds a lock on it
// meanwhile.
#pragma once

#include <string_view>

#include "kvs/hash.h"
#include "pg/table/branch_table.h"
#include "pg/wall/server.h"

namespace kvs::pg {

// To be called first, before the source of the new ref is read: makes garbage collection wait for the end of
// this transaction, and notes a write for kvs.durability.
void BeginRefEdit();

// FindBranch, but an empty name is no branch instead of the session's.
Branch FindNamedBranch(std::string_view name, Snapshot snapshot);

// Whether branches of a remote are called so: REMOTE/BRANCH.
bool IsNameOfRemote(std::string_view name);

// Errors: kAlreadyExists if a branch or a tag has the name, also one that the transaction's snapshot does not
// show; kInvalidArgument if it is one of a remote's. To be called under the lock of the name.
void RequireFreeName(std::string_view name);

// Sets kvs.branch for the session, as SET does: a rollback takes it back.
void SetSessionBranch(std::string_view name);

}  // namespace kvs::pg

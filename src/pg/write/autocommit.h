// Branches of which each transaction that changes them becomes a commit (branch option autocommit =
// transaction): made by the writer's session in the last moment before its transaction commits or is
// prepared, so that both happen or neither.
//
// From there to its end the transaction holds the branch against other commits, as kvs.commit does. Branches
// are taken in the order of their ids, and no row is waited for, so that transactions that do nothing else
// cannot wait for each other in a circle.
#pragma once

#include <optional>
#include <string_view>

#include "pg/wall/server.h"

namespace kvs::pg {

// Whether the branch is there, and is of that kind now.
bool IsCommittedByTransactions(int32 branch_id);

// The message of a commit whose changes have no comment.
constexpr const char* kAutocommitMessage = "autocommit";

// This transaction has changed the branch, which is of that kind. A change that is rolled back counts for
// nothing, and the comments of the others are the message of the commit. What a hook writes to a branch
// that has been committed is left to its next commit, as behind kvs.commit. Server code.
void NoteAutocommit(int32 branch, std::optional<std::string_view> comment);

}  // namespace kvs::pg

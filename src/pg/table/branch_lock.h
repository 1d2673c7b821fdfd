// Locks on a branch, in the server's lock manager and with its mode hierarchy: writers RowExclusive, flush
// and commit ShareUpdateExclusive (beside writers), operations that rewrite a branch ShareRowExclusive,
// dropping it AccessExclusive. Readers take none. All last until the end of the (sub)transaction.
//
// Within a WriterLocksOnly scope, which a hook's call opens, the session gets no lock stronger than a
// writer's: 55000, so that a commit does not call itself, and no branch moves under one that is being
// committed.
//
// Server code: call under Guarded, except LockBranchBounded, which guards itself.
#pragma once

#include "pg/wall/server.h"

namespace kvs::pg {

void LockBranch(int32 branch, LOCKMODE mode);

// Waits at most kvs.branch_lock_timeout. `name`, of the branch, is for the detail of the error. Errors:
// 55P03.
void LockBranchBounded(int32 branch, const char* name, LOCKMODE mode);

// False also where a WriterLocksOnly scope forbids the mode.
bool TryLockBranch(int32 branch, LOCKMODE mode);

// For the time in which a function of a user runs inside an operation on a branch.
class WriterLocksOnly {
  public:
    WriterLocksOnly();
    ~WriterLocksOnly();
    WriterLocksOnly(const WriterLocksOnly&) = delete;
    WriterLocksOnly& operator=(const WriterLocksOnly&) = delete;
};

}  // namespace kvs::pg

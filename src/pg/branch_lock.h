// Locks on a branch, in the server's lock manager and with its mode hierarchy: writers RowExclusive, flush
// and commit ShareUpdateExclusive (beside writers), operations that rewrite a branch ShareRowExclusive,
// dropping it AccessExclusive. Readers take none. All last until the end of the (sub)transaction.
//
// While a hook runs (hook_call.h), its session gets no lock stronger than a writer's: 55000, so that a commit
// does not call itself, and no branch moves under one that is being committed.
//
// Server code: call under Guarded, except LockBranchBounded, which guards itself.
#pragma once

#include "pg/server.h"

namespace kvs::pg {

void LockBranch(int32 branch, LOCKMODE mode);

// Waits at most kvs.branch_lock_timeout. Errors: 55P03.
void LockBranchBounded(int32 branch, LOCKMODE mode);

// While it lives, each wait for a lock lasts at most kvs.branch_lock_timeout. Errors of such a wait: 55P03.
class BoundedWait {
  public:
    BoundedWait();
    ~BoundedWait();
    BoundedWait(const BoundedWait&) = delete;
    BoundedWait& operator=(const BoundedWait&) = delete;

  private:
    int session_timeout_;
};

bool TryLockBranch(int32 branch, LOCKMODE mode);

}  // namespace kvs::pg

#include "pg/branch_lock.h"

#include "pg/catalog.h"
#include "pg/guard.h"
#include "pg/hook_call.h"
#include "pg/settings.h"

extern "C" {
#include "storage/proc.h"
}

namespace kvs::pg {

void LockBranch(int32 branch, LOCKMODE mode) {
    if (mode > RowExclusiveLock && HookIsRunning()) {
        ereport(ERROR, errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
                errmsg("cannot flush, commit or move a branch from a hook"),
                errhint("A hook may read, and write keys, which stay uncommitted work."));
    }
    LockDatabaseObject(ObjectOid(Object::kBranch), branch, 0, mode);
}

BoundedWait::BoundedWait() : session_timeout_(LockTimeout) {
    if (settings.branch_lock_timeout > 0 &&
        (session_timeout_ == 0 || settings.branch_lock_timeout < session_timeout_)) {
        LockTimeout = settings.branch_lock_timeout;
    }
}

BoundedWait::~BoundedWait() {
    LockTimeout = session_timeout_;
}

void LockBranchBounded(int32 branch, LOCKMODE mode) {
    const BoundedWait bounded;
    Guarded([&] { LockBranch(branch, mode); });
}

bool TryLockBranch(int32 branch, LOCKMODE mode) {
    if (mode > RowExclusiveLock && HookIsRunning()) {
        return false;
    }
    LOCKTAG tag;
    SET_LOCKTAG_OBJECT(tag, MyDatabaseId, ObjectOid(Object::kBranch), branch, 0);
    return LockAcquire(&tag, mode, false, true) != LOCKACQUIRE_NOT_AVAIL;
}

}  // namespace kvs::pg

#include "pg/branch_lock.h"

#include "pg/catalog.h"
#include "pg/guard.h"
#include "pg/hook_call.h"
#include "pg/lock_timeout.h"
#include "pg/settings.h"

namespace kvs::pg {

void LockBranch(int32 branch, LOCKMODE mode) {
    if (mode > RowExclusiveLock && HookIsRunning()) {
        ereport(ERROR, errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
                errmsg("cannot flush, commit or move a branch from a hook"),
                errhint("A hook may read, and write keys, which stay uncommitted work."));
    }
    LockDatabaseObject(ObjectOid(Object::kBranch), branch, 0, mode);
}

void LockBranchBounded(int32 branch, LOCKMODE mode) {
    const LockTimeoutScope timeout(settings.branch_lock_timeout);
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

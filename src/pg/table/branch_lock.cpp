#include "pg/table/branch_lock.h"

#include "pg/table/catalog.h"
#include "pg/wall/guard.h"
#include "pg/wall/lock_timeout.h"
#include "pg/wall/settings.h"

namespace kvs::pg {

namespace {

int writer_only_scopes = 0;

bool IsForbidden(LOCKMODE mode) {
    return mode > RowExclusiveLock && writer_only_scopes > 0;
}

// Error context callback: what the server's words of a timeout leave open.
void ExplainTimeout(void* name) {
    if (geterrcode() == ERRCODE_LOCK_NOT_AVAILABLE) {
        const bool is_ours = LockTimeout == settings.branch_lock_timeout;
        errdetail("Transactions that write to branch \"%s\", or rewrite it, did not end within %d ms.",
                  static_cast<const char*>(name), LockTimeout);
        errhint("Try again when they have ended, or raise %s.",
                is_ours ? "kvs.branch_lock_timeout" : "lock_timeout");
    }
}

}  // namespace

void LockBranch(int32 branch, LOCKMODE mode) {
    if (IsForbidden(mode)) {
        ereport(ERROR, errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
                errmsg("cannot flush, commit or move a branch from a hook"),
                errhint("A hook may read, and write keys, which stay uncommitted work."));
    }
    LockDatabaseObject(ObjectOid(Object::kBranch), branch, 0, mode);
}

void LockBranchBounded(int32 branch, const char* name, LOCKMODE mode) {
    const LockTimeoutScope timeout(settings.branch_lock_timeout);
    Guarded([&] {
        ErrorContextCallback callback{error_context_stack, ExplainTimeout, const_cast<char*>(name)};
        error_context_stack = &callback;
        LockBranch(branch, mode);
        error_context_stack = callback.previous;
    });
}

bool TryLockBranch(int32 branch, LOCKMODE mode) {
    if (IsForbidden(mode)) {
        return false;
    }
    LOCKTAG tag;
    SET_LOCKTAG_OBJECT(tag, MyDatabaseId, ObjectOid(Object::kBranch), branch, 0);
    return LockAcquire(&tag, mode, false, true) != LOCKACQUIRE_NOT_AVAIL;
}

WriterLocksOnly::WriterLocksOnly() {
    writer_only_scopes++;
}

WriterLocksOnly::~WriterLocksOnly() {
    writer_only_scopes--;
}

}  // namespace kvs::pg

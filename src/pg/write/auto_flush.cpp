#include "pg/write/auto_flush.h"

#include "pg/table/locks.h"
#include "pg/wall/guard.h"
#include "pg/wall/settings.h"
#include "pg/write/autocommit.h"
#include "pg/write/flush.h"

namespace kvs::pg {

namespace {

struct {
    int32 branch;
    int64 rows;
} piled_up;

}  // namespace

void NoteUncommittedRow(int32 branch) {
    if (piled_up.branch != branch) {
        piled_up = {branch, 0};
    }
    piled_up.rows++;
}

void NoteFlushed(int32 branch) {
    if (piled_up.branch == branch) {
        piled_up.rows = 0;
    }
}

void FlushIfPiledUp(int32 branch) {
    if (settings.flush_rows == 0 || piled_up.branch != branch || piled_up.rows < settings.flush_rows) {
        return;
    }
    // Its commit does that, and would have to be waited for by all others from now on.
    if (IsCommittedByTransactions(branch)) {
        NoteFlushed(branch);
        return;
    }
    // Under the stricter levels a flush may fail where the write did not.
    const bool may_flush = Guarded(
        [&] { return !IsolationUsesXactSnapshot() && TryLockBranch(branch, ShareUpdateExclusiveLock); });
    if (!may_flush) {
        return;
    }
    FlushSession session(branch);
    if (session.Fold() > 0) {
        session.Store();
    }
    session.Finish();
}

}  // namespace kvs::pg

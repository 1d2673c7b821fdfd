#include "pg/maintenance/flusher.h"

#include <algorithm>

#include "pg/table/branch_table.h"
#include "pg/table/locks.h"
#include "pg/table/working_batches.h"
#include "pg/wall/guard.h"
#include "pg/wall/settings.h"
#include "pg/wall/snapshot.h"
#include "pg/write/flush.h"

namespace kvs::pg {

namespace {

// The rows of a branch, as far as `most`; 0 if it is gone.
int64 CountRows(int32 branch_id, int64 most) {
    Snapshot snapshot = RegisterLatestSnapshot();
    Branch branch;
    int64 count = 0;
    if (Guarded([&] { return ReadBranch(branch_id, snapshot, &branch); })) {
        WorkingBatches rows(snapshot, branch.epochs, {}, 0);
        while (count < most && rows.Peek() != nullptr) {
            rows.Take();
            count++;
        }
    }
    ReleaseSnapshot(snapshot);
    return count;
}

}  // namespace

void Flusher::Add(const ChangeCounts& changes) {
    for (const auto& [branch, count] : changes) {
        rows_[branch] += count;
    }
}

void Flusher::Reset() {
    rows_.clear();
}

Progress Flusher::Flush() {
    const int64 limit = settings.flush_rows;
    const auto found = std::find_if(rows_.begin(), rows_.end(), [limit](const auto& branch) {
        return limit > 0 && branch.second >= limit;
    });
    if (found == rows_.end()) {
        return Progress::kDone;
    }
    const int32 branch = found->first;
    // Mostly the same keys were changed again and again.
    found->second = CountRows(branch, limit);
    if (found->second < limit) {
        return Progress::kMore;
    }
    if (!TryLockChunksForBuild() || !TryLockBranch(branch, ShareUpdateExclusiveLock)) {
        return Progress::kLater;
    }
    rows_.erase(found);
    FlushSession session(branch);
    if (session.Fold() > 0) {
        session.Store();
    }
    session.Finish();
    return Progress::kMore;
}

}  // namespace kvs::pg

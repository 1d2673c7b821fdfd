// The epochs of a branch: which a reader looks into, and how the next one begins.
#include <string>

#include "kvs/error.h"
#include "kvs/util/quote.h"
#include "pg/table/branch_table.h"
#include "pg/wall/guard.h"
#include "pg/wall/snapshot.h"

namespace kvs::pg {

namespace {

// The branch as it is now, for a process that may take no snapshot. Between the look at a newer row and that
// at an older one somebody's move may be committed, so that neither is seen: then it is looked again.
bool ReadBranchNow(int32 id, Branch* branch) {
    constexpr int kLooks = 1000;
    for (int looks = 0; looks < kLooks; looks++) {
        CHECK_FOR_INTERRUPTS();
        if (ReadBranch(id, SnapshotSelf, branch) && branch->stored) {
            return true;
        }
    }
    return false;
}

}  // namespace

Epochs ReadableEpochs(const Branch& branch) {
    Epochs epochs = branch.epochs;
    Guarded([&] {
        if (!IsolationUsesXactSnapshot() || !TransactionIdIsValid(GetTopTransactionIdIfAny())) {
            return;
        }
        Branch now;
        bool found;
        if (IsInParallelMode()) {
            found = ReadBranchNow(branch.id, &now);
        } else {
            Snapshot latest = RegisterLatestSnapshot();
            found = ReadBranch(branch.id, latest, &now);
            ReleaseSnapshot(latest);
        }
        if (found) {
            epochs.Add(now.epochs);
        }
    });
    return epochs;
}

// A transaction that moves a branch again stays in the epoch that it has begun: what others write goes to the
// one before until it is committed, so nothing is known of that.
void BeginEpoch(Branch* branch, const bool* may_be_dropped) {
    if (branch->moved_here) {
        return;
    }
    const int64 current = branch->epochs.current();
    Epochs next = {};
    for (int i = 0; i < branch->epochs.count; i++) {
        if (i == 0 || !may_be_dropped[i]) {
            next.numbers[next.count++] = branch->epochs.numbers[i];
        }
    }
    if (next.count < Epochs::kMax) {
        if (current == LastEpoch(branch->id)) {
            throw Error(ErrorCode::kLimitExceeded,
                        "branch " + Quoted(branch->name) + " cannot be moved any more",
                        "It was moved 2^32 times. Create a branch from it with kvs.create_branch(), and "
                        "rename both.");
        }
        next.Add(current + 1);
    }
    branch->epochs = next;
    branch->written_epoch = current;
}

}  // namespace kvs::pg

#include "pg/upkeep/empty_epochs.h"

#include "pg/table/branch_table.h"
#include "pg/table/locks.h"
#include "pg/table/owner_query.h"
#include "pg/table/working_table.h"
#include "pg/wall/durability.h"
#include "pg/wall/guard.h"
#include "pg/wall/snapshot.h"

namespace kvs::pg {

namespace {

// Whether no row of the epoch is to be seen under `snapshot`.
bool IsEmpty(Table* working, Snapshot snapshot, int64 epoch) {
    IndexScanDesc scan = BeginWorkingScan(working, snapshot, epoch, {});
    const bool found = index_getnext_slot(scan, ForwardScanDirection, working->slot);
    index_endscan(scan);
    ExecClearTuple(working->slot);
    return !found;
}

}  // namespace

std::vector<int32> BranchesWithOlderEpochs() {
    std::vector<int32> branches;
    OwnerQuery query("SELECT id FROM _kvs.branch WHERE older_epochs IS NOT NULL ORDER BY id");
    while (query.Next()) {
        branches.push_back(query.Int4(1));
    }
    query.Finish();
    return branches;
}

// As in a flush: whatever is being inserted is looked for first, and what is there under a snapshot that is
// taken behind it.
int DropEmptyEpochs(int32 branch_id) {
    int dropped = 0;
    Branch branch;
    Snapshot snapshot = nullptr;
    Guarded([&] {
        if (IsolationUsesXactSnapshot() || !TryLockBranch(branch_id, ShareUpdateExclusiveLock)) {
            return;
        }
        NoteWrite();
        snapshot = RegisterLatestSnapshot();
        if (!ReadBranch(branch_id, snapshot, &branch) || branch.moved_here) {
            return;
        }
        bool unfinished[Epochs::kRoom] = {};
        FindUnfinishedInserts(branch.epochs, unfinished);
        ReleaseSnapshot(snapshot);
        snapshot = RegisterLatestSnapshot();
        Table working = OpenWorkingForRead();
        Epochs left = {1, {branch.epochs.current()}};
        for (int i = 1; i < branch.epochs.count; i++) {
            if (unfinished[i] || !IsEmpty(&working, snapshot, branch.epochs.numbers[i])) {
                left.Add(branch.epochs.numbers[i]);
            }
        }
        Close(&working);
        dropped = branch.epochs.count - left.count;
        branch.epochs = left;
        branch.written_epoch = left.current();
    });
    if (dropped > 0) {
        MoveBranch(branch, snapshot, nullptr);
    }
    if (snapshot != nullptr) {
        ReleaseSnapshot(snapshot);
    }
    return dropped;
}

}  // namespace kvs::pg

#include "pg/table/empty_epochs.h"

#include <algorithm>

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

// Which of the older epochs are empty for good, by the rule of a flush, but that nothing at all may be there:
// rows are looked for first that somebody, this transaction included, has inserted and perhaps not finished,
// then under a snapshot that is taken behind that, and registered.
Snapshot FindEmptyEpochs(const Epochs& epochs, bool* empty) {
    SnapshotData dirty;
    InitDirtySnapshot(dirty);
    Table working = OpenWorkingForRead();
    for (int i = 1; i < epochs.count; i++) {
        empty[i] = IsEmpty(&working, &dirty, epochs.numbers[i]);
    }
    Snapshot snapshot = RegisterLatestSnapshot();
    for (int i = 1; i < epochs.count; i++) {
        empty[i] = empty[i] && IsEmpty(&working, snapshot, epochs.numbers[i]);
    }
    Close(&working);
    return snapshot;
}

// When a snapshot was taken, beside others of this session: xmax only grows, and while it stays, transactions
// before it only end. The session's own, which a snapshot leaves out, is out of all of them in which it is
// before xmax.
struct Moment {
    TransactionId xmax;
    uint32 running;  // before xmax
};

Moment MomentOf(Snapshot snapshot) {
    return {snapshot->xmax, snapshot->xcnt};
}

// Whether whoever is taken at `later` sees all that has ended at `earlier`. Moments that are too far apart to
// be compared are not.
bool IsNotBefore(const Moment& later, const Moment& earlier) {
    return later.xmax == earlier.xmax ? later.running <= earlier.running
                                      : TransactionIdFollows(later.xmax, earlier.xmax);
}

// What a session knows: an epoch is empty under the snapshots since a moment.
struct EmptyEpoch {
    int64 epoch;
    Moment since;
};
constexpr uint32 kRemembered = 64;
struct {
    Oid file;  // that the branches lie in; those of another one have other epochs
    EmptyEpoch empty[kRemembered];
} known;

EmptyEpoch* PlaceOf(int64 epoch) {
    const auto number = static_cast<uint64>(epoch);
    return &known.empty[(number ^ (number >> kEpochBits)) % kRemembered];
}

// How long this session has been probing the older epochs of one branch, and when it will search them.
struct {
    int64 epoch;  // the current one
    int64 probes;
    int64 patience;
} probing;

// The transaction that has deleted rows of epochs. A savepoint may bring them back, though nobody sees them
// now.
TransactionId deleted_in = InvalidTransactionId;

// A search takes about half a probe for each row that was folded.
int64 FirstPatience(const Epochs& epochs) {
    return epochs.folded_rows / 2;
}

}  // namespace

void ForgetEmptyEpochs(Oid file, Snapshot snapshot, Epochs* epochs) {
    if (known.file != file) {
        memset(&known, 0, sizeof(known));
        known.file = file;
    }
    if (snapshot->snapshot_type != SNAPSHOT_MVCC || snapshot->takenDuringRecovery) {
        return;
    }
    int count = 1;
    for (int i = 1; i < epochs->count; i++) {
        const EmptyEpoch& empty = *PlaceOf(epochs->numbers[i]);
        if (empty.epoch != epochs->numbers[i] || !IsNotBefore(MomentOf(snapshot), empty.since)) {
            epochs->numbers[count++] = epochs->numbers[i];
        }
    }
    epochs->count = count;
}

void NoteDeletedRows() {
    deleted_in = GetTopTransactionId();
}

bool SearchOlderEpochs(const Epochs& epochs, int64 probes) {
    if (probing.epoch != epochs.current()) {
        probing = {epochs.current(), 0, FirstPatience(epochs)};
    }
    probing.probes += probes;
    const TransactionId xid = GetTopTransactionIdIfAny();
    if (probing.probes < probing.patience || (TransactionIdIsValid(xid) && xid == deleted_in) ||
        IsolationUsesXactSnapshot() || IsInParallelMode() || RecoveryInProgress()) {
        return false;
    }
    bool empty[Epochs::kRoom];
    Snapshot snapshot = FindEmptyEpochs(epochs, empty);
    bool found = false;
    for (int i = 1; i < epochs.count; i++) {
        if (empty[i]) {
            *PlaceOf(epochs.numbers[i]) = {epochs.numbers[i], MomentOf(snapshot)};
            found = true;
        }
    }
    ReleaseSnapshot(snapshot);
    probing.probes = 0;
    probing.patience = std::max<int64>(2 * probing.patience, 1);
    return found;
}

std::vector<int32> BranchesWithOlderEpochs() {
    std::vector<int32> branches;
    OwnerQuery query("SELECT id FROM _kvs.branch WHERE older_epochs IS NOT NULL ORDER BY id");
    while (query.Next()) {
        branches.push_back(query.Int4(1));
    }
    query.Finish();
    return branches;
}

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
        if (!ReadBranch(branch_id, snapshot, &branch) || branch.moved_here || branch.epochs.count == 1) {
            return;
        }
        ReleaseSnapshot(snapshot);
        bool empty[Epochs::kRoom];
        snapshot = FindEmptyEpochs(branch.epochs, empty);
        Epochs left = {1, {branch.epochs.current()}};
        for (int i = 1; i < branch.epochs.count; i++) {
            if (!empty[i]) {
                left.Add(branch.epochs.numbers[i]);
            }
        }
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

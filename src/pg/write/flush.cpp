#include "pg/write/flush.h"

#include <string>
#include <vector>

#include "kvs/codec/item.h"
#include "kvs/tree/editor.h"
#include "kvs/util/quote.h"
#include "kvs/version/same_contents.h"
#include "pg/chunk/chunk_store.h"
#include "pg/chunk/tree_item.h"
#include "pg/table/commit_table.h"
#include "pg/table/locks.h"
#include "pg/table/reflog_table.h"
#include "pg/table/working_batches.h"
#include "pg/table/working_table.h"
#include "pg/wall/convert.h"
#include "pg/wall/durability.h"
#include "pg/wall/guard.h"
#include "pg/wall/snapshot.h"
#include "pg/wall/store_error.h"
#include "pg/write/auto_flush.h"
#include "pg/write/commit_maker.h"
#include "pg/write/hooks.h"

namespace kvs::pg {

namespace {

// The rows of an epoch in key order.
class EpochScan {
  public:
    EpochScan(int64 epoch, Snapshot snapshot) {
        Guarded([&] {
            working_ = OpenWorkingForRead();
            scan_ = BeginWorkingScan(&working_, snapshot, epoch, {});
            context_ = AllocSetContextCreate(CurrentMemoryContext, "kvs flush row", ALLOCSET_DEFAULT_SIZES);
        });
    }

    // The row's pointers are valid until the next call.
    bool Next() {
        return Guarded([&] {
            CHECK_FOR_INTERRUPTS();
            MemoryContextReset(context_);
            MemoryContext caller = MemoryContextSwitchTo(context_);
            const bool found = NextWorking(&working_, scan_, ForwardScanDirection,
                                           kWorkingItem | kWorkingMeta, &row_, &key_);
            MemoryContextSwitchTo(caller);
            return found;
        });
    }

    void Finish() {
        Guarded([&] {
            index_endscan(scan_);
            Close(&working_);
            MemoryContextDelete(context_);
        });
    }

    std::string_view key() const { return Contents(key_); }
    const WorkingRow& row() const { return row_; }

  private:
    Table working_;
    IndexScanDesc scan_;
    MemoryContext context_;
    WorkingRow row_;
    struct varlena* key_;
};

// The working rows of a branch in key order, out of all its live epochs. Should two of one key be visible,
// that of the later epoch comes first.
class WorkingScan {
  public:
    WorkingScan(const Epochs& epochs, Snapshot snapshot) {
        scans_.reserve(epochs.count);
        for (const int64 epoch : epochs) {
            scans_.emplace_back(epoch, snapshot);
            rest_.push_back(scans_.back().Next());
        }
    }

    // The row's pointers are valid until the next call.
    bool Next() {
        if (at_ < scans_.size()) {
            rest_[at_] = scans_[at_].Next();
        }
        at_ = scans_.size();
        for (size_t i = 0; i < scans_.size(); i++) {
            if (rest_[i] && (at_ == scans_.size() || scans_[i].key() < scans_[at_].key())) {
                at_ = i;
            }
        }
        return at_ < scans_.size();
    }

    void Finish() {
        for (EpochScan& scan : scans_) {
            scan.Finish();
        }
    }

    std::string_view key() const { return scans_[at_].key(); }
    const WorkingRow& row() const { return scans_[at_].row(); }

  private:
    std::vector<EpochScan> scans_;
    std::vector<bool> rest_;  // whether the scan stands on a row
    size_t at_ = SIZE_MAX;    // whose row comes next
};

struct FoldedRow {
    ItemPointerData tid;
    int64 epoch;
};

// Deletes the rows that were folded, each only in the version that was folded; `left` is called with the
// epoch of each that stays, because a writer has changed it since, or is changing it. Such a row overlays the
// new tree, and if its writer aborts it equals the tree. So a flush never waits for a row, and cannot
// deadlock with writers. A plain DELETE would find the row's newest version and delete a value that no tree
// holds:
//
//     flush reads k = 1;  a writer commits k = 2;  DELETE ... WHERE key = 'k' deletes 2, and the tree says 1.
template <typename Left>
void DeleteFolded(const std::vector<FoldedRow>& rows, Snapshot snapshot, Left left) {
    Table working = Guarded([] { return OpenWorkingForWrite(); });
    for (const FoldedRow& row : rows) {
        ItemPointerData tid = row.tid;
        const TM_Result result = Guarded([&] {
            CHECK_FOR_INTERRUPTS();
            return Delete(&working, &tid, snapshot, false);
        });
        if (result != TM_Ok) {
            left(row.epoch);
        }
    }
    Guarded([&] {
        Close(&working);
        CommandCounterIncrement();
    });
}

}  // namespace

// The protocol of a flush. Its parts are called in this order, and each relies on the ones before it:
//
// 1. The branch is locked against other flushes, not against writers (constructor).
// 2. The older epochs are searched for unfinished insertions (FindUnfinished). *Then* the one snapshot S is
//    taken, so that it sees what the flush did that the lock waited for, and the insertions that ended during
//    the search (TakeSnapshot).
// 3. Roots and working rows are read under S, and exactly the values read are folded into the trees (Fold).
// 4. Each folded row is deleted at the place where S saw it (DeleteFolded).
// 5. The branch's row moves to the new roots and to its next epoch, last (Store). Older epochs without an
//    unfinished insertion in step 2 of which step 4 has left nothing are dropped.
//
// Invariant: under any snapshot, a key's state is its row in the live epochs if there is one, else what the
// roots of the branch's row say. Steps 4 and 5 become visible together, with the transaction.

FlushSession::FlushSession(std::string_view branch) {
    Guarded([] {
        NoteWrite();
        LockChunksForBuild();
    });
    TakeSnapshot(LockBranchByName(branch, ShareUpdateExclusiveLock), Reads::kOperation);
}

FlushSession::FlushSession(int32 branch_id, Reads reads) {
    LockChunksForBuild();
    TakeSnapshot(branch_id, reads);
}

// At READ COMMITTED the snapshot is new. At the stricter levels it is the transaction's and may be older than
// the lock: if the branch moved in between, rows that the snapshot shows are folded already. If it only
// dropped epochs, nothing else is different.
void FlushSession::TakeSnapshot(int32 branch_id, Reads reads) {
    Guarded([&] {
        Snapshot latest = RegisterLatestSnapshot();
        RequireBranch(branch_id, latest, &branch_);
        if (!IsolationUsesXactSnapshot() || reads == Reads::kLatest) {
            if (branch_.epochs.count > 1) {
                FindUnfinished();
                ReleaseSnapshot(latest);
                latest = RegisterLatestSnapshot();
            }
            snapshot_ = latest;
            return;
        }
        Branch seen;
        snapshot_ = RegisterOperationSnapshot();
        RequireBranch(branch_id, snapshot_, &seen);
        ReleaseSnapshot(latest);
        if (seen.stored != branch_.stored || seen.epochs.current() != branch_.epochs.current()) {
            throw CouldNotSerialize("a concurrent move of branch " + Quoted(branch_.name));
        }
    });
}

// An insertion that ends before the next snapshot is taken will be seen by that, and one that does not is
// found here. A transaction with one snapshot does not drop epochs.
void FlushSession::FindUnfinished() {
    bool unfinished[Epochs::kRoom] = {};
    FindUnfinishedInserts(branch_.epochs, unfinished);
    for (int i = 1; i < branch_.epochs.count; i++) {
        may_be_dropped_[i] = !unfinished[i];
    }
}

int64 FlushSession::Fold() {
    ChunkStore chunks(snapshot_);
    chunks.LendLeaves();
    TreeEditor data(chunks, branch_.working.data_root);
    TreeEditor meta(chunks, branch_.working.meta_root);
    std::vector<FoldedRow> rows;
    WorkingScan scan(branch_.epochs, snapshot_);
    // Should two visible rows have one key, the newer one counts: each waits for the next key to be folded.
    std::string key;
    std::string pending_meta;
    std::string pending_item;
    bool pending_deleted = false;
    int64 pending_seq = -1;
    const auto fold_pending = [&] {
        if (pending_seq < 0) {
            return;
        }
        meta.Put(key, pending_meta);
        if (pending_deleted) {
            data.Delete(key);
        } else {
            data.Put(key, ToTreeItem(pending_item, &chunks));
        }
        mark_.rows++;
        mark_.last_seq = std::max(mark_.last_seq, pending_seq);
    };
    while (scan.Next()) {
        const WorkingRow& row = scan.row();
        if (scan.key() != key) {
            fold_pending();
            key = scan.key();
            pending_seq = -1;
        }
        if (row.change_seq > pending_seq) {
            pending_seq = row.change_seq;
            pending_meta = Contents(row.meta);
            pending_deleted = row.item == nullptr;
            pending_item = pending_deleted ? std::string_view() : Contents(row.item);
        }
        rows.push_back({row.tid, row.epoch});
    }
    fold_pending();
    scan.Finish();
    if (mark_.rows == 0) {
        return 0;
    }
    branch_.working = {data.Finish(), meta.Finish()};
    chunks.Flush();
    DeleteFolded(rows, snapshot_, [&](int64 epoch) {
        for (int i = 0; i < branch_.epochs.count; i++) {
            may_be_dropped_[i] = may_be_dropped_[i] && branch_.epochs.numbers[i] != epoch;
        }
    });
    folded_ = true;
    NoteFlushed(branch_.id);
    return mark_.rows;
}

void FlushSession::Store() {
    BeginEpoch(&branch_, may_be_dropped_);
    MoveBranch(branch_, snapshot_, folded_ ? &mark_ : nullptr);
}

void FlushSession::Finish() {
    ReleaseSnapshot(snapshot_);
}

void RequireNothingLeft(const Branch& branch) {
    if (!Guarded([] { return IsolationUsesXactSnapshot(); })) {
        return;
    }
    Snapshot latest = RegisterLatestSnapshot();
    const bool rows_left = WorkingBatches(latest, branch.epochs, {}, 0).Peek() != nullptr;
    ReleaseSnapshot(latest);
    if (rows_left) {
        throw CouldNotSerialize("concurrent writes to branch " + Quoted(branch.name));
    }
}

int64 FlushBranch(std::string_view branch) {
    FlushSession session(branch);
    const int64 rows = session.Fold();
    if (rows > 0) {
        session.Store();
    }
    session.Finish();
    return rows;
}

namespace {

// Commits what the session has folded; nullopt if nothing changed.
std::optional<Hash> CommitFolded(FlushSession* session, std::string_view message, std::string_view author) {
    Branch& branch = session->branch();
    const Commit head = ReadCommit(branch.head, session->snapshot());
    ChunkStore chunks(session->snapshot());
    if (SameContents(chunks, {head.data_root, head.meta_root}, branch.working)) {
        return std::nullopt;
    }
    LockCommitForReference(branch.head);
    const PlannedCommit planned = {branch.working, {}, AuthorName(author), std::string(message)};
    const Hash before = branch.head;
    branch.head = MakeCommit(planned, {before, head.generation}, session->snapshot()).hash;
    AppendReflog(branch, &before, &branch.head, "commit", planned.author);
    return branch.head;
}

std::optional<Hash> FoldAndCommit(FlushSession* session, std::string_view message, std::string_view author) {
    const int64 rows = session->Fold();
    const std::optional<Hash> commit = CommitFolded(session, message, author);
    if (commit || rows > 0) {
        session->Store();
    }
    session->Finish();
    if (commit) {
        RunCommitHooks(session->branch().name, *commit);
    }
    return commit;
}

}  // namespace

std::optional<Hash> CommitBranch(std::string_view branch, std::string_view message, std::string_view author) {
    FlushSession session(branch);
    return FoldAndCommit(&session, message, author);
}

std::optional<Hash> CommitLockedBranch(int32 branch_id, std::string_view message, FlushSession::Reads reads) {
    FlushSession session(branch_id, reads);
    return FoldAndCommit(&session, message, {});
}

}  // namespace kvs::pg

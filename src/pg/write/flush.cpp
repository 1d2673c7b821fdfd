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

// The working rows of a branch in key order, one per key.
class WorkingScan {
  public:
    WorkingScan(int32 branch, Snapshot snapshot) {
        Guarded([&] {
            working_ = OpenWorkingForRead();
            scan_ = BeginWorkingScan(&working_, snapshot, branch, {});
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

// Deletes the rows that were folded, each only in the version that was folded. A row that a writer has
// changed since, or is changing, stays: it overlays the new tree, and if its writer aborts it equals the
// tree. So a flush never waits for a row, and cannot deadlock with writers. A plain DELETE would find the
// row's newest version and delete a value that no tree holds:
//
//     flush reads k = 1;  a writer commits k = 2;  DELETE ... WHERE key = 'k' deletes 2, and the tree says 1.
void DeleteFolded(const std::vector<ItemPointerData>& tids, Snapshot snapshot) {
    Table working = Guarded([] { return OpenWorkingForWrite(); });
    for (ItemPointerData tid : tids) {
        Guarded([&] {
            CHECK_FOR_INTERRUPTS();
            Delete(&working, &tid, snapshot, false);
        });
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
// 2. *Then* the one snapshot S is taken, so that it sees what the flush did that the lock waited for
//    (TakeSnapshot).
// 3. Roots and working rows are read under S, and exactly the values read are folded into the trees (Fold).
// 4. Each folded row is deleted at the place where S saw it (DeleteFolded).
// 5. The branch's row moves to the new roots, last (Store).
//
// Invariant: under any snapshot, a key's state is its working row if there is one, else what the roots of the
// branch's row say. Steps 4 and 5 become visible together, with the transaction.

FlushSession::FlushSession(std::string_view branch) {
    Guarded([] {
        NoteWrite();
        LockChunksForBuild();
    });
    TakeSnapshot(LockBranchByName(branch, ShareUpdateExclusiveLock));
}

FlushSession::FlushSession(int32 branch_id) {
    LockChunksForBuild();
    TakeSnapshot(branch_id);
}

// At READ COMMITTED the snapshot is new. At the stricter levels it is the transaction's and may be older than
// the lock: if the branch moved in between, rows that the snapshot shows are folded already.
void FlushSession::TakeSnapshot(int32 branch_id) {
    Guarded([&] {
        snapshot_ = RegisterOperationSnapshot();
        RequireBranch(branch_id, snapshot_, &branch_);
        if (IsolationUsesXactSnapshot()) {
            Branch now;
            Snapshot latest = RegisterLatestSnapshot();
            const bool same = ReadBranch(branch_id, latest, &now) && now.stored == branch_.stored &&
                              now.head == branch_.head && now.working.meta_root == branch_.working.meta_root;
            ReleaseSnapshot(latest);
            if (!same) {
                throw CouldNotSerialize("a concurrent move of branch " + Quoted(branch_.name));
            }
        }
    });
}

int64 FlushSession::Fold() {
    ChunkStore chunks(snapshot_);
    TreeEditor data(chunks, branch_.working.data_root);
    TreeEditor meta(chunks, branch_.working.meta_root);
    std::vector<ItemPointerData> tids;
    WorkingScan scan(branch_.id, snapshot_);
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
        tids.push_back(row.tid);
    }
    fold_pending();
    scan.Finish();
    if (mark_.rows == 0) {
        return 0;
    }
    branch_.working = {data.Finish(), meta.Finish()};
    chunks.Flush();
    DeleteFolded(tids, snapshot_);
    folded_ = true;
    NoteFlushed(branch_.id);
    return mark_.rows;
}

void FlushSession::Store() {
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
    const bool rows_left = WorkingBatches(latest, branch.id, {}, 0).Peek() != nullptr;
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
    LockCommitForReference(branch.head);
    const Commit head = ReadCommit(branch.head, session->snapshot());
    ChunkStore chunks(session->snapshot());
    if (SameContents(chunks, {head.data_root, head.meta_root}, branch.working)) {
        return std::nullopt;
    }
    const PlannedCommit planned = {branch.working, {}, AuthorName(author), std::string(message)};
    const Hash before = branch.head;
    branch.head = MakeCommit(planned, {before, head.generation}, session->snapshot()).hash;
    AppendReflog(branch, &before, &branch.head, "commit", planned.author);
    return branch.head;
}

}  // namespace

std::optional<Hash> CommitBranch(std::string_view branch, std::string_view message, std::string_view author) {
    FlushSession session(branch);
    const int64 rows = session.Fold();
    const std::optional<Hash> commit = CommitFolded(&session, message, author);
    if (commit || rows > 0) {
        session.Store();
    }
    session.Finish();
    if (commit) {
        RunCommitHooks(session.branch().name, *commit);
    }
    return commit;
}

}  // namespace kvs::pg

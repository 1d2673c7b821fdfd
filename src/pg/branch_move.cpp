#include "pg/branch_move.h"

#include <string>

#include "kvs/codec/item.h"
#include "kvs/error.h"
#include "kvs/store/metadata_service.h"
#include "kvs/tree/diff.h"
#include "kvs/tree/editor.h"
#include "kvs/version/commit.h"
#include "kvs/version/merge_base.h"
#include "kvs/version/ref.h"
#include "pg/branch_edit.h"
#include "pg/branch_lock.h"
#include "pg/branch_table.h"
#include "pg/change_log.h"
#include "pg/chunk_store.h"
#include "pg/commit_table.h"
#include "pg/convert.h"
#include "pg/flush.h"
#include "pg/guard.h"
#include "pg/ref_edit.h"
#include "pg/view_diff.h"
#include "pg/working_batches.h"

namespace kvs::pg {

namespace {

RootPair RootsOf(const Commit& commit) {
    return {commit.data_root, commit.meta_root};
}

// The target's trees, with versions above those that the branch has: its metadata tree, changed for the keys
// whose metadata differs. A key that the target never had leaves a tombstone.
RootPair WithoutRewinding(const RootPair& now, const RootPair& target, const ChangeId& change,
                          Snapshot snapshot) {
    ChunkStore chunks(snapshot);
    TreeEditor meta(chunks, target.meta_root);
    DiffCursor diff(chunks, now.meta_root, target.meta_root);
    const StandardMetadataService rules;
    WriteOptions options;
    options.modified_by = AuthorName({});
    const Timestamp moment = FromServerTime(GetCurrentTimestamp());
    while (const std::optional<TreeChange> difference = diff.Next()) {
        if (!difference->from) {
            continue;  // new on this branch
        }
        const Metadata current = DecodeMetadata(*difference->from).OrThrow();
        Metadata next = current;
        if (difference->to) {
            const Metadata incoming = DecodeMetadata(*difference->to).OrThrow();
            next = rules.Adopt(&current, incoming, options, moment, change);
        } else if (!current.deleted) {
            next = rules.Tombstone(current, options, moment, change);
        }
        meta.Put(difference->key, EncodeMetadata(next));
    }
    const RootPair roots{target.data_root, meta.Finish()};
    chunks.Flush();
    return roots;
}

[[noreturn]] void ThrowRefused(const Branch& branch, const std::string& reason, const char* hint) {
    throw Error(ErrorCode::kWrongState, "cannot move branch \"" + std::string(branch.name) + "\": " + reason,
                hint);
}

// What a transaction with one snapshot has not folded would hide the commit's state.
void RequireFolded(const Branch& branch) {
    Snapshot latest = RegisterNewestSnapshot();
    const bool rows_left = WorkingBatches(latest, branch.id, {}, 0).Peek() != nullptr;
    ReleaseSnapshot(latest);
    if (rows_left) {
        throw Error(ErrorCode::kSerialization,
                    "could not serialize access due to concurrent writes to branch \"" +
                        std::string(branch.name) + "\"",
                    "Retry the transaction.");
    }
}

void LogRange(const Branch& branch, int64 seq, Operation operation, const RootPair& from) {
    Guarded([&] {
        Table log = OpenChangeLogForWrite();
        AppendRange(&log, seq, branch.id, operation, from, branch.working);
        Close(&log);
        CommandCounterIncrement();
    });
}

void MoveHeld(FlushSession* session, const Hash& head, const MoveOptions& options) {
    Branch& branch = session->branch();
    Snapshot snapshot = session->snapshot();
    CommitTable graph(snapshot);
    const bool is_dirty = ViewDiff(HeadView(branch, snapshot), WorkingView(branch, snapshot)).Next();
    const bool is_forward = IsAncestor(graph, branch.head, head);
    if (!options.force && !is_forward) {
        ThrowRefused(branch, "the commit does not build on the branch's head",
                     "Fetch and merge the branch first, or use force => true, which discards its commits.");
    }
    if (!options.force && is_dirty) {
        ThrowRefused(branch, "it has uncommitted work",
                     "Commit it there and merge, or use force => true, which discards it.");
    }
    session->Fold();
    RequireFolded(branch);
    const Hash before = branch.head;
    const RootPair roots_before = branch.working;
    const RootPair target = RootsOf(ReadCommit(head, snapshot));
    const RootPair committed = RootsOf(ReadCommit(before, snapshot));
    ChangeId change;
    Guarded([&] {
        change.log_id = CurrentLog();
        change.seq = static_cast<uint64_t>(NextChangeSeq());
    });
    // A commit that builds on the head has versions above the head's, but not above those of work since.
    const bool takes_versions = is_forward && roots_before.meta_root == committed.meta_root;
    branch.working = takes_versions ? target : WithoutRewinding(roots_before, target, change, snapshot);
    branch.head = head;
    LogRange(branch, static_cast<int64>(change.seq), is_forward ? Operation::kMerge : Operation::kReset,
             roots_before);
    AppendReflog(branch, &before, &head, options.operation, AuthorName({}),
                 is_dirty ? &roots_before.data_root : nullptr);
    session->Store();
}

}  // namespace

std::optional<Hash> MoveBranchTo(std::string_view name, const Hash& head, const MoveOptions& options) {
    ValidateRefName(name).OrThrow();
    BeginRefEdit();
    Snapshot snapshot = RegisterNewestSnapshot();
    Branch seen;
    const bool exists = TryFindBranch(name, snapshot, &seen);
    ReleaseSnapshot(snapshot);
    if (!exists) {
        CreateBranch(name, head.ToHex());
        return std::nullopt;
    }
    LockBranchBounded(seen.id, ShareRowExclusiveLock);
    FlushSession session(seen.id);
    if (name != session.branch().name) {
        throw Error(
            ErrorCode::kSerialization,
            "could not serialize access due to a concurrent rename of branch \"" + std::string(name) + "\"",
            "Retry the transaction.");
    }
    const Hash before = session.branch().head;
    if (before != head) {
        MoveHeld(&session, head, options);
    }
    session.Finish();
    return before;
}

}  // namespace kvs::pg

#include "pg/branch/branch_edit.h"

#include <algorithm>
#include <cstring>
#include <optional>
#include <string>

#include "kvs/error.h"
#include "kvs/util/quote.h"
#include "kvs/version/ref.h"
#include "pg/branch/ref_edit.h"
#include "pg/branch/staged_merge.h"
#include "pg/read/ref_list.h"
#include "pg/read/ref_resolver.h"
#include "pg/read/view_diff.h"
#include "pg/table/branch_table.h"
#include "pg/table/commit_table.h"
#include "pg/table/locks.h"
#include "pg/table/owner_query.h"
#include "pg/table/reflog_table.h"
#include "pg/table/working_batches.h"
#include "pg/wall/convert.h"
#include "pg/wall/guard.h"
#include "pg/wall/settings.h"
#include "pg/wall/snapshot.h"
#include "pg/wall/store_error.h"
#include "pg/write/commit_maker.h"
#include "pg/write/flush.h"

namespace kvs::pg {

namespace {

// Where a new branch begins.
struct Source {
    Hash head;
    TreePair working;
};

std::string Named(const char* what, std::string_view name) {
    return what + (" " + Quoted(name));
}

[[noreturn]] void ThrowConcurrentChange(std::string_view branch) {
    throw CouldNotSerialize("a concurrent change of " + Named("branch", branch));
}

bool MainIsVirtual(Snapshot snapshot) {
    Branch main;
    return ReadBranch(kMainBranchId, snapshot, &main) && !main.stored;
}

// Stores main of a new store, without a race against its first commit.
void StoreVirtualMain() {
    const bool seen_otherwise = Guarded([] {
        Snapshot latest = RegisterLatestSnapshot();
        const bool is_virtual = MainIsVirtual(latest);
        ReleaseSnapshot(latest);
        if (is_virtual) {
            LockBranch(kMainBranchId, ShareUpdateExclusiveLock);
        }
        return !is_virtual && IsolationUsesXactSnapshot() && MainIsVirtual(GetTransactionSnapshot());
    });
    if (seen_otherwise) {
        ThrowConcurrentChange(kMainBranchName);
    }
    Snapshot latest = RegisterLatestSnapshot();
    StoreMainBranch(latest);
    ReleaseSnapshot(latest);
}

Source SourceOf(std::string_view ref_text) {
    if (ParseRef(ref_text).OrThrow().base == Ref::Base::kWorking) {
        FlushSession session{std::string_view()};
        if (session.Fold() > 0) {
            session.Store();
        }
        const Source source{session.branch().head, session.branch().working};
        session.Finish();
        return source;
    }
    Snapshot snapshot = RegisterOperationSnapshot();
    const ResolvedRef ref = ResolveRef(ref_text, {}, snapshot);
    ReleaseSnapshot(snapshot);
    LockCommitForReference(ref.commit);
    return {ref.commit, ref.roots};
}

// The branch as it is now that this transaction holds it.
Branch ReadHeld(const Branch& seen, Snapshot snapshot) {
    Branch branch;
    Guarded([&] { RequireBranch(seen.id, snapshot, &branch); });
    return branch;
}

// Whether a ref that stays when the branch goes reaches its commits. Mostly it is the session's branch, and
// not many commits ago; so that is looked at before all refs are listed.
bool IsReachableWithout(const Branch& branch, Snapshot snapshot) {
    constexpr uint64_t kNearCommits = 32;
    Branch session = {};
    if (TryFindBranch({}, snapshot, &session) && session.id != branch.id &&
        IsReachable(branch.head, {{session.id, session.head}}, snapshot, kNearCommits)) {
        return true;
    }
    std::vector<ListedRef> refs = ListRefs(snapshot);
    std::erase_if(refs, [&](const ListedRef& ref) { return ref.branch_id == branch.id; });
    const auto first = std::find_if(refs.begin(), refs.end(),
                                    [&](const ListedRef& ref) { return ref.branch_id == session.id; });
    if (first != refs.end()) {
        std::iter_swap(refs.begin(), first);
    }
    return IsReachable(branch.head, refs, snapshot);
}

void RequireDeletable(const Branch& branch, bool is_dirty, bool force, Snapshot snapshot) {
    const std::string cannot = "cannot delete " + Named("branch", branch.name);
    if (std::string_view(branch.name) == settings.branch) {
        throw Error(ErrorCode::kWrongState, cannot + ": it is the session's branch",
                    "Switch to another branch with kvs.switch_branch(name) first.");
    }
    if (!HasOtherBranch(branch.id, snapshot)) {
        throw Error(ErrorCode::kWrongState, cannot + ": it is the only branch");
    }
    if (force) {
        return;
    }
    if (is_dirty) {
        throw Error(ErrorCode::kWrongState, cannot + ": it has uncommitted work",
                    "Commit it, or delete the branch with force => true.");
    }
    if (!IsReachableWithout(branch, snapshot)) {
        throw Error(ErrorCode::kWrongState, cannot + ": it has commits that no other branch or tag has",
                    "Merge or tag it, or delete the branch with force => true.");
    }
}

void DeleteRows(const Branch& branch) {
    DropStagedMerge(branch.id);
    for (const int64 epoch : branch.epochs) {
        ExecuteAsOwner("DELETE FROM _kvs.working WHERE epoch = $1", {Parameter::Int8(epoch)});
    }
    ExecuteAsOwner("DELETE FROM _kvs.branch WHERE id = $1", {Parameter::Int4(branch.id)});
    // The transaction's snapshot may not show what was written since.
    Snapshot latest = RegisterLatestSnapshot();
    const bool rows_left = WorkingBatches(latest, branch.epochs, {}, 0).Peek() != nullptr;
    ReleaseSnapshot(latest);
    if (rows_left) {
        ThrowConcurrentChange(branch.name);
    }
}

}  // namespace

void CreateBranch(std::string_view name, std::string_view from_ref) {
    ValidateRefName(name).OrThrow();
    BeginRefEdit();
    LockRefName(name);
    RequireFreeName(name);
    StoreVirtualMain();
    const Source source = SourceOf(from_ref);
    Branch branch = {};
    branch.id = AddBranch(name, source.head, source.working);
    memcpy(branch.name, name.data(), name.size());
    AppendReflog(branch, nullptr, &source.head, "create", AuthorName({}));
}

void DeleteBranch(std::string_view name, bool force) {
    BeginRefEdit();
    LockBranchDeletions();
    LockRefName(name);
    Snapshot before = RegisterOperationSnapshot();
    const Branch seen = FindNamedBranch(name, before);
    ReleaseSnapshot(before);
    LockBranchBounded(seen.id, seen.name, AccessExclusiveLock);
    Snapshot snapshot = RegisterLatestSnapshot();
    const Branch branch = ReadHeld(seen, snapshot);
    const bool is_dirty = ViewDiff(HeadView(branch, snapshot), WorkingView(branch, snapshot)).Next();
    RequireDeletable(branch, is_dirty, force, snapshot);
    std::optional<Hash> discarded_root;
    if (is_dirty) {
        FlushSession session(branch.id);
        session.Fold();
        KeepDiscarded(session.branch(), session.snapshot());
        discarded_root = session.branch().working.data_root;
        session.Finish();
    }
    DeleteRows(branch);
    AppendReflog(branch, &branch.head, nullptr, "delete", AuthorName({}),
                 discarded_root ? &*discarded_root : nullptr);
    Guarded([] { ForgetBranchNames(); });
    ReleaseSnapshot(snapshot);
}

void RenameBranch(std::string_view name, std::string_view new_name) {
    ValidateRefName(new_name).OrThrow();
    BeginRefEdit();
    LockRefNames(name, new_name);
    Snapshot before = RegisterOperationSnapshot();
    Branch seen = FindNamedBranch(name, before);
    ReleaseSnapshot(before);
    if (name == new_name) {
        return;
    }
    Guarded([&] { LockBranch(seen.id, ShareUpdateExclusiveLock); });
    Snapshot snapshot = RegisterLatestSnapshot();
    Branch branch = ReadHeld(seen, snapshot);
    if (Guarded([] { return IsolationUsesXactSnapshot(); }) &&
        branch.epochs.current() != seen.epochs.current()) {
        ThrowConcurrentChange(name);
    }
    RequireFreeName(new_name);
    memcpy(branch.name, new_name.data(), new_name.size());
    branch.name[new_name.size()] = '\0';
    constexpr bool kKeepAll[Epochs::kRoom] = {};
    BeginEpoch(&branch, kKeepAll);
    MoveBranch(branch, snapshot, nullptr);
    Guarded([] { ForgetBranchNames(); });
    ReleaseSnapshot(snapshot);
    RenameMoves(branch.id, name, new_name);
    if (name == settings.branch) {
        SetSessionBranch(new_name);
    }
}

}  // namespace kvs::pg

#include "pg/branch/branch_rewrite.h"
#include "kvs/version/same_contents.h"

#include "kvs/error.h"
#include "kvs/util/quote.h"
#include "pg/table/commit_table.h"
#include "pg/table/locks.h"
#include "pg/table/reflog_table.h"
#include "pg/table/working_batches.h"
#include "pg/wall/convert.h"
#include "pg/wall/durability.h"
#include "pg/wall/guard.h"
#include "pg/wall/snapshot.h"
#include "pg/write/autocommit.h"
#include "pg/write/flush.h"
#include "pg/write/hooks.h"

namespace kvs::pg {

namespace {

RewritePlan ComputeUnlocked(const PlanFunction& compute, std::string_view name, Branch* seen) {
    Snapshot snapshot = Guarded([] {
        NoteWrite();
        LockChunksForBuild();
        return RegisterOperationSnapshot();
    });
    *seen = FindBranch(name, snapshot);
    ChunkStore chunks(snapshot);
    chunks.LendLeaves();
    RewritePlan plan = compute(*seen, &chunks, snapshot);
    chunks.Flush();
    ReleaseSnapshot(snapshot);
    return plan;
}

bool SameState(const Branch& a, const Branch& b) {
    return a.head == b.head && a.working.data_root == b.working.data_root &&
           a.working.meta_root == b.working.meta_root;
}

void Apply(FlushSession* session, RewritePlan* plan) {
    Branch& branch = session->branch();
    const Hash before = branch.head;
    std::optional<Hash> discarded;
    if (plan->keeps_discarded) {
        KeepDiscarded(branch, session->snapshot());
        discarded = branch.working.data_root;
    }
    CommitPlace top = PlaceOf(plan->onto, session->snapshot());
    for (const PlannedCommit& commit : plan->commits) {
        top = MakeCommit(commit, top, session->snapshot());
        plan->made.push_back(top.hash);
    }
    plan->head = top.hash;
    if (plan->numbers) {
        LogRewrite(branch.id, plan->operation, branch.working, plan->working, *plan->numbers, plan->previous,
                   session->snapshot());
    }
    branch.head = plan->head;
    branch.working = plan->working;
    if (!plan->reflog_operation.empty()) {
        AppendReflog(branch, &before, &branch.head, plan->reflog_operation.c_str(), AuthorName({}),
                     discarded ? &*discarded : nullptr);
    }
    session->Store();
    if (branch.autocommit == kAutocommitTransaction) {
        Guarded([&] { NoteAutocommit(branch.id, std::nullopt); });
    }
}

}  // namespace

RewritePlan RewriteBranch(std::string_view name, const PlanFunction& compute, const BeforeApply& before_apply,
                          const InputsChanged& inputs_changed) {
    Branch seen;
    RewritePlan plan = ComputeUnlocked(compute, name, &seen);
    LockBranchBounded(seen.id, seen.name, ShareRowExclusiveLock);
    FlushSession session(seen.id);
    const int64 folded = session.Fold();
    RequireNothingLeft(session.branch());
    const bool other_inputs = inputs_changed && inputs_changed();
    if (other_inputs || folded > 0 || !SameState(session.branch(), seen)) {
        ChunkStore chunks(session.snapshot());
        chunks.LendLeaves();
        plan = compute(session.branch(), &chunks, session.snapshot());
        chunks.Flush();
    }
    if (plan.refusal) {
        throw *plan.refusal;
    }
    if (before_apply) {
        before_apply(session.branch(), plan, session.snapshot());
    }
    if (plan.applies) {
        Apply(&session, &plan);
    } else {
        plan.head = session.branch().head;
        if (folded > 0) {
            session.Store();
        }
    }
    session.Finish();
    for (const Hash& commit : plan.made) {
        RunCommitHooks(session.branch().name, commit);
    }
    return plan;
}

TreePair RootsOf(const Hash& hash, Snapshot snapshot) {
    const Commit commit = ReadCommit(hash, snapshot);
    return {commit.data_root, commit.meta_root};
}

bool IsClean(const Branch& branch, ChunkStore* chunks, Snapshot snapshot) {
    return SameContents(*chunks, RootsOf(branch.head, snapshot), branch.working);
}

void RefuseUnlessClean(const Branch& branch, ChunkStore* chunks, Snapshot snapshot, const char* operation,
                       RewritePlan* plan) {
    if (!IsClean(branch, chunks, snapshot)) {
        plan->refusal.emplace(
            ErrorCode::kWrongState,
            std::string("cannot ") + operation + ": branch " + Quoted(branch.name) + " has uncommitted work",
            "Commit it with kvs.commit(), or put it aside with kvs.stash().");
    }
}

void PlanWorking(const Branch& branch, ChunkStore* chunks, Snapshot snapshot, const RewrittenTrees& to,
                 const std::string& author, ChangesOf changes_of, RewritePlan* plan) {
    const TreePair head = RootsOf(branch.head, snapshot);
    if (branch.working == head && !RewindsVersions(chunks, head, to.roots)) {
        plan->working = to.roots;
        return;
    }
    const RewrittenTrees carried =
        CarryOver(chunks, head, to.roots, branch.working, author, &*plan->numbers, changes_of);
    if (!carried.collisions.empty()) {
        std::string keys;
        for (const std::string& key : carried.collisions) {
            keys += (keys.empty() ? "" : ", ") + Quoted(key);
        }
        plan->refusal.emplace(ErrorCode::kWrongState,
                              "uncommitted changes of branch " + Quoted(branch.name) +
                                  " would be overwritten: " + keys +
                                  (carried.collisions.size() == kMaxCollisions ? ", ..." : ""),
                              "Commit them with kvs.commit(), or put them aside with kvs.stash().");
    }
    plan->working = carried.roots;
}

}  // namespace kvs::pg

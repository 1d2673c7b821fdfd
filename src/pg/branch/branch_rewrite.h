// Operations that rewrite a branch (merge, revert, reset, ...): their common course.
//
// A plan is computed without a lock. Then the branch is locked against writers, with a bounded wait, and its
// working rows are folded; if it moved meanwhile the plan is computed once more, and then it is applied at
// once: commits, working roots, the log, the reflog. So writers wait for the short part only, and nobody sees
// half of it. Commit hooks are called in the end.
#pragma once

#include <functional>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "kvs/entry.h"
#include "kvs/error.h"
#include "kvs/hash.h"
#include "pg/branch/tree_rewrite.h"
#include "pg/chunk/chunk_store.h"
#include "pg/table/branch_table.h"
#include "pg/wall/server.h"
#include "pg/write/commit_maker.h"

namespace kvs::pg {

struct RewritePlan {
    bool applies = false;  // false: the branch stays as it is
    Operation operation = Operation::kMerge;
    std::string reflog_operation;           // empty: the head does not move, and the reflog says nothing
    Hash onto;                              // where the new commits begin; the new head if there are none
    std::vector<PlannedCommit> commits;     // oldest first
    TreePair working;                       // the new working roots
    std::optional<ChangeNumbers> numbers;   // absent: nothing changes in the working state
    std::map<std::string, int64> previous;  // see RewrittenTrees
    // Why uncommitted work forbids it. Raised only when the plan is final: what it is first computed from
    // lacks the working rows, and so may be behind.
    std::optional<Error> refusal;
    bool keeps_discarded = false;  // uncommitted work is thrown away: kept as a commit in the reflog

    // Left behind by RewriteBranch.
    Hash head;
    std::vector<Hash> made;  // the new commits, oldest first
};

// What a plan is computed from: the branch as it is under a snapshot, its working rows folded or not. Called
// once or twice.
using PlanFunction = std::function<RewritePlan(const Branch& branch, ChunkStore* chunks, Snapshot snapshot)>;

// Called under the lock, once a plan is final and before it is applied, also when it does not apply.
using BeforeApply = std::function<void(const Branch& branch, const RewritePlan& plan, Snapshot snapshot)>;

// Called under the lock: whether what the plan was computed from, the branch aside, has changed since. Then
// it is computed once more. Locks what it looks at.
using InputsChanged = std::function<bool()>;

// Errors: those of `plan`; kUnknownRef; kSerialization; 55P03 when the lock is not to be had in time.
RewritePlan RewriteBranch(std::string_view branch, const PlanFunction& plan,
                          const BeforeApply& before_apply = {}, const InputsChanged& inputs_changed = {});

// The roots of a commit.
TreePair RootsOf(const Hash& commit, Snapshot snapshot);

// Whether the branch has no uncommitted work.
bool IsClean(const Branch& branch, ChunkStore* chunks, Snapshot snapshot);

// Error(kWrongState) as the plan's refusal for a branch with uncommitted work. `operation` as in "cannot
// rebase".
void RefuseUnlessClean(const Branch& branch, ChunkStore* chunks, Snapshot snapshot, const char* operation,
                       RewritePlan* plan);

// The new working roots, where `to` is what the head's contents became: uncommitted work is carried over.
// Adds to the plan what it needs; refuses (kWrongState) where a key with uncommitted work changes.
void PlanWorking(const Branch& branch, ChunkStore* chunks, Snapshot snapshot, const RewrittenTrees& to,
                 const std::string& author, ChangesOf changes_of, RewritePlan* plan);

}  // namespace kvs::pg

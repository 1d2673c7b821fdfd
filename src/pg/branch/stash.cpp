#include "pg/branch/stash.h"

#include <string>
#include <utility>

#include "pg/branch/branch_rewrite.h"
#include "pg/branch/merge_policy_table.h"
#include "pg/branch/staged_merge.h"
#include "pg/branch/stash_table.h"
#include "pg/chunk/chunk_store.h"
#include "pg/table/commit_table.h"
#include "pg/table/locks.h"
#include "pg/wall/guard.h"

namespace kvs::pg {

std::optional<int64> StashWork(std::string_view branch_name, std::string_view message) {
    std::optional<int64> id;
    const std::string author = AuthorName({});
    RewriteBranch(
        branch_name,
        [&](const Branch& branch, ChunkStore* chunks, Snapshot snapshot) {
            RewritePlan plan;
            if (IsClean(branch, chunks, snapshot)) {
                return plan;
            }
            const TreePair head = RootsOf(branch.head, snapshot);
            plan.applies = true;
            plan.operation = Operation::kReset;
            plan.onto = branch.head;
            plan.numbers = ChangeNumbers(DifferMuch(chunks, branch.working, head));
            plan.working = SwitchTrees(chunks, branch.working, head, author, &*plan.numbers).roots;
            return plan;
        },
        [&](const Branch& branch, const RewritePlan& plan, Snapshot snapshot) {
            if (plan.applies) {
                const std::string text =
                    message.empty() ? "work on branch " + std::string(branch.name) : std::string(message);
                const Hash commit =
                    MakeCommit({branch.working, {}, author, text}, PlaceOf(branch.head, snapshot), snapshot)
                        .hash;
                id = AddStash(branch, commit, author, text);
            }
        });
    return id;
}

MergeReport MergeStash(std::string_view branch_name, const Hash& stash, const MergeSteps& steps) {
    MergeReport report;
    const std::string author = AuthorName({});
    RewriteBranch(
        branch_name,
        [&](const Branch& branch, ChunkStore* chunks, Snapshot snapshot) {
            report = {};
            if (steps.restart) {
                steps.restart();
            }
            const Commit work = ReadCommit(stash, snapshot);
            const TreePair base = RootsOf(work.parents.at(0), snapshot);
            const TreePair theirs{work.data_root, work.meta_root};
            RewritePlan plan;
            plan.operation = Operation::kMerge;
            plan.onto = branch.head;
            plan.numbers = ChangeNumbers(DifferMuch(chunks, base, theirs));
            RewrittenTrees merged = MergeTrees(chunks, base, branch.working, theirs,
                                               {LoadMergePolicies(), steps.resolve, author}, &*plan.numbers);
            report.conflicts = std::move(merged.conflicts);
            report.merged = report.conflicts.empty() ? merged.changed : 0;
            plan.applies = report.conflicts.empty();
            plan.working = merged.roots;
            plan.previous = std::move(merged.previous);
            return plan;
        },
        [&](const Branch& branch, const RewritePlan&, Snapshot) { steps.before_apply(branch, report); },
        steps.inputs_changed);
    return report;
}

MergeReport ApplyStash(int64 id, std::string_view branch_name, AppliedStash applied) {
    LockChunksForBuild();
    const Branch target = FindBranch(branch_name, GetActiveSnapshot());
    RequireNoStagedMerge(target.id, target.name);
    StagedMerge staged;
    staged.branch_id = target.id;
    staged.stash_id = id;
    staged.source = "stash " + std::to_string(id);
    staged.source_commit = FindStash(id);
    MergeSteps steps;
    steps.before_apply = [&](const Branch& branch, const MergeReport& planned) {
        LockStash(id);
        RequireNoStagedMerge(branch.id, branch.name);
        if (!planned.conflicts.empty()) {
            StageMerge(staged, branch.name, planned.conflicts);
        } else if (applied == AppliedStash::kIsDropped) {
            DropStash(id);
        }
    };
    MergeReport report = MergeStash(target.name, staged.source_commit, steps);
    if (!report.conflicts.empty()) {
        NoticeConflicts(report.conflicts, target.name);
    }
    return report;
}

}  // namespace kvs::pg

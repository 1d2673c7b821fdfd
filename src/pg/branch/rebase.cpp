#include "pg/branch/rebase.h"

#include <algorithm>
#include <string>

#include "kvs/version/merge_base.h"
#include "pg/branch/branch_rewrite.h"
#include "pg/branch/rewrite_subject.h"
#include "pg/table/commit_table.h"
#include "pg/wall/guard.h"

namespace kvs::pg {

namespace {

// The commits of the branch that `onto` does not have, along first parents, oldest first.
std::vector<MovedCommit> CommitsToMove(const Branch& branch, const Hash& onto, Snapshot snapshot) {
    CommitTable graph(snapshot);
    std::vector<MovedCommit> commits;
    for (Hash at = branch.head; !IsAncestor(graph, at, onto);) {
        Guarded([] { CHECK_FOR_INTERRUPTS(); });
        commits.push_back({at, {}});
        at = ReadAncestor(at, snapshot)->parents.at(0);
    }
    std::reverse(commits.begin(), commits.end());
    return commits;
}

}  // namespace

std::vector<MovedCommit> RebaseBranch(std::string_view branch_name, std::string_view onto,
                                      MergeStrategy strategy) {
    const RewriteSubject subject = FindRewriteSubject(onto, branch_name);
    const std::string author = AuthorName({});
    std::vector<MovedCommit> commits;
    std::vector<size_t> kept;  // which of them the plan's commits are
    const RewritePlan done =
        RewriteBranch(subject.branch.name, [&](const Branch& branch, ChunkStore* chunks, Snapshot snapshot) {
            RewritePlan plan;
            kept.clear();
            commits.clear();
            CommitTable graph(snapshot);
            if (IsAncestor(graph, subject.commit, branch.head)) {
                return plan;
            }
            RefuseUnlessClean(branch, chunks, snapshot, "rebase", &plan);
            commits = CommitsToMove(branch, subject.commit, snapshot);
            plan.applies = true;
            plan.operation = Operation::kReset;
            plan.reflog_operation = "rebase";
            plan.onto = subject.commit;
            // The commits on the way are nobody's changes: the log gets the difference of both ends.
            ChangeNumbers unlogged = ChangeNumbers::Unlogged();
            TreePair tip = RootsOf(subject.commit, snapshot);
            const MergeRules rules = {LoadMergePolicies(), ResolverOf(strategy), author};
            for (size_t i = 0; i < commits.size(); i++) {
                const Commit commit = ReadCommit(commits[i].old_commit, snapshot);
                RewrittenTrees merged = MergeTrees(chunks, RootsOf(commit.parents.at(0), snapshot), tip,
                                                   {commit.data_root, commit.meta_root}, rules, &unlogged);
                if (!merged.conflicts.empty()) {
                    ThrowConflicts("rebase of " + NameCommit(commits[i].old_commit), merged.conflicts,
                                   "Use strategy => 'ours' (what onto has) or 'theirs', or kvs.merge().");
                }
                if (merged.changed > 0) {
                    tip = merged.roots;
                    plan.commits.push_back({tip, {}, commit.author, commit.message});
                    kept.push_back(i);
                }
            }
            plan.numbers = ChangeNumbers(DifferMuch(chunks, branch.working, tip));
            plan.working = SwitchTrees(chunks, branch.working, tip, author, &*plan.numbers).roots;
            return plan;
        });
    for (size_t i = 0; i < kept.size(); i++) {
        commits[kept[i]].new_commit = done.made[i];
    }
    if (!done.applies) {
        Guarded([&] { ereport(NOTICE, errmsg("branch \"%s\" is up to date", subject.branch.name)); });
    }
    return commits;
}

}  // namespace kvs::pg

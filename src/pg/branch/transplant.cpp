#include "pg/branch/transplant.h"

#include <string>

#include "kvs/error.h"
#include "pg/branch/branch_rewrite.h"
#include "pg/branch/rewrite_subject.h"
#include "pg/table/commit_table.h"

namespace kvs::pg {

namespace {

struct Transplant {
    std::string name;  // for errors: "revert of commit ..."
    Operation operation;
    const char* reflog_operation;
    Hash base;
    Hash theirs;
    std::string author;
    std::string message;
    KeyResolver resolve;
    const char* conflict_hint;
};

std::optional<Hash> Apply(const Transplant& transplant, std::string_view branch_name) {
    const RewritePlan done =
        RewriteBranch(branch_name, [&](const Branch& branch, ChunkStore* chunks, Snapshot snapshot) {
            RewritePlan plan;
            plan.operation = transplant.operation;
            RewrittenTrees merged = PlanThreeWay(branch, chunks, snapshot, RootsOf(transplant.base, snapshot),
                                                 RootsOf(transplant.theirs, snapshot),
                                                 {LoadMergePolicies(), transplant.resolve, AuthorName({}),
                                                  transplant.operation != Operation::kRevert},
                                                 &plan);
            if (!merged.conflicts.empty()) {
                ThrowConflicts(transplant.name, merged.conflicts, transplant.conflict_hint);
            }
            if (merged.changed > 0) {
                plan.applies = true;
                plan.onto = branch.head;
                plan.reflog_operation = transplant.reflog_operation;
                plan.commits.push_back({merged.roots, {}, transplant.author, transplant.message});
            }
            return plan;
        });
    return done.applies ? std::optional(done.head) : std::nullopt;
}

}  // namespace

std::optional<Hash> RevertCommit(std::string_view ref, std::optional<int32> parent, std::string_view branch) {
    const RewriteSubject subject = FindRewriteSubject(ref, branch);
    const Commit commit = ReadCommit(subject.commit, GetActiveSnapshot());
    const std::string name = NameCommit(subject.commit);
    if (commit.parents.empty()) {
        throw Error(ErrorCode::kWrongState, name + " is the initial commit, which changes nothing");
    }
    const size_t count = commit.parents.size();
    if (count > 1 && !parent) {
        throw Error(ErrorCode::kInvalidArgument,
                    name + " is a merge: which of its parents is to be gone back to?",
                    "Pass parent => 1 for what was merged into, 2 for what was merged.");
    }
    if (parent && (*parent < 1 || static_cast<size_t>(*parent) > count)) {
        throw Error(ErrorCode::kInvalidArgument, name + " has no parent " + std::to_string(*parent),
                    count == 1 ? "It has one parent: pass parent => 1, or nothing."
                               : "Its parents are counted from 1 to " + std::to_string(count) + ".");
    }
    return Apply({"revert of " + name,
                  Operation::kRevert,
                  "revert",
                  subject.commit,
                  commit.parents[static_cast<size_t>(parent.value_or(1)) - 1],
                  AuthorName({}),
                  "Revert \"" + commit.message.substr(0, commit.message.find('\n')) +
                      "\"\n\nThis reverts commit " + subject.commit.ToHex() + ".",
                  {},
                  "The keys were changed again since; put them right with kvs.put() or kvs.restore()."},
                 subject.branch.name);
}

std::optional<Hash> CherryPick(std::string_view ref, MergeStrategy strategy, std::string_view branch) {
    const RewriteSubject subject = FindRewriteSubject(ref, branch);
    const Commit commit = ReadCommit(subject.commit, GetActiveSnapshot());
    const std::string name = NameCommit(subject.commit);
    if (commit.parents.size() != 1) {
        throw Error(ErrorCode::kWrongState,
                    name + (commit.parents.empty() ? " is the initial commit" : " is a merge") +
                        ", which cannot be picked",
                    commit.parents.empty() ? "" : "Pick the commits that it merged, or use kvs.merge().");
    }
    return Apply(
        {"cherry-pick of " + name, Operation::kMerge, "cherry-pick", commit.parents[0], subject.commit,
         commit.author, commit.message + "\n\n(cherry picked from commit " + subject.commit.ToHex() + ")",
         ResolverOf(strategy), "Use strategy => 'ours' or 'theirs', or kvs.merge(), which stages conflicts."},
        subject.branch.name);
}

}  // namespace kvs::pg

#include "pg/branch/reset.h"

#include <string>

#include "kvs/error.h"
#include "kvs/util/quote.h"
#include "pg/branch/branch_rewrite.h"
#include "pg/branch/rewrite_subject.h"
#include "pg/branch/staged_merge.h"
#include "pg/read/ref_resolver.h"
#include "pg/table/commit_table.h"

namespace kvs::pg {

ResetMode ParseResetMode(std::string_view text) {
    if (text == "hard") {
        return ResetMode::kHard;
    }
    if (text == "soft") {
        return ResetMode::kSoft;
    }
    throw Error(ErrorCode::kInvalidArgument, "unknown mode " + Quoted(text), "Use hard or soft.");
}

Hash ResetBranch(std::string_view ref, ResetMode mode, std::string_view branch_name) {
    const bool hard = mode == ResetMode::kHard;
    const RewriteSubject subject = FindRewriteSubject(ref, branch_name);
    const std::string author = AuthorName({});
    const RewritePlan done = RewriteBranch(
        subject.branch.name,
        [&](const Branch& branch, ChunkStore* chunks, Snapshot snapshot) {
            // What the ref names when it is the reset's turn: HEAD may have moved since it was called, and a
            // commit that it waited for must not get lost.
            const Hash commit = ResolveCommit(ref, branch.name, snapshot);
            RewritePlan plan;
            plan.operation = Operation::kReset;
            plan.reflog_operation = "reset";
            plan.onto = commit;
            const bool clean = IsClean(branch, chunks, snapshot);
            plan.applies = commit != branch.head || (hard && !clean);
            if (plan.applies) {
                const TreePair to = RootsOf(commit, snapshot);
                plan.numbers = ChangeNumbers(DifferMuch(chunks, branch.working, to));
                plan.working = hard ? SwitchTrees(chunks, branch.working, to, author, &*plan.numbers).roots
                                    : RaiseVersions(chunks, branch.working, to, &*plan.numbers);
                plan.keeps_discarded = hard && !clean;
            }
            return plan;
        },
        [&](const Branch& branch, const RewritePlan&, Snapshot) {
            if (hard) {
                DropStagedMerge(branch.id);
            }
        });
    return done.head;
}

}  // namespace kvs::pg

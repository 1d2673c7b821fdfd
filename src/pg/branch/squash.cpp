#include "pg/branch/squash.h"

#include <string>

#include "kvs/error.h"
#include "kvs/util/quote.h"
#include "kvs/version/merge_base.h"
#include "kvs/version/same_contents.h"
#include "pg/branch/branch_rewrite.h"
#include "pg/branch/rewrite_subject.h"
#include "pg/table/commit_table.h"

namespace kvs::pg {

std::optional<Hash> SquashBranch(std::string_view from_ref, std::string_view message,
                                 std::string_view branch_name) {
    const RewriteSubject subject = FindRewriteSubject(from_ref, branch_name);
    const std::string author = AuthorName({});
    const RewritePlan done =
        RewriteBranch(subject.branch.name, [&](const Branch& branch, ChunkStore* chunks, Snapshot snapshot) {
            CommitTable graph(snapshot);
            if (subject.commit == branch.head || !IsAncestor(graph, subject.commit, branch.head)) {
                throw Error(ErrorCode::kWrongState,
                            NameCommit(subject.commit) + " does not lie below the head of branch " +
                                Quoted(branch.name),
                            "from_ref is the last commit that stays as it is, for example HEAD~3.");
            }
            RewritePlan plan;
            plan.applies = true;
            plan.reflog_operation = "squash";
            plan.onto = subject.commit;
            const TreePair contents = RootsOf(branch.head, snapshot);
            if (!SameContents(*chunks, RootsOf(subject.commit, snapshot), contents)) {
                plan.commits.push_back({contents, {}, author, std::string(message)});
            }
            plan.working = branch.working;
            return plan;
        });
    return done.made.empty() ? std::nullopt : std::optional(done.head);
}

}  // namespace kvs::pg

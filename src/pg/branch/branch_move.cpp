#include "pg/branch/branch_move.h"

#include <string>

#include "kvs/error.h"
#include "kvs/util/quote.h"
#include "kvs/version/merge_base.h"
#include "kvs/version/ref.h"
#include "pg/branch/branch_edit.h"
#include "pg/branch/branch_rewrite.h"
#include "pg/branch/ref_edit.h"
#include "pg/table/branch_table.h"
#include "pg/table/commit_table.h"
#include "pg/wall/snapshot.h"

namespace kvs::pg {

namespace {

Error Refusal(const Branch& branch, const std::string& reason, const char* hint) {
    return {ErrorCode::kWrongState, "cannot move branch " + Quoted(branch.name) + ": " + reason, hint};
}

RewritePlan PlanMove(const Branch& branch, ChunkStore* chunks, Snapshot snapshot, const Hash& head,
                     const MoveOptions& options) {
    RewritePlan plan;
    if (branch.head == head) {
        return plan;
    }
    CommitTable graph(snapshot);
    const bool is_forward = IsAncestor(graph, branch.head, head);
    const bool is_clean = IsClean(branch, chunks, snapshot);
    if (!options.force && !is_forward) {
        throw Refusal(branch, "the commit does not build on the branch's head",
                      "Fetch and merge the branch first, or use force => true, which discards its commits.");
    }
    if (!options.force && !is_clean) {
        plan.refusal = Refusal(branch, "it has uncommitted work",
                               "Commit it there and merge, or use force => true, which discards it.");
    }
    const TreePair target = RootsOf(head, snapshot);
    plan.applies = true;
    plan.operation = is_forward ? Operation::kMerge : Operation::kReset;
    plan.reflog_operation = options.operation;
    plan.onto = head;
    plan.numbers = ChangeNumbers(true);
    plan.keeps_discarded = !is_clean;
    // A commit that builds on the head has versions above the head's, but not above those of work since.
    plan.working = is_forward && branch.working == RootsOf(branch.head, snapshot)
                       ? target
                       : SwitchTrees(chunks, branch.working, target, AuthorName({}), &*plan.numbers).roots;
    return plan;
}

}  // namespace

std::optional<Hash> MoveBranchTo(std::string_view name, const Hash& head, const MoveOptions& options) {
    ValidateRefName(name).OrThrow();
    BeginRefEdit();
    Snapshot snapshot = RegisterLatestSnapshot();
    Branch seen;
    const bool exists = TryFindBranch(name, snapshot, &seen);
    ReleaseSnapshot(snapshot);
    if (!exists) {
        CreateBranch(name, head.ToHex());
        return std::nullopt;
    }
    Hash before;
    RewriteBranch(
        name,
        [&](const Branch& branch, ChunkStore* chunks, Snapshot operation) {
            return PlanMove(branch, chunks, operation, head, options);
        },
        [&](const Branch& branch, const RewritePlan&, Snapshot) { before = branch.head; });
    return before;
}

}  // namespace kvs::pg

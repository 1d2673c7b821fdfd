#include "pg/branch/merge_operation.h"

#include "kvs/error.h"
#include "kvs/tree/diff.h"
#include "kvs/util/quote.h"
#include "kvs/version/merge_base.h"
#include "pg/table/commit_table.h"
#include "pg/wall/guard.h"

namespace kvs::pg {

namespace {

// How many keys differ in their values.
int64 CountChanges(ChunkStore* chunks, const TreePair& from, const TreePair& to) {
    return static_cast<int64>(DiffCursor(*chunks, from.data_root, to.data_root).CountRest());
}

// The source is ahead of the branch: the branch takes over its head and its trees as they are.
void PlanFastForward(const Branch& branch, ChunkStore* chunks, Snapshot snapshot, const Hash& source,
                     const std::string& author, RewritePlan* plan, MergeReport* report) {
    RewrittenTrees to;
    to.roots = RootsOf(source, snapshot);
    plan->numbers = ChangeNumbers(true);
    PlanWorking(branch, chunks, snapshot, to, author, ChangesOf::kOthers, plan);
    plan->applies = true;
    plan->onto = source;
    plan->reflog_operation = "fast-forward";
    report->fast_forward = true;
    report->merged = CountChanges(chunks, RootsOf(branch.head, snapshot), to.roots);
}

}  // namespace

MergeStrategy ParseMergeStrategy(std::string_view text) {
    if (text == "manual") {
        return MergeStrategy::kManual;
    }
    if (text == "ours") {
        return MergeStrategy::kOurs;
    }
    if (text == "theirs") {
        return MergeStrategy::kTheirs;
    }
    throw Error(ErrorCode::kInvalidArgument, "unknown merge strategy " + Quoted(text),
                "Use manual, ours or theirs.");
}

KeyResolver ResolverOf(MergeStrategy strategy) {
    if (strategy == MergeStrategy::kManual) {
        return {};
    }
    const auto kind = strategy == MergeStrategy::kOurs ? Resolution::Kind::kOurs : Resolution::Kind::kTheirs;
    return [kind](std::string_view, const MergeConflict&) { return Resolution{kind, {}}; };
}

TreePair MergeBaseRoots(const Hash& ours, const Hash& theirs, ChunkStore* chunks, Snapshot snapshot) {
    CommitTable graph(snapshot);
    const std::vector<Hash> bases = MergeBases(graph, ours, theirs);
    if (bases.empty()) {
        return {kEmptyRoot, kEmptyRoot};
    }
    TreePair merged = RootsOf(bases[0], snapshot);
    const KeyResolver take_base = [](std::string_view, const MergeConflict&) {
        return Resolution{Resolution::Kind::kBase, {}};
    };
    for (size_t i = 1; i < bases.size(); i++) {
        ChangeNumbers numbers(true);
        merged =
            MergeTrees(chunks, MergeBaseRoots(bases[0], bases[i], chunks, snapshot), merged,
                       RootsOf(bases[i], snapshot), {.resolve = take_base, .continues_base = true}, &numbers)
                .roots;
    }
    return merged;
}

RewrittenTrees PlanThreeWay(const Branch& branch, ChunkStore* chunks, Snapshot snapshot, const TreePair& base,
                            const TreePair& theirs, const MergeRules& rules, RewritePlan* plan) {
    // A branch without uncommitted work may have newer versions than its head: they count.
    const bool clean = IsClean(branch, chunks, snapshot);
    const TreePair ours = clean ? branch.working : RootsOf(branch.head, snapshot);
    ChangeNumbers numbers(DifferMuch(chunks, base, theirs));
    MergeRules above_working = rules;
    if (!clean) {
        above_working.above = branch.working;
    }
    RewrittenTrees merged = MergeTrees(chunks, base, ours, theirs, above_working, &numbers);
    if (!merged.conflicts.empty()) {
        return merged;
    }
    plan->numbers = numbers;
    plan->previous = merged.previous;
    if (clean) {
        plan->working = merged.roots;
    } else {
        PlanWorking(branch, chunks, snapshot, merged, rules.author, ChangesOf::kThisOperation, plan);
    }
    return merged;
}

std::string NameConflicts(const std::vector<KeyConflict>& conflicts) {
    constexpr size_t kMaxNamed = 10;
    std::string names;
    for (size_t i = 0; i < conflicts.size() && i < kMaxNamed; i++) {
        const KeyConflict& each = conflicts[i];
        names += (i == 0 ? "" : ", ") + Quoted(each.key);
        if (!each.conflict.path.empty()) {
            names += " at " + Quoted(each.conflict.path);
        }
        names += std::string(" (") + MergeReasonName(each.conflict.reason) + ")";
    }
    return conflicts.size() > kMaxNamed ? names + ", ..." : names;
}

void ThrowConflicts(const std::string& operation, const std::vector<KeyConflict>& conflicts,
                    const char* hint) {
    throw Error(ErrorCode::kWrongState, operation + " meets conflicts: " + NameConflicts(conflicts), hint);
}

MergeReport MergeInto(const MergeRequest& request, const MergeSteps& steps) {
    MergeReport report;
    const std::string author = AuthorName({});
    const RewritePlan done = RewriteBranch(
        request.branch,
        [&](const Branch& branch, ChunkStore* chunks, Snapshot snapshot) {
            report = {};
            if (steps.restart) {
                steps.restart();
            }
            RewritePlan plan;
            plan.operation = Operation::kMerge;
            CommitTable graph(snapshot);
            if (IsAncestor(graph, request.source, branch.head)) {
                report.up_to_date = true;
                return plan;
            }
            if (IsAncestor(graph, branch.head, request.source)) {
                PlanFastForward(branch, chunks, snapshot, request.source, author, &plan, &report);
                return plan;
            }
            RewrittenTrees merged = PlanThreeWay(
                branch, chunks, snapshot, MergeBaseRoots(branch.head, request.source, chunks, snapshot),
                RootsOf(request.source, snapshot),
                {.policies = LoadMergePolicies(),
                 .resolve = steps.resolve,
                 .author = author,
                 .continues_base = true},
                &plan);
            report.conflicts = std::move(merged.conflicts);
            report.merged = merged.changed;
            if (report.conflicts.empty()) {
                plan.applies = true;
                plan.onto = branch.head;
                plan.reflog_operation = "merge";
                plan.commits.push_back({merged.roots, {request.source}, author, request.message});
            }
            return plan;
        },
        [&](const Branch& branch, const RewritePlan&, Snapshot) { steps.before_apply(branch, report); },
        steps.inputs_changed);
    if (done.applies) {
        report.commit = done.head;
    } else {
        report.merged = 0;
    }
    return report;
}

}  // namespace kvs::pg

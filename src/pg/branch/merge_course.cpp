#include "pg/branch/merge_course.h"

#include <string>

#include "kvs/error.h"
#include "kvs/util/quote.h"
#include "kvs/version/merge_base.h"
#include "pg/branch/merge_policy_table.h"
#include "pg/branch/staged_merge.h"
#include "pg/branch/stash.h"
#include "pg/chunk/chunk_store.h"
#include "pg/read/ref_resolver.h"
#include "pg/table/commit_table.h"
#include "pg/table/locks.h"
#include "pg/wall/guard.h"

namespace kvs::pg {

MergeReport MergeRef(const MergeCall& call) {
    LockChunksForBuild();
    Snapshot active = GetActiveSnapshot();
    const Branch target = FindBranch(call.target, active);
    RequireNoStagedMerge(target.id, target.name);
    StagedMerge staged;
    staged.branch_id = target.id;
    staged.source = call.source;
    staged.source_commit = ResolveCommit(call.source, target.name, active);
    LockCommitForReference(staged.source_commit);
    staged.message = call.message ? std::string(*call.message)
                                  : "Merge " + std::string(call.source) + " into " + std::string(target.name);
    MergeReport report = MergeOrStage(staged, target.name, ResolverOf(call.strategy));
    if (report.up_to_date) {
        Guarded([&] { ereport(NOTICE, errmsg("branch \"%s\" is up to date", target.name)); });
    }
    return report;
}

std::vector<KeyConflict> PreviewMerge(std::string_view source, std::string_view target) {
    Snapshot snapshot = GetActiveSnapshot();
    const Branch branch = FindBranch(target, snapshot);
    const Hash commit = ResolveCommit(source, branch.name, snapshot);
    CommitTable graph(snapshot);
    if (IsAncestor(graph, commit, branch.head) || IsAncestor(graph, branch.head, commit)) {
        return {};
    }
    ChunkStore chunks(snapshot);
    const TreePair base = MergeBaseRoots(branch.head, commit, &chunks, snapshot);
    return FindConflicts(&chunks, base, RootsOf(branch.head, snapshot), RootsOf(commit, snapshot),
                         LoadMergePolicies());
}

MergeReport ContinueMerge(std::optional<std::string_view> message, std::string_view branch_name) {
    const Branch target = FindBranch(branch_name, GetActiveSnapshot());
    const StagedMerge staged = RequireStagedMerge(target.id, target.name);
    StagedResolutions resolutions(target.id);
    MergeSteps steps;
    steps.resolve = resolutions.Resolver();
    steps.restart = [&] { resolutions.Restart(); };
    steps.inputs_changed = [&] {
        const StagedMerge now = RequireStagedMerge(target.id, target.name, StagedMergeLock::kExclusive);
        if (now.source_commit != staged.source_commit || now.stash_id != staged.stash_id) {
            throw Error(
                ErrorCode::kWrongState,
                "another session has ended the merge and staged another one on branch " + Quoted(target.name),
                "See view kvs.conflicts, then call kvs.merge_continue() again.");
        }
        return resolutions.Reload();
    };
    steps.before_apply = [&](const Branch& branch, const MergeReport& planned) {
        if (planned.conflicts.empty()) {
            DropStagedMerge(branch.id);
        } else {
            resolutions.Restage(planned.conflicts);
        }
    };
    MergeReport report =
        staged.stash_id
            ? MergeStash(target.name, staged.source_commit, steps)
            : MergeInto({target.name, staged.source_commit, std::string(message.value_or(staged.message))},
                        steps);
    if (!report.conflicts.empty()) {
        NoticeConflicts(report.conflicts, target.name);
    }
    return report;
}

bool AbortMerge(std::string_view branch) {
    return DropStagedMerge(FindBranch(branch, GetActiveSnapshot()).id);
}

}  // namespace kvs::pg

// Merges: merge, merge_continue, merge_abort.
#include <optional>
#include <string>

#include "kvs/error.h"
#include "kvs/util/quote.h"
#include "pg/branch/merge_operation.h"
#include "pg/branch/staged_merge.h"
#include "pg/branch/stash_table.h"
#include "pg/chunk/chunk_store.h"
#include "pg/read/ref_resolver.h"
#include "pg/table/access_guard.h"
#include "pg/table/commit_table.h"
#include "pg/wall/arguments.h"
#include "pg/wall/convert.h"
#include "pg/wall/entry_point.h"
#include "pg/wall/stream.h"

namespace kvs::sqlapi {

using namespace kvs::pg;

namespace {

constexpr AclMode kMergeRights = ACL_SELECT | ACL_INSERT | ACL_UPDATE | ACL_DELETE;

struct MergeArguments {
    std::string_view source;
    std::string_view target;
    std::optional<std::string_view> message;
    std::string_view strategy;
};

Datum FormResult(FunctionCallInfo fcinfo, const MergeReport& report) {
    const std::string hex = report.commit ? report.commit->ToHex() : std::string();
    return Guarded([&] {
        Datum values[] = {report.commit ? MakeVarlena(hex) : Datum{0}, BoolGetDatum(report.fast_forward),
                          Int64GetDatum(report.merged),
                          Int64GetDatum(static_cast<int64>(report.conflicts.size()))};
        bool nulls[] = {!report.commit, false, false, false};
        return FormRow(ResultRowType(fcinfo), values, nulls);
    });
}

std::string DefaultMessage(std::string_view source, std::string_view target) {
    return "Merge " + std::string(source) + " into " + std::string(target);
}

Datum Merge(FunctionCallInfo fcinfo, const MergeArguments& arguments) {
    const MergeStrategy strategy = ParseMergeStrategy(arguments.strategy);
    Guarded([] { LockChunksForBuild(); });
    Snapshot active = GetActiveSnapshot();
    const Branch target = FindBranch(arguments.target, active);
    RequireNoStagedMerge(target.id, target.name);
    StagedMerge staged;
    staged.branch_id = target.id;
    staged.source = arguments.source;
    staged.source_commit = ResolveCommit(arguments.source, target.name, active);
    LockCommitForReference(staged.source_commit);
    staged.message = arguments.message.value_or(DefaultMessage(arguments.source, target.name));
    const MergeReport report = MergeOrStage(staged, target.name, ResolverOf(strategy));
    if (report.up_to_date) {
        Guarded([&] { ereport(NOTICE, errmsg("branch \"%s\" is up to date", target.name)); });
    }
    return FormResult(fcinfo, report);
}

Datum Continue(FunctionCallInfo fcinfo, std::optional<std::string_view> message,
               std::string_view branch_name) {
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
    const MergeReport report =
        staged.stash_id
            ? ApplyStash(target.name, staged.source_commit, steps)
            : MergeInto({target.name, staged.source_commit, std::string(message.value_or(staged.message))},
                        steps);
    if (!report.conflicts.empty()) {
        NoticeConflicts(report.conflicts, target.name);
    }
    return FormResult(fcinfo, report);
}

bool Abort(std::string_view branch_name) {
    const Branch target = FindBranch(branch_name, GetActiveSnapshot());
    return DropStagedMerge(target.id);
}

struct StashArguments {
    int64 id;
    std::string_view branch;
    bool pop;
};

Datum ApplyOneStash(FunctionCallInfo fcinfo, const StashArguments& arguments) {
    Guarded([] { LockChunksForBuild(); });
    const Branch target = FindBranch(arguments.branch, GetActiveSnapshot());
    RequireNoStagedMerge(target.id, target.name);
    StagedMerge staged;
    staged.branch_id = target.id;
    staged.stash_id = arguments.id;
    staged.source = "stash " + std::to_string(arguments.id);
    staged.source_commit = FindStash(arguments.id);
    MergeSteps steps;
    steps.before_apply = [&](const Branch& branch, const MergeReport& planned) {
        LockStash(arguments.id);
        RequireNoStagedMerge(branch.id, branch.name);
        if (!planned.conflicts.empty()) {
            StageMerge(staged, branch.name, planned.conflicts);
        } else if (arguments.pop) {
            DropStash(arguments.id);
        }
    };
    const MergeReport report = ApplyStash(target.name, staged.source_commit, steps);
    if (!report.conflicts.empty()) {
        NoticeConflicts(report.conflicts, target.name);
    }
    return FormResult(fcinfo, report);
}

Datum StashEntry(FunctionCallInfo fcinfo, bool pop) {
    if (PG_ARGISNULL(0)) {
        ereport(ERROR, errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED), errmsg("id must not be null"));
    }
    return ApplyOneStash(fcinfo, {PG_GETARG_INT64(0), BytesOrEmpty(fcinfo, 1), pop});
}

}  // namespace

// (source, target, message, strategy)
KVS_FUNCTION(kvs_merge)
{
    RequireWrite(kMergeRights, "kvs.merge()");
    const MergeArguments arguments = {RequiredBytes(fcinfo, 0, "source"), BytesOrEmpty(fcinfo, 1),
                                      OptionalBytes(fcinfo, 2), RequiredBytes(fcinfo, 3, "strategy")};
    return Merge(fcinfo, arguments);
}

// (message, branch)
KVS_FUNCTION(kvs_merge_continue)
{
    RequireWrite(kMergeRights, "kvs.merge_continue()");
    return Continue(fcinfo, OptionalBytes(fcinfo, 0), BytesOrEmpty(fcinfo, 1));
}

// (branch)
KVS_FUNCTION(kvs_merge_abort)
{
    RequireWrite(kMergeRights, "kvs.merge_abort()");
    PG_RETURN_BOOL(Abort(BytesOrEmpty(fcinfo, 0)));
}

// (id, branch)
KVS_FUNCTION(kvs_stash_apply)
{
    RequireWrite(kMergeRights, "kvs.stash_apply()");
    return StashEntry(fcinfo, false);
}

// (id, branch)
KVS_FUNCTION(kvs_stash_pop)
{
    RequireWrite(kMergeRights, "kvs.stash_pop()");
    return StashEntry(fcinfo, true);
}

}  // namespace kvs::sqlapi

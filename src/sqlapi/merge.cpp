// Merges: merge, merge_continue, merge_abort, stash_apply, stash_pop.
#include "pg/branch/merge_course.h"
#include "pg/branch/stash.h"
#include "pg/table/access_guard.h"
#include "pg/wall/arguments.h"
#include "pg/wall/convert.h"
#include "pg/wall/entry_point.h"
#include "pg/wall/row.h"

namespace kvs::sqlapi {

using namespace kvs::pg;

namespace {

constexpr AclMode kMergeRights = ACL_SELECT | ACL_INSERT | ACL_UPDATE | ACL_DELETE;

// Columns of kvs.merge_result.
enum MergeColumn { kCommit, kFastForward, kMerged, kConflicts, kMergeColumns };

Datum ResultRow(FunctionCallInfo fcinfo, const MergeReport& report) {
    return Guarded([&] {
        Row<kMergeColumns> row;
        if (report.commit) {
            row.Set(kCommit, HexDatum(*report.commit));
        }
        row.Set(kFastForward, BoolGetDatum(report.fast_forward));
        row.Set(kMerged, Int64GetDatum(report.merged));
        row.Set(kConflicts, Int64GetDatum(static_cast<int64>(report.conflicts.size())));
        return row.Form(ResultRowType(fcinfo));
    });
}

// (id, branch)
Datum ApplyStash(FunctionCallInfo fcinfo, AppliedStash applied) {
    const int64 id = RequiredInt8(fcinfo, 0, "id");
    return ResultRow(fcinfo, ApplyStash(id, BytesOrEmpty(fcinfo, 1), applied));
}

}  // namespace

// (source, target, message, strategy)
KVS_FUNCTION(kvs_merge)
{
    RequireWrite(kMergeRights, "kvs.merge()");
    const std::string_view source = RequiredBytes(fcinfo, 0, "source");
    const std::string_view strategy = RequiredBytes(fcinfo, 3, "strategy");
    return ResultRow(fcinfo, MergeRef({source, BytesOrEmpty(fcinfo, 1), OptionalMessage(fcinfo, 2),
                                       ParseMergeStrategy(strategy)}));
}

// (message, branch)
KVS_FUNCTION(kvs_merge_continue)
{
    RequireWrite(kMergeRights, "kvs.merge_continue()");
    return ResultRow(fcinfo, ContinueMerge(OptionalMessage(fcinfo, 0), BytesOrEmpty(fcinfo, 1)));
}

// (branch)
KVS_FUNCTION(kvs_merge_abort)
{
    RequireWrite(kMergeRights, "kvs.merge_abort()");
    PG_RETURN_BOOL(AbortMerge(BytesOrEmpty(fcinfo, 0)));
}

// (id, branch)
KVS_FUNCTION(kvs_stash_apply)
{
    RequireWrite(kMergeRights, "kvs.stash_apply()");
    return ApplyStash(fcinfo, AppliedStash::kStays);
}

// (id, branch)
KVS_FUNCTION(kvs_stash_pop)
{
    RequireWrite(kMergeRights, "kvs.stash_pop()");
    return ApplyStash(fcinfo, AppliedStash::kIsDropped);
}

}  // namespace kvs::sqlapi

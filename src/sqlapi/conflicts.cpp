// Conflicts as data: preview_merge, resolve, the view kvs.conflicts, merge policies.
#include <optional>
#include <string>
#include <vector>

#include "kvs/error.h"
#include "pg/branch/conflict_resolution.h"
#include "pg/branch/merge_course.h"
#include "pg/branch/merge_policy_table.h"
#include "pg/table/access_guard.h"
#include "pg/wall/arguments.h"
#include "pg/wall/collected_rows.h"
#include "pg/wall/convert.h"
#include "pg/wall/entry_point.h"
#include "pg/wall/jsonb_json.h"

extern "C" {
#include "commands/trigger.h"
}

namespace kvs::sqlapi {

using namespace kvs::pg;

namespace {

// Columns of kvs.conflict.
enum PreviewColumn {
    kPreviewKey,
    kPreviewPath,
    kPreviewBase,
    kPreviewOurs,
    kPreviewTheirs,
    kPreviewReason,
    kPreviewColumns
};

// A side of a conflict as a jsonb; NULL where there is none.
void SetSide(PreviewColumn column, const std::optional<Json>& side, Row<kPreviewColumns>* row) {
    if (side) {
        row->Set(column, JsonbFromJson(*side));
    }
}

// The conflicts that merging a source would meet.
void PreviewInto(const CollectedRows& rows, std::string_view source, std::string_view target) {
    for (const KeyConflict& each : PreviewMerge(source, target)) {
        Row<kPreviewColumns> row;
        SetSide(kPreviewBase, each.conflict.base, &row);
        SetSide(kPreviewOurs, each.conflict.ours, &row);
        SetSide(kPreviewTheirs, each.conflict.theirs, &row);
        Guarded([&] {
            row.Set(kPreviewKey, MakeVarlena(each.key));
            row.Set(kPreviewPath, MakeVarlena(each.conflict.path));
            row.Set(kPreviewReason, MakeVarlena(MergeReasonName(each.conflict.reason)));
            AddRow(rows, row);
        });
    }
}

// Columns of view kvs.conflicts.
enum ConflictColumn { kBranch = 1, kKey, kPath, kBase, kOurs, kTheirs, kReason, kResolution, kValue };

// The decision that an UPDATE of the view means: a new value is a decision for it.
struct ViewUpdate {
    Datum columns[kValue + 1];
    bool nulls[kValue + 1];
    bool value_changed;
};

bool SameJsonb(Datum a, bool a_null, Datum b, bool b_null) {
    return a_null == b_null && (a_null || DatumContents(a) == DatumContents(b));
}

// Server code.
ViewUpdate ReadViewUpdate(const TriggerData* trigger) {
    TupleDesc type = RelationGetDescr(trigger->tg_relation);
    ViewUpdate update = {};
    for (int column = kBranch; column <= kReason; column++) {
        bool old_null;
        const Datum old = heap_getattr(trigger->tg_trigtuple, column, type, &old_null);
        update.columns[column] = heap_getattr(trigger->tg_newtuple, column, type, &update.nulls[column]);
        if (!SameJsonb(old, old_null, update.columns[column], update.nulls[column])) {
            ereport(ERROR, errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
                    errmsg("column \"%s\" of view kvs.conflicts cannot be updated",
                           NameStr(TupleDescAttr(type, column - 1)->attname)),
                    errhint("Update resolution, or value."));
        }
    }
    for (int column = kResolution; column <= kValue; column++) {
        update.columns[column] = heap_getattr(trigger->tg_newtuple, column, type, &update.nulls[column]);
    }
    bool old_null;
    const Datum old = heap_getattr(trigger->tg_trigtuple, kValue, type, &old_null);
    update.value_changed = !SameJsonb(old, old_null, update.columns[kValue], update.nulls[kValue]);
    return update;
}

void ApplyViewUpdate(const ViewUpdate& update) {
    ConflictDecision arguments = {};
    arguments.branch = DatumContents(update.columns[kBranch]);
    arguments.key = DatumContents(update.columns[kKey]);
    arguments.path = DatumContents(update.columns[kPath]);
    if (update.value_changed && !update.nulls[kValue]) {
        arguments.resolution = "value";
        arguments.value = update.columns[kValue];
    } else if (update.nulls[kResolution]) {
        throw Error(ErrorCode::kNullValue, "resolution must not be null",
                    "Use ours, theirs, base or delete, or set value.");
    } else {
        arguments.resolution = DatumContents(update.columns[kResolution]);
        arguments.value =
            arguments.resolution == "value" && !update.nulls[kValue] ? update.columns[kValue] : 0;
    }
    ResolveConflicts(arguments);
}

}  // namespace

// (source, target)
KVS_FUNCTION(kvs_preview_merge)
{
    RequireRead();
    const std::string_view source = RequiredBytes(fcinfo, 0, "source");
    const std::string_view target = BytesOrEmpty(fcinfo, 1);
    PreviewInto(CollectRows(fcinfo), source, target);
    PG_RETURN_NULL();
}

// (key, resolution, value, path, branch)
KVS_FUNCTION(kvs_resolve)
{
    RequireWrite(ACL_INSERT | ACL_UPDATE | ACL_DELETE, "kvs.resolve()");
    ConflictDecision arguments = {};
    arguments.key = RequiredBytes(fcinfo, 0, "key");
    arguments.resolution = RequiredBytes(fcinfo, 1, "resolution");
    arguments.value = PG_ARGISNULL(2) ? Datum{0} : PG_GETARG_DATUM(2);
    arguments.path = OptionalBytes(fcinfo, 3);
    arguments.branch = BytesOrEmpty(fcinfo, 4);
    PG_RETURN_BOOL(ResolveConflicts(arguments));
}

// INSTEAD OF UPDATE ON kvs.conflicts
KVS_FUNCTION(kvs_conflicts_update)
{
    if (fcinfo->context == nullptr || fcinfo->context->type != T_TriggerData) {
        ereport(ERROR, errcode(ERRCODE_E_R_I_E_TRIGGER_PROTOCOL_VIOLATED),
                errmsg("function can only be called as a trigger"));
    }
    RequireWrite(ACL_INSERT | ACL_UPDATE | ACL_DELETE, "an update of kvs.conflicts");
    const auto* trigger = reinterpret_cast<const TriggerData*>(fcinfo->context);
    ApplyViewUpdate(ReadViewUpdate(trigger));
    return PointerGetDatum(trigger->tg_newtuple);
}

// (pattern, policy)
KVS_FUNCTION(kvs_set_merge_policy)
{
    RequireWrite(ACL_INSERT | ACL_UPDATE | ACL_DELETE, "kvs.set_merge_policy()");
    SetMergePolicy(RequiredBytes(fcinfo, 0, "pattern"), RequiredBytes(fcinfo, 1, "policy"));
    PG_RETURN_BOOL(true);
}

// (pattern, type)
KVS_FUNCTION(kvs_register_crdt)
{
    RequireWrite(ACL_INSERT | ACL_UPDATE | ACL_DELETE, "kvs.register_crdt()");
    SetCrdtPolicy(RequiredBytes(fcinfo, 0, "pattern"), RequiredBytes(fcinfo, 1, "type"));
    PG_RETURN_BOOL(true);
}

}  // namespace kvs::sqlapi

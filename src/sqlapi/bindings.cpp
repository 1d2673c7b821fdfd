// Native tables: bind_table, unbind_table, pause_binding, resume_binding, and the trigger of bound tables.
#include <optional>
#include <string>

#include "kvs/binding/mapping.h"
#include "kvs/error.h"
#include "kvs/util/quote.h"
#include "pg/binding/binding_table.h"
#include "pg/binding/bound_table.h"
#include "pg/binding/mark_table.h"
#include "pg/binding/parked_table.h"
#include "pg/binding/table_trigger.h"
#include "pg/stream/position.h"
#include "pg/stream/tick_table.h"
#include "pg/subscription/subscription_table.h"
#include "pg/table/access_guard.h"
#include "pg/table/branch_table.h"
#include "pg/table/locks.h"
#include "pg/table/stream_signal.h"
#include "pg/wall/arguments.h"
#include "pg/wall/convert.h"
#include "pg/wall/entry_point.h"
#include "pg/wall/jsonb_json.h"
#include "pg/wall/snapshot.h"
#include "pg/wall/store_error.h"

namespace kvs::sqlapi {

using namespace kvs::pg;

namespace {

constexpr AclMode kWrites = ACL_INSERT | ACL_UPDATE | ACL_DELETE;

// Of kvs.bind_table.
struct Wishes {
    std::string_view name;
    std::string_view pattern;
    Oid target;
    std::string_view mapping;  // contents of a jsonb
    std::string_view direction;
    std::string_view conflict;
    std::string_view initial_load;
    std::string_view branch;  // empty: the session's
};

// What a text names, or an error.
template <typename Value>
Value Require(const std::optional<Value>& value, const char* argument, std::string_view text,
              const char* values) {
    if (!value) {
        throw Error(ErrorCode::kInvalidArgument, std::string(argument) + " must not be " + Quoted(text),
                    std::string("It is one of ") + values + ".");
    }
    return *value;
}

std::optional<BindingLoad> ParseLoad(std::string_view text) {
    return text == "none"         ? std::optional(BindingLoad::kNone)
           : text == "to_table"   ? std::optional(BindingLoad::kToTable)
           : text == "from_table" ? std::optional(BindingLoad::kFromTable)
                                  : std::nullopt;
}

// Server code.
void RequireTableOwner(Oid table) {
    if (!KVS_IS_TABLE_OWNER(table, GetUserId())) {
        const char* name = get_rel_name(table);
        if (name == nullptr) {
            ereport(ERROR, errcode(ERRCODE_UNDEFINED_TABLE),
                    errmsg("relation with OID %u does not exist", table));
        }
        aclcheck_error(ACLCHECK_NOT_OWNER, get_relkind_objtype(get_rel_relkind(table)), name);
    }
}

void Bind(const Wishes& wishes) {
    Binding binding;
    binding.name = wishes.name;
    binding.direction = Require(ParseDirection(wishes.direction), "direction", wishes.direction,
                                "to_table, from_table, both");
    binding.conflict = Require(ParseConflictPolicy(wishes.conflict), "conflict", wishes.conflict,
                               "last_write_wins, store_wins, table_wins, error");
    const BindingLoad load = Require(ParseLoad(wishes.initial_load), "initial_load", wishes.initial_load,
                                     "none, to_table, from_table");
    if ((load == BindingLoad::kToTable && !binding.WritesTable()) ||
        (load == BindingLoad::kFromTable && !binding.ReadsTable())) {
        throw Error(ErrorCode::kInvalidArgument, "initial_load goes against the direction of the binding",
                    "Load to_table with direction to_table or both, from_table with from_table or both.");
    }
    const Json source = JsonFromJsonb(wishes.mapping);
    const Mapping mapping = Mapping::Parse(wishes.pattern, source).OrThrow();
    if (binding.ReadsTable()) {
        mapping.RequireWritable().OrThrow();
    }
    binding.pattern = wishes.pattern;
    // What is parked of either is found by the name.
    if (HasSubscription(wishes.name)) {
        throw Error(ErrorCode::kAlreadyExists, "subscription " + Quoted(wishes.name) + " already exists",
                    "Bindings and subscriptions share their names.");
    }
    Guarded([&] { RequireTableOwner(wishes.target); });
    const BoundTable table = OpenBoundTable(wishes.target, mapping, binding);
    binding.target = wishes.target;
    binding.shape = table.shape;
    binding.partitions = table.partition_names;
    binding.creator = Guarded([] { return GetUserNameFromId(GetUserId(), false); });
    Snapshot latest = RegisterLatestSnapshot();
    binding.branch_id = FindBranch(wishes.branch, latest).id;
    const int64 pos = Guarded([&] { return LastPosition(latest); });
    ReleaseSnapshot(latest);
    binding.id = CreateBinding(binding, Guarded([&] { return JsonbFromJson(source); }), load, pos);
    if (binding.ReadsTable()) {
        CreateTableTriggers(binding, table);
    }
    Guarded([] { NoteMarks(); });
}

// To be changed: nothing of it runs meanwhile.
Binding TakeBinding(std::string_view name, const char* what) {
    Binding binding = FindBinding(name);
    RequireBindingOwner(binding, what);
    LockBindingForChange(binding.id, binding.name.c_str());
    Binding again = FindBinding(name);
    if (again.id != binding.id) {
        throw CouldNotSerialize("a concurrent change of the binding");
    }
    return again;
}

bool IsPositionKept(int64 pos) {
    try {
        CheckPosition(pos);
        return true;
    } catch (const Error& error) {
        if (error.code() != ErrorCode::kPositionGone && error.code() != ErrorCode::kPositionUnknown) {
            throw;
        }
        return false;
    }
}

void Resume(std::string_view name) {
    Binding binding = TakeBinding(name, "resume");
    const Mapping mapping = Mapping::Parse(binding.pattern, Json::Parse(binding.mapping).OrThrow()).OrThrow();
    const BoundTable table = OpenBoundTable(binding.target, mapping, binding);
    SetShape(binding.id, table.shape, table.partition_names);
    if (binding.ReadsTable()) {
        CreateTableTriggers(binding, table);
        // What has become of rows while a trigger was not there.
        MarkAll(binding.id);
    }
    BindingProgress progress = ReadProgress(binding.id);
    if (binding.WritesTable() && !IsPositionKept(progress.pos)) {
        Snapshot latest = RegisterLatestSnapshot();
        progress.pos = Guarded([&] { return LastPosition(latest); });
        ReleaseSnapshot(latest);
        progress.load = BindingLoad::kToTable;
        progress.loaded.clear();
        WriteProgress(binding.id, &progress);
    }
    RetryParkedKeys(binding.id, std::nullopt);
    SetPaused(binding.id, false);
    Guarded([] { NoteMarks(); });
}

}  // namespace

// (name, pattern, target, mapping, direction, conflict, initial_load, branch)
KVS_FUNCTION(kvs_bind_table)
{
    RequireWrite(kWrites | ACL_SELECT, "kvs.bind_table()");
    if (PG_ARGISNULL(2)) {
        Guarded([] {
            ereport(ERROR, errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED), errmsg("target must not be null"));
        });
    }
    const Wishes wishes = {RequiredBytes(fcinfo, 0, "name"),
                           RequiredBytes(fcinfo, 1, "pattern"),
                           PG_GETARG_OID(2),
                           RequiredJsonb(fcinfo, 3, "mapping"),
                           OptionalBytes(fcinfo, 4).value_or("to_table"),
                           OptionalBytes(fcinfo, 5).value_or("last_write_wins"),
                           OptionalBytes(fcinfo, 6).value_or("none"),
                           BytesOrEmpty(fcinfo, 7)};
    Bind(wishes);
    PG_RETURN_BOOL(true);
}

// (name)
KVS_FUNCTION(kvs_unbind_table)
{
    RequireWrite(ACL_SELECT, "kvs.unbind_table()");
    const std::string_view name = RequiredBytes(fcinfo, 0, "name");
    Binding binding;
    if (!TryFindBinding(name, &binding)) {
        PG_RETURN_BOOL(false);
    }
    binding = TakeBinding(name, "unbind");
    DropTableTriggers(binding);
    RemoveBinding(binding.id);
    PG_RETURN_BOOL(true);
}

// (name)
KVS_FUNCTION(kvs_pause_binding)
{
    RequireWrite(ACL_SELECT, "kvs.pause_binding()");
    const Binding binding = TakeBinding(RequiredBytes(fcinfo, 0, "name"), "pause");
    SetPaused(binding.id, true, "kvs.pause_binding() was called");
    PG_RETURN_BOOL(true);
}

// (name)
KVS_FUNCTION(kvs_resume_binding)
{
    RequireWrite(ACL_SELECT, "kvs.resume_binding()");
    Resume(RequiredBytes(fcinfo, 0, "name"));
    PG_RETURN_BOOL(true);
}

KVS_INNER_FUNCTION(kvs_binding_trigger)
{
    if (fcinfo->context == nullptr || fcinfo->context->type != T_TriggerData) {
        Guarded([] {
            ereport(ERROR, errcode(ERRCODE_E_R_I_E_TRIGGER_PROTOCOL_VIOLATED),
                    errmsg("kvs.binding_trigger() must be called as a trigger"));
        });
    }
    NoteRowChange(reinterpret_cast<TriggerData*>(fcinfo->context), fcinfo->flinfo);
    return Datum{0};
}

}  // namespace kvs::sqlapi

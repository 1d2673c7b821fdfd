#include "pg/binding/binding_table.h"

#include "kvs/error.h"
#include "kvs/util/quote.h"
#include "pg/table/access_guard.h"
#include "pg/table/owner_query.h"
#include "pg/wall/convert.h"
#include "pg/wall/durability.h"
#include "pg/wall/guard.h"

namespace kvs::pg {

namespace {

constexpr const char* kDirections[] = {"to_table", "from_table", "both"};
constexpr const char* kConflicts[] = {"last_write_wins", "store_wins", "table_wins", "error"};
constexpr const char* kLoads[] = {"", "to_table", "from_table"};
constexpr size_t kMaxNameSize = 200;  // it is part of an origin

// After so many revisions the row of the progress is written anew (sql: binding_progress).
constexpr int64 kRound = 64;

#define KVS_BINDING_COLUMNS                                                                              \
    "SELECT id, name, pattern, branch_id, target::oid::int8, shape, mapping::text, direction, conflict," \
    " creator, is_paused, partitions FROM _kvs.binding "

bool TakeBinding(OwnerQuery* row, Binding* binding) {
    const bool found = row->Next();
    if (found) {
        binding->id = row->Int4(1);
        binding->name = row->Bytes(2);
        binding->pattern = row->Bytes(3);
        binding->branch_id = row->Int4(4);
        binding->target = static_cast<Oid>(row->Int8(5));
        binding->shape = row->Bytes(6);
        binding->mapping = row->Bytes(7);
        binding->direction = ParseDirection(row->Bytes(8)).value_or(BindingDirection::kToTable);
        binding->conflict = ParseConflictPolicy(row->Bytes(9)).value_or(ConflictPolicy::kError);
        binding->creator = row->Bytes(10);
        binding->is_paused = row->Bool(11);
        binding->partitions = row->Bytes(12);
    }
    row->Finish();
    return found;
}

BindingLoad LoadOf(std::string_view text) {
    return text == "to_table"     ? BindingLoad::kToTable
           : text == "from_table" ? BindingLoad::kFromTable
                                  : BindingLoad::kNone;
}

Parameter TextOrNull(std::string_view text) {
    return text.empty() ? Parameter::Null(TEXTOID) : Parameter::Text(text);
}

Parameter TextsOrNull(const std::vector<std::string>& texts) {
    return texts.empty() ? Parameter::Null(TEXTARRAYOID)
                         : Parameter::Of(TEXTARRAYOID, Guarded([&] { return TextArray(texts); }));
}

std::vector<std::string> Texts(OwnerQuery* row, int column) {
    std::vector<std::string> texts;
    if (row->IsNull(column)) {
        return texts;
    }
    const Datum array = row->Copy(column);
    Datum* elements;
    int count;
    Guarded([&] {
        deconstruct_array(DatumGetArrayTypeP(array), TEXTOID, -1, false, TYPALIGN_INT, &elements, nullptr,
                          &count);
    });
    for (int i = 0; i < count; i++) {
        texts.emplace_back(Contents(DatumGetPointer(elements[i])));
    }
    return texts;
}

// Numbers of transactions mean something in one cluster only.
int64 ThisCluster() {
    return static_cast<int64>(Guarded([] { return GetSystemIdentifier(); }));
}

}  // namespace

bool TryFindBinding(std::string_view name, Binding* binding) {
    OwnerQuery row(KVS_BINDING_COLUMNS "WHERE name = $1", {Parameter::Text(name)}, true);
    return TakeBinding(&row, binding);
}

Binding FindBinding(std::string_view name) {
    Binding binding;
    if (!TryFindBinding(name, &binding)) {
        throw Error(ErrorCode::kUnknownRef, "binding " + Quoted(name) + " does not exist",
                    "The view kvs.bindings lists the bindings.");
    }
    return binding;
}

bool ReadBinding(int32 id, Binding* binding) {
    OwnerQuery row(KVS_BINDING_COLUMNS "WHERE id = $1", {Parameter::Int4(id)}, true);
    return TakeBinding(&row, binding);
}

std::vector<int32> ActiveBindings() {
    std::vector<int32> ids;
    OwnerQuery row("SELECT id FROM _kvs.binding WHERE NOT is_paused ORDER BY id", {}, true);
    while (row.Next()) {
        ids.push_back(row.Int4(1));
    }
    row.Finish();
    return ids;
}

bool HasBindings() {
    OwnerQuery row("SELECT FROM _kvs.binding LIMIT 1", {}, true);
    const bool found = row.Next();
    row.Finish();
    return found;
}

int32 CreateBinding(const Binding& binding, Datum mapping, BindingLoad load, int64 pos) {
    if (binding.name.empty() || binding.name.size() > kMaxNameSize) {
        throw Error(ErrorCode::kInvalidArgument,
                    "the name of a binding must have 1 to " + std::to_string(kMaxNameSize) + " bytes");
    }
    Guarded([] { NoteWrite(); });
    OwnerQuery row(
        "INSERT INTO _kvs.binding (id, name, pattern, branch_id, target, shape, mapping, direction, conflict,"
        " creator, partitions, created_at)"
        " VALUES (nextval('_kvs.binding_id'), $1, $2, $3, $4, $5, $6, $7, $8, $9, $10, now())"
        " ON CONFLICT (name) DO NOTHING RETURNING id",
        {Parameter::Text(binding.name), Parameter::Text(binding.pattern), Parameter::Int4(binding.branch_id),
         Parameter::Of(REGCLASSOID, ObjectIdGetDatum(binding.target)), Parameter::Text(binding.shape),
         Parameter::Of(JSONBOID, mapping), Parameter::Text(kDirections[static_cast<int>(binding.direction)]),
         Parameter::Text(kConflicts[static_cast<int>(binding.conflict)]), Parameter::Text(binding.creator),
         Parameter::Text(binding.partitions)},
        true);
    const int32 id = row.Next() ? row.Int4(1) : 0;
    row.Finish();
    if (id == 0) {
        throw Error(ErrorCode::kAlreadyExists, "binding " + Quoted(binding.name) + " already exists",
                    "The view kvs.bindings lists them; kvs.unbind_table(name) ends one.");
    }
    ExecuteAsOwner(
        "INSERT INTO _kvs.binding_progress (binding, round, revision, pos, load) VALUES ($1, 0, 0, $2, $3)",
        {Parameter::Int4(id), Parameter::Int8(pos), TextOrNull(kLoads[static_cast<int>(load)])});
    return id;
}

void RemoveBinding(int32 id) {
    Guarded([] { NoteWrite(); });
    ExecuteAsOwner("DELETE FROM _kvs.binding_progress WHERE binding = $1", {Parameter::Int4(id)});
    ExecuteAsOwner("DELETE FROM _kvs.binding_base WHERE binding = $1", {Parameter::Int4(id)});
    ExecuteAsOwner("DELETE FROM _kvs.binding_mark WHERE binding = $1", {Parameter::Int4(id)});
    ExecuteAsOwner("DELETE FROM _kvs.binding_held WHERE binding = $1", {Parameter::Int4(id)});
    ExecuteAsOwner("DELETE FROM _kvs.binding_parked WHERE binding = $1", {Parameter::Int4(id)});
    ExecuteAsOwner("DELETE FROM _kvs.binding WHERE id = $1", {Parameter::Int4(id)});
}

void SetPaused(int32 id, bool is_paused, std::string_view reason) {
    Guarded([] { NoteWrite(); });
    ExecuteAsOwner("UPDATE _kvs.binding SET is_paused = $2, reason = $3 WHERE id = $1",
                   {Parameter::Int4(id), Parameter::Bool(is_paused), TextOrNull(reason)});
}

void ForgetTarget(int32 id) {
    ExecuteAsOwner("UPDATE _kvs.binding SET target = 0 WHERE id = $1", {Parameter::Int4(id)});
}

void SetShape(int32 id, std::string_view shape, std::string_view partitions) {
    ExecuteAsOwner("UPDATE _kvs.binding SET shape = $2, partitions = $3 WHERE id = $1",
                   {Parameter::Int4(id), Parameter::Text(shape), Parameter::Text(partitions)});
}

void RequireBindingOwner(const Binding& binding, const char* action) {
    Guarded([&] { RequireCreator(binding.creator.c_str(), "binding", binding.name.c_str(), action); });
}

BindingProgress ReadProgress(int32 binding) {
    OwnerQuery row(
        "SELECT revision, pos, load, loaded, CASE WHEN cluster = $2 THEN seen::text END, written, returned, "
        "conflicts"
        " FROM _kvs.binding_progress WHERE binding = $1 ORDER BY round DESC LIMIT 1",
        {Parameter::Int4(binding), Parameter::Int8(ThisCluster())}, true);
    BindingProgress progress;
    if (row.Next()) {
        progress.revision = row.Int8(1);
        progress.pos = row.Int8(2);
        progress.load = LoadOf(row.Bytes(3));
        progress.loaded = Texts(&row, 4);
        progress.seen = row.Bytes(5);
        progress.written = row.Int8(6);
        progress.returned = row.Int8(7);
        progress.conflicts = row.Int8(8);
    }
    row.Finish();
    return progress;
}

void WriteProgress(int32 binding, BindingProgress* progress) {
    const int64 round = progress->revision / kRound;
    const int64 next_round = ++progress->revision / kRound;
    const Parameters parameters = {Parameter::Int4(binding),
                                   Parameter::Int8(next_round),
                                   Parameter::Int8(progress->revision),
                                   Parameter::Int8(progress->pos),
                                   TextOrNull(kLoads[static_cast<int>(progress->load)]),
                                   TextsOrNull(progress->loaded),
                                   Parameter::Int8(ThisCluster()),
                                   TextOrNull(progress->seen),
                                   Parameter::Int8(progress->written),
                                   Parameter::Int8(progress->returned),
                                   Parameter::Int8(progress->conflicts)};
    if (next_round == round) {
        ExecuteAsOwner(
            "UPDATE _kvs.binding_progress SET revision = $3, pos = $4, load = $5, loaded = $6, cluster = $7,"
            " seen = $8::pg_snapshot, written = $9, returned = $10, conflicts = $11, applied_at = "
            "clock_timestamp()"
            " WHERE binding = $1 AND round = $2",
            parameters);
        return;
    }
    ExecuteAsOwner(
        "INSERT INTO _kvs.binding_progress VALUES ($1, $2, $3, $4, $5, $6, $7, $8::pg_snapshot, $9, $10, $11,"
        " clock_timestamp())",
        parameters);
    ExecuteAsOwner("DELETE FROM _kvs.binding_progress WHERE binding = $1 AND round < $2",
                   {Parameter::Int4(binding), Parameter::Int8(next_round)});
}

}  // namespace kvs::pg

#include "pg/binding/table_trigger.h"

#include <algorithm>
#include <optional>
#include <string>
#include <unordered_set>

#include "pg/binding/mark_table.h"
#include "pg/table/catalog.h"
#include "pg/table/table_access.h"
#include "pg/wall/context_object.h"
#include "pg/wall/convert.h"
#include "pg/wall/guard.h"
#include "pg/wall/jsonb_json.h"

extern "C" {
#include "catalog/partition.h"
#include "catalog/pg_inherits.h"
#include "executor/spi.h"
#include "utils/rel.h"
}

namespace kvs::pg {

namespace {

// Of the binding that this process applies.
std::unordered_set<std::string>* expected_keys;
int32 expecting_binding;

// Takes one expectation; false if there is none.
bool IsExpected(int32 binding, const std::string& key) {
    return expected_keys != nullptr && expecting_binding == binding && expected_keys->erase(key) > 0;
}

// What the trigger needs to know, looked up once per statement.
struct TriggerMemory {
    int32 binding = 0;  // 0: it has gone, or is of another table
    std::optional<Mapping> mapping;
    std::vector<AttrNumber> key;    // of the values of the key, in their order; 0: there is no such column
    std::vector<FmgrInfo> outputs;  // of their types
};
using TriggerHolder = ContextObject<TriggerMemory>;

enum BindingColumn { kId = 1, kPattern = 3, kTarget = 5, kMapping = 7 };

// The text of the pattern, and of the mapping; false if there is no such binding of this table. Server code.
bool FindForTrigger(int32 id, Oid relation, const char** pattern, Jsonb** mapping) {
    Snapshot snapshot = RegisterSnapshot(GetLatestSnapshot());
    Table table = OpenForRead(Object::kBinding, Object::kBindingPkey);
    ScanKeyData key;
    KeyInt4(&key, kId, id);
    bool found = Lookup(&table, snapshot, &key, 1);
    if (found) {
        const Oid target = DatumGetObjectId(table.Get(kTarget));
        found = target == relation || (get_rel_relispartition(relation) &&
                                       list_member_oid(get_partition_ancestors(relation), target));
    }
    if (found) {
        *pattern = TextDatumGetCString(table.Get(kPattern));
        *mapping = DatumGetJsonbPCopy(table.Get(kMapping));
    }
    Close(&table);
    UnregisterSnapshot(snapshot);
    return found;
}

void LookUp(const TriggerData* data, MemoryContext context, TriggerMemory* memory) {
    const Trigger* trigger = data->tg_trigger;
    const char* pattern = nullptr;
    Jsonb* mapping = nullptr;
    const int32 id = trigger->tgnargs == 1 ? atoi(trigger->tgargs[0]) : 0;
    Relation relation = data->tg_relation;
    if (!Guarded([&] { return FindForTrigger(id, RelationGetRelid(relation), &pattern, &mapping); })) {
        return;
    }
    memory->binding = id;
    memory->mapping = Mapping::Parse(pattern, JsonFromJsonb(Contents(mapping))).OrThrow();
    memory->key.resize(memory->mapping->key_values());
    memory->outputs.resize(memory->key.size());
    for (const MappedColumn& column : memory->mapping->columns()) {
        if (!column.IsKey()) {
            continue;
        }
        const char* name = column.name.c_str();
        FmgrInfo* output = &memory->outputs[column.index];
        memory->key[column.index] = Guarded([&] {
            const int number = SPI_fnumber(relation->rd_att, name);
            if (number > 0) {
                Oid function;
                bool is_varlena;
                getTypeOutputInfo(TupleDescAttr(relation->rd_att, number - 1)->atttypid, &function,
                                  &is_varlena);
                fmgr_info_cxt(function, output, context);
            }
            return static_cast<AttrNumber>(number > 0 ? number : 0);
        });
    }
}

// The key that the row belongs to; nullopt if none can be told.
std::optional<std::string> KeyOfRow(TriggerMemory* memory, Relation relation, HeapTuple row) {
    std::vector<std::string> values;
    for (size_t i = 0; i < memory->key.size(); i++) {
        const AttrNumber number = memory->key[i];
        const char* text = number == 0 ? nullptr : Guarded([&]() -> const char* {
            bool is_null;
            const Datum value = heap_getattr(row, number, relation->rd_att, &is_null);
            return is_null ? nullptr : OutputFunctionCall(&memory->outputs[i], value);
        });
        if (text == nullptr) {
            return std::nullopt;
        }
        values.emplace_back(text);
    }
    return memory->mapping->KeyOf(values);
}

void MarkRow(const TriggerMemory* memory, const std::optional<std::string>& key) {
    if (key && IsExpected(memory->binding, *key)) {
        return;
    }
    // A row without a key is not one of the binding's; but where the column has gone, all may be.
    const bool is_lost = std::find(memory->key.begin(), memory->key.end(), 0) != memory->key.end();
    if (key || is_lost) {
        Guarded([&] { MarkRowChange(memory->binding, key ? key->c_str() : nullptr); });
    }
}

// The tuple's key columns alone decide, so that an update of anything else is one mark.
void MarkUpdate(TriggerMemory* memory, const TriggerData* data) {
    const std::optional<std::string> before = KeyOfRow(memory, data->tg_relation, data->tg_trigtuple);
    const std::optional<std::string> after = KeyOfRow(memory, data->tg_relation, data->tg_newtuple);
    if (before != after) {
        MarkRow(memory, before);
    }
    MarkRow(memory, after);
}

TriggerMemory* MemoryOf(const TriggerData* data, FmgrInfo* function) {
    if (function->fn_extra == nullptr) {
        TriggerHolder* holder = TriggerHolder::Make(function->fn_mcxt);
        LookUp(data, function->fn_mcxt, holder->get());
        function->fn_extra = holder;
    }
    return static_cast<TriggerHolder*>(function->fn_extra)->get();
}

std::string TriggerName(const Binding& binding, const char* suffix) {
    return "kvs_binding_" + std::to_string(binding.id) + suffix;
}

// As the current role. Server code.
void Execute(const char* sql) {
    SPI_connect();
    const int code = SPI_execute(sql, false, 0);
    if (code < 0) {
        elog(ERROR, "could not execute \"%s\": %s", sql, SPI_result_code_string(code));
    }
    SPI_finish();
}

std::string QualifiedName(Oid relation) {
    return Guarded([&] {
        return quote_qualified_identifier(get_namespace_name(get_rel_namespace(relation)),
                                          get_rel_name(relation));
    });
}

void CreateTrigger(const std::string& table, const std::string& name, const char* events,
                   const Binding& binding) {
    const std::string create = "CREATE TRIGGER " + name + " AFTER " + events + " ON " + table + " FOR EACH " +
                               (strcmp(events, "TRUNCATE") == 0 ? "STATEMENT" : "ROW") +
                               " EXECUTE FUNCTION kvs.binding_trigger('" + std::to_string(binding.id) + "')";
    const std::string always = "ALTER TABLE " + table + " ENABLE ALWAYS TRIGGER " + name;
    Guarded([&] {
        Execute(create.c_str());
        Execute(always.c_str());
    });
}

bool HasTrigger(Oid relation, const std::string& name) {
    return Guarded([&] { return OidIsValid(get_trigger_oid(relation, name.c_str(), true)); });
}

}  // namespace

void NoteRowChange(const TriggerData* data, FmgrInfo* function) {
    TriggerMemory* memory = MemoryOf(data, function);
    if (memory->binding == 0) {
        return;
    }
    if (!TRIGGER_FIRED_FOR_ROW(data->tg_event)) {
        Guarded([&] { MarkRowChange(memory->binding, nullptr); });
    } else if (TRIGGER_FIRED_BY_UPDATE(data->tg_event)) {
        MarkUpdate(memory, data);
    } else {
        MarkRow(memory, KeyOfRow(memory, data->tg_relation, data->tg_trigtuple));
    }
}

ExpectedRowChanges::ExpectedRowChanges(int32 binding, const std::vector<std::string>& keys) {
    expected_keys = new std::unordered_set<std::string>(keys.begin(), keys.end());
    expecting_binding = binding;
}

ExpectedRowChanges::~ExpectedRowChanges() {
    delete expected_keys;
    expected_keys = nullptr;
}

// Those of rows come with a partition, those for TRUNCATE do not.
void CreateTableTriggers(const Binding& binding, const BoundTable& table) {
    const std::string row = TriggerName(binding, "");
    const std::string truncate = TriggerName(binding, "_truncate");
    if (!HasTrigger(table.relation, row)) {
        CreateTrigger(table.name, row, "INSERT OR UPDATE OR DELETE", binding);
    }
    std::vector<Oid> tables = table.partitions;
    tables.push_back(table.relation);
    for (const Oid one : tables) {
        if (!HasTrigger(one, truncate)) {
            CreateTrigger(QualifiedName(one), truncate, "TRUNCATE", binding);
        }
    }
}

void DropTableTriggers(const Binding& binding) {
    std::vector<Oid> relations = {binding.target};
    if (Guarded([&] { return get_rel_relkind(binding.target) == RELKIND_PARTITIONED_TABLE; })) {
        List* all =
            Guarded([&] { return find_all_inheritors(binding.target, AccessExclusiveLock, nullptr); });
        for (int i = 1; i < list_length(all); i++) {
            relations.push_back(list_nth_oid(all, i));
        }
    }
    for (const Oid relation : relations) {
        for (const char* suffix : {"", "_truncate"}) {
            const std::string name = TriggerName(binding, suffix);
            // Those of rows go with the partitioned table's.
            if ((relation == binding.target || suffix[0] != '\0') && HasTrigger(relation, name)) {
                const std::string drop = "DROP TRIGGER " + name + " ON " + QualifiedName(relation);
                Guarded([&] { Execute(drop.c_str()); });
            }
        }
    }
}

}  // namespace kvs::pg

#include "pg/binding/parked_table.h"

#include <utility>

#include "pg/binding/mark_table.h"
#include "pg/table/owner_query.h"
#include "pg/wall/convert.h"
#include "pg/wall/guard.h"

namespace kvs::pg {

void ParkKey(int32 binding, std::string_view key, int64 pos, const Fault& fault, std::optional<Datum> value) {
    ExecuteAsOwner(
        "INSERT INTO _kvs.binding_parked (binding, key, pos, reason, sqlstate, value, parked_at)"
        " VALUES ($1, $2, $3, $4, $5, $6, clock_timestamp())"
        " ON CONFLICT (binding, key) DO UPDATE SET pos = excluded.pos, reason = excluded.reason,"
        " sqlstate = excluded.sqlstate, value = excluded.value, events = binding_parked.events + 1,"
        " parked_at = excluded.parked_at",
        {Parameter::Int4(binding), Parameter::Text(key),
         pos == 0 ? Parameter::Null(INT8OID) : Parameter::Int8(pos), Parameter::Text(fault.reason),
         Parameter::Text(fault.sqlstate),
         value ? Parameter::Of(JSONBOID, *value) : Parameter::Null(JSONBOID)});
}

std::set<std::string> HoldParkedKeys(int32 binding, const std::vector<std::string>& keys) {
    std::set<std::string> parked;
    OwnerQuery any("SELECT FROM _kvs.binding_parked WHERE binding = $1 LIMIT 1", {Parameter::Int4(binding)},
                   true);
    const bool found = any.Next();
    any.Finish();
    if (!found) {
        return parked;
    }
    OwnerQuery row(
        "UPDATE _kvs.binding_parked SET events = events + 1 WHERE binding = $1 AND key = ANY ($2) RETURNING "
        "key",
        {Parameter::Int4(binding), Parameter::Of(TEXTARRAYOID, Guarded([&] { return TextArray(keys); }))},
        true);
    while (row.Next()) {
        parked.emplace(row.Bytes(1));
    }
    row.Finish();
    return parked;
}

int64 RetryParkedKeys(int32 binding, std::optional<std::string_view> key) {
    std::vector<std::pair<std::string, bool>> keys;
    OwnerQuery row(
        "DELETE FROM _kvs.binding_parked WHERE binding = $1 AND ($2 IS NULL OR key = $2) RETURNING key, pos",
        {Parameter::Int4(binding), key ? Parameter::Text(*key) : Parameter::Null(TEXTOID)}, true);
    while (row.Next()) {
        keys.emplace_back(row.Bytes(1), !row.IsNull(2));
    }
    row.Finish();
    for (const auto& [parked, by_store] : keys) {
        MarkKey(binding, {.key = parked, .by_store = by_store, .by_table = !by_store});
    }
    return static_cast<int64>(keys.size());
}

}  // namespace kvs::pg

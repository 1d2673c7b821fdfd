#include "pg/stream/worker_table.h"

#include "pg/table/owner_query.h"
#include "pg/table/table_access.h"
#include "pg/wall/guard.h"

namespace kvs::pg {

bool IsStopped(const char* name, Snapshot snapshot) {
    return Guarded([&] {
        Table table = OpenForRead(Object::kWorker, Object::kWorkerPkey);
        ScanKeyData key;
        KeyText(&key, 1, CStringGetTextDatum(name));
        const bool is_stopped = Lookup(&table, snapshot, &key, 1) && DatumGetBool(table.Get(2));
        Close(&table);
        return is_stopped;
    });
}

bool IsToBegin(const char* name) {
    OwnerQuery row("SELECT is_stopped FROM _kvs.worker WHERE name = $1 FOR SHARE", {Parameter::Text(name)},
                   true);
    const bool is_stopped = row.Next() && row.Bool(1);
    row.Finish();
    return !is_stopped;
}

void SetStopped(const char* name, bool is_stopped) {
    ExecuteAsOwner(
        "INSERT INTO _kvs.worker (name, is_stopped) VALUES ($1, $2)"
        " ON CONFLICT (name) DO UPDATE SET is_stopped = excluded.is_stopped",
        {Parameter::Text(name), Parameter::Bool(is_stopped)});
}

std::optional<int64> ReadWorkerPos(const char* name) {
    OwnerQuery row("SELECT pos FROM _kvs.worker WHERE name = $1 AND pos IS NOT NULL", {Parameter::Text(name)},
                   true);
    const std::optional<int64> pos = row.Next() ? std::optional<int64>(row.Int8(1)) : std::nullopt;
    row.Finish();
    return pos;
}

void StoreWorkerPos(const char* name, int64 pos) {
    ExecuteAsOwner(
        "INSERT INTO _kvs.worker (name, pos) VALUES ($1, $2)"
        " ON CONFLICT (name) DO UPDATE SET pos = excluded.pos",
        {Parameter::Text(name), Parameter::Int8(pos)});
}

void NoteWorkerError(const char* name, const char* message) {
    ExecuteAsOwner(
        "INSERT INTO _kvs.worker (name, last_error, last_error_at) VALUES ($1, $2, clock_timestamp())"
        " ON CONFLICT (name) DO UPDATE SET last_error = excluded.last_error, last_error_at = "
        "excluded.last_error_at",
        {Parameter::Text(name), Parameter::Text(message)});
}

}  // namespace kvs::pg

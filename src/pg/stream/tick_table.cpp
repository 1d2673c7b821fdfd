#include "pg/stream/tick_table.h"

#include "kvs/event/tick.h"
#include "pg/table/owner_query.h"
#include "pg/table/table_access.h"
#include "pg/wall/convert.h"
#include "pg/wall/guard.h"
#include "pg/wall/snapshot.h"

namespace kvs::pg {

namespace {

enum TickColumn {
    kLastPosColumn = 1,
    kFirstPosColumn,
    kLowSeqColumn,
    kAtColumn,
    kSnapshotColumn,
    kItemsColumn,
    kTickColumns = kItemsColumn
};

// Texts that a tick gets, in memory of the server's.
struct TickTexts {
    const char* snapshot;
    std::string_view items;
};

// Server code.
void CopyRow(const Table& table, bool with_snapshot, Tick* tick, TickTexts* texts) {
    tick->last_pos = DatumGetInt64(table.Get(kLastPosColumn));
    tick->first_pos = DatumGetInt64(table.Get(kFirstPosColumn));
    tick->low_seq = DatumGetInt64(table.Get(kLowSeqColumn));
    tick->at = DatumGetTimestampTz(table.Get(kAtColumn));
    // A copy, because the row is gone when the table is closed.
    texts->items = Contents(PG_DETOAST_DATUM_COPY(table.Get(kItemsColumn)));
    if (with_snapshot) {
        texts->snapshot = DatumGetCString(DirectFunctionCall1(pg_snapshot_out, table.Get(kSnapshotColumn)));
    }
}

// The first tick from `pos` on, or the last one of all.
std::optional<Tick> ReadTick(Snapshot snapshot, const int64* pos) {
    Tick tick;
    TickTexts texts = {};
    const bool found = Guarded([&] {
        Table table = OpenForRead(Object::kTick, Object::kTickPkey);
        ScanKeyData key;
        KeyInt8(&key, 1, pos != nullptr ? *pos : 0, BTGreaterEqualStrategyNumber);
        const bool hit = pos != nullptr ? Lookup(&table, snapshot, &key, 1)
                                        : Lookup(&table, snapshot, nullptr, 0, BackwardScanDirection);
        if (hit) {
            CopyRow(table, pos == nullptr, &tick, &texts);
        }
        Close(&table);
        return hit;
    });
    if (!found) {
        return std::nullopt;
    }
    tick.items = texts.items;
    if (texts.snapshot != nullptr) {
        tick.snapshot = texts.snapshot;
    }
    return tick;
}

}  // namespace

std::optional<Tick> ReadLastTick(Snapshot snapshot) {
    return ReadTick(snapshot, nullptr);
}

std::optional<Tick> FindTick(Snapshot snapshot, int64 pos) {
    return ReadTick(snapshot, &pos);
}

void AppendTick(const Tick& tick) {
    Guarded([&] {
        const Object index = Object::kTickPkey;
        Table table = OpenForWrite(Object::kTick, &index, 1);
        Datum values[kTickColumns];
        bool nulls[kTickColumns] = {};
        values[kLastPosColumn - 1] = Int64GetDatum(tick.last_pos);
        values[kFirstPosColumn - 1] = Int64GetDatum(tick.first_pos);
        values[kLowSeqColumn - 1] = Int64GetDatum(tick.low_seq);
        values[kAtColumn - 1] = TimestampTzGetDatum(tick.at);
        values[kSnapshotColumn - 1] =
            DirectFunctionCall1(pg_snapshot_in, CStringGetDatum(tick.snapshot.c_str()));
        values[kItemsColumn - 1] = MakeVarlena(tick.items);
        Insert(&table, values, nulls);
        Close(&table);
    });
}

int64 RemoveTicks(int64 low_seq) {
    Snapshot latest = RegisterLatestSnapshot();
    int64 pos = 0;
    const int64 last = Guarded([&] { return LastPosition(latest); });
    for (std::optional<Tick> tick = FindTick(latest, 0); tick && tick->last_pos < last;
         tick = FindTick(latest, pos + 1)) {
        if (static_cast<int64>(NumbersOf(tick->items).OrThrow().highest) >= low_seq) {
            break;
        }
        pos = tick->last_pos;
    }
    ReleaseSnapshot(latest);
    return pos == 0 ? 0
                    : static_cast<int64>(ExecuteAsOwner("DELETE FROM _kvs.tick WHERE last_pos <= $1",
                                                        {Parameter::Int8(pos)}));
}

int64 LowestBehind(int64 pos) {
    OwnerQuery row("SELECT low_seq FROM _kvs.tick WHERE last_pos <= $1 ORDER BY last_pos DESC LIMIT 1",
                   {Parameter::Int8(pos)}, true);
    const int64 seq = row.Next() ? row.Int8(1) : 0;
    row.Finish();
    return seq;
}

int64 LastPosition(Snapshot snapshot) {
    Table table = OpenForRead(Object::kTick, Object::kTickPkey);
    const int64 pos = Lookup(&table, snapshot, nullptr, 0, BackwardScanDirection)
                          ? DatumGetInt64(table.Get(kLastPosColumn))
                          : 0;
    Close(&table);
    return pos;
}

}  // namespace kvs::pg

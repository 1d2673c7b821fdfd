#include "pg/binding/mark_table.h"

#include "pg/stream/xid_set.h"
#include "pg/table/catalog.h"
#include "pg/table/owner_query.h"
#include "pg/table/stream_signal.h"
#include "pg/table/table_access.h"
#include "pg/wall/convert.h"
#include "pg/wall/durability.h"
#include "pg/wall/guard.h"

namespace kvs::pg {

namespace {

enum MarkColumn {
    kBindingColumn,
    kXidColumn,
    kKeyColumn,
    kByStoreColumn,
    kByTableColumn,
    kAtColumn,
    kMarkColumns
};

// Server code. `key` null: everything.
void AddMark(int32 binding, Datum key, const Mark& mark) {
    NoteWrite();
    const Object indexes[] = {Object::kBindingMarkXid};
    Table table = OpenForWrite(Object::kBindingMark, indexes, 1);
    Datum values[kMarkColumns] = {};
    bool nulls[kMarkColumns] = {};
    values[kBindingColumn] = Int32GetDatum(binding);
    values[kXidColumn] = FullTransactionIdGetDatum(GetTopFullTransactionId());
    values[kKeyColumn] = key;
    nulls[kKeyColumn] = mark.is_all;
    values[kByStoreColumn] = BoolGetDatum(mark.by_store);
    values[kByTableColumn] = BoolGetDatum(mark.by_table);
    values[kAtColumn] = TimestampTzGetDatum(mark.at != 0 ? mark.at : GetCurrentTimestamp());
    Insert(&table, values, nulls);
    Close(&table);
    NoteMarks();
}

}  // namespace

std::vector<Mark> TakeMarks(int32 binding, BindingProgress* progress, int limit, bool* more) {
    std::vector<Mark> marks;
    std::vector<Datum> rows;
    const std::string shown = XidSet::Of(GetActiveSnapshot()).ToText();
    OwnerQuery row(
        "SELECT ctid, key, by_store, by_table, at FROM _kvs.binding_mark WHERE binding = $1 AND"
        " ($2 IS NULL OR xid >= pg_snapshot_xmax($2::pg_snapshot)"
        "  OR xid = ANY (ARRAY(SELECT pg_snapshot_xip($2::pg_snapshot))))"
        " ORDER BY xid LIMIT $3",
        {Parameter::Int4(binding),
         progress->seen.empty() ? Parameter::Null(TEXTOID) : Parameter::Text(progress->seen),
         Parameter::Int8(limit)});
    while (row.Next()) {
        rows.push_back(row.Copy(1));
        Mark mark;
        mark.is_all = row.IsNull(2);
        mark.key = row.Bytes(2);
        mark.by_store = row.Bool(3);
        mark.by_table = row.Bool(4);
        mark.at = row.Int8(5);
        marks.push_back(std::move(mark));
    }
    row.Finish();
    *more = static_cast<int>(marks.size()) == limit;
    if (!*more) {
        progress->seen = shown;
    }
    if (!rows.empty()) {
        const Datum array = Guarded([&] {
            return PointerGetDatum(construct_array(rows.data(), static_cast<int>(rows.size()), TIDOID,
                                                   sizeof(ItemPointerData), false, TYPALIGN_SHORT));
        });
        ExecuteAsOwner("DELETE FROM _kvs.binding_mark WHERE ctid = ANY ($1)",
                       {Parameter::Of(TIDARRAYOID, array)});
    }
    return marks;
}

void MarkRowChange(int32 binding, const char* key) {
    if (key == nullptr) {
        AddMark(binding, Datum{0}, {.is_all = true});
    } else {
        AddMark(binding, CStringGetTextDatum(key), {.by_table = true});
    }
}

void MarkAll(int32 binding) {
    Guarded([&] { AddMark(binding, Datum{0}, {.is_all = true}); });
}

void MarkKey(int32 binding, const Mark& mark) {
    Guarded([&] { AddMark(binding, MakeVarlena(mark.key), mark); });
}

}  // namespace kvs::pg

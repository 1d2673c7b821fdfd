// Columns of foreign tables: any of kvs.entry's, found by name.
#pragma once

#include "pg/read/entry_row.h"
#include "pg/wall/server.h"

namespace kvs::fdw {

constexpr uint8 kDroppedColumn = pg::kEntryColumns;

// For each attribute of a foreign table its column of kvs.entry.
struct TableColumns {
    int count;             // attributes, dropped ones included
    const uint8* columns;  // [attribute - 1]: an EntryColumn, or kDroppedColumn
    AttrNumber key;        // the attribute that holds the key; 0: the table has none
    Oid key_collation;
};

// Allocated in the current memory context. Errors: HV005 for a column that kvs.entry does not have, HV004 for
// one of another type. Server code.
TableColumns MatchColumns(Relation table);

// Puts an entry's values where the table has them. `columns` is as in TableColumns.
inline void ArrangeColumns(const uint8* columns, int count, const pg::EntryRow& entry, Datum* values,
                           bool* nulls) {
    for (int i = 0; i < count; i++) {
        const auto column = static_cast<pg::EntryColumn>(columns[i]);
        nulls[i] = column == kDroppedColumn || entry.IsNull(column);
        values[i] = nulls[i] ? Datum{0} : entry.Value(column);
    }
}

// The entry columns that a set of attributes, as pull_varattnos gives it, needs. Server code.
uint32 NeededColumns(const TableColumns& columns, Bitmapset* attributes);

}  // namespace kvs::fdw

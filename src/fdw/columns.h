// Columns of foreign tables: any of kvs.entry's, found by name.
#pragma once

#include "pg/read/entry_tuple.h"
#include "pg/wall/server.h"

namespace kvs::fdw {

// For each attribute of a foreign table its column of kvs.entry.
struct TableColumns {
    int count;             // attributes, dropped ones included
    const uint8* columns;  // [attribute - 1]: an EntryColumn; 0: dropped
    AttrNumber key;        // the attribute that holds the key; 0: the table has none
    Oid key_collation;
};

// Allocated in the current memory context. Errors: HV005 for a column that kvs.entry does not have, HV004 for
// one of another type. Server code.
TableColumns MatchColumns(Relation table);

// A row of type kvs.entry, indexed by column - 1.
struct EntryValues {
    Datum values[pg::kEntryColumns];
    bool nulls[pg::kEntryColumns];
};

// Puts an entry's values where the table has them. `columns` is as in TableColumns.
inline void ArrangeColumns(const uint8* columns, int count, const EntryValues& entry, Datum* values,
                           bool* nulls) {
    for (int i = 0; i < count; i++) {
        nulls[i] = columns[i] == 0 || entry.nulls[columns[i] - 1];
        values[i] = nulls[i] ? Datum{0} : entry.values[columns[i] - 1];
    }
}

// The entry columns that a set of attributes, as pull_varattnos gives it, needs. Server code.
uint32 NeededColumns(const TableColumns& columns, Bitmapset* attributes);

}  // namespace kvs::fdw

// Set-returning functions that collect their rows (row.h says which do), in work_mem and beyond it on disk.
//
// Server code.
#pragma once

#include "pg/wall/row.h"
#include "pg/wall/server.h"

extern "C" {
#include "utils/tuplestore.h"
}

namespace kvs::pg {

struct CollectedRows {
    Tuplestorestate* store;
    TupleDesc row_type;
};

// Makes what is added the result of the function that was called, which then returns NULL. Errors: 0A000.
CollectedRows CollectRows(FunctionCallInfo fcinfo);

template <auto kColumns>
void AddRow(const CollectedRows& rows, Row<kColumns> row) {
    Assert(rows.row_type->natts == kColumns);
    tuplestore_putvalues(rows.store, rows.row_type, row.values(), row.nulls());
}

}  // namespace kvs::pg

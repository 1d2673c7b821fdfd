// Set-returning functions that collect their rows, in work_mem and beyond it on disk, because what they hold
// while they run belongs to one call. Others stream (stream.h).
//
// Server code.
#pragma once

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

inline void AddRow(const CollectedRows& rows, Datum* values, bool* nulls) {
    tuplestore_putvalues(rows.store, rows.row_type, values, nulls);
}

}  // namespace kvs::pg

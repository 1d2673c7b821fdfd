// The result of a set-returning function whose rows come from one call, collected in work_mem and beyond it
// on disk. Server code.
#pragma once

#include "pg/server.h"

namespace kvs::pg {

struct CollectedRows {
    void* store;  // Tuplestorestate
    TupleDesc row_type;
};

// Makes what is added the result of the function, which then returns NULL. Errors: 0A000.
CollectedRows CollectRows(FunctionCallInfo fcinfo);

void AddRow(const CollectedRows& rows, Datum* values, bool* nulls);

}  // namespace kvs::pg

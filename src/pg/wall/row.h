// The rows that functions return.
//
// A row is filled by column and then formed:
//
//     enum ThingColumn { kName, kSize, kThingColumns };
//
//     Row<kThingColumns> row;
//     row.Set(kName, MakeVarlena(name));      // what is not set is NULL
//     return row.Form(ResultRowType(fcinfo));
//
// A function that is declared to return a set gives its rows back in one of three ways.
//
//  - One row at most: it returns the row, which the server takes for a set of one, or NoRow(fcinfo).
//  - Rows that come one by one out of a read: it streams them (stream.h), so that a query that ends early has
//    not paid for the rest. Between two rows the read holds C++ memory only.
//  - Else it collects them in one call (collected_rows.h): rows that are all known at once, or an operation
//  that
//    changes the store and so has to run to its end, or one that holds resources of the server, as a sort, an
//    open table or a connection, which belong to the call.
#pragma once

#include <algorithm>
#include <array>

#include "kvs/entry.h"
#include "kvs/hash.h"
#include "pg/wall/convert.h"
#include "pg/wall/server.h"

namespace kvs::pg {

// `kColumns` ends the enum that names the columns, and is their number. Owns nothing: the values belong to
// the memory context in which they were made.
template <auto kColumns>
class Row {
  public:
    using Column = decltype(kColumns);

    Row() { std::fill(nulls_, nulls_ + kColumns, true); }

    void Set(Column column, Datum value) {
        values_[column] = value;
        nulls_[column] = false;
    }

    bool IsNull(Column column) const { return nulls_[column]; }
    Datum Value(Column column) const { return values_[column]; }

    // As a Datum in the current memory context. Server code.
    Datum Form(TupleDesc row_type) {
        Assert(row_type->natts == kColumns);
        return HeapTupleGetDatum(heap_form_tuple(row_type, values_, nulls_));
    }

    // As the server's functions want it.
    Datum* values() { return values_; }
    bool* nulls() { return nulls_; }

  private:
    Datum values_[kColumns];  // [column], undefined where it is NULL
    bool nulls_[kColumns];
};

// Values of columns, in the current memory context. Server code.
Datum HexDatum(const Hash& hash);                       // text of 64 hexadecimal digits
Datum UuidDatum(const std::array<uint8_t, 16>& bytes);  // uuid
inline Datum TimeDatum(Timestamp time) {                // timestamptz
    return TimestampTzGetDatum(ToServerTime(time));
}

// The row type of a function that returns a composite, blessed, in the memory context current. Server code.
inline TupleDesc ResultRowType(FunctionCallInfo fcinfo) {
    TupleDesc row_type;
    if (get_call_result_type(fcinfo, nullptr, &row_type) != TYPEFUNC_COMPOSITE) {
        ereport(ERROR, errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
                errmsg("function returning record called in context that cannot accept type record"));
    }
    return BlessTupleDesc(row_type);
}

// What a function of one row at most returns when there is none.
inline Datum NoRow(FunctionCallInfo fcinfo) {
    reinterpret_cast<ReturnSetInfo*>(fcinfo->resultinfo)->isDone = ExprEndResult;
    fcinfo->isnull = true;
    return Datum{0};
}

}  // namespace kvs::pg

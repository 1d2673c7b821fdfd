// Rows sorted by the server: put in in any order, read in the order of some of their columns, in memory up to
// a limit and beyond it on disk. Columns are bytea and int8, counted from 1.
#pragma once

#include <initializer_list>
#include <string_view>

#include "kvs/hash.h"
#include "pg/wall/convert.h"
#include "pg/wall/guard.h"
#include "pg/wall/server.h"

namespace kvs::pg {

class RowSort {
  public:
    struct Column {
        const char* name;
        Oid type;  // BYTEAOID or INT8OID
    };

    // `order`: the columns to sort by, ascending. `memory` in kB. `again`: it will be read more than once.
    RowSort(std::initializer_list<Column> columns, std::initializer_list<int> order, int memory,
            bool again = false);

    // `fill` sets an array of values, none of them NULL; server code, run with a memory context of the row.
    template <typename Fill>
    void Add(const Fill& fill) {
        Guarded([&] {
            Datum* values = BeginRow();
            MemoryContext caller = MemoryContextSwitchTo(row_context_);
            fill(values);
            MemoryContextSwitchTo(caller);
            PutRow();
        });
    }

    // To be called once, before the first Next.
    void Sort();

    // Moves to the next row; false after the last.
    bool Next();

    // Of the current row; views are valid until Next is called again.
    std::string_view Bytes(int column) const {
        return Contents(DatumGetPointer(out_->tts_values[column - 1]));
    }
    int64 Int8(int column) const { return DatumGetInt64(out_->tts_values[column - 1]); }

    // Back to before the first row.
    void Rewind();

    // Frees the sort's files. To be called on the normal way out.
    void Finish();

  private:
    Datum* BeginRow();
    void PutRow();

    void* sort_;  // Tuplesortstate
    TupleTableSlot* in_;
    TupleTableSlot* out_;
    MemoryContext row_context_;
};

}  // namespace kvs::pg

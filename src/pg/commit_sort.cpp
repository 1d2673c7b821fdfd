#include "pg/commit_sort.h"

#include "pg/convert.h"
#include "pg/guard.h"

extern "C" {
#include "catalog/pg_operator_d.h"
#include "utils/tuplesort.h"
}

namespace kvs::pg {

namespace {

enum SortColumn { kGenerationColumn = 1, kEncodedColumn, kSortColumns = kEncodedColumn };

}  // namespace

CommitSort::CommitSort() {
    Guarded([&] {
        TupleDesc row_type = CreateTemplateTupleDesc(kSortColumns);
        TupleDescInitEntry(row_type, kGenerationColumn, "generation", INT8OID, -1, 0);
        TupleDescInitEntry(row_type, kEncodedColumn, "encoded", BYTEAOID, -1, 0);
        in_ = MakeSingleTupleTableSlot(row_type, &TTSOpsVirtual);
        out_ = MakeSingleTupleTableSlot(row_type, &TTSOpsMinimalTuple);
        AttrNumber column = kGenerationColumn;
        Oid operator_id = Int8LessOperator;
        Oid collation = InvalidOid;
        bool nulls_first = false;
        sort_ = tuplesort_begin_heap(row_type, 1, &column, &operator_id, &collation, &nulls_first,
                                     maintenance_work_mem, nullptr, TUPLESORT_NONE);
        row_context_ = AllocSetContextCreate(CurrentMemoryContext, "kvs commit sort", ALLOCSET_SMALL_SIZES);
    });
}

void CommitSort::Add(uint64_t generation, std::string_view encoded) {
    Guarded([&] {
        MemoryContextReset(row_context_);
        MemoryContext caller = MemoryContextSwitchTo(row_context_);
        ExecClearTuple(in_);
        in_->tts_values[kGenerationColumn - 1] = Int64GetDatum(static_cast<int64>(generation));
        in_->tts_values[kEncodedColumn - 1] = MakeVarlena(encoded);
        memset(in_->tts_isnull, 0, sizeof(bool) * kSortColumns);
        ExecStoreVirtualTuple(in_);
        MemoryContextSwitchTo(caller);
        tuplesort_puttupleslot(static_cast<Tuplesortstate*>(sort_), in_);
    });
}

void CommitSort::Sort() {
    Guarded([&] { tuplesort_performsort(static_cast<Tuplesortstate*>(sort_)); });
}

bool CommitSort::Next() {
    const bool found = Guarded([&] {
        CHECK_FOR_INTERRUPTS();
        if (!tuplesort_gettupleslot(static_cast<Tuplesortstate*>(sort_), true, false, out_, nullptr)) {
            return false;
        }
        slot_getallattrs(out_);
        return true;
    });
    if (found) {
        encoded_ = Contents(DatumGetPointer(out_->tts_values[kEncodedColumn - 1]));
    }
    return found;
}

void CommitSort::Finish() {
    Guarded([&] {
        tuplesort_end(static_cast<Tuplesortstate*>(sort_));
        ExecDropSingleTupleTableSlot(in_);
        ExecDropSingleTupleTableSlot(out_);
        MemoryContextDelete(row_context_);
    });
}

}  // namespace kvs::pg

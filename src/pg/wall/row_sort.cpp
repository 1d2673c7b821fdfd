#include "pg/wall/row_sort.h"

extern "C" {
#include "catalog/pg_operator_d.h"
#include "utils/tuplesort.h"
}

namespace kvs::pg {

namespace {

constexpr int kMaxOrderColumns = 4;

}  // namespace

RowSort::RowSort(std::initializer_list<Column> columns, std::initializer_list<int> order, int memory,
                 bool again) {
    Guarded([&] {
        TupleDesc row_type = CreateTemplateTupleDesc(static_cast<int>(columns.size()));
        AttrNumber number = 0;
        for (const Column& column : columns) {
            TupleDescInitEntry(row_type, ++number, column.name, column.type, -1, 0);
        }
        AttrNumber by[kMaxOrderColumns];
        Oid operators[kMaxOrderColumns];
        Oid collations[kMaxOrderColumns] = {};
        bool nulls_first[kMaxOrderColumns] = {};
        int count = 0;
        for (const int column : order) {
            by[count] = static_cast<AttrNumber>(column);
            operators[count] =
                columns.begin()[column - 1].type == INT8OID ? Int8LessOperator : KVS_BYTEA_LESS_OPERATOR;
            count++;
        }
        in_ = MakeSingleTupleTableSlot(row_type, &TTSOpsVirtual);
        out_ = MakeSingleTupleTableSlot(row_type, &TTSOpsMinimalTuple);
        sort_ = tuplesort_begin_heap(row_type, count, by, operators, collations, nulls_first, memory, nullptr,
                                     again ? TUPLESORT_RANDOMACCESS : TUPLESORT_NONE);
        row_context_ = AllocSetContextCreate(CurrentMemoryContext, "kvs row sort", ALLOCSET_SMALL_SIZES);
    });
}

Datum* RowSort::BeginRow() {
    MemoryContextReset(row_context_);
    ExecClearTuple(in_);
    memset(in_->tts_isnull, 0, sizeof(bool) * in_->tts_tupleDescriptor->natts);
    return in_->tts_values;
}

void RowSort::PutRow() {
    ExecStoreVirtualTuple(in_);
    tuplesort_puttupleslot(static_cast<Tuplesortstate*>(sort_), in_);
}

void RowSort::Sort() {
    Guarded([&] { tuplesort_performsort(static_cast<Tuplesortstate*>(sort_)); });
}

bool RowSort::Next() {
    return Guarded([&] {
        CHECK_FOR_INTERRUPTS();
        if (!tuplesort_gettupleslot(static_cast<Tuplesortstate*>(sort_), true, false, out_, nullptr)) {
            return false;
        }
        slot_getallattrs(out_);
        return true;
    });
}

void RowSort::Rewind() {
    Guarded([&] { tuplesort_rescan(static_cast<Tuplesortstate*>(sort_)); });
}

void RowSort::Finish() {
    Guarded([&] {
        tuplesort_end(static_cast<Tuplesortstate*>(sort_));
        ExecDropSingleTupleTableSlot(in_);
        ExecDropSingleTupleTableSlot(out_);
        MemoryContextDelete(row_context_);
    });
}

}  // namespace kvs::pg

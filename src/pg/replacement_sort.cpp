#include "pg/replacement_sort.h"

#include <utility>

#include "pg/convert.h"
#include "pg/guard.h"

extern "C" {
#include "catalog/pg_operator_d.h"
#include "utils/tuplesort.h"
}

namespace kvs::pg {

namespace {

// The rank is the generation, negative where later ones come first.
enum SortColumn { kRankColumn = 1, kOldColumn, kNewColumn, kSortColumns = kNewColumn };

}  // namespace

ReplacementSort::ReplacementSort(Order order, int memory) : order_(order) {
    Guarded([&] {
        TupleDesc row_type = CreateTemplateTupleDesc(kSortColumns);
        TupleDescInitEntry(row_type, kRankColumn, "rank", INT8OID, -1, 0);
        TupleDescInitEntry(row_type, kOldColumn, "old_chunk", BYTEAOID, -1, 0);
        TupleDescInitEntry(row_type, kNewColumn, "new_chunk", BYTEAOID, -1, 0);
        in_ = MakeSingleTupleTableSlot(row_type, &TTSOpsVirtual);
        out_ = MakeSingleTupleTableSlot(row_type, &TTSOpsMinimalTuple);
        AttrNumber columns[] = {kOldColumn, kRankColumn};
        Oid operators[] = {KVS_BYTEA_LESS_OPERATOR, Int8LessOperator};
        if (order_ == Order::kByGeneration) {
            std::swap(columns[0], columns[1]);
            std::swap(operators[0], operators[1]);
        }
        Oid collations[] = {InvalidOid, InvalidOid};
        bool nulls_first[] = {false, false};
        sort_ = tuplesort_begin_heap(row_type, 2, columns, operators, collations, nulls_first, memory,
                                     nullptr, TUPLESORT_NONE);
        row_context_ =
            AllocSetContextCreate(CurrentMemoryContext, "kvs replacement sort", ALLOCSET_SMALL_SIZES);
    });
}

void ReplacementSort::Add(const Replacement& replacement) {
    Guarded([&] {
        MemoryContextReset(row_context_);
        MemoryContext caller = MemoryContextSwitchTo(row_context_);
        ExecClearTuple(in_);
        in_->tts_values[kRankColumn - 1] =
            Int64GetDatum(order_ == Order::kByGeneration ? replacement.generation : -replacement.generation);
        in_->tts_values[kOldColumn - 1] = HashDatum(replacement.old_chunk);
        in_->tts_values[kNewColumn - 1] = HashDatum(replacement.new_chunk);
        memset(in_->tts_isnull, 0, sizeof(bool) * kSortColumns);
        ExecStoreVirtualTuple(in_);
        MemoryContextSwitchTo(caller);
        tuplesort_puttupleslot(static_cast<Tuplesortstate*>(sort_), in_);
    });
}

void ReplacementSort::Sort() {
    Guarded([&] { tuplesort_performsort(static_cast<Tuplesortstate*>(sort_)); });
}

bool ReplacementSort::Next(Replacement* replacement) {
    return Guarded([&] {
        CHECK_FOR_INTERRUPTS();
        if (!tuplesort_gettupleslot(static_cast<Tuplesortstate*>(sort_), true, false, out_, nullptr)) {
            return false;
        }
        slot_getallattrs(out_);
        const int64 rank = DatumGetInt64(out_->tts_values[kRankColumn - 1]);
        replacement->generation = order_ == Order::kByGeneration ? rank : -rank;
        replacement->old_chunk = DatumHash(out_->tts_values[kOldColumn - 1]);
        replacement->new_chunk = DatumHash(out_->tts_values[kNewColumn - 1]);
        return true;
    });
}

void ReplacementSort::Finish() {
    Guarded([&] {
        tuplesort_end(static_cast<Tuplesortstate*>(sort_));
        ExecDropSingleTupleTableSlot(in_);
        ExecDropSingleTupleTableSlot(out_);
        MemoryContextDelete(row_context_);
    });
}

}  // namespace kvs::pg

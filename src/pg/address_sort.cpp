#include "pg/address_sort.h"

#include "pg/convert.h"
#include "pg/guard.h"

extern "C" {
#include "utils/tuplesort.h"
}

namespace kvs::pg {

namespace {

enum SortColumn { kAddressColumn = 1, kNumberColumn, kKeyColumn, kSortColumns = kKeyColumn };

}  // namespace

AddressSort::AddressSort(int memory, bool again) {
    Guarded([&] {
        TupleDesc row_type = CreateTemplateTupleDesc(kSortColumns);
        TupleDescInitEntry(row_type, kAddressColumn, "address", BYTEAOID, -1, 0);
        TupleDescInitEntry(row_type, kNumberColumn, "number", INT8OID, -1, 0);
        TupleDescInitEntry(row_type, kKeyColumn, "key", BYTEAOID, -1, 0);
        in_ = MakeSingleTupleTableSlot(row_type, &TTSOpsVirtual);
        out_ = MakeSingleTupleTableSlot(row_type, &TTSOpsMinimalTuple);
        AttrNumber column = kAddressColumn;
        Oid operator_id = KVS_BYTEA_LESS_OPERATOR;
        Oid collation = InvalidOid;
        bool nulls_first = false;
        sort_ = tuplesort_begin_heap(row_type, 1, &column, &operator_id, &collation, &nulls_first, memory,
                                     nullptr, again ? TUPLESORT_RANDOMACCESS : TUPLESORT_NONE);
        row_context_ = AllocSetContextCreate(CurrentMemoryContext, "kvs address sort", ALLOCSET_SMALL_SIZES);
    });
}

void AddressSort::Add(const Hash& address, int64 number, std::string_view key) {
    Guarded([&] {
        MemoryContextReset(row_context_);
        MemoryContext caller = MemoryContextSwitchTo(row_context_);
        ExecClearTuple(in_);
        in_->tts_values[kAddressColumn - 1] = HashDatum(address);
        in_->tts_values[kNumberColumn - 1] = Int64GetDatum(number);
        in_->tts_values[kKeyColumn - 1] = MakeVarlena(key);
        memset(in_->tts_isnull, 0, sizeof(bool) * kSortColumns);
        ExecStoreVirtualTuple(in_);
        MemoryContextSwitchTo(caller);
        tuplesort_puttupleslot(static_cast<Tuplesortstate*>(sort_), in_);
    });
}

void AddressSort::Sort() {
    Guarded([&] { tuplesort_performsort(static_cast<Tuplesortstate*>(sort_)); });
}

bool AddressSort::Next() {
    const bool found = Guarded([&] {
        CHECK_FOR_INTERRUPTS();
        if (!tuplesort_gettupleslot(static_cast<Tuplesortstate*>(sort_), true, false, out_, nullptr)) {
            return false;
        }
        slot_getallattrs(out_);
        return true;
    });
    if (found) {
        address_ = Contents(DatumGetPointer(out_->tts_values[kAddressColumn - 1]));
        number_ = DatumGetInt64(out_->tts_values[kNumberColumn - 1]);
        key_ = Contents(DatumGetPointer(out_->tts_values[kKeyColumn - 1]));
    }
    return found;
}

void AddressSort::Rewind() {
    Guarded([&] { tuplesort_rescan(static_cast<Tuplesortstate*>(sort_)); });
}

void AddressSort::Finish() {
    Guarded([&] {
        tuplesort_end(static_cast<Tuplesortstate*>(sort_));
        ExecDropSingleTupleTableSlot(in_);
        ExecDropSingleTupleTableSlot(out_);
        MemoryContextDelete(row_context_);
    });
}

}  // namespace kvs::pg

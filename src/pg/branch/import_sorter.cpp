#include "pg/branch/import_sorter.h"

#include <string>

#include "kvs/codec/key.h"
#include "kvs/entry.h"
#include "kvs/error.h"
#include "pg/wall/arguments.h"
#include "pg/wall/convert.h"
#include "pg/wall/guard.h"
#include "pg/write/write_arguments.h"

extern "C" {
#include "catalog/pg_operator_d.h"
#include "executor/spi.h"
#include "utils/tuplesort.h"
#include "utils/tuplestore.h"
}

namespace kvs::pg {

namespace {

constexpr long kFetchRows = 1000;

}  // namespace

ImportSorter::ImportSorter() : context_(CurrentMemoryContext) {
    Guarded([&] {
        row_type_ = CreateTemplateTupleDesc(2);
        TupleDescInitEntry(row_type_, 1, "key", BYTEAOID, -1, 0);
        TupleDescInitEntry(row_type_, 2, "value", BYTEAOID, -1, 0);
        slot_ = MakeSingleTupleTableSlot(row_type_, &TTSOpsMinimalTuple);
        kept_ = tuplestore_begin_heap(false, false, work_mem);
    });
}

// A row has come out of order: all that came before go into a sort, which lives as long as this object.
void ImportSorter::BeginSort() {
    Guarded([&] {
        MemoryContext caller = MemoryContextSwitchTo(context_);
        AttrNumber column = 1;
        Oid operator_id = KVS_BYTEA_LESS_OPERATOR;
        Oid collation = InvalidOid;
        bool nulls_first = false;
        sort_ = tuplesort_begin_heap(row_type_, 1, &column, &operator_id, &collation, &nulls_first,
                                     maintenance_work_mem, nullptr, TUPLESORT_RANDOMACCESS);
        MemoryContextSwitchTo(caller);
        while (tuplestore_gettupleslot(static_cast<Tuplestorestate*>(kept_), true, false, slot_)) {
            CHECK_FOR_INTERRUPTS();
            tuplesort_puttupleslot(static_cast<Tuplesortstate*>(sort_), slot_);
        }
        ExecClearTuple(slot_);
        tuplestore_end(static_cast<Tuplestorestate*>(kept_));
    });
}

void ImportSorter::RememberKey(std::string_view key) {
    memcpy(previous_key_, key.data(), key.size());
    previous_size_ = static_cast<int>(key.size());
}

// One row of the query's result. Checks key and value; keeps their bytes.
void ImportSorter::AddRow(void* tuple, void* row_type) {
    struct Row {
        Datum key;
        Datum value;
    };
    const Row row = Guarded([&] {
        bool key_null;
        bool value_null;
        const Datum key =
            SPI_getbinval(static_cast<HeapTuple>(tuple), static_cast<TupleDesc>(row_type), 1, &key_null);
        const Datum value =
            SPI_getbinval(static_cast<HeapTuple>(tuple), static_cast<TupleDesc>(row_type), 2, &value_null);
        if (key_null || value_null) {
            ereport(ERROR, errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED),
                    errmsg("%s must not be null", key_null ? "key" : "value"));
        }
        return Row{PointerGetDatum(PG_DETOAST_DATUM_PACKED(key)), PointerGetDatum(DatumGetJsonbP(value))};
    });
    const std::string_view key = Contents(DatumGetPointer(row.key));
    ThrowUnlessKey(key);
    RefuseReservedKey(key).OrThrow();
    JsonItem(Contents(DatumGetPointer(row.value)));
    if (sort_ == nullptr) {
        if (previous_size_ >= 0 && key < PreviousKey()) {
            BeginSort();
        } else {
            RememberKey(key);
        }
    }
    Guarded([&] {
        ExecClearTuple(slot_);
        slot_->tts_values[0] = row.key;
        slot_->tts_values[1] = row.value;
        slot_->tts_isnull[0] = slot_->tts_isnull[1] = false;
        ExecStoreVirtualTuple(slot_);
        if (sort_ == nullptr) {
            tuplestore_puttupleslot(static_cast<Tuplestorestate*>(kept_), slot_);
        } else {
            tuplesort_puttupleslot(static_cast<Tuplesortstate*>(sort_), slot_);
        }
    });
}

int64 ImportSorter::Load(std::string_view query) {
    const std::string sql(query);
    Portal portal = Guarded([&] {
        SPI_connect();
        SPIPlanPtr plan = SPI_prepare(sql.c_str(), 0, nullptr);
        // Neither none, nor several, nor one without rows.
        if (plan == nullptr || !SPI_is_cursor_plan(plan)) {
            ereport(ERROR, errcode(ERRCODE_INVALID_PARAMETER_VALUE),
                    errmsg("query must be a single statement that returns rows"),
                    errhint("For example: SELECT id::text, to_jsonb(t) FROM t."));
        }
        Portal opened = SPI_cursor_open(nullptr, plan, nullptr, nullptr, false);
        TupleDesc columns = opened->tupDesc;
        if (columns == nullptr || columns->natts != 2 || TupleDescAttr(columns, 0)->atttypid != TEXTOID ||
            TupleDescAttr(columns, 1)->atttypid != JSONBOID) {
            ereport(ERROR, errcode(ERRCODE_DATATYPE_MISMATCH),
                    errmsg("query must return columns (key text, value jsonb)"),
                    errhint("Cast the columns: SELECT id::text, to_jsonb(t) FROM ..."));
        }
        return opened;
    });
    int64 rows = 0;
    for (;;) {
        const uint64 fetched = Guarded([&] {
            CHECK_FOR_INTERRUPTS();
            SPI_cursor_fetch(portal, true, kFetchRows);
            return SPI_processed;
        });
        if (fetched == 0) {
            break;
        }
        for (uint64 i = 0; i < fetched; i++) {
            AddRow(SPI_tuptable->vals[i], SPI_tuptable->tupdesc);
        }
        rows += static_cast<int64>(fetched);
        Guarded([] { SPI_freetuptable(SPI_tuptable); });
    }
    Guarded([&] {
        SPI_cursor_close(portal);
        SPI_finish();
        if (sort_ != nullptr) {
            tuplesort_performsort(static_cast<Tuplesortstate*>(sort_));
        }
    });
    return rows;
}

void ImportSorter::Rewind() {
    previous_size_ = -1;
    Guarded([&] {
        if (sort_ == nullptr) {
            tuplestore_rescan(static_cast<Tuplestorestate*>(kept_));
        } else {
            tuplesort_rescan(static_cast<Tuplesortstate*>(sort_));
        }
    });
}

bool ImportSorter::Next() {
    const bool found = Guarded([&] {
        CHECK_FOR_INTERRUPTS();
        const bool fetched =
            sort_ == nullptr
                ? tuplestore_gettupleslot(static_cast<Tuplestorestate*>(kept_), true, false, slot_)
                : tuplesort_gettupleslot(static_cast<Tuplesortstate*>(sort_), true, false, slot_, nullptr);
        if (!fetched) {
            return false;
        }
        slot_getallattrs(slot_);
        return true;
    });
    if (!found) {
        return false;
    }
    key_ = Contents(DatumGetPointer(slot_->tts_values[0]));
    payload_ = Contents(DatumGetPointer(slot_->tts_values[1]));
    if (previous_size_ >= 0 && key_ == PreviousKey()) {
        const std::string_view key = key_;
        Guarded([&] {
            ereport(ERROR, errcode(ERRCODE_CARDINALITY_VIOLATION),
                    errmsg("key \"%.*s\" comes twice", static_cast<int>(key.size()), key.data()),
                    errhint("Let the query yield each key once, for example with SELECT DISTINCT ON (key)."));
        });
    }
    RememberKey(key_);
    return true;
}

void ImportSorter::Finish() {
    Guarded([&] {
        if (sort_ == nullptr) {
            tuplestore_end(static_cast<Tuplestorestate*>(kept_));
        } else {
            tuplesort_end(static_cast<Tuplesortstate*>(sort_));
        }
        ExecDropSingleTupleTableSlot(slot_);
    });
}

}  // namespace kvs::pg

#include "pg/table/table_access.h"

#include <algorithm>

#include "pg/wall/convert.h"
#include "pg/wall/server.h"

namespace kvs::pg {

namespace {

// Inserts into the table's i-th index. False if `check` is UNIQUE_CHECK_PARTIAL and the key may exist
// already.
bool InsertIndexEntry(Table* table, int i, TupleTableSlot* slot, Datum* values, bool* nulls,
                      IndexUniqueCheck check) {
    Relation index = table->indexes[i];
    IndexInfo* info = CachedIndexInfo(table->index_objects[i], index);
    Datum index_values[INDEX_MAX_KEYS];
    bool index_nulls[INDEX_MAX_KEYS];
    for (int k = 0; k < info->ii_NumIndexAttrs; k++) {
        const int attribute = info->ii_IndexAttrNumbers[k] - 1;
        index_values[k] = values[attribute];
        index_nulls[k] = nulls[attribute];
    }
    return index_insert(index, index_values, index_nulls, &slot->tts_tid, table->heap,
                        info->ii_Unique ? check : UNIQUE_CHECK_NO, false, info) ||
           check != UNIQUE_CHECK_PARTIAL;
}

void InsertIndexEntries(Table* table, TupleTableSlot* slot, Datum* values, bool* nulls, int first = 0) {
    for (int i = first; i < table->index_count; i++) {
        InsertIndexEntry(table, i, slot, values, nulls, UNIQUE_CHECK_YES);
    }
}

void StoreVirtualRow(TupleTableSlot* slot, const Datum* values, const bool* nulls) {
    const int count = slot->tts_tupleDescriptor->natts;
    ExecClearTuple(slot);
    memcpy(slot->tts_values, values, count * sizeof(Datum));
    memcpy(slot->tts_isnull, nulls, count * sizeof(bool));
    ExecStoreVirtualTuple(slot);
}

// The row to be written, in the table's slot: what was found before is gone from it.
TupleTableSlot* VirtualRow(Table* table, const Datum* values, const bool* nulls) {
    StoreVirtualRow(table->slot, values, nulls);
    return table->slot;
}

}  // namespace

Table OpenForRead(Object table, Object by) {
    return OpenForWrite(table, &by, 1, AccessShareLock);
}

Table OpenForWrite(Object table, const Object* indexes, int index_count, LOCKMODE mode) {
    Oid index_oids[Table::kMaxIndexes];
    const Oid oid = ObjectOid(table);
    for (int i = 0; i < index_count; i++) {
        index_oids[i] = ObjectOid(indexes[i]);
    }
    return OpenTable(oid, index_oids, indexes, index_count, mode);
}

Table OpenTable(Oid table, const Oid* indexes, const Object* shapes, int index_count, LOCKMODE mode) {
    Table opened = {};
    opened.mode = mode;
    opened.heap = table_open(table, mode);
    opened.index_count = index_count;
    const LOCKMODE index_mode = mode == AccessShareLock ? AccessShareLock : RowExclusiveLock;
    for (int i = 0; i < index_count; i++) {
        opened.indexes[i] = index_open(indexes[i], index_mode);
        opened.index_objects[i] = shapes[i];
    }
    opened.slot = table_slot_create(opened.heap, nullptr);
    return opened;
}

void Close(Table* table) {
    if (table->lookup != nullptr) {
        index_endscan(table->lookup);
        table->lookup = nullptr;
    }
    ExecDropSingleTupleTableSlot(table->slot);
    for (int i = 0; i < table->index_count; i++) {
        index_close(table->indexes[i], NoLock);
    }
    table_close(table->heap, NoLock);
    table->heap = nullptr;
}

IndexScanDesc BeginScan(Table* table, Snapshot snapshot, ScanKey keys, int key_count) {
    IndexScanDesc scan = KVS_INDEX_BEGINSCAN(table->heap, table->indexes[0], snapshot, key_count);
    index_rescan(scan, keys, key_count, nullptr, 0);
    return scan;
}

// The scan is kept for the next look-up, in the memory that the slot lies in, since it allocates as it goes;
// between two of them it holds no pin on a page.
bool Lookup(Table* table, Snapshot snapshot, ScanKey keys, int key_count, ScanDirection direction) {
    MemoryContext caller = MemoryContextSwitchTo(table->slot->tts_mcxt);
    if (table->lookup != nullptr && table->lookup->numberOfKeys != key_count) {
        index_endscan(table->lookup);
        table->lookup = nullptr;
    }
    if (table->lookup == nullptr) {
        table->lookup = KVS_INDEX_BEGINSCAN(table->heap, table->indexes[0], snapshot, key_count);
    }
    table->lookup->xs_snapshot = snapshot;
    index_rescan(table->lookup, keys, key_count, nullptr, 0);
    const bool found = index_getnext_slot(table->lookup, direction, table->slot);
    index_rescan(table->lookup, nullptr, key_count, nullptr, 0);
    MemoryContextSwitchTo(caller);
    if (!found) {
        ExecClearTuple(table->slot);
    }
    return found;
}

TransactionId InserterOf(Table* table, Snapshot snapshot, const Hash& address) {
    const Datum key_datum = HashDatum(address);
    ScanKeyData key;
    KeyBytea(&key, 1, key_datum);
    TransactionId inserter = InvalidTransactionId;
    if (Lookup(table, snapshot, &key, 1)) {
        bool is_null;
        inserter =
            DatumGetTransactionId(slot_getsysattr(table->slot, MinTransactionIdAttributeNumber, &is_null));
        ExecClearTuple(table->slot);
    }
    pfree(DatumGetPointer(key_datum));
    return inserter;
}

void Insert(Table* table, Datum* values, bool* nulls) {
    TupleTableSlot* row = VirtualRow(table, values, nulls);
    table_tuple_insert(table->heap, row, GetCurrentCommandId(true), 0, nullptr);
    InsertIndexEntries(table, row, values, nulls);
    ExecClearTuple(row);
}

namespace {

// The rows and their index entries. False, with the rows of a batch or more inserted, if `check` is
// UNIQUE_CHECK_PARTIAL and a row's key may exist already.
bool InsertBatches(Table* table, Datum* values, bool* nulls, int count, IndexUniqueCheck check) {
    constexpr int kBatch = 16;  // a slot costs a third of what it saves, so they are few
    TupleTableSlot* slots[kBatch];
    const int slot_count = std::min(count, kBatch);
    const int columns = RelationGetNumberOfAttributes(table->heap);
    for (int i = 0; i < slot_count; i++) {
        slots[i] = table_slot_create(table->heap, nullptr);
    }
    // The copies of the rows that the table makes, toasted or compressed, go with each batch.
    MemoryContext batch = AllocSetContextCreate(CurrentMemoryContext, "kvs rows", ALLOCSET_DEFAULT_SIZES);
    bool unique = true;
    for (int first = 0; first < count && unique; first += kBatch) {
        const int rows = std::min(count - first, kBatch);
        Datum* batch_values = values + static_cast<ptrdiff_t>(first) * columns;
        bool* batch_nulls = nulls + static_cast<ptrdiff_t>(first) * columns;
        for (int i = 0; i < rows; i++) {
            StoreVirtualRow(slots[i], batch_values + i * columns, batch_nulls + i * columns);
        }
        MemoryContext caller = MemoryContextSwitchTo(batch);
        table_multi_insert(table->heap, slots, rows, GetCurrentCommandId(true), 0, nullptr);
        MemoryContextSwitchTo(caller);
        MemoryContextReset(batch);
        for (int i = 0; i < rows; i++) {
            Datum* row_values = batch_values + i * columns;
            bool* row_nulls = batch_nulls + i * columns;
            unique = unique && InsertIndexEntry(table, 0, slots[i], row_values, row_nulls, check);
            if (unique) {
                InsertIndexEntries(table, slots[i], row_values, row_nulls, 1);
            }
            ExecClearTuple(slots[i]);
        }
    }
    MemoryContextDelete(batch);
    for (int i = 0; i < slot_count; i++) {
        ExecDropSingleTupleTableSlot(slots[i]);
    }
    return unique;
}

}  // namespace

void InsertRows(Table* table, Datum* values, bool* nulls, int count) {
    InsertBatches(table, values, nulls, count, UNIQUE_CHECK_YES);
}

bool InsertRowsIfAbsent(Table* table, Datum* values, bool* nulls, int count) {
    return InsertBatches(table, values, nulls, count, UNIQUE_CHECK_PARTIAL);
}

TM_Result Update(Table* table, ItemPointer tid, Datum* values, bool* nulls, Snapshot snapshot, bool wait) {
    TupleTableSlot* row = VirtualRow(table, values, nulls);
    TM_FailureData failure;
    LockTupleMode lock_mode;
    KvsUpdateIndexes update_indexes;
    const TM_Result result = table_tuple_update(table->heap, tid, row, GetCurrentCommandId(true), snapshot,
                                                InvalidSnapshot, wait, &failure, &lock_mode, &update_indexes);
    if (result == TM_Ok && KVS_NEEDS_INDEX_INSERT(update_indexes)) {
        InsertIndexEntries(table, row, values, nulls);
    }
    ExecClearTuple(row);
    return result;
}

TM_Result Delete(Table* table, ItemPointer tid, Snapshot snapshot, bool wait) {
    TM_FailureData failure;
    return table_tuple_delete(table->heap, tid, GetCurrentCommandId(true), snapshot, InvalidSnapshot, wait,
                              &failure, false);
}

bool Probe(Table* table, ScanKey keys, int key_count, bool* unfinished) {
    SnapshotData dirty;
    InitDirtySnapshot(dirty);
    const bool found = Lookup(table, &dirty, keys, key_count);
    ExecClearTuple(table->slot);
    *unfinished = found && (TransactionIdIsValid(dirty.xmin) || TransactionIdIsValid(dirty.xmax));
    return found;
}

bool WaitForBlocker(Table* table, ScanKey keys, int key_count) {
    SnapshotData dirty;
    InitDirtySnapshot(dirty);
    IndexScanDesc scan = BeginScan(table, &dirty, keys, key_count);
    TransactionId blocker = InvalidTransactionId;
    uint32 token = 0;
    ItemPointerData tid;
    ItemPointerSetInvalid(&tid);
    if (index_getnext_slot(scan, ForwardScanDirection, table->slot)) {
        blocker = TransactionIdIsValid(dirty.xmin) ? dirty.xmin : dirty.xmax;
        token = dirty.speculativeToken;
        tid = table->slot->tts_tid;
    }
    index_endscan(scan);
    ExecClearTuple(table->slot);
    if (!TransactionIdIsValid(blocker)) {
        return false;
    }
    if (token != 0) {
        SpeculativeInsertionWait(blocker, token);
    } else {
        XactLockTableWait(blocker, table->heap, &tid, XLTW_InsertIndex);
    }
    return true;
}

bool InsertIfAbsent(Table* table, Datum* values, bool* nulls, ScanKey keys, int key_count, bool look) {
    for (;;) {
        CHECK_FOR_INTERRUPTS();
        // A look before the leap: most conflicts are found here, without a dead tuple.
        bool unfinished;
        if (look && Probe(table, keys, key_count, &unfinished)) {
            if (unfinished) {
                WaitForBlocker(table, keys, key_count);
                continue;
            }
            return false;
        }
        SpeculativeRow row = BeginSpeculative(table, values, nulls);
        FinishSpeculative(table, &row, row.unique);
        if (row.unique) {
            return true;
        }
        look = true;
    }
}

SpeculativeRow BeginSpeculative(Table* table, Datum* values, bool* nulls) {
    SpeculativeRow row;
    row.values = values;
    row.nulls = nulls;
    row.slot = VirtualRow(table, values, nulls);
    row.xid = GetCurrentTransactionId();
    row.token = SpeculativeInsertionLockAcquire(row.xid);
    table_tuple_insert_speculative(table->heap, row.slot, GetCurrentCommandId(true), 0, nullptr, row.token);
    row.unique = InsertIndexEntry(table, 0, row.slot, values, nulls, UNIQUE_CHECK_PARTIAL);
    return row;
}

void FinishSpeculative(Table* table, SpeculativeRow* row, bool keep) {
    table_tuple_complete_speculative(table->heap, row->slot, row->token, keep);
    SpeculativeInsertionLockRelease(row->xid);
    if (keep) {
        InsertIndexEntries(table, row->slot, row->values, row->nulls, 1);
    }
    ExecClearTuple(row->slot);
}

void KeyInt4(ScanKey key, int attribute, int32 value, StrategyNumber strategy) {
    const RegProcedure procedure = strategy == BTEqualStrategyNumber ? F_INT4EQ : F_INT4GT;
    ScanKeyInit(key, attribute, strategy, procedure, Int32GetDatum(value));
}

void KeyInt8(ScanKey key, int attribute, int64 value, StrategyNumber strategy) {
    RegProcedure procedure = F_INT8EQ;
    switch (strategy) {
        case BTGreaterEqualStrategyNumber:
            procedure = F_INT8GE;
            break;
        case BTGreaterStrategyNumber:
            procedure = F_INT8GT;
            break;
        case BTLessStrategyNumber:
            procedure = F_INT8LT;
            break;
        case BTLessEqualStrategyNumber:
            procedure = F_INT8LE;
            break;
        default:
            break;
    }
    ScanKeyInit(key, attribute, strategy, procedure, Int64GetDatum(value));
}

void KeyBytea(ScanKey key, int attribute, Datum value, StrategyNumber strategy) {
    RegProcedure procedure = F_BYTEAEQ;
    switch (strategy) {
        case BTGreaterEqualStrategyNumber:
            procedure = F_BYTEAGE;
            break;
        case BTGreaterStrategyNumber:
            procedure = F_BYTEAGT;
            break;
        case BTLessStrategyNumber:
            procedure = F_BYTEALT;
            break;
        case BTLessEqualStrategyNumber:
            procedure = F_BYTEALE;
            break;
        default:
            break;
    }
    ScanKeyInit(key, attribute, strategy, procedure, value);
}

void KeyText(ScanKey key, int attribute, Datum value, StrategyNumber strategy) {
    const RegProcedure procedure = strategy == BTLessStrategyNumber ? F_TEXT_LT : F_TEXTEQ;
    ScanKeyEntryInitialize(key, 0, attribute, strategy, InvalidOid, C_COLLATION_OID, procedure, value);
}

}  // namespace kvs::pg

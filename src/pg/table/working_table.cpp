#include "pg/table/working_table.h"

namespace kvs::pg {

namespace {

enum WorkingColumn {
    kBranchColumn = 1,
    kChangeSeqColumn,
    kVersionColumn,
    kKeyColumn,
    kMetaColumn,
    kItemColumn
};
static_assert(kItemColumn == kWorkingColumns);

// Positions in the primary key.
constexpr int kBranchKey = 1;
constexpr int kKeyKey = 2;

void CopyRow(Table* working, int parts, WorkingRow* row) {
    row->tid = working->slot->tts_tid;
    row->change_seq = DatumGetInt64(working->Get(kChangeSeqColumn));
    row->version = DatumGetInt64(working->Get(kVersionColumn));
    row->meta = (parts & kWorkingMeta) != 0 ? PG_DETOAST_DATUM_COPY(working->Get(kMetaColumn)) : nullptr;
    bool deleted = false;
    Datum item = (parts & kWorkingItem) != 0 ? working->Get(kItemColumn, &deleted) : Datum{0};
    row->item = item == Datum{0} || deleted ? nullptr : PG_DETOAST_DATUM_COPY(item);
}

}  // namespace

Table OpenWorkingForRead() {
    return OpenForRead(Object::kWorking, Object::kWorkingPkey);
}

Table OpenWorkingForWrite() {
    const Object index = Object::kWorkingPkey;
    return OpenForWrite(Object::kWorking, &index, 1);
}

void WorkingKey(ScanKey keys, int32 branch, Datum key) {
    KeyInt4(&keys[0], kBranchKey, branch);
    KeyBytea(&keys[1], kKeyKey, key);
}

bool FindWorking(Table* working, Snapshot snapshot, int32 branch, Datum key, int parts, WorkingRow* row) {
    ScanKeyData keys[2];
    WorkingKey(keys, branch, key);
    IndexScanDesc scan = BeginScan(working, snapshot, keys, 2);
    bool found = false;
    int64 newest = -1;
    // One row is the rule. Should a snapshot ever see two, the newer one counts.
    while (index_getnext_slot(scan, ForwardScanDirection, working->slot)) {
        const int64 seq = DatumGetInt64(working->Get(kChangeSeqColumn));
        if (seq > newest) {
            CopyRow(working, parts, row);
            newest = seq;
            found = true;
        }
    }
    index_endscan(scan);
    ExecClearTuple(working->slot);
    return found;
}

IndexScanDesc BeginWorkingScan(Table* working, Snapshot snapshot, int32 branch, const WorkingRange& range) {
    ScanKeyData keys[3];
    int count = 0;
    KeyInt4(&keys[count++], kBranchKey, branch);
    if (DatumGetPointer(range.start) != nullptr) {
        KeyBytea(&keys[count++], kKeyKey, range.start,
                 range.start_inclusive ? BTGreaterEqualStrategyNumber : BTGreaterStrategyNumber);
    }
    if (DatumGetPointer(range.end) != nullptr) {
        KeyBytea(&keys[count++], kKeyKey, range.end, BTLessStrategyNumber);
    }
    return BeginScan(working, snapshot, keys, count);
}

bool NextWorking(Table* working, IndexScanDesc scan, ScanDirection direction, int parts, WorkingRow* row,
                 struct varlena** key) {
    // The scan allocates as it goes, and the caller's context may not last as long as it.
    MemoryContext caller = MemoryContextSwitchTo(GetMemoryChunkContext(scan));
    const bool found = index_getnext_slot(scan, direction, working->slot);
    MemoryContextSwitchTo(caller);
    if (!found) {
        return false;
    }
    CopyRow(working, parts, row);
    *key = PG_DETOAST_DATUM_PACKED(working->Get(kKeyColumn));
    return true;
}

void FillWorkingRow(int32 branch, int64 change_seq, int64 version, Datum key, Datum meta, Datum item,
                    Datum* values, bool* nulls) {
    memset(nulls, 0, kWorkingColumns * sizeof(bool));
    values[kBranchColumn - 1] = Int32GetDatum(branch);
    values[kChangeSeqColumn - 1] = Int64GetDatum(change_seq);
    values[kVersionColumn - 1] = Int64GetDatum(version);
    values[kKeyColumn - 1] = key;
    values[kMetaColumn - 1] = meta;
    values[kItemColumn - 1] = item;
    nulls[kItemColumn - 1] = DatumGetPointer(item) == nullptr;
}

}  // namespace kvs::pg

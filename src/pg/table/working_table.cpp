#include "pg/table/working_table.h"

namespace kvs::pg {

namespace {

enum WorkingColumn {
    kEpochColumn = 1,
    kChangeSeqColumn,
    kVersionColumn,
    kKeyColumn,
    kMetaColumn,
    kItemColumn
};
static_assert(kItemColumn == kWorkingColumns);

// Positions in the primary key.
constexpr int kEpochKey = 1;
constexpr int kKeyKey = 2;

void CopyRow(Table* working, int parts, WorkingRow* row) {
    row->tid = working->slot->tts_tid;
    row->epoch = DatumGetInt64(working->Get(kEpochColumn));
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

void WorkingKey(ScanKey keys, int64 epoch, Datum key) {
    KeyInt8(&keys[0], kEpochKey, epoch);
    KeyBytea(&keys[1], kKeyKey, key);
}

bool FindWorking(Table* working, Snapshot snapshot, const Epochs& epochs, Datum key, int parts,
                 WorkingRow* row) {
    ScanKeyData keys[2];
    bool found = false;
    for (int i = 0; i < epochs.count && !found; i++) {
        WorkingKey(keys, epochs.numbers[i], key);
        found = Lookup(working, snapshot, keys, 2);
    }
    if (found) {
        CopyRow(working, parts, row);
        ExecClearTuple(working->slot);
    } else {
        NoteReadOfLaterEpochs(working, snapshot, epochs, {.key = key});
    }
    return found;
}

bool ProbeWorking(Table* working, int64 epoch, Datum key, bool* unfinished) {
    ScanKeyData keys[2];
    WorkingKey(keys, epoch, key);
    return Probe(working, keys, 2, unfinished);
}

namespace {

bool HasUnfinishedInsert(Table* working, int64 epoch) {
    SnapshotData dirty;
    InitDirtySnapshot(dirty);
    IndexScanDesc scan = BeginWorkingScan(working, &dirty, epoch, {});
    bool unfinished = false;
    while (!unfinished && index_getnext_slot(scan, ForwardScanDirection, working->slot)) {
        CHECK_FOR_INTERRUPTS();
        unfinished = TransactionIdIsValid(dirty.xmin);
    }
    index_endscan(scan);
    ExecClearTuple(working->slot);
    return unfinished;
}

}  // namespace

void FindUnfinishedInserts(const Epochs& epochs, bool* unfinished) {
    Table working = OpenWorkingForRead();
    for (int i = 1; i < epochs.count; i++) {
        unfinished[i] = HasUnfinishedInsert(&working, epochs.numbers[i]);
    }
    Close(&working);
}

namespace {

// The keys for what `range` means of an epoch's rows, behind keys that are there already.
void AddRangeKeys(const WorkingRange& range, ScanKey keys, int* count) {
    if (DatumGetPointer(range.key) != nullptr) {
        KeyBytea(&keys[(*count)++], kKeyKey, range.key);
    }
    if (DatumGetPointer(range.start) != nullptr) {
        KeyBytea(&keys[(*count)++], kKeyKey, range.start,
                 range.start_inclusive ? BTGreaterEqualStrategyNumber : BTGreaterStrategyNumber);
    }
    if (DatumGetPointer(range.end) != nullptr) {
        KeyBytea(&keys[(*count)++], kKeyKey, range.end, BTLessStrategyNumber);
    }
}

constexpr int kMaxRangeKeys = 3;

}  // namespace

IndexScanDesc BeginWorkingScan(Table* working, Snapshot snapshot, int64 epoch, const WorkingRange& range) {
    ScanKeyData keys[1 + kMaxRangeKeys];
    int count = 0;
    KeyInt8(&keys[count++], kEpochKey, epoch);
    AddRangeKeys(range, keys, &count);
    return BeginScan(working, snapshot, keys, count);
}

// A writer conflicts with a reader who has locked the gap of the index that its entry goes to. The gap behind
// the last entry of the branch is where all later epochs will grow out of: a lock on its page goes along when
// the page is split. If others have moved the branch already since the snapshot, the scan goes over their
// rows, and locks those pages too.
//
//     T reads k, at epoch 1;  a flush begins epoch 2;  U reads what T writes, and inserts k, at epoch 2:
//     T before U before T, and only this lock tells.
void NoteReadOfLaterEpochs(Table* working, Snapshot snapshot, const Epochs& epochs,
                           const WorkingRange& range) {
    if (!IsolationIsSerializable() || epochs.count == 0) {
        return;
    }
    ScanKeyData keys[2 + kMaxRangeKeys];
    int count = 0;
    KeyInt8(&keys[count++], kEpochKey, epochs.current(), BTGreaterStrategyNumber);
    KeyInt8(&keys[count++], kEpochKey, LastEpoch(epochs.branch()), BTLessEqualStrategyNumber);
    AddRangeKeys(range, keys, &count);
    IndexScanDesc scan = BeginScan(working, snapshot, keys, count);
    while (index_getnext_slot(scan, ForwardScanDirection, working->slot)) {
        CHECK_FOR_INTERRUPTS();
    }
    index_endscan(scan);
    ExecClearTuple(working->slot);
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

void FillWorkingRow(int64 epoch, int64 change_seq, int64 version, Datum key, Datum meta, Datum item,
                    Datum* values, bool* nulls) {
    memset(nulls, 0, kWorkingColumns * sizeof(bool));
    values[kEpochColumn - 1] = Int64GetDatum(epoch);
    values[kChangeSeqColumn - 1] = Int64GetDatum(change_seq);
    values[kVersionColumn - 1] = Int64GetDatum(version);
    values[kKeyColumn - 1] = key;
    values[kMetaColumn - 1] = meta;
    values[kItemColumn - 1] = item;
    nulls[kItemColumn - 1] = DatumGetPointer(item) == nullptr;
}

}  // namespace kvs::pg

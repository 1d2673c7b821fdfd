// Uncommitted state, _kvs.working: rows that overlay the working trees of their branch, at most one per key
// in all live epochs (epochs.h) of the branch together.
//
// Server code: call under Guarded.
#pragma once

#include <string_view>

#include "pg/table/epochs.h"
#include "pg/table/table_access.h"
#include "pg/wall/server.h"

namespace kvs::pg {

// A row as it is read. The pointers are copies in the current memory context.
struct WorkingRow {
    ItemPointerData tid;
    int64 epoch;
    int64 change_seq;
    int64 version;
    struct varlena* meta;  // encoded metadata
    struct varlena* item;  // encoded data item; null: the key is deleted
};

// Which parts of a row a caller needs; the others stay null and are not detoasted.
enum WorkingParts : int { kWorkingItem = 1, kWorkingMeta = 2 };

Table OpenWorkingForRead();
Table OpenWorkingForWrite();

// The row for `key` (a bytea or text datum) in the live epochs of a branch. Should two ever be visible, that
// of the later epoch.
bool FindWorking(Table* working, Snapshot snapshot, const Epochs& epochs, Datum key, int parts,
                 WorkingRow* row);

// Probe for the row of `key` in `epoch`.
bool ProbeWorking(Table* working, int64 epoch, Datum key, bool* unfinished);

// For each of the older epochs, whether somebody is inserting a row into it at this moment. As the move
// beyond them is visible, what is answered holds for good.
void FindUnfinishedInserts(const Epochs& epochs, bool* unfinished);

// Bounds of a scan of an epoch's rows in key order; null pointers leave an end open.
struct WorkingRange {
    Datum key = 0;    // bytea or text: this key alone
    Datum start = 0;  // bytea
    bool start_inclusive = true;
    Datum end = 0;  // bytea, exclusive
};

IndexScanDesc BeginWorkingScan(Table* working, Snapshot snapshot, int64 epoch, const WorkingRange& range);

// At SERIALIZABLE a key or range that was looked for in `epochs` must also be seen as read by those who write
// there in a later epoch, of whatever move. Does nothing at other levels.
void NoteReadOfLaterEpochs(Table* working, Snapshot snapshot, const Epochs& epochs,
                           const WorkingRange& range);

// The next row, its key as a detoasted varlena.
bool NextWorking(Table* working, IndexScanDesc scan, ScanDirection direction, int parts, WorkingRow* row,
                 struct varlena** key);

// Values of a row to be written. `item` 0: deleted.
constexpr int kWorkingColumns = 6;
void FillWorkingRow(int64 epoch, int64 change_seq, int64 version, Datum key, Datum meta, Datum item,
                    Datum* values, bool* nulls);

// The scan key pair that addresses one row.
void WorkingKey(ScanKey keys, int64 epoch, Datum key);

}  // namespace kvs::pg

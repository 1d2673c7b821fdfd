// Uncommitted state, _kvs.working: at most one row per branch and key, which overlays the branch's working
// trees.
//
// Server code: call under Guarded.
#pragma once

#include <string_view>

#include "pg/table/table_access.h"
#include "pg/wall/server.h"

namespace kvs::pg {

// A row as it is read. The pointers are copies in the current memory context.
struct WorkingRow {
    ItemPointerData tid;
    int64 change_seq;
    int64 version;
    struct varlena* meta;  // encoded metadata
    struct varlena* item;  // encoded data item; null: the key is deleted
};

// Which parts of a row a caller needs; the others stay null and are not detoasted.
enum WorkingParts : int { kWorkingItem = 1, kWorkingMeta = 2 };

Table OpenWorkingForRead();
Table OpenWorkingForWrite();

// The branch's row for `key` (a bytea or text datum).
bool FindWorking(Table* working, Snapshot snapshot, int32 branch, Datum key, int parts, WorkingRow* row);

// Bounds of a scan of a branch's rows in key order; null pointers leave an end open.
struct WorkingRange {
    Datum start;  // bytea
    bool start_inclusive;
    Datum end;  // bytea, exclusive
};

IndexScanDesc BeginWorkingScan(Table* working, Snapshot snapshot, int32 branch, const WorkingRange& range);

// The next row, its key as a detoasted varlena.
bool NextWorking(Table* working, IndexScanDesc scan, ScanDirection direction, int parts, WorkingRow* row,
                 struct varlena** key);

// Values of a row to be written. `item` 0: deleted.
constexpr int kWorkingColumns = 6;
void FillWorkingRow(int32 branch, int64 change_seq, int64 version, Datum key, Datum meta, Datum item,
                    Datum* values, bool* nulls);

// The scan key pair that addresses one row.
void WorkingKey(ScanKey keys, int32 branch, Datum key);

}  // namespace kvs::pg

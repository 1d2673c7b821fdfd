// The change log, _kvs.change and its members (change_members.h): one row per change of a key, or one range
// record per bulk operation; and the identity of this log, _kvs.store.
//
// Numbers (seq) are drawn after the key is held, so that they ascend per key. A log identity belongs to one
// life of one database: a restored, copied or promoted database begins a new one, so that (log_id, seq) never
// names two changes.
//
// Server code where it takes or returns server types: call under Guarded.
#pragma once

#include <array>
#include <optional>

#include "kvs/entry.h"
#include "kvs/hash.h"
#include "kvs/tree/tree_pair.h"
#include "pg/table/change_members.h"
#include "pg/table/table_access.h"
#include "pg/wall/server.h"

namespace kvs::pg {

using LogId = std::array<uint8_t, 16>;

// The identity of the log that this transaction appends to; begins a new epoch where there is none for this
// database yet. Server code.
LogId CurrentLog();

// Whether this database's change table holds the change, as far as its identity tells. Server code.
bool IsOwnChange(const ChangeId& change, Snapshot snapshot);

// The next number. Server code.
int64 NextChangeSeq();

// One row of _kvs.change, as it is read. Datums live as long as the memory context they were read in.
struct ChangeRow {
    int64 seq;
    int64 prev_seq;  // the key's change before this one in this log; 0: none
    int64 version;
    int32 branch_id;
    Operation operation;
    bool is_range;
    struct varlena* key;   // null in a range record
    struct varlena* meta;  // encoded metadata; null in a range record
    struct varlena* item;  // encoded data item; null: deleted, or a range record
    TreePair from;
    TreePair to;
};

// The member that new rows go to.
Table OpenChangeLogForWrite();

// Appends the change of one key. `item` 0: the key was deleted. Server code.
void AppendChange(Table* change, int64 seq, int64 prev_seq, int64 version, int32 branch, Operation operation,
                  Datum key, Datum meta, Datum item);

// Appends a range record; returns nothing but raises what the server raises. Server code.
void AppendRange(Table* change, int64 seq, int32 branch, Operation operation, const TreePair& from,
                 const TreePair& to);

// Reads the row with this number into `row`; false if there is none. `members` was read under `snapshot`.
// Server code.
bool ReadChange(const ChangeMembers& members, Snapshot snapshot, int64 seq, ChangeRow* row);

}  // namespace kvs::pg

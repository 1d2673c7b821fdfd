// The change log, _kvs.change and its members (change_members.h): one row per change of a key, or one range
// record per bulk operation; and the identity of this log, _kvs.store.
//
// Numbers (seq) are drawn after the key is held, so that they ascend per key; and after the transaction has
// its own number, so that whoever looks for what transactions from some moment on wrote needs no index on
// `xid`: their changes have higher numbers than all those drawn before it
// (docs/decisions/0024-index-of-the-log.md). A log identity belongs to one life of one database: a restored,
// copied or promoted database begins a new one, so that (log_id, seq) never names two changes.
//
// Server code where it takes or returns server types: call under Guarded.
#pragma once

#include <array>
#include <functional>
#include <optional>
#include <string_view>
#include <vector>

#include "kvs/codec/trace_context.h"
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

// An epoch of the change table, by _kvs.store: whose numbers are those in [first, end).
struct LogEpoch {
    LogId log_id = {};
    int64 first = 0;
    int64 end = 0;

    bool Has(int64 seq) const { return seq >= first && seq < end; }
};

// The epoch that the number was drawn in; an empty one if none has it. Server code.
LogEpoch EpochOf(int64 seq, Snapshot snapshot);

// Whether this database's change table holds the change, as far as its identity tells. Server code.
bool IsOwnChange(const ChangeId& change, Snapshot snapshot);

// The next number. The transaction has an xid from now on. Server code.
int64 NextChangeSeq();

// The states that a range record lies between. Its row holds the four roots one behind the other, instead of
// an item. Reading: nullopt if that is something else.
struct RangeRoots {
    TreePair from;
    TreePair to;
};
std::optional<RangeRoots> ReadRangeRoots(std::string_view item);

// One row of _kvs.change. Its Datums are the caller's; of a row that was read they are detoasted, and live as
// long as the memory context that was current then.
struct ChangeRow {
    int64 seq = 0;
    uint64 xid = 0;      // who wrote a row that was read: the top-level transaction, with its epoch
    int64 prev_seq = 0;  // the key's change before this one in this log; 0: none, or a range record
    int64 version = 0;   // 0 in a range record
    int32 branch_id = 0;
    Operation operation = {};
    Datum key = 0;       // 0 in a range record, and there alone
    Datum meta = 0;      // encoded metadata item, whole; of a range record it has the origin alone, 0: none
    Datum item = 0;      // encoded data item; 0: deleted, or a range record
    TreePair from = {};  // in a range record alone
    TreePair to = {};
    std::optional<TraceContext> trace = {};  // of a row that was read

    bool IsRange() const { return key == 0; }
};

// What made the change on its branch, or all changes of a range record (kvs.origin); a view of row.meta,
// empty if it did not say. The trees of a range record do not tell it: they may hold what was made elsewhere
// (docs/decisions/0027-origin-and-trace.md). Throws Error(kCorruption).
std::string_view OriginOf(const ChangeRow& row);

// The member that new rows go to.
Table OpenChangeLogForWrite();

// Appends changes of keys, with the trace of the session. Their origin is in their metadata. Server code.
void AppendChanges(Table* log, const ChangeRow* rows, int count);

// Appends the change of one key, or a range record, which gets the origin of the session. Server code.
void AppendChange(Table* log, const ChangeRow& row);

// What the order of changes asks of a row.
struct ChangeMark {
    int64 seq;
    uint64 xid;  // of the writing transaction, with its epoch
    bool is_range;
};

// Calls `visit` for the rows with numbers in [first, last] that `snapshot` shows: member by member, and in
// each by number. `members` was read under the snapshot. `visit` is C++ code that guards its calls.
void ForEachChange(const ChangeMembers& members, Snapshot snapshot, int64 first, int64 last,
                   const std::function<void(const ChangeMark&)>& visit);

// The number that was drawn last; 0: none. Server code.
int64 LastChangeSeq();

// A life of the log, as _kvs.store has it.
struct StoreEpoch {
    int32 epoch = 0;
    int64 first_seq = 0;
    int64 system_identifier = 0;
    int64 database = 0;
    int32 timeline = 0;

    // Whether this server writes it. Server code.
    bool IsCurrent() const;

    // Whether numbers of transactions mean the same in both.
    bool IsOfSameCluster(const StoreEpoch& other) const {
        return system_identifier == other.system_identifier && database == other.database;
    }
};

// All of them, ascending.
std::vector<StoreEpoch> ReadStoreEpochs(Snapshot snapshot);

}  // namespace kvs::pg

#include "pg/table/change_log.h"

#include <utility>

#include "pg/wall/convert.h"
#include "pg/wall/guard.h"
#include "pg/wall/snapshot.h"

extern "C" {
#include "access/xlog.h"
#include "catalog/pg_control.h"
}

namespace kvs::pg {

namespace {

enum StoreColumn {
    kLogIdColumn = 1,
    kEpochColumn,
    kSystemColumn,
    kDatabaseColumn,
    kTimelineColumn,
    kFirstSeqColumn,
    kStoreCreatedColumn,
    kStoreColumns = kStoreCreatedColumn
};

enum ChangeColumn {
    kSeqColumn = 1,
    kPrevSeqColumn,
    kXidColumn,
    kVersionColumn,
    kBranchColumn,
    kOpColumn,
    kKeyColumn,
    kMetaColumn,
    kItemColumn,
    kFromDataColumn,
    kFromMetaColumn,
    kToDataColumn,
    kToMetaColumn,
    kChangeColumns = kToMetaColumn
};

constexpr int64 kUnbounded = PG_INT64_MAX;

// The current log. Known only from the moment the row is there, and forgotten when the transaction that might
// have inserted it aborts, or with the table that holds it.
struct {
    bool known;
    bool registered;
    Oid store;
    LogId log_id;
} current;

// What a prepared transaction did may still come to nothing.
void ForgetOnAbort(XactEvent event, void*) {
    if (event == XACT_EVENT_ABORT || event == XACT_EVENT_PREPARE) {
        current.known = false;
    }
}

void ForgetOnSubAbort(SubXactEvent event, SubTransactionId, SubTransactionId, void*) {
    if (event == SUBXACT_EVENT_ABORT_SUB) {
        current.known = false;
    }
}

// The epochs in descending order; stops when `visit` returns false.
template <typename Visit>
void ForEachEpoch(Table* store, Snapshot snapshot, Visit visit) {
    IndexScanDesc scan = BeginScan(store, snapshot, nullptr, 0);
    while (index_getnext_slot(scan, BackwardScanDirection, store->slot)) {
        if (!visit()) {
            break;
        }
    }
    index_endscan(scan);
}

LogId ReadLogId(Table* store) {
    LogId id;
    memcpy(id.data(), DatumGetUUIDP(store->Get(kLogIdColumn))->data, UUID_LEN);
    return id;
}

}  // namespace

// The log that this server writes: the row of _kvs.store whose system, database and timeline are ours, made
// at the first write if there is none. A copy of the files that has gone its own way (a promoted standby, a
// restored backup, a database made from this one as a template) differs in one of the three, so it begins an
// epoch of its own, and no two stores ever give one number of one log to different changes.
//
//     epoch 1: (system 7, database 5, timeline 1) log A;  after a failover the first write finds no row with
//     timeline 2, and adds epoch 2: (7, 5, 2) log B. Changes of A keep their name, new ones are B's.
//
// Of several sessions that find none, one inserts the next epoch (its number is unique) and the others wait
// for it and look again under a newer snapshot. What an aborted transaction has found is forgotten with it:
// the row may have been its own.
LogId CurrentLog() {
    const Oid store_oid = ObjectOid(Object::kStore);
    if (current.known && current.store == store_oid) {
        return current.log_id;
    }
    current.known = false;
    current.store = store_oid;
    if (!current.registered) {
        RegisterXactCallback(ForgetOnAbort, nullptr);
        RegisterSubXactCallback(ForgetOnSubAbort, nullptr);
        current.registered = true;
    }
    const int64 system = static_cast<int64>(GetSystemIdentifier());
    const int64 database = static_cast<int64>(MyDatabaseId);
    const int32 timeline = static_cast<int32>(GetWALInsertionTimeLine());
    const Object indexes[] = {Object::kStoreEpoch, Object::kStorePkey};
    Table store = OpenForWrite(Object::kStore, indexes, 2);
    while (!current.known) {
        int32 newest = 0;
        Snapshot snapshot = RegisterLatestSnapshot();
        ForEachEpoch(&store, snapshot, [&] {
            newest = DatumGetInt32(store.Get(kEpochColumn));
            if (DatumGetInt64(store.Get(kSystemColumn)) == system &&
                DatumGetInt64(store.Get(kDatabaseColumn)) == database &&
                DatumGetInt32(store.Get(kTimelineColumn)) == timeline) {
                current.log_id = ReadLogId(&store);
                current.known = true;
            }
            return false;
        });
        ReleaseSnapshot(snapshot);
        if (!current.known) {
            Datum values[kStoreColumns] = {DirectFunctionCall1(gen_random_uuid, Datum{0}),
                                           Int32GetDatum(newest + 1),
                                           Int64GetDatum(system),
                                           Int64GetDatum(database),
                                           Int32GetDatum(timeline),
                                           Int64GetDatum(NextChangeSeq()),
                                           TimestampTzGetDatum(GetCurrentTimestamp())};
            bool nulls[kStoreColumns] = {};
            ScanKeyData key;
            KeyInt4(&key, 1, newest + 1);
            if (InsertIfAbsent(&store, values, nulls, &key, 1)) {
                memcpy(current.log_id.data(), DatumGetUUIDP(values[kLogIdColumn - 1])->data, UUID_LEN);
                current.known = true;
                CommandCounterIncrement();
            }
        }
    }
    Close(&store);
    return current.log_id;
}

bool IsOwnChange(const ChangeId& change, Snapshot snapshot) {
    Table store = OpenForRead(Object::kStore, Object::kStoreEpoch);
    int64 end = kUnbounded;
    bool own = false;
    ForEachEpoch(&store, snapshot, [&] {
        const int64 first = DatumGetInt64(store.Get(kFirstSeqColumn));
        if (ReadLogId(&store) == change.log_id) {
            own = static_cast<int64>(change.seq) >= first && static_cast<int64>(change.seq) < end;
            return false;
        }
        end = first;
        return true;
    });
    Close(&store);
    return own;
}

int64 NextChangeSeq() {
    GetTopTransactionId();
    return nextval_internal(ObjectOid(Object::kChangeSequence), false);
}

Table OpenChangeLogForWrite() {
    return OpenCurrentChangeMember();
}

namespace {

// What a row of a change of a key has; the roots of a range record are null in it.
void FillRow(const ChangeRow& row, FullTransactionId xid, Datum* values, bool* nulls) {
    values[kSeqColumn - 1] = Int64GetDatum(row.seq);
    values[kPrevSeqColumn - 1] = Int64GetDatum(row.prev_seq);
    values[kXidColumn - 1] = FullTransactionIdGetDatum(xid);
    values[kVersionColumn - 1] = Int64GetDatum(row.version);
    values[kBranchColumn - 1] = Int32GetDatum(row.branch_id);
    values[kOpColumn - 1] = Int16GetDatum(static_cast<int16>(row.operation));
    values[kKeyColumn - 1] = row.key;
    values[kMetaColumn - 1] = row.meta;
    values[kItemColumn - 1] = row.item;
    memset(nulls, 0, kChangeColumns * sizeof(bool));
    nulls[kKeyColumn - 1] = row.key == 0;
    nulls[kMetaColumn - 1] = row.meta == 0;
    nulls[kItemColumn - 1] = row.item == 0;
    for (int column = kFromDataColumn; column <= kToMetaColumn; column++) {
        values[column - 1] = 0;
        nulls[column - 1] = true;
    }
}

void AppendRange(Table* log, const ChangeRow& row) {
    Datum values[kChangeColumns];
    bool nulls[kChangeColumns];
    FillRow(row, GetTopFullTransactionId(), values, nulls);
    const std::pair<ChangeColumn, const Hash*> roots[] = {{kFromDataColumn, &row.from.data_root},
                                                          {kFromMetaColumn, &row.from.meta_root},
                                                          {kToDataColumn, &row.to.data_root},
                                                          {kToMetaColumn, &row.to.meta_root}};
    for (const auto& [column, root] : roots) {
        values[column - 1] = HashDatum(*root);
        nulls[column - 1] = false;
    }
    // Range records alone have an entry in this index, so that garbage collection finds them in a long log.
    Table with_ranges = *log;
    Relation ranges = OpenRangeIndex(*log);
    with_ranges.indexes[with_ranges.index_count] = ranges;
    with_ranges.index_objects[with_ranges.index_count] = Object::kChangeRange;
    with_ranges.index_count++;
    Insert(&with_ranges, values, nulls);
    index_close(ranges, NoLock);
}

}  // namespace

void AppendChange(Table* log, const ChangeRow& row) {
    if (row.IsRange()) {
        AppendRange(log, row);
    } else {
        AppendChanges(log, &row, 1);
    }
}

void AppendChanges(Table* log, const ChangeRow* rows, int count) {
    if (count == 0) {
        return;
    }
    const FullTransactionId xid = GetTopFullTransactionId();
    if (count == 1) {
        Datum values[kChangeColumns];
        bool nulls[kChangeColumns];
        FillRow(rows[0], xid, values, nulls);
        Insert(log, values, nulls);
        return;
    }
    auto* values = static_cast<Datum*>(palloc(count * kChangeColumns * sizeof(Datum)));
    auto* nulls = static_cast<bool*>(palloc(count * kChangeColumns * sizeof(bool)));
    for (int i = 0; i < count; i++) {
        FillRow(rows[i], xid, values + i * kChangeColumns, nulls + i * kChangeColumns);
    }
    InsertRows(log, values, nulls, count);
    pfree(values);
    pfree(nulls);
}

namespace {

// Reads the row out of a member; false if it is not there.
bool ReadFrom(Table* change, Snapshot snapshot, int64 seq, ChangeRow* row) {
    ScanKeyData key;
    KeyInt8(&key, kSeqColumn, seq);
    if (!Lookup(change, snapshot, &key, 1)) {
        return false;
    }
    row->seq = seq;
    row->prev_seq = DatumGetInt64(change->Get(kPrevSeqColumn));
    row->version = DatumGetInt64(change->Get(kVersionColumn));
    row->branch_id = DatumGetInt32(change->Get(kBranchColumn));
    row->operation = static_cast<Operation>(DatumGetInt16(change->Get(kOpColumn)));
    bool is_null;
    Datum datum = change->Get(kKeyColumn, &is_null);
    row->key = is_null ? 0 : PointerGetDatum(PG_DETOAST_DATUM_COPY(datum));
    datum = change->Get(kMetaColumn, &is_null);
    row->meta = is_null ? 0 : PointerGetDatum(PG_DETOAST_DATUM_COPY(datum));
    datum = change->Get(kItemColumn, &is_null);
    row->item = is_null ? 0 : PointerGetDatum(PG_DETOAST_DATUM_COPY(datum));
    if (row->IsRange()) {
        row->from = {DatumHash(change->Get(kFromDataColumn)), DatumHash(change->Get(kFromMetaColumn))};
        row->to = {DatumHash(change->Get(kToDataColumn)), DatumHash(change->Get(kToMetaColumn))};
    }
    return true;
}

}  // namespace

bool ReadChange(const ChangeMembers& members, Snapshot snapshot, int64 seq, ChangeRow* row) {
    // First the members from that which was current when the number was drawn to the oldest one, then the
    // newer ones: some numbers wait before they are used, and some writers do not hear of a new member at
    // once. Then those that wait: this transaction may write to one that became current after its snapshot.
    enum Turn { kOlder, kNewer, kWaiting, kNever };
    Turn turns[kChangeMembers];
    for (int i = 0; i < kChangeMembers; i++) {
        const ChangeMember& member = members.members[i];
        turns[i] = member.condemned          ? kNever
                   : !member.in_use          ? kWaiting
                   : member.first_seq <= seq ? kOlder
                                             : kNewer;
    }
    for (;;) {
        int next = -1;
        for (int i = 0; i < kChangeMembers; i++) {
            if (turns[i] != kNever && (next < 0 || turns[i] < turns[next] ||
                                       (turns[i] == turns[next] &&
                                        members.members[i].first_seq > members.members[next].first_seq))) {
                next = i;
            }
        }
        if (next < 0) {
            return false;
        }
        turns[next] = kNever;
        Table member = OpenChangeMember(next);
        const bool found = ReadFrom(&member, snapshot, seq, row);
        Close(&member);
        if (found) {
            return true;
        }
    }
}

}  // namespace kvs::pg

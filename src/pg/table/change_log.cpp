#include "pg/table/change_log.h"

#include "kvs/codec/item.h"
#include "kvs/codec/varint.h"
#include "pg/table/change_columns.h"
#include "pg/table/stream_signal.h"
#include "pg/wall/convert.h"
#include "pg/wall/guard.h"
#include "pg/wall/settings.h"
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

constexpr size_t kRootsSize = 4 * Hash::kSize;

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

StoreEpoch ReadEpoch(const Table& store) {
    return {DatumGetInt32(store.Get(kEpochColumn)), DatumGetInt64(store.Get(kFirstSeqColumn)),
            DatumGetInt64(store.Get(kSystemColumn)), DatumGetInt64(store.Get(kDatabaseColumn)),
            DatumGetInt32(store.Get(kTimelineColumn))};
}

int64 OwnSystem() {
    return static_cast<int64>(GetSystemIdentifier());
}
int64 OwnDatabase() {
    return static_cast<int64>(MyDatabaseId);
}
int32 OwnTimeline() {
    return static_cast<int32>(GetWALInsertionTimeLine());
}

}  // namespace

bool StoreEpoch::IsCurrent() const {
    return system_identifier == OwnSystem() && database == OwnDatabase() && timeline == OwnTimeline();
}

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
    const Object indexes[] = {Object::kStoreEpoch, Object::kStorePkey};
    Table store = OpenForWrite(Object::kStore, indexes, 2);
    while (!current.known) {
        int32 newest = 0;
        Snapshot snapshot = RegisterLatestSnapshot();
        ForEachEpoch(&store, snapshot, [&] {
            newest = DatumGetInt32(store.Get(kEpochColumn));
            if (ReadEpoch(store).IsCurrent()) {
                current.log_id = ReadLogId(&store);
                current.known = true;
            }
            return false;
        });
        ReleaseSnapshot(snapshot);
        if (!current.known) {
            Datum values[kStoreColumns] = {DirectFunctionCall1(gen_random_uuid, Datum{0}),
                                           Int32GetDatum(newest + 1),
                                           Int64GetDatum(OwnSystem()),
                                           Int64GetDatum(OwnDatabase()),
                                           Int32GetDatum(OwnTimeline()),
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

LogEpoch EpochOf(int64 seq, Snapshot snapshot) {
    Table store = OpenForRead(Object::kStore, Object::kStoreEpoch);
    LogEpoch epoch = {};
    int64 end = PG_INT64_MAX;
    ForEachEpoch(&store, snapshot, [&] {
        const int64 first = DatumGetInt64(store.Get(kFirstSeqColumn));
        if (seq >= first && seq < end) {
            epoch = {ReadLogId(&store), first, end};
        }
        end = first;
        return seq < first;
    });
    Close(&store);
    return epoch;
}

bool IsOwnChange(const ChangeId& change, Snapshot snapshot) {
    const auto seq = static_cast<int64>(change.seq);
    const LogEpoch epoch = EpochOf(seq, snapshot);
    return epoch.Has(seq) && epoch.log_id == change.log_id;
}

int64 NextChangeSeq() {
    GetTopTransactionId();
    NoteChanges();
    return nextval_internal(ObjectOid(Object::kChangeSequence), false);
}

std::optional<RangeRoots> ReadRangeRoots(std::string_view item) {
    if (item.size() != kRootsSize) {
        return std::nullopt;
    }
    const auto root = [&](size_t i) { return Hash::FromBytes(item.substr(i * Hash::kSize, Hash::kSize)); };
    return RangeRoots{{root(0), root(1)}, {root(2), root(3)}};
}

Table OpenChangeLogForWrite() {
    return OpenCurrentChangeMember();
}

namespace {

// The metadata as the log holds them.
Datum ToLog(std::string_view item, const std::optional<TraceContext>& trace) {
    auto* logged = static_cast<struct varlena*>(palloc(VARHDRSZ + item.size() + TraceContext::kSize));
    const char* end = WriteLoggedMetadata(item, trace, VARDATA(logged));
    if (end == nullptr) {
        ereport(ERROR, errcode(ERRCODE_DATA_CORRUPTED), errmsg("metadata item is damaged"));
    }
    SET_VARSIZE(logged, end - reinterpret_cast<char*>(logged));
    return PointerGetDatum(logged);
}

// The same of a range record, which has no metadata but these; 0 if it has neither.
Datum RangeToLog(const std::optional<TraceContext>& trace) {
    const std::string_view origin = settings.origin;
    if (origin.empty() && !trace) {
        return 0;
    }
    auto* logged = static_cast<struct varlena*>(palloc(VARHDRSZ + kMaxLoggedOriginSize));
    const char* end = WriteLoggedOrigin(origin, trace, VARDATA(logged));
    SET_VARSIZE(logged, end - reinterpret_cast<char*>(logged));
    return PointerGetDatum(logged);
}

// The roots of a range record, as it holds them.
Datum ToLog(const TreePair& from, const TreePair& to) {
    auto* roots = static_cast<struct varlena*>(palloc(VARHDRSZ + kRootsSize));
    SET_VARSIZE(roots, VARHDRSZ + kRootsSize);
    char* out = VARDATA(roots);
    for (const Hash* root : {&from.data_root, &from.meta_root, &to.data_root, &to.meta_root}) {
        out = WriteBytes(out, root->AsBytes());
    }
    return PointerGetDatum(roots);
}

// What the row has, in memory of its own but for key and item.
void FillRow(const ChangeRow& row, FullTransactionId xid, const std::optional<TraceContext>& trace,
             Datum* values, bool* nulls) {
    values[kSeqColumn - 1] = Int64GetDatum(row.seq);
    values[kPrevSeqColumn - 1] = Int64GetDatum(row.prev_seq);
    values[kXidColumn - 1] = FullTransactionIdGetDatum(xid);
    values[kVersionColumn - 1] = Int64GetDatum(row.version);
    values[kBranchColumn - 1] = Int32GetDatum(row.branch_id);
    values[kOpColumn - 1] = Int16GetDatum(static_cast<int16>(row.operation));
    values[kKeyColumn - 1] = row.key;
    values[kMetaColumn - 1] =
        row.IsRange() ? RangeToLog(trace) : ToLog(Contents(DatumGetPointer(row.meta)), trace);
    values[kItemColumn - 1] = row.IsRange() ? ToLog(row.from, row.to) : row.item;
    for (const int column : {kKeyColumn, kMetaColumn, kItemColumn}) {
        nulls[column - 1] = values[column - 1] == 0;
    }
}

void AppendRange(Table* log, const ChangeRow& row) {
    Datum values[kChangeColumns];
    bool nulls[kChangeColumns] = {};
    FillRow(row, GetTopFullTransactionId(), SessionTrace(), values, nulls);
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
    const std::optional<TraceContext> trace = SessionTrace();
    if (count == 1) {
        Datum values[kChangeColumns];
        bool nulls[kChangeColumns] = {};
        FillRow(rows[0], xid, trace, values, nulls);
        Insert(log, values, nulls);
        pfree(DatumGetPointer(values[kMetaColumn - 1]));
        return;
    }
    auto* values = static_cast<Datum*>(palloc(count * kChangeColumns * sizeof(Datum)));
    auto* nulls = static_cast<bool*>(palloc0(count * kChangeColumns * sizeof(bool)));
    for (int i = 0; i < count; i++) {
        FillRow(rows[i], xid, trace, values + i * kChangeColumns, nulls + i * kChangeColumns);
    }
    InsertRows(log, values, nulls, count);
    for (int i = 0; i < count; i++) {
        pfree(DatumGetPointer(values[i * kChangeColumns + kMetaColumn - 1]));
    }
    pfree(values);
    pfree(nulls);
}

std::string_view OriginOf(const ChangeRow& row) {
    return row.meta == 0 ? std::string_view() : DecodeOrigin(Contents(DatumGetPointer(row.meta))).OrThrow();
}

void ForEachChange(const ChangeMembers& members, Snapshot snapshot, int64 first, int64 last,
                   const std::function<void(const ChangeMark&)>& visit) {
    for (int i = 0; i < kChangeMembers; i++) {
        const ChangeMember& member = members.members[i];
        if (!member.in_use || member.condemned) {
            continue;
        }
        Table table;
        IndexScanDesc scan = Guarded([&] {
            table = OpenChangeMember(i);
            ScanKeyData keys[2];
            KeyInt8(&keys[0], kSeqColumn, first, BTGreaterEqualStrategyNumber);
            KeyInt8(&keys[1], kSeqColumn, last, BTLessEqualStrategyNumber);
            return BeginScan(&table, snapshot, keys, 2);
        });
        ChangeMark mark;
        const auto next = [&] {
            CHECK_FOR_INTERRUPTS();
            if (!index_getnext_slot(scan, ForwardScanDirection, table.slot)) {
                return false;
            }
            mark.seq = DatumGetInt64(table.Get(kSeqColumn));
            mark.xid = U64FromFullTransactionId(DatumGetFullTransactionId(table.Get(kXidColumn)));
            table.Get(kKeyColumn, &mark.is_range);
            return true;
        };
        while (Guarded(next)) {
            visit(mark);
        }
        Guarded([&] {
            index_endscan(scan);
            Close(&table);
        });
    }
}

int64 LastChangeSeq() {
    LOCAL_FCINFO(fcinfo, 1);
    InitFunctionCallInfoData(*fcinfo, nullptr, 1, InvalidOid, nullptr, nullptr);
    fcinfo->args[0] = {ObjectIdGetDatum(ObjectOid(Object::kChangeSequence)), false};
    const Datum last = pg_sequence_last_value(fcinfo);
    return fcinfo->isnull ? 0 : DatumGetInt64(last);
}

std::vector<StoreEpoch> ReadStoreEpochs(Snapshot snapshot) {
    std::vector<StoreEpoch> epochs;
    StoreEpoch epoch;
    ForEachRow(
        Object::kStore, Object::kStoreEpoch, snapshot, ForwardScanDirection, nullptr, 0,
        [&](const Table& store) { epoch = ReadEpoch(store); },
        [&] {
            epochs.push_back(epoch);
            return true;
        });
    return epochs;
}

}  // namespace kvs::pg

#include "pg/table/branch_table.h"

#include <cstring>

#include "kvs/error.h"
#include "kvs/tree/chunk.h"
#include "kvs/util/quote.h"
#include "kvs/version/commit.h"
#include "pg/table/empty_epochs.h"
#include "pg/table/locks.h"
#include "pg/table/owner_query.h"
#include "pg/table/stream_signal.h"
#include "pg/wall/convert.h"
#include "pg/wall/guard.h"
#include "pg/wall/settings.h"
#include "pg/wall/snapshot.h"
#include "pg/wall/store_error.h"

namespace kvs::pg {

namespace {

enum BranchColumn {
    kEpochColumn = 1,
    kWrittenEpochColumn,
    kIdColumn,
    kNameColumn,
    kHeadColumn,
    kDataRootColumn,
    kMetaRootColumn,
    kCreatedAtColumn,
    kFlushedAtColumn,
    kFlushedRowsColumn,
    kFlushedSeqColumn,
    kOlderEpochsColumn,
    kAutocommitColumn,
    kBranchColumns = kAutocommitColumn
};

// The branch that this session asked for last. A hint for readers, who check it against the row; for writers
// good as long as no invalidation came.
struct {
    bool registered;
    bool valid;
    bool disturbed;  // an invalidation came since it was set to false
    char name[256];
    int32 id;
} last_found;

// Where rows of branches were seen last. A row that is there, is visible and has the id is the branch's,
// since only one of it is; so this saves the way through the index, mostly.
struct Place {
    int32 id;
    int64 epoch;
    ItemPointerData tid;
};
constexpr uint32 kPlaces = 64;
struct {
    Oid file;  // that the table lay in
    Place places[kPlaces];
} last_seen;

Place* PlaceOf(const Table& table, int32 id) {
    const Oid file = table.heap->rd_rel->relfilenode;
    if (last_seen.file != file) {
        memset(&last_seen, 0, sizeof(last_seen));
        last_seen.file = file;
    }
    return &last_seen.places[static_cast<uint32>(id) % kPlaces];
}

void ForgetLastFound(Datum, Oid relation) {
    if (relation == InvalidOid || relation == ObjectOidIfKnown(Object::kBranch)) {
        last_found.valid = false;
        last_found.disturbed = true;
        last_seen.file = InvalidOid;
    }
}

// A branch that this transaction has created or renamed is gone when it is rolled back, perhaps after
// PREPARE.
void ForgetOnAbort(XactEvent event, void*) {
    if (event == XACT_EVENT_ABORT || event == XACT_EVENT_PREPARE) {
        last_found.valid = false;
    }
}

void ForgetOnSubAbort(SubXactEvent event, SubTransactionId, SubTransactionId, void*) {
    if (event == SUBXACT_EVENT_ABORT_SUB) {
        last_found.valid = false;
    }
}

void RegisterOnce() {
    if (!last_found.registered) {
        CacheRegisterRelcacheCallback(ForgetLastFound, static_cast<Datum>(0));
        RegisterXactCallback(ForgetOnAbort, nullptr);
        RegisterSubXactCallback(ForgetOnSubAbort, nullptr);
        last_found.registered = true;
    }
}

// For readers: what an old snapshot shows is no more than a hint.
void Remember(const Branch& branch) {
    if (branch.id == last_found.id && strcmp(branch.name, last_found.name) == 0) {
        return;
    }
    memcpy(last_found.name, branch.name, sizeof(last_found.name));
    last_found.id = branch.id;
    last_found.valid = false;
}

// For writers: what is committed now holds until an invalidation comes, also one that comes while it is
// looked up. Leaves the branch in last_found.
void FindForWriter(std::string_view name) {
    Guarded(RegisterOnce);
    last_found.disturbed = false;
    Snapshot snapshot = RegisterLatestSnapshot();
    FindBranch(name, snapshot);
    ReleaseSnapshot(snapshot);
    last_found.valid = !last_found.disturbed;
}

Epochs ReadEpochs(const Table& table) {
    Epochs epochs = {};
    epochs.numbers[epochs.count++] = DatumGetInt64(table.Get(kEpochColumn));
    bool is_null;
    const Datum older = table.Get(kOlderEpochsColumn, &is_null);
    if (!is_null) {
        ArrayType* array = DatumGetArrayTypeP(older);
        const int count = ArrayGetNItems(ARR_NDIM(array), ARR_DIMS(array));
        if (ARR_HASNULL(array) || count >= Epochs::kMax) {
            ereport(ERROR, errcode(ERRCODE_DATA_CORRUPTED),
                    errmsg("the older epochs of branch %d are not as they should be",
                           DatumGetInt32(table.Get(kIdColumn))));
        }
        memcpy(epochs.numbers + 1, ARR_DATA_PTR(array), count * sizeof(int64));
        epochs.count += count;
        const Datum folded_rows = table.Get(kFlushedRowsColumn, &is_null);
        epochs.folded_rows = is_null ? 0 : DatumGetInt64(folded_rows);
    }
    return epochs;
}

void CopyRow(Table* table, Snapshot snapshot, Branch* branch) {
    branch->id = DatumGetInt32(table->Get(kIdColumn));
    branch->stored = true;
    const std::string_view name = DatumContents(table->Get(kNameColumn));
    memcpy(branch->name, name.data(), name.size());
    branch->name[name.size()] = '\0';
    branch->head = DatumHash(table->Get(kHeadColumn));
    branch->working = {DatumHash(table->Get(kDataRootColumn)), DatumHash(table->Get(kMetaRootColumn))};
    branch->epochs = ReadEpochs(*table);
    ForgetEmptyEpochs(table->heap->rd_rel->relfilenode, snapshot, &branch->epochs);
    branch->written_epoch = DatumGetInt64(table->Get(kWrittenEpochColumn));
    bool is_null;
    const Datum autocommit = table->Get(kAutocommitColumn, &is_null);
    branch->autocommit = is_null ? kAutocommitOff : DatumGetInt64(autocommit);
    branch->moved_here = TransactionIdIsCurrentTransactionId(
        DatumGetTransactionId(slot_getsysattr(table->slot, MinTransactionIdAttributeNumber, &is_null)));
    branch->tid = table->slot->tts_tid;
}

// In a new store, which has no branch stored, main is this.
bool IsVirtualMain(Table* table, Snapshot snapshot, Branch* branch) {
    if (Lookup(table, snapshot, nullptr, 0)) {
        return false;
    }
    *branch = Branch{};
    branch->id = kMainBranchId;
    strlcpy(branch->name, kMainBranchName, sizeof(branch->name));
    branch->head = kInitialCommit;
    branch->working = {kEmptyRoot, kEmptyRoot};
    branch->autocommit = kAutocommitOff;
    branch->epochs = {1, {FirstEpoch(kMainBranchId)}};
    branch->written_epoch = branch->epochs.current();
    ItemPointerSetInvalid(&branch->tid);
    return true;
}

// The row of the latest epoch within these bounds, which is the visible one of a branch if they are of one.
bool LookupLatest(Table* table, Snapshot snapshot, int64 from, int64 to) {
    ScanKeyData keys[2];
    KeyInt8(&keys[0], kEpochColumn, from, BTGreaterEqualStrategyNumber);
    KeyInt8(&keys[1], kEpochColumn, to, BTLessEqualStrategyNumber);
    return Lookup(table, snapshot, keys, 2, BackwardScanDirection);
}

bool LookupByName(std::string_view name, Snapshot snapshot, Branch* branch) {
    Table table = OpenForRead(Object::kBranch, Object::kBranchName);
    ScanKeyData key;
    KeyText(&key, 1, MakeVarlena(name));
    bool found = Lookup(&table, snapshot, &key, 1, BackwardScanDirection);
    if (found) {
        CopyRow(&table, snapshot, branch);
    } else if (name == kMainBranchName) {
        found = IsVirtualMain(&table, snapshot, branch);
    }
    Close(&table);
    return found;
}

void FillRow(const Branch& branch, const FlushMark* flushed, Datum* values, bool* nulls) {
    const TimestampTz now = GetCurrentTimestamp();
    memset(nulls, 0, kBranchColumns * sizeof(bool));
    values[kEpochColumn - 1] = Int64GetDatum(branch.epochs.current());
    values[kWrittenEpochColumn - 1] = Int64GetDatum(branch.written_epoch);
    values[kIdColumn - 1] = Int32GetDatum(branch.id);
    values[kNameColumn - 1] = MakeVarlena(branch.name);
    values[kHeadColumn - 1] = HashDatum(branch.head);
    values[kDataRootColumn - 1] = HashDatum(branch.working.data_root);
    values[kMetaRootColumn - 1] = HashDatum(branch.working.meta_root);
    values[kCreatedAtColumn - 1] = TimestampTzGetDatum(now);
    values[kFlushedAtColumn - 1] = TimestampTzGetDatum(now);
    values[kFlushedRowsColumn - 1] = Int64GetDatum(flushed != nullptr ? flushed->rows : 0);
    values[kFlushedSeqColumn - 1] = Int64GetDatum(flushed != nullptr ? flushed->last_seq : 0);
    nulls[kFlushedAtColumn - 1] = nulls[kFlushedSeqColumn - 1] = nulls[kFlushedRowsColumn - 1] =
        flushed == nullptr;
    values[kAutocommitColumn - 1] = Int64GetDatum(branch.autocommit);
    nulls[kAutocommitColumn - 1] = branch.autocommit == kAutocommitOff;
    nulls[kOlderEpochsColumn - 1] = branch.epochs.count == 1;
    if (branch.epochs.count > 1) {
        Datum older[Epochs::kMax];
        for (int i = 1; i < branch.epochs.count; i++) {
            older[i - 1] = Int64GetDatum(branch.epochs.numbers[i]);
        }
        values[kOlderEpochsColumn - 1] = PointerGetDatum(construct_array(
            older, branch.epochs.count - 1, INT8OID, sizeof(int64), FLOAT8PASSBYVAL, TYPALIGN_DOUBLE));
    }
}

Table OpenBranchesForWrite() {
    const Object indexes[] = {Object::kBranchPkey, Object::kBranchName};
    return OpenForWrite(Object::kBranch, indexes, 2);
}

// False if there is such a row already.
bool InsertBranch(const Branch& branch, const FlushMark* flushed) {
    Table table = OpenBranchesForWrite();
    Datum values[kBranchColumns];
    bool nulls[kBranchColumns];
    FillRow(branch, flushed, values, nulls);
    ScanKeyData key;
    KeyInt8(&key, kEpochColumn, branch.epochs.current());
    const bool inserted = InsertIfAbsent(&table, values, nulls, &key, 1);
    Close(&table);
    CommandCounterIncrement();
    return inserted;
}

[[noreturn]] void ThrowMoved(const Branch& branch) {
    throw CouldNotSerialize("a concurrent move of branch " + Quoted(branch.name));
}

// In the place where it was last, else in the index: from that epoch on, else before it. So dead rows of
// earlier epochs are looked at by those only whose snapshot is as old.
bool ReadBranchIn(Table* table, int32 id, Snapshot snapshot, Branch* branch) {
    Place* place = PlaceOf(*table, id);
    bool found = place->id == id &&
                 table_tuple_fetch_row_version(table->heap, &place->tid, snapshot, table->slot) &&
                 DatumGetInt32(table->Get(kIdColumn)) == id;
    if (!found) {
        const int64 from = place->id == id ? place->epoch : FirstEpoch(id);
        found = LookupLatest(table, snapshot, from, LastEpoch(id)) ||
                (from > FirstEpoch(id) && LookupLatest(table, snapshot, FirstEpoch(id), from - 1));
    }
    if (found) {
        CopyRow(table, snapshot, branch);
        *place = {id, branch->epochs.current(), branch->tid};
    } else if (id == kMainBranchId) {
        found = IsVirtualMain(table, snapshot, branch);
    }
    ExecClearTuple(table->slot);
    return found;
}

}  // namespace

Table OpenBranches() {
    RegisterOnce();
    return OpenForRead(Object::kBranch, Object::kBranchPkey);
}

bool ReadBranch(int32 id, Snapshot snapshot, Branch* branch) {
    Table table = OpenBranches();
    const bool found = ReadBranchIn(&table, id, snapshot, branch);
    Close(&table);
    return found;
}

bool IsUnmoved(Table* branches, const Branch& branch) {
    if (!branch.stored) {
        return false;
    }
    ItemPointerData tid = branch.tid;
    const bool is_there = table_tuple_fetch_row_version(branches->heap, &tid, SnapshotSelf, branches->slot);
    ExecClearTuple(branches->slot);
    return is_there;
}

void RequireBranch(Table* branches, int32 id, Snapshot snapshot, Branch* branch) {
    if (!ReadBranchIn(branches, id, snapshot, branch)) {
        ereport(
            ERROR, errcode(ERRCODE_UNDEFINED_OBJECT),
            errmsg("the branch was deleted by another session meanwhile"),
            errhint("kvs.reflog tells where it was; kvs.create_branch() with that commit brings it back."));
    }
}

void RequireBranch(int32 id, Snapshot snapshot, Branch* branch) {
    Table table = OpenBranches();
    RequireBranch(&table, id, snapshot, branch);
    Close(&table);
}

bool TryFindBranch(std::string_view name, Snapshot snapshot, Branch* branch) {
    if (name.empty()) {
        name = settings.branch;
    }
    if (name.size() >= sizeof(branch->name)) {
        return false;
    }
    const bool found = Guarded([&] {
        return (last_found.id != 0 && name == last_found.name &&
                ReadBranch(last_found.id, snapshot, branch) && name == branch->name) ||
               LookupByName(name, snapshot, branch);
    });
    if (found) {
        Remember(*branch);
    }
    return found;
}

void ForEachBranch(Snapshot snapshot, const std::function<bool(const BranchRow& branch)>& visit) {
    BranchRow row;
    bool any = false;
    ForEachRow(
        Object::kBranch, Object::kBranchPkey, snapshot, ForwardScanDirection, nullptr, 0,
        [&](const Table& table) {
            row.id = DatumGetInt32(table.Get(kIdColumn));
            row.name = DatumContents(table.Get(kNameColumn));
            row.head = DatumAddress(table.Get(kHeadColumn));
            row.data_root = DatumAddress(table.Get(kDataRootColumn));
            row.meta_root = DatumAddress(table.Get(kMetaRootColumn));
        },
        [&] {
            any = true;
            return visit(row);
        });
    if (!any) {
        visit({kMainBranchId, kMainBranchName, kInitialCommit, kEmptyRoot, kEmptyRoot});
    }
}

Branch FindBranch(std::string_view name, Snapshot snapshot) {
    Branch branch;
    if (!TryFindBranch(name, snapshot, &branch)) {
        const std::string shown(name.empty() ? std::string_view(settings.branch) : name);
        throw Error(ErrorCode::kUnknownRef, "branch " + Quoted(shown) + " does not exist",
                    "The view kvs.branches lists the branches; kvs.create_branch(name) makes one.");
    }
    return branch;
}

namespace {

// `lock` takes the lock on a branch, or answers false.
template <typename Lock>
int32 LockByName(std::string_view name, Lock lock) {
    if (name.empty()) {
        name = settings.branch;
    }
    for (;;) {
        if (!last_found.valid || name != last_found.name) {
            FindForWriter(name);
        }
        const int32 id = last_found.id;
        if (!lock(id)) {
            return 0;
        }
        if (last_found.valid) {
            return id;
        }
        // An invalidation came with the lock: the name may mean another branch by now, or none.
        FindForWriter(name);
        if (last_found.id == id) {
            return id;
        }
    }
}

}  // namespace

int32 LockBranchByName(std::string_view name, LOCKMODE mode) {
    return LockByName(name, [&](int32 id) {
        LockBranch(id, mode);
        return true;
    });
}

int32 TryLockBranchByName(std::string_view name, LOCKMODE mode) {
    return LockByName(name, [&](int32 id) { return TryLockBranch(id, mode); });
}

void ForgetBranchNames() {
    CacheInvalidateRelcacheByRelid(ObjectOid(Object::kBranch));
}

void MoveBranch(const Branch& branch, Snapshot snapshot, const FlushMark* flushed) {
    Guarded(NoteDeletedRows);
    if (!branch.stored) {
        if (!Guarded([&] { return InsertBranch(branch, flushed); })) {
            ThrowMoved(branch);
        }
        return;
    }
    const TM_Result result = Guarded([&] {
        Table table = OpenBranchesForWrite();
        Datum values[kBranchColumns];
        bool nulls[kBranchColumns];
        FillRow(branch, flushed, values, nulls);
        // created_at, and without a flush what the last one left, stay as they are.
        ItemPointerData tid = branch.tid;
        if (table_tuple_fetch_row_version(table.heap, &tid, SnapshotAny, table.slot)) {
            values[kCreatedAtColumn - 1] = table.Get(kCreatedAtColumn);
            for (int column = kFlushedAtColumn; flushed == nullptr && column <= kFlushedSeqColumn; column++) {
                values[column - 1] = table.Get(column, &nulls[column - 1]);
            }
        }
        const TM_Result updated = Update(&table, &tid, values, nulls, snapshot);
        Close(&table);
        CommandCounterIncrement();
        return updated;
    });
    if (result != TM_Ok) {
        ThrowMoved(branch);
    }
}

void StoreMainBranch(Snapshot snapshot) {
    Guarded([&] {
        Branch main;
        if (ReadBranch(kMainBranchId, snapshot, &main) && !main.stored) {
            InsertBranch(main, nullptr);
        }
    });
}

int32 AddBranch(std::string_view name, const Hash& head, const TreePair& working) {
    Branch branch = {};
    memcpy(branch.name, name.data(), name.size());
    branch.head = head;
    branch.working = working;
    branch.autocommit = kAutocommitOff;
    const bool added = Guarded([&] {
        branch.id = static_cast<int32>(nextval_internal(ObjectOid(Object::kBranchIdSequence), false));
        branch.epochs = {1, {FirstEpoch(branch.id)}};
        branch.written_epoch = branch.epochs.current();
        return InsertBranch(branch, nullptr);
    });
    if (!added) {
        throw Damaged("sequence _kvs.branch_id gave number " + std::to_string(branch.id) +
                      ", which a branch has already");
    }
    // It has entries of which no event tells. The maintenance worker is woken by way of the sequencer.
    ExecuteAsOwner("INSERT INTO _kvs.expiry_scan (branch_id) VALUES ($1)", {Parameter::Int4(branch.id)});
    Guarded([] { NoteChanges(); });
    return branch.id;
}

}  // namespace kvs::pg

#include "pg/table/branch_table.h"

#include <cstring>

#include "kvs/error.h"
#include "kvs/tree/chunk.h"
#include "kvs/util/quote.h"
#include "kvs/version/commit.h"
#include "pg/table/locks.h"
#include "pg/wall/convert.h"
#include "pg/wall/guard.h"
#include "pg/wall/settings.h"
#include "pg/wall/snapshot.h"
#include "pg/wall/store_error.h"

namespace kvs::pg {

namespace {

enum BranchColumn {
    kIdColumn = 1,
    kNameColumn,
    kHeadColumn,
    kDataRootColumn,
    kMetaRootColumn,
    kCreatedAtColumn,
    kFlushedAtColumn,
    kFlushedRowsColumn,
    kFlushedSeqColumn,
    kBranchColumns = kFlushedSeqColumn
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

void ForgetLastFound(Datum, Oid relation) {
    if (relation == InvalidOid || relation == ObjectOidIfKnown(Object::kBranch)) {
        last_found.valid = false;
        last_found.disturbed = true;
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
    if (!last_found.registered) {
        Guarded([] {
            CacheRegisterRelcacheCallback(ForgetLastFound, static_cast<Datum>(0));
            RegisterXactCallback(ForgetOnAbort, nullptr);
            RegisterSubXactCallback(ForgetOnSubAbort, nullptr);
        });
        last_found.registered = true;
    }
    last_found.disturbed = false;
    Snapshot snapshot = RegisterLatestSnapshot();
    FindBranch(name, snapshot);
    ReleaseSnapshot(snapshot);
    last_found.valid = !last_found.disturbed;
}

void CopyRow(Table* table, Branch* branch) {
    branch->id = DatumGetInt32(table->Get(kIdColumn));
    branch->stored = true;
    const std::string_view name = DatumContents(table->Get(kNameColumn));
    memcpy(branch->name, name.data(), name.size());
    branch->name[name.size()] = '\0';
    branch->head = DatumHash(table->Get(kHeadColumn));
    branch->working = {DatumHash(table->Get(kDataRootColumn)), DatumHash(table->Get(kMetaRootColumn))};
    branch->tid = table->slot->tts_tid;
}

void MakeVirtualMain(Branch* branch) {
    *branch = Branch{};
    branch->id = kMainBranchId;
    strlcpy(branch->name, kMainBranchName, sizeof(branch->name));
    branch->head = kInitialCommit;
    branch->working = {kEmptyRoot, kEmptyRoot};
    ItemPointerSetInvalid(&branch->tid);
}

bool AnyBranch(Table* table, Snapshot snapshot) {
    return Lookup(table, snapshot, nullptr, 0);
}

bool LookupByName(std::string_view name, Snapshot snapshot, Branch* branch) {
    Table table = OpenForRead(Object::kBranch, Object::kBranchName);
    ScanKeyData key;
    KeyText(&key, 1, MakeVarlena(name));
    bool found = Lookup(&table, snapshot, &key, 1);
    if (found) {
        CopyRow(&table, branch);
    } else if (name == kMainBranchName && !AnyBranch(&table, snapshot)) {
        MakeVirtualMain(branch);
        found = true;
    }
    Close(&table);
    return found;
}

void FillRow(const Branch& branch, const FlushMark* flushed, Datum* values, bool* nulls) {
    const TimestampTz now = GetCurrentTimestamp();
    memset(nulls, 0, kBranchColumns * sizeof(bool));
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
    KeyInt4(&key, 1, branch.id);
    const bool inserted = InsertIfAbsent(&table, values, nulls, &key, 1);
    Close(&table);
    CommandCounterIncrement();
    return inserted;
}

[[noreturn]] void ThrowMoved(const Branch& branch) {
    throw CouldNotSerialize("a concurrent move of branch " + Quoted(branch.name));
}

}  // namespace

bool ReadBranch(int32 id, Snapshot snapshot, Branch* branch) {
    Table table = OpenForRead(Object::kBranch, Object::kBranchPkey);
    ScanKeyData key;
    KeyInt4(&key, 1, id);
    bool found = Lookup(&table, snapshot, &key, 1);
    if (found) {
        CopyRow(&table, branch);
    } else if (id == kMainBranchId && !AnyBranch(&table, snapshot)) {
        MakeVirtualMain(branch);
        found = true;
    }
    Close(&table);
    return found;
}

void RequireBranch(int32 id, Snapshot snapshot, Branch* branch) {
    if (!ReadBranch(id, snapshot, branch)) {
        ereport(
            ERROR, errcode(ERRCODE_UNDEFINED_OBJECT),
            errmsg("the branch was deleted by another session meanwhile"),
            errhint("kvs.reflog tells where it was; kvs.create_branch() with that commit brings it back."));
    }
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

int32 LockBranchByName(std::string_view name, LOCKMODE mode) {
    if (name.empty()) {
        name = settings.branch;
    }
    for (;;) {
        if (!last_found.valid || name != last_found.name) {
            FindForWriter(name);
        }
        const int32 id = last_found.id;
        LockBranch(id, mode);
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

void ForgetBranchNames() {
    CacheInvalidateRelcacheByRelid(ObjectOid(Object::kBranch));
}

void MoveBranch(const Branch& branch, Snapshot snapshot, const FlushMark* flushed) {
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
        ScanKeyData key;
        KeyInt4(&key, 1, branch.id);
        if (Lookup(&table, snapshot, &key, 1)) {
            values[kCreatedAtColumn - 1] = table.Get(kCreatedAtColumn);
            for (int column = kFlushedAtColumn; flushed == nullptr && column <= kFlushedSeqColumn; column++) {
                values[column - 1] = table.Get(column, &nulls[column - 1]);
            }
        }
        ItemPointerData tid = branch.tid;
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
    GuardedTranslating(
        ERRCODE_UNIQUE_VIOLATION,
        [&] {
            branch.id = static_cast<int32>(nextval_internal(ObjectOid(Object::kBranchIdSequence), false));
            InsertBranch(branch, nullptr);
        },
        [&] { throw Error(ErrorCode::kAlreadyExists, "branch " + Quoted(name) + " already exists"); });
    return branch.id;
}

}  // namespace kvs::pg

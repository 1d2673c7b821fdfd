#include "pg/commit_table.h"

#include <algorithm>

#include "kvs/error.h"
#include "pg/convert.h"
#include "pg/guard.h"
#include "pg/server_hasher.h"
#include "pg/settings.h"
#include "pg/table_access.h"

namespace kvs::pg {

namespace {

enum CommitColumn {
    kHashColumn = 1,
    kGenerationColumn,
    kParentsColumn,
    kDataRootColumn,
    kMetaRootColumn,
    kAuthorColumn,
    kCommitterColumn,
    kMessageColumn,
    kCommittedAtColumn,
    kLogIdColumn,
    kConsumedColumn,
    kBodyColumn,
    kCommitColumns = kBodyColumn
};

enum ReflogColumn {
    kReflogIdColumn = 1,
    kReflogBranchIdColumn,
    kReflogBranchColumn,
    kReflogFromColumn,
    kReflogToColumn,
    kReflogOperationColumn,
    kReflogAuthorColumn,
    kReflogAtColumn,
    kReflogDiscardedColumn,
    kReflogColumns = kReflogDiscardedColumn
};

struct varlena* FindBody(const Hash& hash, Snapshot snapshot) {
    Table table = OpenForRead(Object::kCommit, Object::kCommitPkey);
    ScanKeyData key;
    KeyBytea(&key, 1, HashDatum(hash));
    struct varlena* body = nullptr;
    if (Lookup(&table, snapshot, &key, 1)) {
        body = PG_DETOAST_DATUM_COPY(table.Get(kBodyColumn));
    }
    Close(&table);
    return body;
}

Datum SnapshotDatum(Snapshot snapshot) {
    PushActiveSnapshot(snapshot);
    LOCAL_FCINFO(call, 0);
    InitFunctionCallInfoData(*call, nullptr, 0, InvalidOid, nullptr, nullptr);
    const Datum datum = pg_current_snapshot(call);
    PopActiveSnapshot();
    return datum;
}

// Scans the moves of a branch name, newest first, until `visit` returns false. What a deleted branch of that
// name did stands behind them, so that it can still be found.
template <typename Visit>
void ForEachMove(std::string_view branch, Snapshot snapshot, Visit visit) {
    Table table = OpenForRead(Object::kReflog, Object::kReflogBranch);
    ScanKeyData key;
    KeyText(&key, 1, MakeVarlena(branch));
    IndexScanDesc scan = BeginScan(&table, snapshot, &key, 1);
    while (index_getnext_slot(scan, BackwardScanDirection, table.slot)) {
        CHECK_FOR_INTERRUPTS();
        if (!visit(&table)) {
            break;
        }
    }
    index_endscan(scan);
    Close(&table);
}

}  // namespace

std::optional<Commit> TryReadCommit(const Hash& hash, Snapshot snapshot) {
    if (hash == kInitialCommit) {
        return InitialCommit();
    }
    struct varlena* body = Guarded([&] { return FindBody(hash, snapshot); });
    if (body == nullptr) {
        return std::nullopt;
    }
    const std::string_view encoded = Contents(body);
    ServerHasher hasher;
    if (HashCommit(hasher, encoded) != hash) {
        throw Error(ErrorCode::kCorruption, "commit " + hash.ToHex() + " does not hash to its address",
                    "SELECT * FROM kvs.check() tells what is damaged.");
    }
    Commit commit = DecodeCommit(encoded).OrThrow();
    pfree(body);
    return commit;
}

Commit ReadCommit(const Hash& hash, Snapshot snapshot) {
    std::optional<Commit> commit = TryReadCommit(hash, snapshot);
    if (!commit) {
        throw Error(ErrorCode::kCorruption, "commit " + hash.ToHex() + " is missing",
                    "SELECT * FROM kvs.check() tells what is damaged.");
    }
    return *std::move(commit);
}

std::vector<Hash> FindCommits(std::string_view hex_prefix, Snapshot snapshot) {
    std::string low_hex(hex_prefix);
    std::string high_hex(hex_prefix);
    low_hex.resize(2 * Hash::kSize, '0');
    high_hex.resize(2 * Hash::kSize, 'f');
    const Hash low = *Hash::FromHex(low_hex);
    const Hash high = *Hash::FromHex(high_hex);
    std::vector<Hash> found;
    if (low <= kInitialCommit && kInitialCommit <= high) {
        found.push_back(kInitialCommit);
    }
    Hash stored[2];
    const int count = Guarded([&] {
        Table table = OpenForRead(Object::kCommit, Object::kCommitPkey);
        ScanKeyData keys[2];
        KeyBytea(&keys[0], 1, HashDatum(low), BTGreaterEqualStrategyNumber);
        KeyBytea(&keys[1], 1, HashDatum(high), BTLessEqualStrategyNumber);
        IndexScanDesc scan = BeginScan(&table, snapshot, keys, 2);
        int n = 0;
        while (n < 2 && index_getnext_slot(scan, ForwardScanDirection, table.slot)) {
            stored[n++] = DatumHash(table.Get(kHashColumn));
        }
        index_endscan(scan);
        Close(&table);
        return n;
    });
    found.insert(found.end(), stored, stored + count);
    return found;
}

Hash WriteCommit(const Commit& commit, Snapshot consumed) {
    const std::string body = EncodeCommit(commit);
    ServerHasher hasher;
    const Hash hash = HashCommit(hasher, body);
    Guarded([&] {
        const Object index = Object::kCommitPkey;
        Table table = OpenForWrite(Object::kCommit, &index, 1);
        auto* parents = static_cast<Datum*>(palloc(sizeof(Datum) * commit.parents.size()));
        for (size_t i = 0; i < commit.parents.size(); i++) {
            parents[i] = HashDatum(commit.parents[i]);
        }
        auto* log_id = static_cast<pg_uuid_t*>(palloc(sizeof(pg_uuid_t)));
        memcpy(log_id->data, commit.log_id.data(), UUID_LEN);
        Datum values[kCommitColumns] = {
            HashDatum(hash),
            Int64GetDatum(static_cast<int64>(commit.generation)),
            PointerGetDatum(construct_array(parents, static_cast<int>(commit.parents.size()), BYTEAOID, -1,
                                            false, TYPALIGN_INT)),
            HashDatum(commit.data_root),
            HashDatum(commit.meta_root),
            MakeVarlena(commit.author),
            MakeVarlena(commit.committer),
            MakeVarlena(commit.message),
            TimestampTzGetDatum(ToServerTime(commit.committed_at)),
            UUIDPGetDatum(log_id),
            consumed != nullptr ? SnapshotDatum(consumed) : Datum{0},
            MakeVarlena(body)};
        bool nulls[kCommitColumns] = {};
        nulls[kConsumedColumn - 1] = consumed == nullptr;
        ScanKeyData key;
        KeyBytea(&key, 1, values[0]);
        InsertIfAbsent(&table, values, nulls, &key, 1);
        Close(&table);
        CommandCounterIncrement();
    });
    return hash;
}

bool IsStoredHere(const Hash& hash) {
    return Guarded([&] {
        Table table = OpenForRead(Object::kCommit, Object::kCommitPkey);
        ScanKeyData key;
        KeyBytea(&key, 1, HashDatum(hash));
        bool is_null;
        const bool found = Lookup(&table, SnapshotSelf, &key, 1) &&
                           TransactionIdIsCurrentTransactionId(DatumGetTransactionId(
                               slot_getsysattr(table.slot, MinTransactionIdAttributeNumber, &is_null)));
        Close(&table);
        return found;
    });
}

CommitLinks CommitTable::ReadLinks(const Hash& commit) {
    const Commit read = ReadCommit(commit, snapshot_);
    return {read.generation, read.parents};
}

void AppendReflog(const Branch& branch, const Hash* from, const Hash* to, const char* operation,
                  std::string_view author, const Hash* discarded_root) {
    Guarded([&] {
        const Object indexes[] = {Object::kReflogPkey, Object::kReflogBranch};
        Table table = OpenForWrite(Object::kReflog, indexes, 2);
        Datum values[kReflogColumns] = {
            Int64GetDatum(nextval_internal(ObjectOid(Object::kReflogIdSequence), false)),
            Int32GetDatum(branch.id),
            MakeVarlena(branch.name),
            from != nullptr ? HashDatum(*from) : Datum{0},
            to != nullptr ? HashDatum(*to) : Datum{0},
            MakeVarlena(operation),
            MakeVarlena(author),
            TimestampTzGetDatum(GetCurrentTimestamp()),
            discarded_root != nullptr ? HashDatum(*discarded_root) : Datum{0}};
        bool nulls[kReflogColumns] = {};
        nulls[kReflogFromColumn - 1] = from == nullptr;
        nulls[kReflogToColumn - 1] = to == nullptr;
        nulls[kReflogDiscardedColumn - 1] = discarded_root == nullptr;
        Insert(&table, values, nulls);
        Close(&table);
        CommandCounterIncrement();
    });
}

std::optional<Hash> ReflogEntry(std::string_view branch, uint64_t n, Snapshot snapshot) {
    Hash hash;
    bool found = false;
    Guarded([&] {
        uint64_t at = 0;
        ForEachMove(branch, snapshot, [&](Table* table) {
            bool is_null;
            // One entry behind the oldest move is where that move came from.
            if (at == n || at + 1 == n) {
                const Datum datum = table->Get(at == n ? kReflogToColumn : kReflogFromColumn, &is_null);
                found = !is_null;
                if (found) {
                    hash = DatumHash(datum);
                }
            }
            return at++ < n;
        });
    });
    return found ? std::optional<Hash>(hash) : std::nullopt;
}

std::optional<Hash> ReflogAt(std::string_view branch, TimestampTz moment, Snapshot snapshot) {
    Hash hash;
    bool found = false;
    Guarded([&] {
        ForEachMove(branch, snapshot, [&](Table* table) {
            const bool before = DatumGetTimestampTz(table->Get(kReflogAtColumn)) <= moment;
            bool is_null;
            const Datum datum = table->Get(before ? kReflogToColumn : kReflogFromColumn, &is_null);
            found = !is_null;
            if (found) {
                hash = DatumHash(datum);
            }
            return !before;
        });
    });
    return found ? std::optional<Hash>(hash) : std::nullopt;
}

std::string AuthorName(std::string_view given) {
    if (!given.empty()) {
        return std::string(given);
    }
    if (settings.author[0] != '\0') {
        return settings.author;
    }
    return Guarded([] { return GetUserNameFromId(GetSessionUserId(), false); });
}

}  // namespace kvs::pg

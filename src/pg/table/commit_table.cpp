#include "pg/table/commit_table.h"

#include <algorithm>
#include <utility>

#include "kvs/error.h"
#include "pg/table/table_access.h"
#include "pg/wall/convert.h"
#include "pg/wall/guard.h"
#include "pg/wall/server_hasher.h"
#include "pg/wall/settings.h"
#include "pg/wall/snapshot.h"
#include "pg/wall/store_error.h"

extern "C" {
#include "access/detoast.h"
}

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
    kAncestryColumn,
    kCommitColumns = kAncestryColumn
};

// A copy of the encoded commit; null if there is none.
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

// Reads a commit, verifies it and remembers it; null if there is none.
CommitRef LoadCommit(const Hash& hash, Snapshot snapshot) {
    if (hash == kInitialCommit) {
        auto initial = std::make_shared<const Commit>(InitialCommit());
        RememberCommit(hash, initial);
        return initial;
    }
    struct varlena* body = Guarded([&] { return FindBody(hash, snapshot); });
    if (body == nullptr) {
        return nullptr;
    }
    const std::string_view encoded = Contents(body);
    ServerHasher hasher;
    if (HashCommit(hasher, encoded) != hash) {
        throw Damaged("commit " + hash.ToHex() + " does not hash to its address");
    }
    auto commit = std::make_shared<const Commit>(DecodeCommit(encoded).OrThrow());
    pfree(body);
    RememberCommit(hash, commit);
    return commit;
}

Datum SnapshotDatum(Snapshot snapshot) {
    PushActiveSnapshot(snapshot);
    LOCAL_FCINFO(call, 0);
    InitFunctionCallInfoData(*call, nullptr, 0, InvalidOid, nullptr, nullptr);
    const Datum datum = pg_current_snapshot(call);
    PopActiveSnapshot();
    return datum;
}

// For a commit that a snapshot does not show though something names it. At the stricter isolation levels what
// names it may be newer than the transaction's snapshot: a staged merge, a stash, what another session has
// fetched. Then the commit is there now, and nothing is damaged.
[[noreturn]] void ThrowUnseen(const Hash& hash) {
    if (Guarded([&] { return IsolationUsesXactSnapshot() && FindBody(hash, SnapshotSelf) != nullptr; })) {
        throw CouldNotSerialize("commit " + hash.ToHex() + ", which was stored since");
    }
    throw Damaged("commit " + hash.ToHex() + " is missing");
}

CommitLinks LinksOf(const Commit& commit) {
    return {commit.generation, commit.parents};
}

// The graph as a way to an ancestor reads it: one row after the other, and of most of them the ancestry
// alone, where it lies. So the table stays open, and its slot holds the last row, until Close.
class Way : public CommitGraph {
  public:
    explicit Way(Snapshot snapshot) : snapshot_(snapshot) {}

    CommitLinks ReadLinks(const Hash& commit) override { return LinksOf(*ReadAncestor(commit, snapshot_)); }

    AncestryRef ReadAncestry(const Hash& commit) override {
        if (commit == kInitialCommit) {
            return std::make_shared<const Ancestry>();
        }
        if (AncestryRef known = FindKnownAncestry(commit)) {
            return known;
        }
        std::optional<Ancestry> read =
            DecodeAncestry(commit, Guarded([&] { return StoredAncestry(commit); }));
        if (!read) {
            return nullptr;
        }
        auto ancestry = std::make_shared<const Ancestry>(*std::move(read));
        RememberAncestry(commit, ancestry);
        return ancestry;
    }

    void Close() {
        if (open_) {
            Guarded([&] { pg::Close(&table_); });
        }
    }

  private:
    // Empty if there is none, or no such commit: who needs it then reads all of the commit, and finds out.
    std::string_view StoredAncestry(const Hash& commit) {
        if (!open_) {
            table_ = OpenForRead(Object::kCommit, Object::kCommitPkey);
            open_ = true;
        }
        ScanKeyData key;
        KeyBytea(&key, 1, HashDatum(commit));
        if (!Lookup(&table_, snapshot_, &key, 1)) {
            return {};
        }
        bool is_null;
        const Datum ancestry = table_.Get(kAncestryColumn, &is_null);
        return is_null ? std::string_view() : DatumContents(ancestry);
    }

    Snapshot snapshot_;
    Table table_ = {};
    bool open_ = false;
};

// Of a commit whose parents are there now, or were stored by this transaction. Unknown where that of the
// first parent is: in a damaged store, until kvs.repair() derives all of them anew.
AncestryRef DeriveAncestry(const Commit& commit) {
    if (commit.parents.empty()) {
        return std::make_shared<const Ancestry>();
    }
    const Hash& parent = commit.parents[0];
    Way way(SnapshotSelf);
    const AncestryRef of_parent = way.ReadAncestry(parent);
    way.Close();
    return of_parent != nullptr ? std::make_shared<const Ancestry>(AncestryOfChild(parent, *of_parent))
                                : nullptr;
}

}  // namespace

std::optional<Commit> TryReadCommit(const Hash& hash, Snapshot snapshot) {
    const CommitRef commit = LoadCommit(hash, snapshot);
    return commit != nullptr ? std::optional(*commit) : std::nullopt;
}

Commit ReadCommit(const Hash& hash, Snapshot snapshot) {
    std::optional<Commit> commit = TryReadCommit(hash, snapshot);
    if (!commit) {
        ThrowUnseen(hash);
    }
    return *std::move(commit);
}

CommitRef ReadAncestor(const Hash& hash, Snapshot snapshot) {
    CommitRef commit = FindKnownCommit(hash);
    if (commit == nullptr) {
        commit = LoadCommit(hash, snapshot);
    }
    if (commit == nullptr) {
        ThrowUnseen(hash);
    }
    return commit;
}

Hash AncestorAlongFirstParents(const Hash& commit, uint64_t* steps, Snapshot snapshot) {
    Way way(snapshot);
    const Hash ancestor = kvs::AncestorAlongFirstParents(way, commit, steps);
    way.Close();
    return ancestor;
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
    const AncestryRef ancestry = DeriveAncestry(commit);
    const std::string encoded_ancestry =
        ancestry != nullptr ? EncodeAncestry(hash, *ancestry) : std::string();
    Guarded([&] {
        const Object index = Object::kCommitPkey;
        Table table = OpenForWrite(Object::kCommit, &index, 1);
        auto* log_id = static_cast<pg_uuid_t*>(palloc(sizeof(pg_uuid_t)));
        memcpy(log_id->data, commit.log_id.data(), UUID_LEN);
        Datum values[kCommitColumns] = {HashDatum(hash),
                                        Int64GetDatum(static_cast<int64>(commit.generation)),
                                        HashArray(commit.parents),
                                        HashDatum(commit.data_root),
                                        HashDatum(commit.meta_root),
                                        MakeVarlena(commit.author),
                                        MakeVarlena(commit.committer),
                                        MakeVarlena(commit.message),
                                        TimestampTzGetDatum(ToServerTime(commit.committed_at)),
                                        UUIDPGetDatum(log_id),
                                        consumed != nullptr ? SnapshotDatum(consumed) : Datum{0},
                                        MakeVarlena(body),
                                        MakeVarlena(encoded_ancestry)};
        bool nulls[kCommitColumns] = {};
        nulls[kConsumedColumn - 1] = consumed == nullptr;
        nulls[kAncestryColumn - 1] = encoded_ancestry.empty();
        ScanKeyData key;
        KeyBytea(&key, 1, values[0]);
        InsertIfAbsent(&table, values, nulls, &key, 1);
        Close(&table);
        CommandCounterIncrement();
    });
    RememberCommit(hash, std::make_shared<const Commit>(commit));
    if (ancestry != nullptr) {
        RememberAncestry(hash, ancestry);
    }
    return hash;
}

void LockCommitForReference(const Hash& commit) {
    if (commit == kInitialCommit) {
        return;
    }
    const bool locked = Guarded([&] {
        const Object index = Object::kCommitPkey;
        Table table = OpenForWrite(Object::kCommit, &index, 1, RowShareLock);
        Snapshot latest = RegisterLatestSnapshot();
        ScanKeyData key;
        KeyBytea(&key, 1, HashDatum(commit));
        bool held = false;
        if (Lookup(&table, latest, &key, 1)) {
            ItemPointerData tid = table.slot->tts_tid;
            TM_FailureData failure;
            held = table_tuple_lock(table.heap, &tid, latest, table.slot, GetCurrentCommandId(true),
                                    LockTupleKeyShare, LockWaitBlock, 0, &failure) == TM_Ok;
        }
        ReleaseSnapshot(latest);
        Close(&table);
        return held;
    });
    if (locked) {
        return;
    }
    if (Guarded([] { return IsolationUsesXactSnapshot(); })) {
        throw CouldNotSerialize("a concurrent collection of commit " + commit.ToHex());
    }
    throw Error(ErrorCode::kUnknownRef, "commit " + commit.ToHex() + " does not exist");
}

std::optional<TransactionId> CommitInserter(const Hash& commit, Snapshot snapshot) {
    const TransactionId inserter = Guarded([&] {
        Table table = OpenForRead(Object::kCommit, Object::kCommitPkey);
        const TransactionId xid = InserterOf(&table, snapshot, commit);
        Close(&table);
        return xid;
    });
    return inserter == InvalidTransactionId ? std::nullopt : std::optional<TransactionId>(inserter);
}

int64 DeleteCommit(const Hash& commit, Snapshot snapshot) {
    return Guarded([&] {
        const Object index = Object::kCommitPkey;
        Table table = OpenForWrite(Object::kCommit, &index, 1);
        ScanKeyData key;
        KeyBytea(&key, 1, HashDatum(commit));
        int64 size = 0;
        if (Lookup(&table, snapshot, &key, 1)) {
            size = static_cast<int64>(toast_raw_datum_size(table.Get(kBodyColumn))) - VARHDRSZ;
            ItemPointerData tid = table.slot->tts_tid;
            ExecClearTuple(table.slot);
            if (Delete(&table, &tid, snapshot, true) != TM_Ok) {
                size = 0;
            }
        }
        Close(&table);
        return size;
    });
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
    return LinksOf(*ReadAncestor(commit, snapshot_));
}

CommitLinks CommitTable::ReadTip(const Hash& commit) {
    const CommitRef read = LoadCommit(commit, snapshot_);
    if (read == nullptr) {
        ThrowUnseen(commit);
    }
    return LinksOf(*read);
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

#include "pg/check/repair_store.h"

#include <unordered_set>
#include <utility>

#include "kvs/codec/item.h"
#include "kvs/error.h"
#include "kvs/tree/chunk.h"
#include "kvs/tree/node.h"
#include "pg/check/ancestry_check.h"
#include "pg/check/check_store.h"
#include "pg/check/log_epochs.h"
#include "pg/chunk/chunk_store.h"
#include "pg/chunk/node_cache.h"
#include "pg/chunk/pack_check.h"
#include "pg/chunk/pack_edit.h"
#include "pg/chunk/stored_chunks.h"
#include "pg/table/branch_table.h"
#include "pg/table/commit_rows.h"
#include "pg/table/commit_table.h"
#include "pg/table/locks.h"
#include "pg/table/owner_query.h"
#include "pg/table/reflog_table.h"
#include "pg/upkeep/change_retention.h"
#include "pg/upkeep/collector.h"
#include "pg/wall/convert.h"
#include "pg/wall/durability.h"
#include "pg/wall/guard.h"
#include "pg/wall/server_hasher.h"
#include "pg/wall/snapshot.h"

namespace kvs::pg {

namespace {

constexpr size_t kMaxErrors = 10000;

using Addresses = std::unordered_set<Hash, HashOfHash>;

// One form of each row of a commit from the other. Returns the commits for which neither is whole.
Addresses RepairCommits() {
    Addresses damaged;
    std::vector<std::pair<Hash, Commit>> repaired;
    ActiveSnapshot fresh(RegisterLatestSnapshot());
    CommitRows row;
    while (row.Next()) {
        const std::optional<Hash> hash = row.hash();
        if (!hash) {
            continue;
        }
        std::string problem;
        if (const std::optional<Commit> commit = row.Decode(&problem)) {
            if (!row.DifferingColumns(*commit).empty()) {
                repaired.emplace_back(*hash, *commit);
            }
            continue;
        }
        const Commit commit = row.FromColumns();
        ServerHasher hasher;
        if (ValidateCommit(commit).ok() && HashCommit(hasher, EncodeCommit(commit)) == *hash) {
            repaired.emplace_back(*hash, commit);
        } else {
            damaged.insert(*hash);
        }
    }
    row.Finish();
    fresh.Release();
    for (const auto& [hash, commit] : repaired) {
        RewriteCommitRow(hash, commit);
    }
    return damaged;
}

void RepairAncestries(const Addresses& damaged) {
    std::vector<std::pair<Hash, std::string>> repaired;
    ActiveSnapshot fresh(RegisterLatestSnapshot());
    ForEachWrongAncestry(
        [&](const Hash& commit) { return damaged.contains(commit); },
        [&](const Hash& commit, const std::string& right) { repaired.emplace_back(commit, right); });
    fresh.Release();
    for (const auto& [commit, right] : repaired) {
        ExecuteAsOwner("UPDATE _kvs.commit SET ancestry = $2 WHERE hash = $1",
                       {Parameter::Address(commit), Parameter::Bytea(right)});
    }
}

// Each move of a head is in the reflog, so the last one tells where the branch stands.
void RepairHeads() {
    std::vector<std::pair<int32, Hash>> heads;
    ActiveSnapshot fresh(RegisterLatestSnapshot());
    const auto exists = [&](const std::optional<Hash>& commit) {
        return commit && (*commit == kInitialCommit || CommitInserter(*commit, fresh.get()));
    };
    ForEachBranch(fresh.get(), [&](const BranchRow& branch) {
        if (!exists(branch.head)) {
            const std::optional<Hash> moved_to = LastMoveOf(branch.id, branch.name, fresh.get());
            if (exists(moved_to)) {
                heads.emplace_back(branch.id, *moved_to);
            }
        }
        return true;
    });
    fresh.Release();
    for (const std::pair<int32, Hash>& each : heads) {
        ExecuteAsOwner("UPDATE _kvs.branch SET head = $2 WHERE id = $1",
                       {Parameter::Int4(each.first), Parameter::Address(each.second)});
    }
}

// Versions ascend one by one per key and branch: where the branch has made the version before, once, that
// change is the one before. Operations that may skip versions are let alone.
void RepairChangeLinks() {
    const Datum may_skip = Guarded([] {
        Datum operations[] = {Int16GetDatum(static_cast<int16>(Operation::kMerge)),
                              Int16GetDatum(static_cast<int16>(Operation::kRevert)),
                              Int16GetDatum(static_cast<int16>(Operation::kReset))};
        return PointerGetDatum(
            construct_array(operations, std::size(operations), INT2OID, sizeof(int16), true, TYPALIGN_SHORT));
    });
    ExecuteAsOwner(
        "WITH broken AS MATERIALIZED ("
        "  SELECT c.seq, c.key, c.branch_id, c.version FROM _kvs.change AS c"
        "  LEFT JOIN _kvs.change AS p ON p.seq = c.prev_seq"
        "  WHERE c.key IS NOT NULL AND c.version > 1 AND c.op <> ALL ($1)"
        "    AND (p.seq IS NULL OR p.seq >= c.seq"
        "         OR p.key IS NOT NULL AND (p.key <> c.key OR p.version <> c.version - 1))),"
        " found AS ("
        "  SELECT b.seq, min(p.seq) AS prev_seq FROM broken AS b JOIN _kvs.change AS p"
        "    ON p.key = b.key AND p.branch_id = b.branch_id AND p.version = b.version - 1 AND p.seq < b.seq"
        "  GROUP BY b.seq HAVING count(*) = 1) "
        "UPDATE _kvs.change AS c SET prev_seq = f.prev_seq FROM found AS f WHERE c.seq = f.seq",
        {Parameter::Of(INT2ARRAYOID, may_skip)});
}

// Puts whole chunks in the place of damaged ones and of those that are missing.
class ChunkRepair {
  public:
    explicit ChunkRepair(Addresses damaged) : damaged_(std::move(damaged)) {}

    void Run() {
        FromCaches();
        if (!damaged_.empty()) {
            FromRows("SELECT item FROM _kvs.change WHERE octet_length(item) > $1");
            FromRows("SELECT item FROM _kvs.working WHERE octet_length(item) > $1");
        }
        Store();
    }

  private:
    void FromCaches() {
        for (auto address = damaged_.begin(); address != damaged_.end();) {
            const NodeRef node = NodeCache::Get().Find(*address);
            ServerHasher hasher;
            if (node && ChunkAddress(hasher, node->bytes()) == *address) {
                nodes_.emplace_back(*address, node);
                address = damaged_.erase(address);
            } else {
                ++address;
            }
        }
    }

    void FromRows(const char* query) {
        ActiveSnapshot fresh(RegisterLatestSnapshot());
        OwnerQuery row(query, {Parameter::Int4(static_cast<int32>(kMaxInlineValueSize))});
        while (!damaged_.empty() && row.Next()) {
            const Result<DataItem> item = DecodeDataItem(row.Bytes(1));
            if (!item.ok() || !NeedsBlob(item.value())) {
                continue;
            }
            ServerHasher hasher;
            const Hash address = ChunkAddress(hasher, EncodeBlob(item.value().payload));
            if (damaged_.erase(address) > 0) {
                Replace(fresh.get(), address,
                        [&](ChunkStore* chunks) { chunks->WriteBlob(item.value().payload); });
            }
        }
        row.Finish();
        fresh.Release();
    }

    void Store() {
        for (const auto& each : nodes_) {
            ActiveSnapshot fresh(RegisterLatestSnapshot());
            Replace(fresh.get(), each.first,
                    [&](ChunkStore* chunks) { chunks->WriteNode(std::string(each.second->bytes())); });
            fresh.Release();
        }
    }

    template <typename Write>
    void Replace(Snapshot snapshot, const Hash& address, Write write) {
        ExecuteAsOwner("DELETE FROM _kvs.chunk WHERE hash = $1", {Parameter::Address(address)});
        ChunkStore chunks(snapshot);
        write(&chunks);
        chunks.Flush();
    }

    Addresses damaged_;
    std::vector<std::pair<Hash, NodeRef>> nodes_;
};

// Changes packs after all of them were looked at under one snapshot.
class PackRepair {
  public:
    // Where the row of a pack has other addresses than its members, and these are those that are missed: it
    // is the row that is damaged. What is found leaves `damaged`.
    static void Addresses(kvs::pg::Addresses* damaged) {
        Run([&](const UnpackedPack& pack, StoredChunks*) { return RightAddresses(pack, damaged); });
    }

    // Takes out what cannot be read and stands whole in the chunk table.
    static void Copies() {
        Run([](const UnpackedPack& pack, StoredChunks* stored) { return SuperfluousMembers(pack, stored); });
    }

  private:
    struct Change {
        int64 pack = 0;
        std::optional<std::vector<int64>> addresses;  // that the row is to have; none: no row
        std::vector<int64> members;                   // that are to go
    };

    template <typename Examine>
    static void Run(const Examine& examine) {
        std::vector<Change> changes;
        ActiveSnapshot fresh(RegisterLatestSnapshot());
        StoredChunks stored(fresh.get());
        ForEachUnpacked(fresh.get(), [&](const UnpackedPack& pack) {
            Change change = examine(pack, &stored);
            if (change.addresses || !change.members.empty()) {
                change.pack = pack.version.id;
                changes.push_back(std::move(change));
            }
        });
        stored.Finish();
        if (!changes.empty()) {
            PackEncoder encoder;
            PackTable packs = Guarded([] { return OpenPacks(RowExclusiveLock); });
            for (const Change& change : changes) {
                if (change.addresses) {
                    ReplacePackAddresses(&packs, change.pack, *change.addresses, fresh.get());
                } else {
                    RemovePackMembers(&packs, change.pack, change.members, fresh.get(), &encoder);
                }
            }
            Guarded([&] { ClosePacks(&packs); });
        }
        fresh.Release();
    }

    static Change RightAddresses(const UnpackedPack& pack, kvs::pg::Addresses* damaged) {
        Change change;
        if (!pack.problem.empty()) {
            if (pack.prefixes.empty()) {
                change.addresses.emplace();  // nobody can ever find anything in it
            }
            return change;
        }
        const bool fits = pack.addresses.size() == pack.prefixes.size();
        bool changes = !fits;
        std::vector<int64> addresses;
        for (size_t i = 0; i < pack.addresses.size(); i++) {
            const int64 is = PackPrefix(pack.addresses[i]);
            const bool is_missed = damaged->contains(pack.addresses[i]);
            if (!fits || pack.prefixes[i] == is || is_missed) {
                changes = changes || pack.prefixes[i] != is;
                addresses.push_back(is);
                damaged->erase(pack.addresses[i]);
            } else {
                addresses.push_back(pack.prefixes[i]);
            }
        }
        if (changes) {
            change.addresses = std::move(addresses);
        }
        return change;
    }

    static Change SuperfluousMembers(const UnpackedPack& pack, StoredChunks* stored) {
        Change change;
        for (const int64 member : pack.FaultyMembers()) {
            if (stored->HasWholeRow(pack.prefixes[static_cast<size_t>(member)])) {
                change.members.push_back(member);
            }
        }
        // Out of what cannot be unpacked nothing can be taken but all.
        if (!pack.problem.empty() && change.members.size() != pack.prefixes.size()) {
            change.members.clear();
        }
        return change;
    }
};

// Puts changes that their branch has lost back into it as the uncommitted work that they were, or became: the
// log has all that a working row says. What a writer has made of such a key meanwhile stays.
void RestoreLostWork(const std::vector<int64>& changes) {
    std::vector<Datum> numbers;
    numbers.reserve(changes.size());
    for (const int64 change : changes) {
        numbers.push_back(Int64GetDatum(change));
    }
    const Datum array = Guarded([&] {
        return PointerGetDatum(construct_array(numbers.data(), static_cast<int>(numbers.size()), INT8OID,
                                               sizeof(int64), FLOAT8PASSBYVAL, TYPALIGN_DOUBLE));
    });
    const LogEpochs epochs;
    enum Column { kSeq = 1, kVersion, kMeta };
    OwnerQuery change("SELECT seq, version, meta FROM _kvs.change WHERE seq = ANY ($1)",
                      {Parameter::Of(INT8ARRAYOID, array)});
    while (change.Next()) {
        const std::string meta =
            epochs.WholeMetadata(change.Bytes(kMeta), change.Int8(kVersion), change.Int8(kSeq));
        ExecuteAsOwner(
            "INSERT INTO _kvs.working (epoch, change_seq, version, key, meta, item)"
            " SELECT coalesce(b.epoch, c.branch_id::bigint << 32), c.seq, c.version, c.key, $2, c.item"
            " FROM _kvs.change AS c LEFT JOIN _kvs.branch AS b ON b.id = c.branch_id"
            " WHERE c.seq = $1 AND NOT EXISTS (SELECT FROM _kvs.working AS w"
            " WHERE w.epoch >> 32 = c.branch_id AND w.key = c.key)"
            " ON CONFLICT DO NOTHING",
            {Parameter::Int8(change.Int8(kSeq)), Parameter::Bytea(meta)});
    }
    change.Finish();
}

// The addresses in what a check finds; those of commits are among them. And the changes that branches lost.
Addresses DamagedObjects(std::vector<int64>* lost_changes) {
    Addresses damaged;
    ActiveSnapshot fresh(RegisterLatestSnapshot());
    CheckStore(fresh.get(), [&](const Finding& finding) {
        if (finding.lost_change != 0) {
            lost_changes->push_back(finding.lost_change);
        }
        const std::string_view type = finding.type;
        if (type == "missing_object" || type == "corrupt_object") {
            if (const std::optional<Hash> address = Hash::FromHex(finding.object)) {
                damaged.insert(*address);
            }
        }
    });
    fresh.Release();
    return damaged;
}

// Whether it is known what is in use: all that refs lead to is there, and every commit is whole.
bool FindErrors(std::vector<std::string>* errors) {
    ActiveSnapshot fresh(RegisterLatestSnapshot());
    uint64 more = 0;
    std::vector<std::string> garbage;  // damaged, but it is about to be removed
    bool commits_are_whole = true;
    const bool all_reached = CheckStore(fresh.get(), [&](const Finding& finding) {
        if (std::string_view(finding.severity) != "error") {
            return;
        }
        const std::optional<Hash> address = Hash::FromHex(finding.object);
        if (address && CommitInserter(*address, fresh.get())) {
            commits_are_whole = false;
        }
        std::string line = std::string(finding.type) + " " + finding.object + ": " + finding.detail;
        if (finding.is_garbage) {
            garbage.push_back(std::move(line));
        } else if (errors->size() < kMaxErrors) {
            errors->push_back(std::move(line));
        } else {
            more++;
        }
    });
    fresh.Release();
    if (more > 0) {
        errors->push_back("and " + std::to_string(more) + " more, which kvs.check() tells");
    }
    if (all_reached && commits_are_whole) {
        return true;
    }
    errors->insert(errors->end(), garbage.begin(), garbage.end());
    return false;
}

void RequireReadCommitted() {
    if (IsolationUsesXactSnapshot()) {
        ereport(ERROR, errcode(ERRCODE_ACTIVE_SQL_TRANSACTION),
                errmsg("kvs.repair() must run at isolation level read committed"),
                errhint("At the stricter levels it would not see what it has to repair."));
    }
}

}  // namespace

RepairResult RepairStore() {
    Guarded([] {
        RequireReadCommitted();
        NoteWrite();
    });
    LockUpkeep();
    LockChunksForSweep();
    ExecuteAsOwner("DELETE FROM _kvs.chunk WHERE octet_length(hash) <> 32");
    // Work where no reader looks. What was lost with it is put back out of the log. While no branch is stored
    // there is main, which has id 1.
    ExecuteAsOwner(
        "DELETE FROM _kvs.working AS w WHERE NOT EXISTS (SELECT FROM _kvs.branch AS b"
        " WHERE b.epoch = w.epoch OR w.epoch = ANY (b.older_epochs))"
        " AND (w.epoch <> 1::bigint << 32 OR EXISTS (SELECT FROM _kvs.branch))");
    RepairAncestries(RepairCommits());
    RepairHeads();
    RepairChangeMembers();
    RepairChangeLinks();
    std::vector<int64> lost_changes;
    Addresses damaged = DamagedObjects(&lost_changes);
    RestoreLostWork(lost_changes);
    PackRepair::Addresses(&damaged);
    if (!damaged.empty()) {
        ChunkRepair(std::move(damaged)).Run();
    }
    PackRepair::Copies();
    RepairResult result;
    if (FindErrors(&result.errors)) {
        // The whole reflog keeps what it names: nothing was asked to be forgotten.
        result.orphans_removed = CollectGarbage(false, -1).objects_removed;
    } else {
        result.errors.push_back(
            "what nothing refers to was not removed: behind the damage it is not known what is in use");
    }
    return result;
}

}  // namespace kvs::pg

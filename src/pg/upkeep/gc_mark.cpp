#include "pg/upkeep/gc_mark.h"

#include <algorithm>
#include <string>
#include <unordered_set>

#include "kvs/codec/item.h"
#include "kvs/tree/chunk.h"
#include "kvs/version/commit.h"
#include "pg/chunk/chunk_table.h"
#include "pg/chunk/pack_edit.h"
#include "pg/chunk/pack_table.h"
#include "pg/table/commit_table.h"
#include "pg/table/owner_query.h"
#include "pg/wall/convert.h"
#include "pg/wall/guard.h"
#include "pg/wall/memory_scope.h"
#include "pg/wall/server_hasher.h"
#include "pg/wall/store_error.h"

extern "C" {
#include "access/detoast.h"
}

namespace kvs::pg {

namespace {

// What stands beside an address in a sort: of which kind of tree it is a node.
constexpr int64 kData = 1;
constexpr int64 kMetadata = 0;

constexpr size_t kSmallestRecent = 4096;  // slots

// In kB: several sorts, and the two filters of recent addresses, are there at once.
int SortMemory() {
    return std::max(64, maintenance_work_mem / 5);
}

[[noreturn]] void ThrowDamaged(const std::string& problem) {
    throw DamagedNotCollected(problem);
}

// The commits by descending generation; those that are referred to and do not exist come first, with the hash
// in the third column.
std::string SelectCommits() {
    return "SELECT c.hash, r.hash IS NOT NULL, r.hash, octet_length(c.body)::int8 FROM _kvs.commit AS c FULL "
           "JOIN (" +
           SelectCommitRoots() + ") AS r ON r.hash = c.hash ORDER BY c.generation DESC NULLS FIRST";
}

}  // namespace

Mark::Recent::Recent(size_t bytes) {
    size_t count = kSmallestRecent;
    while (count * 2 * sizeof(Hash) <= bytes) {
        count *= 2;
    }
    slots_.resize(count);
}

bool Mark::Recent::Add(const Hash& address) {
    Hash& slot = slots_[HashOfHash()(address) & (slots_.size() - 1)];
    if (slot == address) {
        return false;
    }
    slot = address;
    return true;
}

Mark::Mark(Snapshot snapshot, TimestampTz reflog_since, bool exact_bytes, GcReport* report)
    : snapshot_(snapshot),
      reflog_since_(reflog_since),
      exact_bytes_(exact_bytes),
      report_(report),
      stored_(snapshot),
      roots_(SortMemory()),
      live_(SortMemory()),
      recent_data_(static_cast<size_t>(maintenance_work_mem) * 128),
      recent_metadata_(static_cast<size_t>(maintenance_work_mem) * 128) {}

MarkResult Mark::Run(Garbage* garbage) {
    report_->Phase(GcPhase::kCommits);
    MarkCommits(garbage);
    report_->Phase(GcPhase::kTrees);
    ForEachRoot({reflog_since_, InvalidTransactionId}, [&](const Root& root) {
        if (root.kind != Root::Kind::kCommit) {
            AddRoot(root.kind, root.address);
        }
    });
    MarkTrees();
    report_->Phase(GcPhase::kComparing);
    Compare(garbage);
    stored_.Finish();
    return result_;
}

void Mark::MarkCommits(Garbage* garbage) {
    MemoryContext scratch = Guarded([] {
        return AllocSetContextCreate(CurrentMemoryContext, "kvs mark commit", ALLOCSET_DEFAULT_SIZES);
    });
    // Parents of commits in use that were not met yet. Those of one commit are of lower generations.
    std::unordered_set<Hash, HashOfHash> expected;
    const std::string query = SelectCommits();
    OwnerQuery row(query.c_str(), {Parameter::Time(reflog_since_)});
    while (row.Next()) {
        const bool is_root = row.Bool(2);
        const std::optional<Hash> hash = row.Address(row.IsNull(1) ? 3 : 1);
        if (!hash) {
            ThrowDamaged("the hash of a commit has not 32 bytes");
        }
        if (row.IsNull(1)) {
            if (*hash != kInitialCommit) {
                ThrowDamaged("commit " + hash->ToHex() + ", which a ref names, does not exist");
            }
            continue;
        }
        const int64 size = row.Int8(4);
        const bool is_expected = expected.erase(*hash) > 0;
        // What there is no room to remember stays until the next collection, with all that it reaches.
        if (!is_root && !is_expected && garbage->HasRoomForCommits()) {
            garbage->AddCommit(*hash);
            result_.objects_found++;
            result_.bytes_found += size;
            continue;
        }
        Guarded([&] { MemoryContextReset(scratch); });
        const MemoryScope scope(scratch);
        const Commit commit = ReadCommit(*hash, snapshot_);
        for (const Hash& parent : commit.parents) {
            if (parent != kInitialCommit) {
                expected.insert(parent);
            }
        }
        AddRoot(Root::Kind::kDataTree, commit.data_root);
        AddRoot(Root::Kind::kMetadataTree, commit.meta_root);
        for (const auto& tree : commit.trees) {
            AddRoot(Root::Kind::kMetadataTree, tree.second);
        }
        result_.objects_live++;
        result_.bytes_live += size;
        report_->Add(GcCounter::kCommitsMarked);
    }
    row.Finish();
    Guarded([&] { MemoryContextDelete(scratch); });
    // Either it is missing, or its generation is not the one that the table is sorted by.
    if (!expected.empty()) {
        ThrowDamaged("commit " + expected.begin()->ToHex() + ", which is a parent, is missing or misplaced");
    }
}

void Mark::AddRoot(Root::Kind kind, const Hash& root) {
    if (root != kEmptyRoot) {
        roots_.Add(root, kind == Root::Kind::kDataTree ? kData : kMetadata);
    }
}

NodeRef Mark::ReadNode(const Hash& address) {
    report_->Add(GcCounter::kChunksMarked);
    return stored_.ReadNode(address);
}

void Mark::MarkTrees() {
    const auto each = [&](AddressSort* sort, auto visit) {
        sort->Sort();
        bool more = sort->Next();
        while (more) {
            const Hash address = Hash::FromBytes(sort->address());
            bool is_data = false;
            do {
                is_data = is_data || sort->number() == kData;
                more = sort->Next();
            } while (more && sort->address() == address.AsBytes());
            visit(address, is_data);
        }
        sort->Finish();
    };
    each(&roots_, [&](const Hash& address, bool is_data) {
        const NodeRef node = ReadNode(address);
        Visit(address, *node, is_data);
    });
    for (int level = kMaxLevel; level >= 0; level--) {
        if (!levels_[level]) {
            continue;
        }
        each(&*levels_[level], [&](const Hash& address, bool is_data) {
            const NodeRef node = ReadNode(address);
            if (node->level() != level) {
                ThrowDamaged("the level of chunk " + address.ToHex() + " does not fit its parent's");
            }
            Visit(address, *node, is_data);
        });
        levels_[level].reset();
    }
}

void Mark::AddNode(const Hash& address, int level, bool is_data) {
    if (!(is_data ? recent_data_ : recent_metadata_).Add(address)) {
        return;
    }
    // A leaf of metadata refers to nothing.
    if (level == 0 && !is_data) {
        live_.Add(address, 0);
        report_->Add(GcCounter::kChunksMarked);
        return;
    }
    if (!levels_[level]) {
        levels_[level].emplace(SortMemory());
    }
    levels_[level]->Add(address, is_data ? kData : kMetadata);
}

void Mark::Visit(const Hash& address, const Node& node, bool is_data) {
    live_.Add(address, 0);
    for (size_t i = 0; i < node.count(); i++) {
        if (!node.is_leaf()) {
            AddNode(node.ChildHash(i), node.level() - 1, is_data);
        } else if (is_data) {
            const DataItem item = DecodeDataItem(node.Value(i)).OrThrow();
            if (item.blob && recent_data_.Add(item.blob->address)) {
                live_.Add(item.blob->address, 0);
                report_->Add(GcCounter::kChunksMarked);
            }
        }
    }
}

// --- what is stored against what is in use

// All that begins with one prefix: mostly a chunk that is stored once and in use, or not.
struct Mark::Group {
    struct Row {
        Hash address;
        int64 size;
    };
    struct Member {
        int64 pack;
        int64 member;
    };

    int64 prefix = 0;
    std::vector<Hash> live;
    std::vector<Row> rows;
    std::vector<Member> members;
};

// The chunk table; answers how many rows it has.
int64 Mark::CollectStored(AddressSort* stored) {
    return Guarded([&] {
        Relation chunk = table_open(ObjectOid(Object::kChunk), AccessShareLock);
        TupleTableSlot* row = table_slot_create(chunk, nullptr);
        TableScanDesc scan = table_beginscan(chunk, snapshot_, 0, nullptr);
        MemoryContext context =
            AllocSetContextCreate(CurrentMemoryContext, "kvs mark row", ALLOCSET_SMALL_SIZES);
        int64 rows = 0;
        while (table_scan_getnextslot(scan, ForwardScanDirection, row)) {
            CHECK_FOR_INTERRUPTS();
            MemoryContextReset(context);
            MemoryContext caller = MemoryContextSwitchTo(context);
            const std::string_view address = ChunkRowAddress(row);
            const int64 size = ChunkRowFrameSize(row);
            MemoryContextSwitchTo(caller);
            if (address.size() == Hash::kSize) {
                stored->Add(Hash::FromBytes(address), size);
                rows++;
            }
        }
        table_endscan(scan);
        ExecDropSingleTupleTableSlot(row);
        table_close(chunk, AccessShareLock);
        MemoryContextDelete(context);
        return rows;
    });
}

// The members of all packs, by the prefixes of their addresses; answers how many there are.
int64 Mark::CollectMembers(RowSort* members) {
    return Guarded([&] {
        PackTable packs = OpenPacks(AccessShareLock);
        int64 count = 0;
        ForEachPack(&packs, snapshot_, [&] {
            CHECK_FOR_INTERRUPTS();
            PackRow row = ReadPackRow(&packs, false);
            for (int i = 0; i < row.count; i++) {
                members->Add([&](Datum* values) {
                    values[0] = HashDatum(FirstAddress(row.addresses[i]));
                    values[1] = Int64GetDatum(row.version.id);
                    values[2] = Int64GetDatum(i);
                });
            }
            count += row.count;
            result_.bytes_live += static_cast<int64>(PackBodySize(&packs));
            FreePackRow(&row);
            return false;
        });
        ClosePacks(&packs);
        return count;
    });
}

// Walks what is stored and what is live side by side, prefix by prefix.
void Mark::Compare(Garbage* garbage) {
    AddressSort stored(SortMemory());
    RowSort members({{"address", BYTEAOID}, {"pack", INT8OID}, {"member", INT8OID}}, {1}, SortMemory());
    RowSort dead({{"pack", INT8OID}, {"member", INT8OID}}, {1, 2}, SortMemory());
    const int64 count = CollectStored(&stored) + CollectMembers(&members);
    report_->Set(GcCounter::kChunksTotal, count);
    garbage->BeginChunks(count);
    stored.Sort();
    members.Sort();
    live_.Sort();
    bool more_live = live_.Next();
    bool more_stored = stored.Next();
    bool more_members = members.Next();
    const auto prefix_of = [](std::string_view address) { return PackPrefix(Hash::FromBytes(address)); };
    while (more_stored || more_members) {
        const std::string_view first = more_stored && (!more_members || stored.address() <= members.Bytes(1))
                                           ? stored.address()
                                           : members.Bytes(1);
        Group group;
        group.prefix = prefix_of(first);
        const Hash begin = FirstAddress(group.prefix);
        while (more_live && live_.address() < begin.AsBytes()) {
            more_live = live_.Next();
        }
        for (; more_live && prefix_of(live_.address()) == group.prefix; more_live = live_.Next()) {
            const Hash address = Hash::FromBytes(live_.address());
            if (group.live.empty() || group.live.back() != address) {
                group.live.push_back(address);
            }
        }
        for (; more_stored && prefix_of(stored.address()) == group.prefix; more_stored = stored.Next()) {
            group.rows.push_back({Hash::FromBytes(stored.address()), stored.number()});
        }
        for (; more_members && prefix_of(members.Bytes(1)) == group.prefix; more_members = members.Next()) {
            group.members.push_back({members.Int8(2), members.Int8(3)});
        }
        CompareGroup(group, garbage, &dead);
    }
    dead.Sort();
    AddDeadMembers(&dead, garbage);
    garbage->EndChunks();
    report_->Set(GcCounter::kChunksMarked, count - garbage->chunk_count());
    stored.Finish();
    members.Finish();
    dead.Finish();
    live_.Finish();
}

// Decides a prefix: what of it is in use, and what is garbage. Rows have whole addresses and tell by
// themselves. Members have the prefix alone:
//   - nothing in use begins so: all members are garbage;
//   - one address in use, one member, and no row with that address: the member is that chunk (if it is not,
//   the chunk
//     is missing, and a member too many stays);
//   - otherwise the member is unpacked and hashed, and in use if its address is, also where a row holds the
//   same
//     chunk. What cannot be unpacked holds nothing that could be read, and goes.
//
//     prefix 7: live {A}, members {p:3}           p:3 stays, unread
//     prefix 7: live {A}, row A, members {p:3}    p:3 is hashed: it stays if it is A, else it is garbage
//
// Invariant: a chunk that is in use and can be read is never handed over, whether as a row or as a member.
void Mark::CompareGroup(const Group& group, Garbage* garbage, RowSort* dead) {
    const auto is_live = [&](const Hash& address) {
        return std::find(group.live.begin(), group.live.end(), address) != group.live.end();
    };
    bool live_is_row = false;
    for (const Group::Row& row : group.rows) {
        if (is_live(row.address)) {
            live_is_row = true;
            result_.objects_live++;
            result_.bytes_live += row.size;
        } else {
            garbage->AddChunk(row.address);
            result_.objects_found++;
            result_.bytes_found += row.size;
            report_->Add(GcCounter::kChunksFound);
        }
    }
    const bool is_the_one = group.live.size() == 1 && group.members.size() == 1 && !live_is_row;
    for (const Group::Member& member : group.members) {
        bool stays = is_the_one;
        if (!is_the_one && !group.live.empty()) {
            const std::optional<Hash> address = AddressOfMember(member.pack, member.member);
            stays = address && is_live(*address);
        }
        if (stays) {
            result_.objects_live++;
            continue;
        }
        garbage->NotePrefix(group.prefix);
        result_.objects_found++;
        report_->Add(GcCounter::kChunksFound);
        dead->Add([&](Datum* values) {
            values[0] = Int64GetDatum(member.pack);
            values[1] = Int64GetDatum(member.member);
        });
    }
}

// nullopt if the pack is damaged.
std::optional<Hash> Mark::AddressOfMember(int64 pack, int64 member) {
    std::optional<Hash> address;
    if (struct varlena* body = Guarded([&] { return ReadPackBody(pack, snapshot_, nullptr); })) {
        const Result<Pack> unpacked = encoder_.Decode(Contents(body));
        if (unpacked.ok() && static_cast<size_t>(member) < unpacked.value().count()) {
            ServerHasher hasher;
            address = ChunkAddress(hasher, unpacked.value().Member(static_cast<size_t>(member)));
        }
        Guarded([&] { pfree(body); });
    }
    return address;
}

// Hands the members over pack by pack, and counts the bytes that they take.
void Mark::AddDeadMembers(RowSort* dead, Garbage* garbage) {
    int64 pack = 0;
    std::vector<int64> members;
    const auto finish_pack = [&] {
        if (!members.empty()) {
            const int64 bytes = BytesFreed(pack, members);
            result_.bytes_found += bytes;
            result_.bytes_live -= bytes;
            members.clear();
        }
    };
    while (dead->Next()) {
        if (dead->Int8(1) != pack) {
            finish_pack();
            pack = dead->Int8(1);
        }
        members.push_back(dead->Int8(2));
        garbage->AddMember(pack, members.back());
    }
    finish_pack();
}

int64 Mark::BytesFreed(int64 pack, const std::vector<int64>& members) {
    int count = 0;
    struct varlena* body = Guarded([&] {
        CHECK_FOR_INTERRUPTS();
        return ReadPackBody(pack, snapshot_, &count);
    });
    if (body == nullptr) {
        return 0;
    }
    auto bytes = static_cast<int64>(Contents(body).size());
    if (members.size() < static_cast<size_t>(count)) {
        bytes = exact_bytes_
                    ? bytes - static_cast<int64>(PackWithout(pack, Contents(body), members, &encoder_).size())
                    : 0;
    }
    Guarded([&] { pfree(body); });
    return bytes;
}

}  // namespace kvs::pg

#include "pg/gc_mark.h"

#include <algorithm>
#include <string>
#include <unordered_set>

#include "kvs/codec/frame.h"
#include "kvs/codec/item.h"
#include "kvs/error.h"
#include "kvs/tree/chunk.h"
#include "kvs/version/commit.h"
#include "pg/commit_table.h"
#include "pg/convert.h"
#include "pg/guard.h"
#include "pg/memory_scope.h"
#include "pg/owner_query.h"

extern "C" {
#include "access/detoast.h"
}

namespace kvs::pg {

namespace {

enum ChunkColumn { kHashColumn = 1, kBodyColumn };

// What stands beside an address in a sort: of which kind of tree it is a node.
constexpr int64 kData = 1;
constexpr int64 kMetadata = 0;

constexpr size_t kSmallestRecent = 4096;  // slots

// In kB: several sorts, and the two filters of recent addresses, are there at once.
int SortMemory() {
    return std::max(64, maintenance_work_mem / 5);
}

[[noreturn]] void ThrowDamaged(const std::string& problem) {
    throw Error(
        ErrorCode::kCorruption, problem,
        "Nothing is collected from a damaged store. SELECT * FROM kvs.check() tells what is damaged.");
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

Mark::Mark(Snapshot snapshot, TimestampTz reflog_since, GcReport* report)
    : snapshot_(snapshot),
      reflog_since_(reflog_since),
      report_(report),
      stored_(snapshot),
      roots_(SortMemory()),
      live_(SortMemory(), true),
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
    Oid types[] = {TIMESTAMPTZOID};
    Datum values[] = {TimestampTzGetDatum(reflog_since_)};
    const std::string query = SelectCommits();
    OwnerQuery row(query.c_str(), 1, types, values);
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

// What live chunks are deltas against stays as well, link by link of the chains.
void Mark::FollowDeltas(AddressSort* deltas, AddressSort* bases) {
    std::optional<AddressSort> link;
    for (int depth = 1; depth <= kMaxDeltaDepth; depth++) {
        AddressSort* from = link ? &*link : &live_;
        AddressSort next(SortMemory());
        bool found = false;
        if (link) {
            deltas->Rewind();
        }
        bool more = from->Next();
        while (more && deltas->Next()) {
            while (more && from->address() < deltas->address()) {
                more = from->Next();
            }
            if (more && from->address() == deltas->address()) {
                const Hash base = Hash::FromBytes(deltas->key());
                bases->Add(base, 0);
                next.Add(base, 0);
                found = true;
            }
        }
        if (link) {
            link->Finish();
        }
        next.Sort();
        link.emplace(next);
        if (!found) {
            break;
        }
    }
    link->Finish();
}

// Walks what is stored and what is live side by side.
void Mark::Compare(Garbage* garbage) {
    AddressSort stored(SortMemory());
    AddressSort deltas(SortMemory(), true);
    const int64 count = Guarded([&] {
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
            bool is_null;
            const std::string_view address = DatumContents(slot_getattr(row, kHashColumn, &is_null));
            const Datum body = slot_getattr(row, kBodyColumn, &is_null);
            const auto size = static_cast<int64>(toast_raw_datum_size(body)) - VARHDRSZ;
            const std::string_view head = Contents(PG_DETOAST_DATUM_SLICE(body, 0, kMaxFrameHeadSize));
            MemoryContextSwitchTo(caller);
            if (address.size() == Hash::kSize) {
                stored.Add(Hash::FromBytes(address), size);
                rows++;
                if (const std::optional<Hash> base = FrameBase(head)) {
                    deltas.AddDelta(Hash::FromBytes(address), *base);
                }
            }
        }
        table_endscan(scan);
        ExecDropSingleTupleTableSlot(row);
        table_close(chunk, AccessShareLock);
        MemoryContextDelete(context);
        return rows;
    });
    report_->Set(GcCounter::kChunksTotal, count);
    garbage->BeginChunks(count);
    stored.Sort();
    live_.Sort();
    deltas.Sort();
    AddressSort bases(SortMemory());
    FollowDeltas(&deltas, &bases);
    bases.Sort();
    live_.Rewind();
    bool more_live = live_.Next();
    bool more_bases = bases.Next();
    while (stored.Next()) {
        while (more_live && live_.address() < stored.address()) {
            more_live = live_.Next();
        }
        while (more_bases && bases.address() < stored.address()) {
            more_bases = bases.Next();
        }
        if ((more_live && live_.address() == stored.address()) ||
            (more_bases && bases.address() == stored.address())) {
            result_.objects_live++;
            result_.bytes_live += stored.number();
        } else {
            garbage->AddChunk(Hash::FromBytes(stored.address()));
            result_.objects_found++;
            result_.bytes_found += stored.number();
            report_->Add(GcCounter::kChunksFound);
        }
    }
    garbage->EndChunks();
    report_->Set(GcCounter::kChunksMarked, count - garbage->chunk_count());
    stored.Finish();
    deltas.Finish();
    bases.Finish();
    live_.Finish();
}

}  // namespace kvs::pg

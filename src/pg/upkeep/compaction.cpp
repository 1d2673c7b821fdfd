#include "pg/upkeep/compaction.h"

#include <string>

#include "pg/chunk/chunk_table.h"
#include "pg/chunk/pack_table.h"
#include "pg/table/locks.h"
#include "pg/table/owner_query.h"
#include "pg/wall/convert.h"
#include "pg/wall/guard.h"
#include "pg/wall/planner.h"
#include "pg/wall/snapshot.h"

extern "C" {
#include "commands/defrem.h"
#include "commands/vacuum.h"
#include "parser/parse_node.h"
#include "storage/bufmgr.h"
#include "storage/freespace.h"
#include "utils/portal.h"
}

namespace kvs::pg {

namespace {

// Less is room for what comes next.
constexpr uint64 kMinFree = uint64{1} << 20;

// Of an index: bytes from which it matters; rows of one that is built in a tenth of a second; and bytes of an
// entry, on pages that are full.
constexpr double kMinIndexSize = 256 << 10;
constexpr double kMaxRebuiltRows = 100000;
constexpr double kIndexEntrySize = 58;
constexpr int kIndexPatience = 100;  // ms, in which those wait whom the table's lock keeps out

// The free room of a table by the server's map, from the first block on. Server code.
class FreeRoom {
  public:
    explicit FreeRoom(Relation heap) : heap_(heap), left_(GetRecordedFreeSpace(heap, 0)) {}

    // Takes room for a row in the first block that has it, below `end`; InvalidBlockNumber: there is none.
    BlockNumber Take(size_t size, BlockNumber end) {
        while (block_ < end && left_ < size) {
            block_++;
            left_ = block_ < end ? GetRecordedFreeSpace(heap_, block_) : 0;
        }
        if (block_ >= end) {
            return InvalidBlockNumber;
        }
        left_ -= size;
        return block_;
    }

  private:
    Relation heap_;
    BlockNumber block_ = 0;
    size_t left_;
};

bool IsWorthIt(Relation heap) {
    const BlockNumber blocks = RelationGetNumberOfBlocks(heap);
    uint64 free = 0;
    for (BlockNumber block = 0; block < blocks; block++) {
        free += GetRecordedFreeSpace(heap, block);
    }
    return free >= kMinFree && free >= uint64{blocks} * BLCKSZ / 4;
}

// From the last row on, until the free room lies behind it. `move` deletes the row in `slot` and inserts it
// anew; the block that the table tries first is the free one. Server code.
template <typename Move>
int64 MoveLastRows(Relation heap, TupleTableSlot* slot, Snapshot snapshot, int64 max_rows, const Move& move) {
    if (!IsWorthIt(heap)) {
        return 0;
    }
    int64 moved = 0;
    FreeRoom room(heap);
    TableScanDesc scan = table_beginscan_strat(heap, snapshot, 0, nullptr, true, false);
    while (moved < max_rows && table_scan_getnextslot(scan, BackwardScanDirection, slot)) {
        CHECK_FOR_INTERRUPTS();
        bool is_copy;
        HeapTuple tuple = ExecFetchSlotHeapTuple(slot, false, &is_copy);
        const BlockNumber to =
            room.Take(MAXALIGN(tuple->t_len) + sizeof(ItemIdData), ItemPointerGetBlockNumber(&slot->tts_tid));
        if (to == InvalidBlockNumber) {
            break;
        }
        RelationSetTargetBlock(heap, to);
        move();
        moved++;
    }
    ExecClearTuple(slot);
    table_endscan(scan);
    return moved;
}

int64 MoveChunks(Snapshot snapshot, int64 max_rows) {
    Table chunks = OpenChunksForWrite();
    const int64 moved = MoveLastRows(chunks.heap, chunks.slot, snapshot, max_rows, [&] {
        ItemPointerData tid = chunks.slot->tts_tid;
        const Hash address = Hash::FromBytes(ChunkRowAddress(chunks.slot));
        struct varlena* frame = CopyChunkRowFrame(chunks.slot);
        ExecClearTuple(chunks.slot);
        if (Delete(&chunks, &tid, snapshot, true) == TM_Ok) {
            InsertChunkRow(&chunks, address, Contents(frame), false);
        }
        pfree(frame);
    });
    Close(&chunks);
    return moved;
}

int64 MovePacks(Snapshot snapshot, int64 max_rows) {
    PackTable packs = OpenPacks(RowExclusiveLock);
    const int64 moved = MoveLastRows(packs.table.heap, packs.table.slot, snapshot, max_rows, [&] {
        PackRow row = ReadPackRow(&packs, true);
        ExecClearTuple(packs.table.slot);
        if (DeletePack(&packs, row.version.tid, snapshot)) {
            InsertPack(&packs, {row.version.id, row.has_next, row.next, row.addresses, row.count,
                                Contents(row.body)});
        }
        FreePackRow(&row);
    });
    ClosePacks(&packs);
    return moved;
}

// What is moved was not stored: those who go by what the server counts as inserted are not to take it for
// growth.
void NoteMoved(int64 chunks) {
    for (const char* runs : {"_kvs.collection", "_kvs.repacking"}) {
        const std::string query = std::string("UPDATE ") + runs +
                                  " SET chunks_inserted = chunks_inserted + $1"
                                  " WHERE at = (SELECT max(l.at) FROM " +
                                  runs + " AS l)";
        ExecuteAsOwner(query.c_str(), {Parameter::Int8(chunks)});
    }
}

struct Sizes {
    double rows;   // of the table, as vacuum has counted them last and as it has grown since
    double table;  // bytes
    double index;
};

// Server code.
Sizes SizesOf(Object table, Object index) {
    Relation heap = table_open(ObjectOid(table), AccessShareLock);
    Relation keys = index_open(ObjectOid(index), AccessShareLock);
    BlockNumber blocks;
    Sizes sizes = {};
    double visible_share;
    estimate_rel_size(heap, nullptr, &blocks, &sizes.rows, &visible_share);
    sizes.table = double{BLCKSZ} * RelationGetNumberOfBlocks(heap);
    sizes.index = double{BLCKSZ} * RelationGetNumberOfBlocks(keys);
    index_close(keys, AccessShareLock);
    table_close(heap, AccessShareLock);
    return sizes;
}

// Builds the index anew, unless somebody has a lock on it. Its table is locked against writers.
void Rebuild(Object index) {
    if (!TryLockRelation(Guarded([&] { return ObjectOid(index); }), AccessExclusiveLock, kIndexPatience)) {
        return;
    }
    Guarded([&] {
        const Oid oid = ObjectOid(index);
        ReindexStmt* statement = makeNode(ReindexStmt);
        statement->kind = REINDEX_OBJECT_INDEX;
        statement->relation = makeRangeVar(get_namespace_name(get_rel_namespace(oid)), get_rel_name(oid), -1);
        ExecReindex(make_parsestate(nullptr), statement, true);
    });
}

}  // namespace

int64 MoveRowsForward(int64 max_rows) {
    ActiveSnapshot fresh(RegisterLatestSnapshot());
    const int64 chunks = Guarded([&] { return MoveChunks(fresh.get(), max_rows); });
    const int64 packs = Guarded([&] { return MovePacks(fresh.get(), max_rows); });
    fresh.Release();
    if (chunks > 0) {
        NoteMoved(chunks);
    }
    return chunks + packs;
}

void RebuildChunkIndex() {
    const bool needed = Guarded([] {
        const Sizes sizes = SizesOf(Object::kChunk, Object::kChunkPkey);
        return sizes.rows <= kMaxRebuiltRows && sizes.index > kMinIndexSize &&
               sizes.index > 4 * sizes.rows * kIndexEntrySize;
    });
    if (needed && TryLockChunksForSweep()) {
        Rebuild(Object::kChunkPkey);
    }
}

void RebuildWorkingIndex() {
    const bool needed = Guarded([] {
        const Sizes sizes = SizesOf(Object::kWorking, Object::kWorkingPkey);
        return sizes.rows <= kMaxRebuiltRows && sizes.index > kMinIndexSize && sizes.index > 2 * sizes.table;
    });
    if (needed &&
        TryLockRelation(Guarded([] { return ObjectOid(Object::kWorking); }), ShareLock, kIndexPatience)) {
        Rebuild(Object::kWorkingPkey);
    }
}

void VacuumStore() {
    Guarded([] {
        StartTransactionCommand();
        // The server's vacuum remembers what it is about across its transactions in a portal's memory, which
        // a worker has none of.
        MemoryContext caller_portal = PortalContext;
        PortalContext = AllocSetContextCreate(TopMemoryContext, "kvs vacuum", ALLOCSET_DEFAULT_SIZES);
        MemoryContextSwitchTo(PortalContext);
        VacuumStmt* statement = makeNode(VacuumStmt);
        statement->is_vacuumcmd = true;
        statement->options =
            list_make1(makeDefElem(pstrdup("skip_locked"), reinterpret_cast<Node*>(makeInteger(1)), -1));
        for (const Object table : {Object::kChunk, Object::kPack}) {
            statement->rels = lappend(statement->rels, makeVacuumRelation(nullptr, ObjectOid(table), NIL));
        }
        ExecVacuum(make_parsestate(nullptr), statement, true);
        CommitTransactionCommand();
        MemoryContextDelete(PortalContext);
        PortalContext = caller_portal;
    });
}

}  // namespace kvs::pg

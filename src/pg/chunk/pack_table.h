// The rows of _kvs.pack: chunks of history, many compressed as one (kvs/codec/pack.h), found by the first
// bytes of their addresses.
//
// A row is never updated in place: who changes a pack deletes its row and inserts another one with the same
// id. Whoever does so holds the lock of LockUpkeep, so there is one at a time. A chunk may be in
// _kvs.chunk as well, where whoever needs it again has stored it.
//
// Server code: call under Guarded.
#pragma once

#include <string_view>

#include "kvs/hash.h"
#include "pg/table/table_access.h"
#include "pg/wall/server.h"

namespace kvs::pg {

// What of an address stands in a row. Two chunks may share it, and only their hashes tell them apart.
int64 PackPrefix(const Hash& address);

// An address that begins with this and is zero behind it: the first one that such a chunk may have.
Hash FirstAddress(int64 prefix);

struct PackTable {
    Table table;               // with the index on id; reading
    Relation by_next;          // null unless it is open for writing
    Relation by_address;       // what only answers with bitmaps
    IndexInfo* address_index;  // of it, while the table is open for writing
    IndexFetchTableData* fetch;
};

PackTable OpenPacks(LOCKMODE mode);
void ClosePacks(PackTable* packs);

// False if there never was one, or vacuum has taken back the last.
bool HasPacks(const PackTable* packs);

// Names one state of a row: what was decoded of it may be kept.
struct PackVersion {
    Oid table;
    int64 id;
    TransactionId inserter;
    ItemPointerData tid;

    bool operator==(const PackVersion& other) const {
        return table == other.table && id == other.id && inserter == other.inserter &&
               ItemPointerGetBlockNumberNoCheck(&tid) == ItemPointerGetBlockNumberNoCheck(&other.tid) &&
               ItemPointerGetOffsetNumberNoCheck(&tid) == ItemPointerGetOffsetNumberNoCheck(&other.tid);
    }
};

// The row in table.slot, in the current memory context.
struct PackRow {
    PackVersion version;
    bool has_next;
    int64 next;
    const int64* addresses;
    int count;
    ArrayType* array;      // what holds the addresses
    struct varlena* body;  // null unless asked for
};
PackRow ReadPackRow(PackTable* packs, bool with_body);
void FreePackRow(PackRow* row);
struct varlena* CopyPackBody(PackTable* packs);
size_t PackBodySize(PackTable* packs);

// Calls `visit` (true: enough) with the row in table.slot: for each row that is visible to `snapshot` and has
// a member with this prefix; for the one with this id; for those whose last member was replaced by a chunk
// with this prefix; for all of them, in the order of the table.
template <typename Visit>
void ForEachPackOf(PackTable* packs, int64 prefix, Snapshot snapshot, const Visit& visit);
template <typename Visit>
void ForEachPackBefore(PackTable* packs, int64 next, Snapshot snapshot, const Visit& visit);
template <typename Visit>
void ForEachPack(PackTable* packs, Snapshot snapshot, const Visit& visit);
bool FindPack(PackTable* packs, int64 id, Snapshot snapshot);

struct NewPack {
    int64 id;
    bool has_next;
    int64 next;
    const int64* addresses;
    int count;
    std::string_view body;
};

// Draws an id.
int64 NextPackId();

void InsertPack(PackTable* packs, const NewPack& pack);

// False if the row is not there any more.
bool DeletePack(PackTable* packs, ItemPointerData tid, Snapshot snapshot);

// --- what the templates are made of

// Where rows with this prefix may be: TIDs in the current memory context.
struct PackPlaces {
    ItemPointerData* tids;
    int count;
    int room;
};
PackPlaces FindPackPlaces(PackTable* packs, int64 prefix, Snapshot snapshot);

// Puts the next row at this place into the slot; false if there is none.
bool FetchPack(PackTable* packs, ItemPointerData* tid, Snapshot snapshot, bool* again);
bool PackInSlotHas(PackTable* packs, int64 prefix);

template <typename Visit>
void ForEachPackOf(PackTable* packs, int64 prefix, Snapshot snapshot, const Visit& visit) {
    const PackPlaces places = FindPackPlaces(packs, prefix, snapshot);
    bool enough = false;
    for (int i = 0; i < places.count && !enough; i++) {
        bool again = false;
        do {
            // A place may have been given to another row meanwhile.
            if (FetchPack(packs, &places.tids[i], snapshot, &again) && PackInSlotHas(packs, prefix)) {
                enough = visit();
            }
        } while (again && !enough);
    }
    ExecClearTuple(packs->table.slot);
    if (places.tids != nullptr) {
        pfree(places.tids);
    }
}

template <typename Visit>
void ForEachPackBefore(PackTable* packs, int64 next, Snapshot snapshot, const Visit& visit) {
    ScanKeyData key;
    KeyInt8(&key, 1, next);
    IndexScanDesc scan = KVS_INDEX_BEGINSCAN(packs->table.heap, packs->by_next, snapshot, 1);
    index_rescan(scan, &key, 1, nullptr, 0);
    while (index_getnext_slot(scan, ForwardScanDirection, packs->table.slot) && !visit()) {
    }
    index_endscan(scan);
    ExecClearTuple(packs->table.slot);
}

template <typename Visit>
void ForEachPack(PackTable* packs, Snapshot snapshot, const Visit& visit) {
    TableScanDesc scan = table_beginscan(packs->table.heap, snapshot, 0, nullptr);
    while (table_scan_getnextslot(scan, ForwardScanDirection, packs->table.slot) && !visit()) {
    }
    table_endscan(scan);
    ExecClearTuple(packs->table.slot);
}

}  // namespace kvs::pg

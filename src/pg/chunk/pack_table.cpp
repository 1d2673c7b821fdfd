#include "pg/chunk/pack_table.h"

#include <cstring>

#include "pg/table/catalog.h"
#include "pg/wall/convert.h"

extern "C" {
#include "access/detoast.h"
#include "port/pg_bswap.h"
#include "storage/bufmgr.h"
}

namespace kvs::pg {

namespace {

enum PackColumn { kIdColumn = 1, kNextColumn, kAddressesColumn, kBodyColumn, kPackColumns = kBodyColumn };

constexpr StrategyNumber kArrayContains = 2;  // of the operator class for arrays
constexpr long kBitmapMemory = 64 * 1024;
constexpr int kFirstRoom = 4;

// An array of bigint without NULLs, in the current memory context.
ArrayType* MakeAddresses(const int64* addresses, int count) {
    const size_t size = ARR_OVERHEAD_NONULLS(1) + static_cast<size_t>(count) * sizeof(int64);
    auto* array = static_cast<ArrayType*>(palloc0(size));
    SET_VARSIZE(array, size);
    array->ndim = 1;
    array->dataoffset = 0;
    array->elemtype = INT8OID;
    ARR_DIMS(array)[0] = count;
    ARR_LBOUND(array)[0] = 1;
    memcpy(ARR_DATA_PTR(array), addresses, static_cast<size_t>(count) * sizeof(int64));
    return array;
}

// The elements of what somebody may have put there by hand; null if they are not what they should be.
const int64* Elements(const ArrayType* array, int* count) {
    *count = 0;
    if (ARR_NDIM(array) != 1 || ARR_HASNULL(array) || ARR_ELEMTYPE(array) != INT8OID) {
        return nullptr;
    }
    *count = ARR_DIMS(array)[0];
    return reinterpret_cast<const int64*>(ARR_DATA_PTR(array));
}

void AddPlace(PackPlaces* places, BlockNumber block, OffsetNumber offset) {
    if (places->count == places->room) {
        places->room = places->room == 0 ? kFirstRoom : places->room * 2;
        const size_t size = static_cast<size_t>(places->room) * sizeof(ItemPointerData);
        places->tids = static_cast<ItemPointerData*>(places->tids == nullptr ? palloc(size)
                                                                             : repalloc(places->tids, size));
    }
    ItemPointerData* place = &places->tids[places->count++];
    ItemPointerSet(place, block, offset);
}

}  // namespace

int64 PackPrefix(const Hash& address) {
    uint64_t word;
    std::memcpy(&word, address.bytes.data(), sizeof(word));
    return static_cast<int64>(pg_bswap64(word));
}

Hash FirstAddress(int64 prefix) {
    Hash address;
    const uint64_t word = pg_bswap64(static_cast<uint64_t>(prefix));
    std::memcpy(address.bytes.data(), &word, sizeof(word));
    return address;
}

PackTable OpenPacks(LOCKMODE mode) {
    PackTable packs = {};
    const bool is_writing = mode != AccessShareLock;
    const Object index = Object::kPackPkey;
    packs.table = OpenForWrite(Object::kPack, &index, 1, mode);
    packs.by_address =
        index_open(ObjectOid(Object::kPackAddresses), is_writing ? RowExclusiveLock : AccessShareLock);
    if (is_writing) {
        packs.by_next = index_open(ObjectOid(Object::kPackNext), RowExclusiveLock);
        // Not one that outlives the call: the access method keeps pointers into the open index in it.
        packs.address_index = BuildIndexInfo(packs.by_address);
    }
    return packs;
}

void ClosePacks(PackTable* packs) {
    if (packs->fetch != nullptr) {
        table_index_fetch_end(packs->fetch);
    }
    if (packs->by_next != nullptr) {
        index_close(packs->by_next, NoLock);
    }
    index_close(packs->by_address, NoLock);
    Close(&packs->table);
}

bool HasPacks(const PackTable* packs) {
    return RelationGetNumberOfBlocks(packs->table.heap) > 0;
}

PackPlaces FindPackPlaces(PackTable* packs, int64 prefix, Snapshot snapshot) {
    PackPlaces places = {};
    if (!HasPacks(packs)) {
        return places;
    }
    ArrayType* wanted = MakeAddresses(&prefix, 1);
    ScanKeyData key;
    ScanKeyInit(&key, 1, kArrayContains, F_ARRAYCONTAINS, PointerGetDatum(wanted));
    IndexScanDesc scan = KVS_INDEX_BEGINSCAN_BITMAP(packs->by_address, snapshot, 1);
    index_rescan(scan, &key, 1, nullptr, 0);
    TIDBitmap* bitmap = tbm_create(kBitmapMemory, nullptr);
    index_getbitmap(scan, bitmap);
    index_endscan(scan);
    if (!tbm_is_empty(bitmap)) {
        KvsBitmapIterator* pages = KVS_BITMAP_BEGIN(bitmap);
        OffsetNumber offsets[MaxHeapTuplesPerPage];
        BlockNumber block;
        int count;
        while (KvsNextBitmapPage(pages, &block, offsets, &count)) {
            const bool is_any = count < 0;
            for (int i = 0; i < (is_any ? static_cast<int>(MaxHeapTuplesPerPage) : count); i++) {
                AddPlace(&places, block, is_any ? static_cast<OffsetNumber>(i + 1) : offsets[i]);
            }
        }
        KVS_BITMAP_END(pages);
    }
    tbm_free(bitmap);
    pfree(wanted);
    return places;
}

bool FetchPack(PackTable* packs, ItemPointerData* tid, Snapshot snapshot, bool* again) {
    if (packs->fetch == nullptr) {
        packs->fetch = table_index_fetch_begin(packs->table.heap);
    }
    bool all_dead = false;
    const bool found =
        table_index_fetch_tuple(packs->fetch, tid, snapshot, packs->table.slot, again, &all_dead);
    if (!found) {
        *again = false;
    }
    return found;
}

bool PackInSlotHas(PackTable* packs, int64 prefix) {
    const Datum stored = packs->table.Get(kAddressesColumn);
    ArrayType* array = DatumGetArrayTypeP(stored);
    int count;
    const int64* addresses = Elements(array, &count);
    bool found = false;
    for (int i = 0; i < count && !found; i++) {
        found = addresses[i] == prefix;
    }
    if (reinterpret_cast<Pointer>(array) != DatumGetPointer(stored)) {
        pfree(array);
    }
    return found;
}

PackRow ReadPackRow(PackTable* packs, bool with_body) {
    PackRow row = {};
    row.version.table = RelationGetRelid(packs->table.heap);
    row.version.id = DatumGetInt64(packs->table.Get(kIdColumn));
    bool is_null;
    row.version.inserter =
        DatumGetTransactionId(slot_getsysattr(packs->table.slot, MinTransactionIdAttributeNumber, &is_null));
    row.version.tid = packs->table.slot->tts_tid;
    const Datum next = packs->table.Get(kNextColumn, &is_null);
    row.has_next = !is_null;
    row.next = is_null ? 0 : DatumGetInt64(next);
    row.array = DatumGetArrayTypePCopy(packs->table.Get(kAddressesColumn));
    row.addresses = Elements(row.array, &row.count);
    if (with_body) {
        row.body = CopyPackBody(packs);
    }
    return row;
}

struct varlena* CopyPackBody(PackTable* packs) {
    return PG_DETOAST_DATUM_COPY(packs->table.Get(kBodyColumn));
}

void FreePackRow(PackRow* row) {
    pfree(row->array);
    if (row->body != nullptr) {
        pfree(row->body);
    }
}

size_t PackBodySize(PackTable* packs) {
    return toast_raw_datum_size(packs->table.Get(kBodyColumn)) - VARHDRSZ;
}

bool FindPack(PackTable* packs, int64 id, Snapshot snapshot) {
    ScanKeyData key;
    KeyInt8(&key, 1, id);
    return Lookup(&packs->table, snapshot, &key, 1);
}

int64 NextPackId() {
    return nextval_internal(ObjectOid(Object::kPackIdSequence), false);
}

void InsertPack(PackTable* packs, const NewPack& pack) {
    ArrayType* addresses = MakeAddresses(pack.addresses, pack.count);
    TupleTableSlot* row = packs->table.slot;
    ExecClearTuple(row);
    row->tts_values[kIdColumn - 1] = Int64GetDatum(pack.id);
    row->tts_values[kNextColumn - 1] = Int64GetDatum(pack.next);
    row->tts_values[kAddressesColumn - 1] = PointerGetDatum(addresses);
    row->tts_values[kBodyColumn - 1] = MakeVarlena(pack.body);
    memset(row->tts_isnull, 0, sizeof(bool) * kPackColumns);
    row->tts_isnull[kNextColumn - 1] = !pack.has_next;
    Datum body = row->tts_values[kBodyColumn - 1];
    ExecStoreVirtualTuple(row);
    table_tuple_insert(packs->table.heap, row, GetCurrentCommandId(true), 0, nullptr);
    const auto index = [&](Relation relation, IndexInfo* info, Datum value, bool is_null,
                           IndexUniqueCheck check) {
        index_insert(relation, &value, &is_null, &row->tts_tid, packs->table.heap, check, false, info);
    };
    index(packs->table.indexes[0], CachedIndexInfo(Object::kPackPkey, packs->table.indexes[0]),
          Int64GetDatum(pack.id), false, UNIQUE_CHECK_YES);
    index(packs->by_next, CachedIndexInfo(Object::kPackNext, packs->by_next), Int64GetDatum(pack.next),
          !pack.has_next, UNIQUE_CHECK_NO);
    index(packs->by_address, packs->address_index, PointerGetDatum(addresses), false, UNIQUE_CHECK_NO);
    ExecClearTuple(row);
    pfree(addresses);
    pfree(DatumGetPointer(body));
}

bool DeletePack(PackTable* packs, ItemPointerData tid, Snapshot snapshot) {
    return Delete(&packs->table, &tid, snapshot, true) == TM_Ok;
}

}  // namespace kvs::pg

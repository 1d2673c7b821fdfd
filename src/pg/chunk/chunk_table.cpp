#include "pg/chunk/chunk_table.h"

#include "pg/wall/convert.h"

extern "C" {
#include "access/detoast.h"
}

namespace kvs::pg {

namespace {

enum ChunkColumn { kHashColumn = 1, kBodyColumn, kChunkColumns = kBodyColumn };

Datum Column(TupleTableSlot* row, ChunkColumn column) {
    bool is_null;
    return slot_getattr(row, column, &is_null);
}

}  // namespace

Table OpenChunksForRead() {
    return OpenForRead(Object::kChunk, Object::kChunkPkey);
}

Table OpenChunksForWrite() {
    const Object index = Object::kChunkPkey;
    return OpenForWrite(Object::kChunk, &index, 1);
}

bool FindChunkRow(Table* chunks, Snapshot snapshot, const Hash& address) {
    const Datum hash = HashDatum(address);
    ScanKeyData key;
    KeyBytea(&key, kHashColumn, hash);
    const bool found = Lookup(chunks, snapshot, &key, 1);
    pfree(DatumGetPointer(hash));
    return found;
}

IndexScanDesc BeginChunkScan(Table* chunks, Snapshot snapshot, const Hash* first) {
    if (first == nullptr) {
        return BeginScan(chunks, snapshot, nullptr, 0);
    }
    ScanKeyData key;
    KeyBytea(&key, kHashColumn, HashDatum(*first), BTGreaterEqualStrategyNumber);
    return BeginScan(chunks, snapshot, &key, 1);
}

std::string_view ChunkRowAddress(TupleTableSlot* row) {
    return DatumContents(Column(row, kHashColumn));
}

std::string_view ChunkRowFrame(TupleTableSlot* row) {
    return DatumContents(Column(row, kBodyColumn));
}

struct varlena* CopyChunkRowFrame(TupleTableSlot* row) {
    return PG_DETOAST_DATUM_COPY(Column(row, kBodyColumn));
}

int64 ChunkRowFrameSize(TupleTableSlot* row) {
    return static_cast<int64>(toast_raw_datum_size(Column(row, kBodyColumn))) - VARHDRSZ;
}

bool InsertChunkRow(Table* chunks, const Hash& address, std::string_view frame, bool look) {
    Datum values[kChunkColumns] = {HashDatum(address), MakeVarlena(frame)};
    bool nulls[kChunkColumns] = {false, false};
    ScanKeyData key;
    KeyBytea(&key, kHashColumn, values[0]);
    const bool inserted = InsertIfAbsent(chunks, values, nulls, &key, 1, look);
    pfree(DatumGetPointer(values[0]));
    pfree(DatumGetPointer(values[1]));
    return inserted;
}

bool InsertChunkRows(Table* chunks, std::span<const NewChunk> rows) {
    MemoryContext context = AllocSetContextCreate(CurrentMemoryContext, "kvs chunks", ALLOCSET_DEFAULT_SIZES);
    MemoryContext caller = MemoryContextSwitchTo(context);
    auto* values = static_cast<Datum*>(palloc(rows.size() * kChunkColumns * sizeof(Datum)));
    auto* nulls = static_cast<bool*>(palloc0(rows.size() * kChunkColumns * sizeof(bool)));
    Datum* value = values;
    for (const NewChunk& row : rows) {
        *value++ = HashDatum(*row.address);
        *value++ = MakeVarlena(row.frame);
    }
    const bool inserted = InsertRowsIfAbsent(chunks, values, nulls, static_cast<int>(rows.size()));
    MemoryContextSwitchTo(caller);
    MemoryContextDelete(context);
    return inserted;
}

int64 DeleteChunkRow(Table* chunks, Snapshot snapshot, const Hash& address) {
    if (!FindChunkRow(chunks, snapshot, address)) {
        return -1;
    }
    const int64 size = ChunkRowFrameSize(chunks->slot);
    ItemPointerData tid = chunks->slot->tts_tid;
    ExecClearTuple(chunks->slot);
    return Delete(chunks, &tid, snapshot, true) == TM_Ok ? size : -1;
}

}  // namespace kvs::pg

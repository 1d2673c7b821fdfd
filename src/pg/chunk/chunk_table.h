// Rows of _kvs.chunk: a chunk that lies in no pack has one, its address and its frame.
//
// Server code: call under Guarded. What is read is of the row in chunks->slot and detoasted, if it has to be,
// in the memory context current.
#pragma once

#include <span>
#include <string_view>

#include "kvs/hash.h"
#include "pg/table/table_access.h"
#include "pg/wall/server.h"

namespace kvs::pg {

Table OpenChunksForRead();
Table OpenChunksForWrite();

// Finds the row of an address and leaves it in chunks->slot.
bool FindChunkRow(Table* chunks, Snapshot snapshot, const Hash& address);

// Starts a scan by address, from `first` on if there is one; see BeginScan.
IndexScanDesc BeginChunkScan(Table* chunks, Snapshot snapshot, const Hash* first);

// 32 bytes, unless the row is damaged.
std::string_view ChunkRowAddress(TupleTableSlot* row);
std::string_view ChunkRowFrame(TupleTableSlot* row);
struct varlena* CopyChunkRowFrame(TupleTableSlot* row);
// Without fetching it.
int64 ChunkRowFrameSize(TupleTableSlot* row);

// Inserts a chunk unless it is there; whether it was inserted. `look`: see InsertIfAbsent.
bool InsertChunkRow(Table* chunks, const Hash& address, std::string_view frame, bool look);

// Inserts chunks that are hardly there. False if one may be there, and then the subtransaction has to be
// rolled back; see InsertRowsIfAbsent.
struct NewChunk {
    const Hash* address;
    std::string_view frame;
};
bool InsertChunkRows(Table* chunks, std::span<const NewChunk> rows);

// Deletes the row of an address, waiting for whoever holds it; the size of its frame, -1 if there is none any
// more.
int64 DeleteChunkRow(Table* chunks, Snapshot snapshot, const Hash& address);

}  // namespace kvs::pg

// Gives back to the system what packing and collection have emptied, while everybody goes on.
//
// Vacuum makes the room of rows that are gone free for others, and cuts off what is empty at the end of a
// table. But what is new was put there, where it stays: the chunks in use are few, and lie behind those that
// were packed. So the last rows of _kvs.chunk and _kvs.pack are moved to free room at the front, and vacuum
// then cuts off the end. A row is deleted and inserted by one transaction, as it is when it is packed, so
// readers find it (ChunkStore), and writers who need it wait for that transaction.
#pragma once

#include "pg/wall/server.h"

namespace kvs::pg {

// Moves up to `max_rows` of the last rows of either table to its front, if a quarter of it or more is free.
// Returns how many it moved. The caller holds the locks of LockUpkeep and LockChunksForBuild. Errors:
// PgError.
int64 MoveRowsForward(int64 max_rows);

// The addresses of what was packed lay all over the index of _kvs.chunk, of which no page becomes empty by
// that. Builds it anew if a quarter of it would do, and if it is small enough that nobody notices. Looks
// for a moment without builders, for at most kvs.gc_lock_timeout, and without readers; they wait until it is
// built. The caller holds the lock of LockUpkeep. Errors: PgError.
void RebuildChunkIndex();

// The same for the index of _kvs.working, which a burst of puts leaves behind: epochs that were folded are
// gone from it, and their pages are free for later ones alone. Builds it anew if it is twice as large as its
// table, which it never is by itself, at a moment without writers and readers.
void RebuildWorkingIndex();

// Vacuums both tables, unless somebody has a lock on them. Takes transactions of its own, so the caller is in
// none, and a background worker. Errors: PgError.
void VacuumStore();

}  // namespace kvs::pg

// The locks of garbage collection.
//
// Builders (whoever writes chunks or makes or moves a ref, see LockChunksForBuild) hold RowExclusive on
// _kvs.chunk until they commit. A sweep deletes under ShareRowExclusive on it: no builder is at work then,
// and all that builders did is visible to a snapshot that is taken after the lock. It stops no put and no
// reader.
#pragma once

#include "pg/wall/server.h"

namespace kvs::pg {

// Waits at most kvs.gc_lock_timeout, with builders that come later behind it. Lasts until the end of the
// transaction. Errors: 55P03.
void LockChunksForSweep();

// Looks again and again for a lock, instead of queueing up, so that nobody waits behind it: for `patience`
// ms, 0: once, -1: without limit. Server code.
bool TryLockRelation(Oid relation, LOCKMODE mode, int patience);

// For background workers: looks again and again, for as long as kvs.gc_lock_timeout says, instead of queueing
// up, so that no builder waits behind it. False if there was no moment without a builder.
bool TryLockChunksForSweep();

// Keeps others from collecting in this database: until the end of the transaction, waiting at most
// kvs.gc_lock_timeout; or for as long as a background worker runs, if nobody else does. Errors: 55P03.
void LockCollection();
bool TryLockCollectionForWorker();
void UnlockCollectionOfWorker();

// For a background worker that repacks: the locks of LockChunksForBuild and LockChunkMaintenance until the
// end of the transaction, without waiting for either. False if somebody else holds what keeps them.
bool TryLockRepacking();

}  // namespace kvs::pg

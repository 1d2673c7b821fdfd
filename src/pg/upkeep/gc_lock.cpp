#include "pg/upkeep/gc_lock.h"

#include "pg/table/catalog.h"
#include "pg/wall/guard.h"
#include "pg/wall/lock_timeout.h"
#include "pg/wall/settings.h"

extern "C" {
#include "pgstat.h"
#include "storage/latch.h"
}

namespace kvs::pg {

namespace {

constexpr long kRetryInterval = 20;  // ms

// Server code.
LOCKTAG CollectionTag() {
    LOCKTAG tag;
    SET_LOCKTAG_OBJECT(tag, MyDatabaseId, ObjectOid(Object::kChunk), 0, 0);
    return tag;
}

}  // namespace

void LockChunksForSweep() {
    const LockTimeoutScope timeout(settings.gc_lock_timeout);
    Guarded([] { LockRelationOid(ObjectOid(Object::kChunk), ShareRowExclusiveLock); });
}

bool TryLockRelation(Oid relation, LOCKMODE mode, int patience) {
    const TimestampTz begin = GetCurrentTimestamp();
    while (!ConditionalLockRelationOid(relation, mode)) {
        if (patience >= 0 && TimestampDifferenceExceeds(begin, GetCurrentTimestamp(), patience)) {
            return false;
        }
        WaitLatch(MyLatch, WL_LATCH_SET | WL_TIMEOUT | WL_EXIT_ON_PM_DEATH, kRetryInterval,
                  PG_WAIT_EXTENSION);
        ResetLatch(MyLatch);
        CHECK_FOR_INTERRUPTS();
    }
    return true;
}

bool TryLockChunksForSweep() {
    const int patience = settings.gc_lock_timeout > 0 ? settings.gc_lock_timeout : -1;
    return Guarded(
        [&] { return TryLockRelation(ObjectOid(Object::kChunk), ShareRowExclusiveLock, patience); });
}

void LockCollection() {
    const LockTimeoutScope timeout(settings.gc_lock_timeout);
    Guarded([] {
        const LOCKTAG tag = CollectionTag();
        LockAcquire(&tag, ExclusiveLock, false, false);
    });
}

bool TryLockRepacking() {
    return Guarded([] {
        const LOCKTAG tag = CollectionTag();
        return LockAcquire(&tag, ExclusiveLock, false, true) != LOCKACQUIRE_NOT_AVAIL &&
               ConditionalLockRelationOid(ObjectOid(Object::kChunk), RowExclusiveLock);
    });
}

bool TryLockCollectionForWorker() {
    return Guarded([] {
        const LOCKTAG tag = CollectionTag();
        return LockAcquire(&tag, ExclusiveLock, true, true) != LOCKACQUIRE_NOT_AVAIL;
    });
}

void UnlockCollectionOfWorker() {
    Guarded([] {
        const LOCKTAG tag = CollectionTag();
        LockRelease(&tag, ExclusiveLock, true);
    });
}

}  // namespace kvs::pg

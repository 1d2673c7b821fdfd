#include "pg/observe/operation_log.h"

#include <algorithm>

#include "pg/wall/settings.h"

extern "C" {
#include "port/atomics.h"
}

namespace kvs::pg {

namespace {

// An entry is read and written under the lock of its place.
struct Log {
    LWLockPadded* locks;
    uint64 size;
    pg_atomic_uint64 last_id;
    LoggedOperation entries[FLEXIBLE_ARRAY_MEMBER];
};

Log* shared;  // null unless preloaded

uint64 PlaceOf(uint64 id) {
    return (id - 1) % shared->size;
}

LWLock* LockOf(uint64 place) {
    return &shared->locks[place % kOperationLogLocks].lock;
}

}  // namespace

size_t OperationLogMemory() {
    return offsetof(Log, entries) +
           static_cast<size_t>(settings.operation_log_size) * sizeof(LoggedOperation);
}

void AttachOperationLog() {
    bool found;
    shared = static_cast<Log*>(ShmemInitStruct("kvs operation log", OperationLogMemory(), &found));
    if (found) {
        return;
    }
    shared->locks = GetNamedLWLockTranche(kOperationLogTranche);
    shared->size = static_cast<uint64>(settings.operation_log_size);
    pg_atomic_init_u64(&shared->last_id, 0);
    std::fill_n(shared->entries, shared->size, LoggedOperation{});
}

// Whoever is late finds that the ring has gone round, and leaves the newer entry.
void LogOperation(LoggedOperation* entry) {
    entry->id = pg_atomic_fetch_add_u64(&shared->last_id, 1) + 1;
    const uint64 place = PlaceOf(entry->id);
    LWLockAcquire(LockOf(place), LW_EXCLUSIVE);
    if (shared->entries[place].id < entry->id) {
        shared->entries[place] = *entry;
    }
    LWLockRelease(LockOf(place));
}

void ForEachLoggedOperation(const std::function<void(const LoggedOperation& entry)>& visit) {
    if (shared == nullptr) {
        return;
    }
    const uint64 last = pg_atomic_read_u64(&shared->last_id);
    const uint64 first = last > shared->size ? last - shared->size + 1 : 1;
    for (uint64 id = first; id <= last; id++) {
        const uint64 place = PlaceOf(id);
        LWLockAcquire(LockOf(place), LW_SHARED);
        const LoggedOperation entry = shared->entries[place];
        LWLockRelease(LockOf(place));
        // Another id: it is not written yet, or overwritten by now.
        if (entry.id == id) {
            visit(entry);
        }
    }
}

}  // namespace kvs::pg

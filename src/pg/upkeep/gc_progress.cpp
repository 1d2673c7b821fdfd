#include "pg/upkeep/gc_progress.h"

#include "pg/wall/guard.h"

extern "C" {
#include "port/atomics.h"
}

namespace kvs::pg {

namespace {

constexpr int kSlots = 64;  // collections at a time that are shown
constexpr int kCounters = static_cast<int>(GcCounter::kCount);

constexpr const char* kPhases[] = {
    "marking commits", "marking trees",     "comparing", "waiting for the lock",
    "removing",        "comparing commits", "packing"};

struct Slot {
    pg_atomic_uint32 pid;  // 0: free
    pg_atomic_uint32 phase;
    pg_atomic_uint64 database;
    pg_atomic_uint64 started_at;
    pg_atomic_uint64 counters[kCounters];
};

Slot* slots;  // null unless preloaded
struct {
    bool registered;
    Slot* slot;
} mine;

shmem_request_hook_type previous_request_hook;
shmem_startup_hook_type previous_startup_hook;

void Request() {
    if (previous_request_hook != nullptr) {
        previous_request_hook();
    }
    RequestAddinShmemSpace(kSlots * sizeof(Slot));
}

void Attach() {
    if (previous_startup_hook != nullptr) {
        previous_startup_hook();
    }
    bool found;
    LWLockAcquire(AddinShmemInitLock, LW_EXCLUSIVE);
    slots = static_cast<Slot*>(ShmemInitStruct("kvs gc progress", kSlots * sizeof(Slot), &found));
    for (int i = 0; i < kSlots && !found; i++) {
        pg_atomic_init_u32(&slots[i].pid, 0);
        pg_atomic_init_u32(&slots[i].phase, 0);
        pg_atomic_init_u64(&slots[i].database, 0);
        pg_atomic_init_u64(&slots[i].started_at, 0);
        for (pg_atomic_uint64& counter : slots[i].counters) {
            pg_atomic_init_u64(&counter, 0);
        }
    }
    LWLockRelease(AddinShmemInitLock);
}

void Release() {
    if (mine.slot != nullptr) {
        pg_atomic_write_u32(&mine.slot->pid, 0);
        mine.slot = nullptr;
    }
}

void ReleaseAtExit(int, Datum) {
    Release();
}

}  // namespace

GcReport::GcReport() {
    if (slots == nullptr) {
        return;
    }
    if (!mine.registered) {
        Guarded([] { before_shmem_exit(ReleaseAtExit, Datum{0}); });
        mine.registered = true;
    }
    for (int i = 0; i < kSlots && mine.slot == nullptr; i++) {
        uint32 free = 0;
        if (pg_atomic_compare_exchange_u32(&slots[i].pid, &free, static_cast<uint32>(MyProcPid))) {
            mine.slot = &slots[i];
        }
    }
    if (mine.slot != nullptr) {
        for (pg_atomic_uint64& counter : mine.slot->counters) {
            pg_atomic_write_u64(&counter, 0);
        }
        pg_atomic_write_u64(&mine.slot->started_at, static_cast<uint64>(GetCurrentTimestamp()));
        pg_atomic_write_u32(&mine.slot->phase, 0);
        pg_atomic_write_u64(&mine.slot->database, MyDatabaseId);
    }
}

GcReport::~GcReport() {
    Release();
}

void GcReport::Phase(GcPhase phase) {
    if (mine.slot != nullptr) {
        pg_atomic_write_u32(&mine.slot->phase, static_cast<uint32>(phase));
    }
}

void GcReport::Set(GcCounter counter, int64 value) {
    if (mine.slot != nullptr) {
        pg_atomic_write_u64(&mine.slot->counters[static_cast<int>(counter)], static_cast<uint64>(value));
    }
}

void GcReport::Add(GcCounter counter, int64 value) {
    if (mine.slot != nullptr) {
        pg_atomic_uint64* place = &mine.slot->counters[static_cast<int>(counter)];
        pg_atomic_write_u64(place, pg_atomic_read_u64(place) + static_cast<uint64>(value));
    }
}

void ForEachGc(const std::function<void(const GcProgress& progress)>& visit) {
    for (int i = 0; slots != nullptr && i < kSlots; i++) {
        GcProgress progress;
        progress.pid = static_cast<int32>(pg_atomic_read_u32(&slots[i].pid));
        if (progress.pid == 0) {
            continue;
        }
        progress.database = static_cast<Oid>(pg_atomic_read_u64(&slots[i].database));
        progress.started_at = static_cast<TimestampTz>(pg_atomic_read_u64(&slots[i].started_at));
        progress.phase = kPhases[pg_atomic_read_u32(&slots[i].phase)];
        for (int c = 0; c < kCounters; c++) {
            progress.counters[c] = static_cast<int64>(pg_atomic_read_u64(&slots[i].counters[c]));
        }
        visit(progress);
    }
}

void InstallGcProgressHooks() {
    previous_request_hook = shmem_request_hook;
    shmem_request_hook = Request;
    previous_startup_hook = shmem_startup_hook;
    shmem_startup_hook = Attach;
}

}  // namespace kvs::pg

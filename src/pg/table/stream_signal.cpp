#include "pg/table/stream_signal.h"

#include <algorithm>
#include <csignal>

#include "pg/table/catalog.h"
#include "pg/wall/settings.h"

extern "C" {
#include "pgstat.h"
#include "postmaster/bgworker_internals.h"
#include "storage/latch.h"
#include "storage/lmgr.h"
#include "storage/proc.h"
#include "storage/procarray.h"
#include "storage/sinvaladt.h"
}

namespace kvs::pg {

namespace {

// By which one finds its process, and the function that it runs.
struct WorkerDescription {
    const char* type;
    const char* function;
};
constexpr WorkerDescription kWorkers[] = {
    // [WorkerKind]
    {"kvs sequencer", "kvs_sequencer_main"},
    {"kvs maintenance", "kvs_maintenance_main"},
    {"kvs bindings", "kvs_bindings_main"},
};

constexpr const WorkerDescription& DescriptionOf(WorkerKind kind) {
    return kWorkers[static_cast<int>(kind)];
}

// Tells these locks from those of pg_advisory_lock and others of ours. They are of that kind because the
// server releases those of a process that ends, however it ends.
constexpr uint16 kStreamLock = 0x6b78;

enum StreamLock : uint32 {
    kSequencerLock,
    kWaitersLock,
    kStartLock,  // of whoever is about to start a sequencer
    kMaintenanceLock,
    kBindingsLock,
};
constexpr StreamLock kWorkerLocks[] = {kSequencerLock, kMaintenanceLock, kBindingsLock};  // [WorkerKind]

// Between two tries to start a sequencer where there is none.
constexpr int kStartInterval = 1000;  // ms

// A process as it was found last.
struct Found {
    PGPROC* proc;  // null: none
    int pid;
};

struct {
    bool registered;
    bool has_changes;  // this transaction
    bool wakes_on_commit;
    bool wakes_on_abort;
    Found sequencer;
    TimestampTz started_at;  // when one was asked for
} session;

Found followers[3];  // [WorkerKind] that this process wakes

LOCKTAG TagOf(StreamLock lock) {
    LOCKTAG tag;
    SET_LOCKTAG_ADVISORY(tag, MyDatabaseId, ObjectOid(Object::kTick), lock, kStreamLock);
    return tag;
}

// A process that has ended leaves its number behind; its latch it has given up.
bool IsIn(Oid database, const PGPROC* proc, int pid) {
    return pid != 0 && proc->pid == pid && proc->databaseId == database && proc->procLatch.owner_pid == pid;
}

// Calls `visit` for each process of this kind in the database: the worker, and for a moment others, which
// find that there is one and end. The processes are read without a lock: who begins or ends meanwhile is met
// the next time.
template <typename Visit>
void ForEachWorker(WorkerKind kind, Oid database, Visit visit) {
    for (uint32 i = 0; i < ProcGlobal->allProcCount; i++) {
        PGPROC* proc = &ProcGlobal->allProcs[i];
        const int pid = proc->pid;
        if (!IsIn(database, proc, pid) || !KVS_IS_BACKGROUND_WORKER(proc)) {
            continue;
        }
        const char* type = GetBackgroundWorkerTypeByPid(pid);
        if (type != nullptr && strcmp(type, DescriptionOf(kind).type) == 0) {
            visit(proc, pid);
        }
    }
}

bool IsThere(const Found& found) {
    return found.proc != nullptr && IsIn(MyDatabaseId, found.proc, found.pid);
}

// Wakes the processes of this kind, and returns how many there are. Of several all but one are about to end:
// the next look shows which.
int FindWorker(WorkerKind kind, Found* found) {
    int count = 0;
    ForEachWorker(kind, MyDatabaseId, [&](PGPROC* proc, int pid) {
        *found = {proc, pid};
        count++;
        SetLatch(&proc->procLatch);
    });
    if (count != 1) {
        *found = {};
    }
    return count;
}

// The one that was found last, or all that there are.
void WakeFoundSequencer() {
    if (session.sequencer.proc != nullptr) {
        SetLatch(&session.sequencer.proc->procLatch);
        return;
    }
    ForEachWorker(WorkerKind::kSequencer, MyDatabaseId,
                  [](PGPROC* proc, int) { SetLatch(&proc->procLatch); });
}

// Starts the sequencer where the server does so by itself, unless somebody else is about to, or this
// transaction has dropped the extension. False if none can be expected.
bool StartHere() {
    if (!settings.is_preloaded || !settings.sequencer || !OidIsValid(ObjectOidIfKnown(Object::kTick))) {
        return false;
    }
    const TimestampTz now = GetCurrentTimestamp();
    if (!TimestampDifferenceExceeds(session.started_at, now, kStartInterval)) {
        return true;
    }
    session.started_at = now;
    const LOCKTAG tag = TagOf(kStartLock);
    return LockAcquire(&tag, ExclusiveLock, false, true) == LOCKACQUIRE_NOT_AVAIL ||
           StartWorker(WorkerKind::kSequencer, MyDatabaseId, 0);
}

void FindOrStartSequencer() {
    if (!IsThere(session.sequencer)) {
        EnsureSequencer();
    }
}

// The look may fail, so it comes before the commit; after it nothing is done but to set a latch.
void AtTransactionEnd(XactEvent event, void*) {
    const bool wakes =
        event == XACT_EVENT_ABORT ? session.wakes_on_abort : session.has_changes || session.wakes_on_commit;
    switch (event) {
        case XACT_EVENT_PRE_COMMIT:
            if (wakes) {
                FindOrStartSequencer();
            }
            break;
        case XACT_EVENT_COMMIT:
        case XACT_EVENT_ABORT:
            if (wakes) {
                WakeFoundSequencer();
            }
            [[fallthrough]];
        case XACT_EVENT_PREPARE:
            session.has_changes = session.wakes_on_commit = session.wakes_on_abort = false;
            break;
        default:
            break;
    }
}

void RegisterOnce() {
    if (!session.registered) {
        RegisterXactCallback(AtTransactionEnd, nullptr);
        session.registered = true;
    }
}

}  // namespace

void NoteChanges() {
    session.has_changes = true;
    RegisterOnce();
}

void NoteMarks() {
    session.wakes_on_commit = true;
    RegisterOnce();
}

void NoteFreed(FreedWhen when) {
    RegisterOnce();
    session.wakes_on_abort = true;
    session.wakes_on_commit |= when == FreedWhen::kAtEnd;
    FindOrStartSequencer();  // while it may be looked for
}

bool BecomeWorker(WorkerKind kind) {
    const LOCKTAG tag = TagOf(kWorkerLocks[static_cast<int>(kind)]);
    if (LockAcquire(&tag, ExclusiveLock, true, true) != LOCKACQUIRE_NOT_AVAIL) {
        return true;
    }
    // Somebody may have taken this process for the worker, and woken it instead.
    ForEachWorker(kind, MyDatabaseId, [](PGPROC* proc, int) { SetLatch(&proc->procLatch); });
    return false;
}

void WakeWaitingSessions() {
    const LOCKTAG tag = TagOf(kWaitersLock);
    int count = 0;
    VirtualTransactionId* waiting = GetLockConflicts(&tag, ExclusiveLock, &count);
    for (int i = 0; i < count; i++) {
        PGPROC* proc = KVS_PROC_OF(waiting[i]);
        if (proc != nullptr) {
            SetLatch(&proc->procLatch);
        }
    }
    pfree(waiting);
}

bool WakeWorker(WorkerKind kind) {
    Found* worker = &followers[static_cast<int>(kind)];
    if (IsThere(*worker)) {
        SetLatch(&worker->proc->procLatch);
        return true;
    }
    return FindWorker(kind, worker) > 0;
}

bool StartWorker(WorkerKind kind, Oid database, int notify_pid) {
    const WorkerDescription& description = DescriptionOf(kind);
    BackgroundWorker worker = {};
    worker.bgw_flags = BGWORKER_SHMEM_ACCESS | BGWORKER_BACKEND_DATABASE_CONNECTION;
    worker.bgw_start_time = BgWorkerStart_RecoveryFinished;
    worker.bgw_restart_time = BGW_NEVER_RESTART;
    worker.bgw_main_arg = ObjectIdGetDatum(database);
    worker.bgw_notify_pid = notify_pid;
    strlcpy(worker.bgw_name, description.type, sizeof(worker.bgw_name));
    strlcpy(worker.bgw_type, description.type, sizeof(worker.bgw_type));
    strlcpy(worker.bgw_library_name, "kvs", sizeof(worker.bgw_library_name));
    strlcpy(worker.bgw_function_name, description.function, sizeof(worker.bgw_function_name));
    return RegisterDynamicBackgroundWorker(&worker, nullptr);
}

bool EnsureSequencer() {
    return FindWorker(WorkerKind::kSequencer, &session.sequencer) > 0 || StartHere();
}

bool WaitForSequencer(int milliseconds) {
    constexpr int kStep = 5;  // ms; the server takes some to start a process
    for (int waited = 0; waited < milliseconds; waited += kStep) {
        bool found = false;
        ForEachWorker(WorkerKind::kSequencer, MyDatabaseId, [&](PGPROC*, int) { found = true; });
        if (found) {
            return true;
        }
        CHECK_FOR_INTERRUPTS();
        pg_usleep(kStep * 1000L);
    }
    return false;
}

// The sequencer first, which would start the others again.
void StopWorkers(Oid database) {
    for (const WorkerKind kind : {WorkerKind::kSequencer, WorkerKind::kMaintenance, WorkerKind::kBindings}) {
        ForEachWorker(kind, database, [](PGPROC*, int pid) { kill(pid, SIGTERM); });
    }
}

void BeginWaiting() {
    const LOCKTAG tag = TagOf(kWaitersLock);
    LockAcquire(&tag, ShareLock, false, false);
}

void StopWaiting() {
    const LOCKTAG tag = TagOf(kWaitersLock);
    LockRelease(&tag, ShareLock, false);
}

void WaitForSignal(int64 milliseconds) {
    WaitLatch(MyLatch, WL_LATCH_SET | WL_TIMEOUT | WL_EXIT_ON_PM_DEATH,
              static_cast<long>(std::clamp<int64>(milliseconds, 0, INT_MAX)), PG_WAIT_EXTENSION);
    ResetLatch(MyLatch);
    CHECK_FOR_INTERRUPTS();
}

}  // namespace kvs::pg

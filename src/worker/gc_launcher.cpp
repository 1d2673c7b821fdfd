#include "worker/gc_launcher.h"

#include <vector>

#include "pg/wall/entry_point.h"
#include "pg/wall/guard.h"
#include "pg/wall/server.h"
#include "pg/wall/settings.h"

extern "C" {
#include "access/htup_details.h"
#include "access/tableam.h"
#include "catalog/pg_database.h"
#include "pgstat.h"
#include "postmaster/bgworker.h"
#include "postmaster/interrupt.h"
#include "storage/latch.h"
#include "tcop/tcopprot.h"

PGDLLEXPORT void kvs_gc_launcher_main(Datum argument);
}

namespace kvs::worker {

namespace {

void FillWorker(BackgroundWorker* worker, const char* name, const char* function) {
    *worker = {};
    worker->bgw_flags = BGWORKER_SHMEM_ACCESS | BGWORKER_BACKEND_DATABASE_CONNECTION;
    worker->bgw_start_time = BgWorkerStart_RecoveryFinished;
    strlcpy(worker->bgw_name, name, sizeof(worker->bgw_name));
    strlcpy(worker->bgw_type, name, sizeof(worker->bgw_type));
    strlcpy(worker->bgw_library_name, "kvs", sizeof(worker->bgw_library_name));
    strlcpy(worker->bgw_function_name, function, sizeof(worker->bgw_function_name));
}

// The databases that one can connect to. Server code.
void ListDatabases(std::vector<Oid>* databases) {
    StartTransactionCommand();
    GetTransactionSnapshot();
    Relation relation = table_open(DatabaseRelationId, AccessShareLock);
    TableScanDesc scan = table_beginscan_catalog(relation, 0, nullptr);
    HeapTuple tuple;
    while (HeapTupleIsValid(tuple = heap_getnext(scan, ForwardScanDirection))) {
        auto* database = reinterpret_cast<Form_pg_database>(GETSTRUCT(tuple));
        if (database->datallowconn && !database->datistemplate) {
            databases->push_back(database->oid);
        }
    }
    table_endscan(scan);
    table_close(relation, AccessShareLock);
    CommitTransactionCommand();
}

// Sleeps until the time is over or somebody wakes it. Server code.
void Nap(long milliseconds) {
    WaitLatch(MyLatch, WL_LATCH_SET | WL_TIMEOUT | WL_EXIT_ON_PM_DEATH, milliseconds, PG_WAIT_EXTENSION);
    ResetLatch(MyLatch);
    CHECK_FOR_INTERRUPTS();
    if (ConfigReloadPending) {
        ConfigReloadPending = false;
        ProcessConfigFile(PGC_SIGHUP);
    }
}

// Runs a collector in a database until it ends; false if the server has no room for one. Server code.
bool RunCollector(Oid database, bool only_start) {
    BackgroundWorker worker;
    FillWorker(&worker, "kvs collector", "kvs_gc_worker_main");
    worker.bgw_extra[0] = only_start ? kOnlyStartSequencer : '\0';
    worker.bgw_restart_time = BGW_NEVER_RESTART;
    worker.bgw_main_arg = ObjectIdGetDatum(database);
    worker.bgw_notify_pid = MyProcPid;
    BackgroundWorkerHandle* handle;
    if (!RegisterDynamicBackgroundWorker(&worker, &handle)) {
        return false;
    }
    WaitForBackgroundWorkerShutdown(handle);
    pfree(handle);
    return true;
}

void Round(bool only_start) {
    std::vector<Oid> databases;
    pg::Guarded([&] { ListDatabases(&databases); });
    for (const Oid database : databases) {
        if (ShutdownRequestPending) {
            return;
        }
        if (!pg::Guarded([&] { return RunCollector(database, only_start); })) {
            pg::Guarded([] {
                ereport(LOG, errmsg("could not start a kvs collector: no free background worker"),
                        errhint("Consider increasing the configuration parameter \"max_worker_processes\"."));
            });
            return;
        }
    }
}

}  // namespace

void RegisterGcLauncher() {
    BackgroundWorker worker;
    FillWorker(&worker, "kvs gc launcher", "kvs_gc_launcher_main");
    worker.bgw_restart_time = 10;
    RegisterBackgroundWorker(&worker);
}

}  // namespace kvs::worker

extern "C" void kvs_gc_launcher_main(Datum) {
    using namespace kvs;
    pqsignal(SIGHUP, SignalHandlerForConfigReload);
    pqsignal(SIGTERM, SignalHandlerForShutdownRequest);
    BackgroundWorkerUnblockSignals();
    BackgroundWorkerInitializeConnection(nullptr, nullptr, 0);
    // What was committed before the server started, or was promoted, waits for its place in the stream.
    if (pg::settings.sequencer) {
        pg::Enter([] { worker::Round(true); });
    }
    TimestampTz next =
        TimestampTzPlusMilliseconds(GetCurrentTimestamp(), int64{pg::settings.autogc_naptime} * 1000);
    while (!ShutdownRequestPending) {
        const TimestampTz now = GetCurrentTimestamp();
        // A shorter time that was set meanwhile counts at once.
        const TimestampTz latest =
            TimestampTzPlusMilliseconds(now, int64{pg::settings.autogc_naptime} * 1000);
        if (next > latest) {
            next = latest;
        }
        const bool is_on = pg::settings.autogc || pg::settings.autorepack || pg::settings.autotrain ||
                           pg::settings.sequencer;
        if (is_on && next <= now) {
            pg::Enter([] { worker::Round(false); });
            next =
                TimestampTzPlusMilliseconds(GetCurrentTimestamp(), int64{pg::settings.autogc_naptime} * 1000);
            continue;
        }
        worker::Nap(is_on ? TimestampDifferenceMilliseconds(now, next) : 3600 * 1000L);
    }
    // Not 0: who was told to end while the server goes on is started again.
    proc_exit(1);
}

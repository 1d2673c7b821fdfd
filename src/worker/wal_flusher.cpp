#include "worker/wal_flusher.h"

#include "pg/wall/server.h"
#include "pg/wall/settings.h"

extern "C" {
#include "pgstat.h"
#include "postmaster/bgworker.h"
#include "postmaster/interrupt.h"
#include "postmaster/walwriter.h"
#include "storage/latch.h"

PGDLLEXPORT void kvs_wal_flusher_main(Datum argument);
}

namespace kvs::worker {

void RegisterWalFlusher() {
    BackgroundWorker worker = {};
    worker.bgw_flags = BGWORKER_SHMEM_ACCESS;
    worker.bgw_start_time = BgWorkerStart_RecoveryFinished;
    worker.bgw_restart_time = 1;
    strlcpy(worker.bgw_name, "kvs WAL flusher", sizeof(worker.bgw_name));
    strlcpy(worker.bgw_type, "kvs WAL flusher", sizeof(worker.bgw_type));
    strlcpy(worker.bgw_library_name, "kvs", sizeof(worker.bgw_library_name));
    strlcpy(worker.bgw_function_name, "kvs_wal_flusher_main", sizeof(worker.bgw_function_name));
    RegisterBackgroundWorker(&worker);
}

}  // namespace kvs::worker

extern "C" void kvs_wal_flusher_main(Datum) {
    pqsignal(SIGHUP, SignalHandlerForConfigReload);
    pqsignal(SIGTERM, SignalHandlerForShutdownRequest);
    BackgroundWorkerUnblockSignals();
    // Every round flushes what asynchronous commits have left, however little it is.
    WalWriterFlushAfter = 0;
    while (!ShutdownRequestPending) {
        WaitLatch(MyLatch, WL_LATCH_SET | WL_TIMEOUT | WL_EXIT_ON_PM_DEATH, kvs::pg::settings.batch_interval,
                  PG_WAIT_EXTENSION);
        ResetLatch(MyLatch);
        CHECK_FOR_INTERRUPTS();
        if (ConfigReloadPending) {
            ConfigReloadPending = false;
            ProcessConfigFile(PGC_SIGHUP);
        }
        XLogBackgroundFlush();
    }
    proc_exit(0);
}

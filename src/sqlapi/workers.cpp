// The background workers of this database: start_workers, stop_workers.
#include "pg/stream/worker_table.h"
#include "pg/table/access_guard.h"
#include "pg/table/stream_signal.h"
#include "pg/wall/entry_point.h"
#include "pg/wall/guard.h"

namespace kvs::sqlapi {

using namespace kvs::pg;

namespace {

constexpr int kStartTimeout = 10000;  // ms

void RequireNoRecovery(const char* command) {
    PreventCommandIfReadOnly(command);
    PreventCommandIfParallelMode(command);
}

}  // namespace

KVS_FUNCTION(kvs_start_workers)
{
    RequireRead();
    RequireNoRecovery("kvs.start_workers()");
    SetStopped(kSequencerName, false);
    // Another one is asked for even if there is one, which may be about to end.
    const bool started = Guarded([] {
        return StartWorker(WorkerKind::kSequencer, MyDatabaseId, 0) || WakeWorker(WorkerKind::kSequencer);
    });
    if (!started) {
        Guarded([] {
            ereport(ERROR, errcode(ERRCODE_CONFIGURATION_LIMIT_EXCEEDED),
                    errmsg("no background worker is free"),
                    errhint("Consider increasing the configuration parameter \"max_worker_processes\"."));
        });
    }
    PG_RETURN_BOOL(Guarded([] { return WaitForSequencer(kStartTimeout); }));
}

KVS_FUNCTION(kvs_stop_workers)
{
    RequireRead();
    RequireNoRecovery("kvs.stop_workers()");
    SetStopped(kSequencerName, true);
    // So that it is woken at the commit.
    NoteChanges();
    PG_RETURN_BOOL(true);
}

}  // namespace kvs::sqlapi

// The collector that the launcher starts in a database: see gc_launcher.h. It belongs to no role and runs
// what SQL there is as the owner of the extension.
#include "pg/change_retention.h"
#include "pg/collector.h"
#include "pg/entry_point.h"
#include "pg/gc_lock.h"
#include "pg/guard.h"
#include "pg/owner_query.h"
#include "pg/server.h"
#include "pg/settings.h"

extern "C" {
#include "catalog/namespace.h"
#include "commands/dbcommands.h"
#include "commands/extension.h"
#include "pgstat.h"
#include "postmaster/bgworker.h"
#include "postmaster/interrupt.h"
#include "storage/latch.h"
#include "tcop/tcopprot.h"

PGDLLEXPORT void kvs_gc_worker_main(Datum argument);
}

namespace {

using namespace kvs::pg;

// Whether $1 chunks, and $2 percent of those that the last collection left, were stored since then. Where the
// server's statistics began anew meanwhile (a crash, another server), nobody knows, and one collection too
// many does no harm; where there was none yet, what vacuum has counted helps.
constexpr const char* kGrowthQuery = R"(
SELECT coalesce(s.inserted < l.chunks_inserted OR pg_stat_get_bgwriter_stat_reset_time() > l.at, false)
    OR CASE WHEN l.at IS NULL THEN greatest(s.inserted, s.rows) ELSE s.inserted - l.chunks_inserted END
       >= $1 + $2 / 100.0 * coalesce(l.objects_live, 0)
FROM (SELECT pg_stat_get_tuples_inserted(c.oid) AS inserted, c.reltuples::bigint AS rows
      FROM pg_class AS c WHERE c.oid = '_kvs.chunk'::regclass) AS s
     LEFT JOIN (SELECT * FROM _kvs.collection ORDER BY at DESC LIMIT 1) AS l ON true
)";

// Begins a transaction with an active snapshot. Server code.
void Begin(const char* activity) {
    SetCurrentStatementStartTimestamp();
    StartTransactionCommand();
    PushActiveSnapshot(GetTransactionSnapshot());
    pgstat_report_activity(STATE_RUNNING, activity);
}

void Commit() {
    PopActiveSnapshot();
    CommitTransactionCommand();
    pgstat_report_stat(true);
    pgstat_report_activity(STATE_IDLE, nullptr);
}

bool HasGrown() {
    Oid types[] = {INT8OID, INT8OID};
    Datum values[] = {Int64GetDatum(settings.autogc_threshold), Int64GetDatum(settings.autogc_growth)};
    OwnerQuery row(kGrowthQuery, 2, types, values);
    const bool has_grown = row.Next() && row.Bool(1);
    row.Finish();
    return has_grown;
}

// What there is to do in this database. What nobody else does: the lock is held then.
struct Work {
    bool collect = false;
    bool trim = false;  // the change log
};

// In a transaction.
Work FindWork() {
    Work work;
    if (Guarded([] { return OidIsValid(get_extension_oid("kvs", true)); })) {
        work.collect = HasGrown();
        work.trim = settings.change_retention >= 0;
        if ((work.collect || work.trim) && !TryLockCollectionForWorker()) {
            return {};
        }
    }
    return work;
}

// The switch may have been turned since.
bool MayGoOn() {
    return Guarded([] {
        CHECK_FOR_INTERRUPTS();
        if (ConfigReloadPending) {
            ConfigReloadPending = false;
            ProcessConfigFile(PGC_SIGHUP);
        }
        return settings.autogc;
    });
}

void Report(const CollectionResult& result, Collector::Sweep outcome) {
    const char* reason = "";
    switch (outcome) {
        case Collector::Sweep::kDone:
            break;
        case Collector::Sweep::kMore:
            reason = "; stopped, because kvs.autogc is off";
            break;
        case Collector::Sweep::kLockedOut:
            reason = "; stopped, because somebody was building trees all the time";
            break;
        case Collector::Sweep::kOverrun:
            reason = "; stopped, because too much has changed meanwhile";
            break;
    }
    Guarded([&] {
        ereport(LOG,
                errmsg("automatic kvs collection in database \"%s\": removed %lld objects (%lld bytes)%s",
                       get_database_name(MyDatabaseId), static_cast<long long>(result.objects_removed),
                       static_cast<long long>(result.bytes_removed), reason));
    });
}

// Ahead of the collection, for which it may leave trees that only records of the log have held.
TrimResult Trim() {
    Guarded([] { Begin("kvs.gc: removing old changes"); });
    const TrimResult result = TrimChangeLog(settings.change_retention, settings.gc_lock_timeout);
    if (result.changes > 0) {
        Guarded([&] {
            ereport(LOG,
                    errmsg("automatic kvs collection in database \"%s\": removed %lld changes from the log",
                           get_database_name(MyDatabaseId), static_cast<long long>(result.changes)));
        });
    }
    Guarded([] { Commit(); });
    return result;
}

void Collect() {
    Guarded([] { Begin("kvs.gc: looking for growth"); });
    Work work = FindWork();
    Guarded([] { Commit(); });
    if (work.trim && Trim().range_records) {
        work.collect = true;
    }
    if (!work.collect) {
        return;
    }
    MemoryContext context = Guarded(
        [] { return AllocSetContextCreate(TopMemoryContext, "kvs collector", ALLOCSET_DEFAULT_SIZES); });
    Collector collector(context);
    Guarded([] { Begin("kvs.gc: marking"); });
    collector.FindGarbage();
    Guarded([] { Commit(); });
    Collector::Sweep swept = Collector::Sweep::kMore;
    while (swept == Collector::Sweep::kMore && MayGoOn()) {
        Guarded([] { Begin("kvs.gc: removing"); });
        swept = collector.SweepBatch();
        Guarded([] { Commit(); });
    }
    Guarded([] { Begin("kvs.gc: noting the outcome"); });
    if (swept == Collector::Sweep::kDone) {
        collector.Finish();
    }
    Report(collector.result(), swept);
    Guarded([] { Commit(); });
}

}  // namespace

extern "C" void kvs_gc_worker_main(Datum database) {
    pqsignal(SIGHUP, SignalHandlerForConfigReload);
    pqsignal(SIGTERM, die);
    BackgroundWorkerUnblockSignals();
    BackgroundWorkerInitializeConnectionByOid(DatumGetObjectId(database), InvalidOid, 0);
    Enter([] { Collect(); });
    proc_exit(0);
}

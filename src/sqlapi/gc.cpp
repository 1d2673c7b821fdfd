// Garbage collection: gc, and the progress of the collections that run.
#include "pg/table/access_guard.h"
#include "pg/upkeep/change_retention.h"
#include "pg/upkeep/collector.h"
#include "pg/upkeep/gc_progress.h"
#include "pg/wall/collected_rows.h"
#include "pg/wall/convert.h"
#include "pg/wall/entry_point.h"
#include "pg/wall/settings.h"

namespace kvs::sqlapi {

using namespace kvs::pg;

namespace {

enum GcColumn { kObjectsRemoved, kBytesReclaimed, kObjectsLive, kBytesLive, kChangesRemoved, kGcColumns };

Datum Gc(FunctionCallInfo fcinfo, bool dry_run) {
    const CollectionResult result = CollectGarbage(dry_run, settings.reflog_retention);
    // Last, because members of the log stay locked from then on, and at once, because whoever builds waits
    // meanwhile.
    const int64 changes =
        dry_run ? CountRemovableChanges(settings.change_retention)
                : TrimChangeLog(settings.change_retention, settings.subscription_retention, 0).changes;
    return Guarded([&] {
        Row<kGcColumns> row;
        row.Set(kObjectsRemoved, Int64GetDatum(result.objects_removed));
        row.Set(kBytesReclaimed, Int64GetDatum(result.bytes_removed));
        row.Set(kObjectsLive, Int64GetDatum(result.objects_live));
        row.Set(kBytesLive, Int64GetDatum(result.bytes_live));
        row.Set(kChangesRemoved, Int64GetDatum(changes));
        return row.Form(ResultRowType(fcinfo));
    });
}

enum ProgressColumn { kPid, kDatabase, kStartedAt, kPhase, kFirstCounter, kProgressColumns = 11 };
static_assert(kFirstCounter + static_cast<int>(GcCounter::kCount) == kProgressColumns);

void ProgressInto(const CollectedRows& rows) {
    ForEachGc([&](const GcProgress& progress) {
        Guarded([&] {
            Row<kProgressColumns> row;
            row.Set(kPid, Int32GetDatum(progress.pid));
            row.Set(kDatabase, ObjectIdGetDatum(progress.database));
            row.Set(kStartedAt, TimestampTzGetDatum(progress.started_at));
            row.Set(kPhase, MakeVarlena(progress.phase));
            for (int i = 0; i < static_cast<int>(GcCounter::kCount); i++) {
                row.Set(static_cast<ProgressColumn>(kFirstCounter + i), Int64GetDatum(progress.counters[i]));
            }
            AddRow(rows, row);
        });
    });
}

}  // namespace

// (dry_run)
KVS_FUNCTION(kvs_gc)
{
    const bool dry_run = !PG_ARGISNULL(0) && PG_GETARG_BOOL(0);
    if (dry_run) {
        RequireRead();
    } else {
        RequireWrite(ACL_DELETE, "kvs.gc()");
    }
    return Gc(fcinfo, dry_run);
}

KVS_INNER_FUNCTION(kvs_gc_progress)
{
    ProgressInto(CollectRows(fcinfo));
    PG_RETURN_NULL();
}

}  // namespace kvs::sqlapi

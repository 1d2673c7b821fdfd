// What operations came to: stat_operations, operation_log, reset_stats, metrics.
#include <algorithm>
#include <string>

#include "pg/observe/metrics.h"
#include "pg/observe/operation_counts.h"
#include "pg/observe/operation_log.h"
#include "pg/table/access_guard.h"
#include "pg/wall/collected_rows.h"
#include "pg/wall/convert.h"
#include "pg/wall/entry_point.h"

extern "C" {
#include "catalog/pg_authid_d.h"
}

namespace kvs::sqlapi {

using namespace kvs::pg;

namespace {

void NoticeUnlessObserved(const char* view) {
    if (observe_call == nullptr) {
        ereport(NOTICE, errmsg("%s is empty without preloading", view),
                errhint("Add kvs to shared_preload_libraries and restart the server."));
    }
}

enum CountsColumn { kOperation, kCalls, kErrors, kTotal, kMean, kMin, kMax, kMedian, kP99, kCountsColumns };

Datum Milliseconds(double nanoseconds) {
    return Float8GetDatum(nanoseconds / 1e6);
}

// A quantile is the middle of a bucket, which may lie outside of what was measured.
double Quantile(const OperationCounts& counts, double quantile) {
    return std::clamp(LatencyQuantile(counts.buckets, quantile), static_cast<double>(counts.least),
                      static_cast<double>(counts.greatest));
}

void CountsInto(const CollectedRows& rows) {
    ForEachOperation([&](const OperationCounts& counts) {
        Guarded([&] {
            const auto total = static_cast<double>(counts.total);
            Row<kCountsColumns> row;
            row.Set(kOperation, MakeVarlena(counts.operation));
            row.Set(kCalls, Int64GetDatum(static_cast<int64>(counts.calls)));
            row.Set(kErrors, Int64GetDatum(static_cast<int64>(counts.errors)));
            row.Set(kTotal, Milliseconds(total));
            row.Set(kMean, Milliseconds(total / static_cast<double>(counts.calls)));
            row.Set(kMin, Milliseconds(static_cast<double>(counts.least)));
            row.Set(kMax, Milliseconds(static_cast<double>(counts.greatest)));
            row.Set(kMedian, Milliseconds(Quantile(counts, 0.5)));
            row.Set(kP99, Milliseconds(Quantile(counts, 0.99)));
            AddRow(rows, row);
        });
    });
}

enum LogColumn {
    kId,
    kName,
    kKey,
    kBranch,
    kRole,
    kStartedAt,
    kDuration,
    kState,
    kError,
    kTraceparent,
    kLogColumns
};

Datum DurationDatum(uint64 nanoseconds) {
    auto* interval = static_cast<Interval*>(palloc0(sizeof(Interval)));
    interval->time = static_cast<TimeOffset>(nanoseconds / 1000);
    return IntervalPGetDatum(interval);
}

template <typename Text>
void SetText(LogColumn column, const Text& text, Row<kLogColumns>* row) {
    if (!text.IsNull()) {
        row->Set(column, MakeVarlena(text.view()));
    }
}

// Keys and errors tell of documents: they are for who called, and for who may see what all do.
bool MaySee(const LoggedOperation& entry) {
    return entry.database == MyDatabaseId && (has_privs_of_role(GetUserId(), entry.role) ||
                                              has_privs_of_role(GetUserId(), ROLE_PG_READ_ALL_STATS));
}

void LogInto(const CollectedRows& rows) {
    ForEachLoggedOperation([&](const LoggedOperation& entry) {
        Guarded([&] {
            if (!MaySee(entry)) {
                return;
            }
            Row<kLogColumns> row;
            row.Set(kId, Int64GetDatum(static_cast<int64>(entry.id)));
            SetText(kName, entry.operation, &row);
            SetText(kKey, entry.key, &row);
            SetText(kBranch, entry.branch, &row);
            row.Set(kRole, ObjectIdGetDatum(entry.role));
            row.Set(kStartedAt, TimestampTzGetDatum(entry.started_at));
            row.Set(kDuration, DurationDatum(entry.duration));
            if (entry.sqlstate != 0) {
                row.Set(kState, MakeVarlena(unpack_sql_state(entry.sqlstate)));
            }
            SetText(kError, entry.error, &row);
            SetText(kTraceparent, entry.traceparent, &row);
            AddRow(rows, row);
        });
    });
}

Datum Metrics() {
    const std::string text = MetricsText();
    return Guarded([&] { return MakeVarlena(text); });
}

}  // namespace

KVS_INNER_FUNCTION(kvs_stat_operations)
{
    RequireReadFigures();
    NoticeUnlessObserved("kvs.stat_operations");
    CountsInto(CollectRows(fcinfo));
    PG_RETURN_NULL();
}

KVS_INNER_FUNCTION(kvs_operation_log)
{
    NoticeUnlessObserved("kvs.operation_log");
    LogInto(CollectRows(fcinfo));
    PG_RETURN_NULL();
}

KVS_FUNCTION(kvs_reset_stats)
{
    ResetOperationCounts();
    PG_RETURN_BOOL(observe_call != nullptr);
}

KVS_FUNCTION(kvs_metrics)
{
    RequireReadFigures();
    return Metrics();
}

}  // namespace kvs::sqlapi

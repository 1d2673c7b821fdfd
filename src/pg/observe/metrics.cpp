#include "pg/observe/metrics.h"

#include <string_view>
#include <vector>

#include "kvs/util/prometheus_text.h"
#include "pg/chunk/node_cache.h"
#include "pg/observe/operation_counts.h"
#include "pg/table/owner_query.h"
#include "pg/wall/guard.h"
#include "pg/wall/server.h"
#include "pg/wall/settings.h"

extern "C" {
#include "commands/dbcommands.h"
}

namespace kvs::pg {

namespace {

// --- what a query tells ------------------------------------------------------------------------------------

struct QueriedMetric {
    const char* name;
    const char* type;
    const char* help;
    const char* label;  // what the second column is the value of; null: there is none
    const char* query;  // the figure, and the label's value; one sample for each row
};

constexpr QueriedMetric kQueriedMetrics[] = {
    {"kvs_info", "gauge", "Version of the extension.", "version",
     "SELECT 1, extversion FROM pg_extension WHERE extname = 'kvs'"},
    {"kvs_branches", "gauge", "Branches.", nullptr, "SELECT greatest(1, count(*)) FROM _kvs.branch"},
    {"kvs_tags", "gauge", "Tags.", nullptr, "SELECT count(*) FROM _kvs.tag"},
    {"kvs_rows", "gauge", "Rows of each table of the store, as the server's statistics estimate them.",
     "table",
     "SELECT greatest(0, pg_stat_get_live_tuples(oid)), relname FROM pg_class "
     "WHERE relnamespace = '_kvs'::regnamespace AND relkind = 'r' ORDER BY 2"},
    {"kvs_disk_bytes", "gauge", "Disk space of each table of the store, with indexes.", "table",
     "SELECT pg_total_relation_size(oid), relname FROM pg_class "
     "WHERE relnamespace = '_kvs'::regnamespace AND relkind = 'r' ORDER BY 2"},
    {"kvs_change_log_bytes", "gauge", "Disk space of the change log, with indexes.", nullptr,
     "SELECT sum(pg_total_relation_size(m.oid)) FROM (SELECT '_kvs.change'::regclass::oid UNION ALL "
     "SELECT inhrelid FROM pg_inherits WHERE inhparent = '_kvs.change'::regclass) AS m(oid)"},
    {"kvs_changes_total", "counter", "Number of the newest change.", nullptr,
     "SELECT coalesce(pg_sequence_last_value('_kvs.change_seq'), 0)"},
    {"kvs_workers", "gauge", "Background workers of this database.", "type",
     "SELECT count(*), backend_type FROM pg_stat_activity "
     "WHERE backend_type LIKE 'kvs%' AND datname = current_database() GROUP BY 2 ORDER BY 2"},
    {"kvs_stream_position", "gauge", "Position of the last event of the stream.", nullptr,
     "SELECT coalesce(max(last_pos), 0) FROM _kvs.tick"},
    {"kvs_stream_lag_changes", "gauge", "Committed changes that have no position yet.", nullptr,
     "SELECT lag FROM kvs.workers WHERE name = 'sequencer'"},
    {"kvs_subscription_lag_events", "gauge", "Events of the stream behind a durable subscription.",
     "subscription", "SELECT lag_events, name FROM kvs.subscriptions ORDER BY 2"},
    {"kvs_subscription_lag_seconds", "gauge", "For how long the first of them has been there.",
     "subscription", "SELECT extract(epoch FROM lag_time), name FROM kvs.subscriptions ORDER BY 2"},
    {"kvs_subscription_in_flight", "gauge", "Events in the hands of its members.", "subscription",
     "SELECT in_flight, name FROM kvs.subscriptions ORDER BY 2"},
    {"kvs_subscription_parked", "gauge", "Its parked events.", "subscription",
     "SELECT parked, name FROM kvs.subscriptions ORDER BY 2"},
    {"kvs_binding_lag_events", "gauge", "Events of the stream behind a binding.", "binding",
     "SELECT lag_events, name FROM kvs.bindings ORDER BY 2"},
    {"kvs_binding_lag_seconds", "gauge", "For how long the first of them, or of its marks, has been there.",
     "binding", "SELECT extract(epoch FROM lag_time), name FROM kvs.bindings ORDER BY 2"},
    {"kvs_binding_marks", "gauge", "Changes of its rows that have not been dealt with.", "binding",
     "SELECT marks, name FROM kvs.bindings ORDER BY 2"},
    {"kvs_binding_parked", "gauge", "Its parked keys.", "binding",
     "SELECT parked, name FROM kvs.bindings ORDER BY 2"},
    {"kvs_binding_paused", "gauge", "1 while it is paused.", "binding",
     "SELECT (state = 'paused')::int, name FROM kvs.bindings ORDER BY 2"},
};

// The server opens no unlogged table on a standby.
constexpr QueriedMetric kListeners = {"kvs_stream_listeners", "gauge", "Sessions that have subscribed.",
                                      nullptr, "SELECT count(DISTINCT channel) FROM _kvs.listener"};

void AddQueried(const QueriedMetric& metric, PrometheusText* text) {
    text->Begin(metric.name, metric.type, metric.help);
    const std::string columns = metric.label == nullptr ? "m(value)" : "m(value, label)";
    const std::string labels = metric.label == nullptr ? "NULL" : "m.label::text";
    const std::string sql = "SELECT m.value::text, " + labels + " FROM (" + metric.query + ") AS " + columns;
    OwnerQuery row(sql.c_str());
    while (row.Next()) {
        if (metric.label == nullptr) {
            text->Add("", {}, row.Bytes(1));
        } else {
            text->Add("", {{metric.label, row.Bytes(2)}}, row.Bytes(1));
        }
    }
    row.Finish();
}

// --- what lies in memory -----------------------------------------------------------------------------------

struct NodeCacheMetric {
    const char* name;
    const char* help;
    uint64_t NodeCacheCounts::*count;
};

constexpr NodeCacheMetric kNodeCacheMetrics[] = {
    {"kvs_node_cache_hits_total", "Tree nodes found in the node cache.", &NodeCacheCounts::hits},
    {"kvs_node_cache_misses_total", "Tree nodes read from tables.", &NodeCacheCounts::misses},
    {"kvs_node_cache_evictions_total", "Tree nodes that made room in the node cache.",
     &NodeCacheCounts::evictions},
};

void AddNodeCache(PrometheusText* text) {
    text->Begin("kvs_node_cache_size_bytes", "gauge", "Memory for the node cache.");
    text->Add("", {}, std::to_string(int64{settings.node_cache_size} * 1024));
    const NodeCacheCounts counts = NodeCache::Get().counts();
    for (const NodeCacheMetric& metric : kNodeCacheMetrics) {
        text->Begin(metric.name, "counter", metric.help);
        text->Add("", {}, std::to_string(counts.*metric.count));
    }
}

double Seconds(uint64_t nanoseconds) {
    return static_cast<double>(nanoseconds) / 1e9;
}

// A bucket for each power of four from 1 us to 17 s, where buckets of ours end: those counts are exact.
void AddHistogram(const OperationCounts& counts, PrometheusText* text) {
    const std::string_view operation = counts.operation;
    uint64_t below = 0;
    int bucket = 0;
    for (uint64_t end = uint64_t{1} << 10; end <= uint64_t{1} << 34; end <<= 2) {
        for (; LatencyBucketStart(bucket + 1) <= end; bucket++) {
            below += counts.buckets[bucket];
        }
        const std::string bound = PrometheusText::Number(Seconds(end));
        text->Add("_bucket", {{"operation", operation}, {"le", bound}}, std::to_string(below));
    }
    const std::string calls = std::to_string(counts.calls);
    text->Add("_bucket", {{"operation", operation}, {"le", "+Inf"}}, calls);
    text->Add("_sum", {{"operation", operation}}, PrometheusText::Number(Seconds(counts.total)));
    text->Add("_count", {{"operation", operation}}, calls);
}

void AddOperations(PrometheusText* text) {
    std::vector<OperationCounts> operations;
    ForEachOperation([&](const OperationCounts& counts) { operations.push_back(counts); });
    text->Begin("kvs_operations_total", "counter", "Calls of operations, with kvs.track_operations.");
    for (const OperationCounts& counts : operations) {
        text->Add("", {{"operation", counts.operation}}, std::to_string(counts.calls));
    }
    text->Begin("kvs_operation_errors_total", "counter", "Calls of operations that raised an error.");
    for (const OperationCounts& counts : operations) {
        text->Add("", {{"operation", counts.operation}}, std::to_string(counts.errors));
    }
    text->Begin("kvs_operation_duration_seconds", "histogram", "Durations of operations.");
    for (const OperationCounts& counts : operations) {
        AddHistogram(counts, text);
    }
}

}  // namespace

std::string MetricsText() {
    const char* database = Guarded([] { return get_database_name(MyDatabaseId); });
    PrometheusText text("database", database);
    for (const QueriedMetric& metric : kQueriedMetrics) {
        AddQueried(metric, &text);
    }
    if (!RecoveryInProgress()) {
        AddQueried(kListeners, &text);
    }
    AddNodeCache(&text);
    AddOperations(&text);
    return text.text();
}

}  // namespace kvs::pg

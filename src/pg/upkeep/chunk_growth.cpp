#include "pg/upkeep/chunk_growth.h"

#include <string>

#include "pg/table/owner_query.h"

namespace kvs::pg {

namespace {

// Of fewer a dictionary would not be a good one, nor save much.
constexpr int64 kChunksToTrain = 2000;

// One kind of background work. The SQL may name the last run, l, of which nothing is known if there was none.
struct Work {
    const char* runs;      // the table that has a row for each run
    const char* goes_on;   // condition: the last run is to be gone on with, whatever was stored
    const char* measured;  // what the percentage is of
};

constexpr Work kCollecting = {"_kvs.collection", "false", "l.objects_live"};
constexpr Work kRepacking = {"_kvs.repacking", "NOT l.is_complete", "0"};

// Each run notes what the server's statistics count as inserted. Where they began anew since (a crash,
// another server), nobody knows, and one run too many does no harm; where there was no run yet, what vacuum
// has counted helps.
bool IsDue(const Work& work, int64 chunks, int percent) {
    const std::string query =
        std::string("SELECT coalesce(") + work.goes_on +
        " OR s.inserted < l.chunks_inserted OR pg_stat_get_bgwriter_stat_reset_time() > l.at, false)"
        " OR CASE WHEN l.at IS NULL THEN greatest(s.inserted, s.rows) ELSE s.inserted - l.chunks_inserted END"
        "    >= $1 + $2 / 100.0 * coalesce(" +
        work.measured +
        ", 0) "
        "FROM (SELECT pg_stat_get_tuples_inserted(c.oid) AS inserted, c.reltuples::bigint AS rows"
        "      FROM pg_class AS c WHERE c.oid = '_kvs.chunk'::regclass) AS s"
        " LEFT JOIN (SELECT * FROM " +
        work.runs + " ORDER BY at DESC LIMIT 1) AS l ON true";
    OwnerQuery row(query.c_str(), {Parameter::Int8(chunks), Parameter::Int8(percent)});
    const bool is_due = row.Next() && row.Bool(1);
    row.Finish();
    return is_due;
}

}  // namespace

bool IsCollectionDue(int64 chunks, int percent) {
    return IsDue(kCollecting, chunks, percent);
}

bool IsRepackingDue(int64 chunks) {
    return IsDue(kRepacking, chunks, 0);
}

bool IsTrainingDue() {
    OwnerQuery row(
        "SELECT greatest(pg_stat_get_tuples_inserted(c.oid), c.reltuples::bigint) >="
        " greatest($1, 10 * (SELECT t.chunks FROM _kvs.training AS t ORDER BY t.at DESC LIMIT 1))"
        " FROM pg_class AS c WHERE c.oid = '_kvs.chunk'::regclass",
        {Parameter::Int8(kChunksToTrain)});
    const bool is_due = row.Next() && row.Bool(1);
    row.Finish();
    return is_due;
}

bool IsAtRest(int seconds) {
    OwnerQuery row(
        "SELECT NOT EXISTS (SELECT FROM (SELECT r.at FROM _kvs.reflog AS r ORDER BY r.id DESC LIMIT 1) AS l"
        " WHERE l.at > clock_timestamp() - make_interval(secs => $1))",
        {Parameter::Int4(seconds)});
    const bool is_at_rest = row.Next() && row.Bool(1);
    row.Finish();
    return is_at_rest;
}

}  // namespace kvs::pg

// Figures of the store: stats.
#include "pg/access_guard.h"
#include "pg/entry_point.h"
#include "pg/owner_query.h"
#include "pg/settings.h"
#include "pg/shared_node_cache.h"

namespace {

using namespace kvs::pg;

// $1: bytes of the node cache, $2: whether it is shared.
//
// compression is told from a sample of at most some 4,096 pages of the chunk table: the head of each frame
// says how many bytes it holds.
constexpr const char* kStatsQuery = R"(
WITH sample AS (
    SELECT least(100, 100 * 4096 / greatest(1, pg_relation_size('_kvs.chunk'::regclass) / 8192.0))::real
               AS percent
)
SELECT jsonb_build_object(
    'total_keys', kvs.count_keys(),
    'total_commits', 1 + (SELECT count(*) FROM _kvs.commit),
    'total_branches', greatest(1, (SELECT count(*) FROM _kvs.branch)),
    'object_count', (SELECT count(*) FROM _kvs.chunk),
    'disk_usage', (
        SELECT jsonb_object_agg(t.name, t.bytes)
        FROM (SELECT s.name, pg_total_relation_size(('_kvs.' || s.name)::regclass) AS bytes
              FROM unnest(ARRAY['chunk', 'working', 'change', 'commit', 'reflog', 'branch', 'tag']) AS s(name)
              UNION ALL
              SELECT 'total', sum(pg_total_relation_size(c.oid))::bigint
              FROM pg_class AS c
              WHERE c.relnamespace = '_kvs'::regnamespace AND c.relkind = 'r') AS t),
    'compression', (
        SELECT jsonb_build_object(
            'raw_bytes', coalesce(sum(f.raw), 0),
            'stored_bytes', coalesce(sum(f.stored), 0),
            'ratio', round(sum(f.raw)::numeric / nullif(sum(f.stored), 0), 3),
            'objects', count(*),
            'source', CASE WHEN (SELECT percent FROM sample) < 100 THEN 'sample' ELSE 'all objects' END)
        FROM (SELECT octet_length(h.body) AS stored,
                     CASE get_byte(h.head, 0)
                         WHEN 0 THEN octet_length(h.body) - 1
                         ELSE get_byte(h.head, 1) + (get_byte(h.head, 2) << 8) + (get_byte(h.head, 3) << 16)
                              + (get_byte(h.head, 4)::bigint << 24)
                     END AS raw
              FROM (SELECT c.body, substring(c.body FROM 1 FOR 5) AS head
                    FROM _kvs.chunk AS c TABLESAMPLE system ((SELECT percent FROM sample)) REPEATABLE (0)
                    OFFSET 0) AS h) AS f),
    'node_cache', jsonb_build_object('size_bytes', $1, 'shared', $2),
    'log', (
        SELECT jsonb_build_object(
            'changes', count(*),
            'last_seq', coalesce(max(c.seq), 0),
            'log_id', (SELECT s.log_id FROM _kvs.store AS s ORDER BY s.epoch DESC LIMIT 1),
            'epoch', (SELECT max(s.epoch) FROM _kvs.store AS s))
        FROM _kvs.change AS c),
    'projections', '[]'::jsonb,
    'workers', (
        SELECT coalesce(jsonb_agg(a.backend_type ORDER BY a.backend_type), '[]')
        FROM pg_stat_activity AS a
        WHERE a.backend_type LIKE 'kvs%'))
)";

Datum Stats() {
    Oid types[] = {INT8OID, BOOLOID};
    Datum values[] = {Int64GetDatum(int64{settings.node_cache_size} * 1024),
                      BoolGetDatum(SharedNodeCache::Get() != nullptr)};
    OwnerQuery row(kStatsQuery, 2, types, values);
    row.Next();
    const Datum stats = row.Copy(1);
    row.Finish();
    return stats;
}

}  // namespace

KVS_FUNCTION(kvs_stats)
{
    RequireRead();
    return Stats();
}

// Figures of the store: stats.
#include "pg/chunk/node_cache.h"
#include "pg/chunk/shared_node_cache.h"
#include "pg/table/access_guard.h"
#include "pg/table/owner_query.h"
#include "pg/wall/entry_point.h"
#include "pg/wall/settings.h"

namespace kvs::sqlapi {

using namespace kvs::pg;

namespace {

// Of the node cache, $1: bytes, $2: whether it is shared, $3 to $5: what it was asked.
//
// compression is told from a sample of at most some 4,096 pages of the chunk and pack tables: the head of
// each frame and pack says how it is stored and how many bytes it holds (docs/node-format.md).
constexpr const char* kStatsQuery = R"(
WITH sample AS (
    SELECT least(100, 100 * 4096 / greatest(1, (pg_relation_size('_kvs.chunk'::regclass)
                                                 + pg_relation_size('_kvs.pack'::regclass)) / 8192.0))::real AS percent
), log_size AS (
    SELECT sum(pg_total_relation_size(m.oid))::bigint AS bytes
    FROM (SELECT '_kvs.change'::regclass::oid AS oid
          UNION ALL SELECT i.inhrelid FROM pg_inherits AS i WHERE i.inhparent = '_kvs.change'::regclass) AS m
)
SELECT jsonb_build_object(
    'total_keys', kvs.count_keys(),
    'total_commits', 1 + (SELECT count(*) FROM _kvs.commit),
    'total_branches', greatest(1, (SELECT count(*) FROM _kvs.branch)),
    'object_count', (SELECT count(*) FROM _kvs.chunk) + (SELECT coalesce(sum(cardinality(p.addresses)), 0)::bigint FROM _kvs.pack AS p),
    'disk_usage', (
        SELECT jsonb_object_agg(t.name, t.bytes)
        FROM (SELECT s.name, pg_total_relation_size(('_kvs.' || s.name)::regclass) AS bytes
              FROM unnest(ARRAY['chunk', 'pack', 'dictionary', 'working', 'commit', 'reflog', 'branch', 'tag']) AS s(name)
              UNION ALL
              SELECT 'change', l.bytes FROM log_size AS l
              UNION ALL
              SELECT 'total', sum(pg_total_relation_size(c.oid))::bigint
              FROM pg_class AS c
              WHERE c.relnamespace = '_kvs'::regnamespace AND c.relkind = 'r') AS t),
    'compression', (
        SELECT jsonb_build_object(
            'raw_bytes', coalesce(sum(f.raw), 0),
            'stored_bytes', coalesce(sum(f.stored), 0),
            'ratio', round(sum(f.raw) / nullif(sum(f.stored), 0), 3),
            'objects', coalesce(sum(f.objects), 0),
            'codecs', coalesce(jsonb_object_agg(f.codec, jsonb_build_object(
                'objects', f.objects, 'raw_bytes', f.raw, 'stored_bytes', f.stored)), '{}'),
            'dictionaries', (
                SELECT coalesce(jsonb_agg(jsonb_build_object(
                           'id', d.id, 'class', (ARRAY['leaf', 'internal', 'blob'])[d.chunk_class + 1],
                           'bytes', octet_length(d.body), 'samples', d.samples, 'saving', round(d.saving::numeric, 3),
                           'trained_at', d.trained_at, 'in_use', d.newest) ORDER BY d.id), '[]')
                FROM (SELECT n.*, n.id = max(n.id) OVER (PARTITION BY n.chunk_class) AS newest
                      FROM _kvs.dictionary AS n) AS d),
            'source', CASE WHEN (SELECT percent FROM sample) < 100 THEN 'sample' ELSE 'all objects' END)
        FROM (SELECT coalesce((ARRAY['raw', 'zstd', 'dictionary', 'fast'])[e.codec + 1], 'unknown') AS codec,
                     count(*) AS objects, sum(e.stored) AS stored,
                     sum(CASE WHEN e.at IS NULL THEN e.stored - 1
                              WHEN octet_length(e.head) < e.at + 4 THEN 0
                              ELSE get_byte(e.head, e.at) + (get_byte(e.head, e.at + 1) << 8)
                                   + (get_byte(e.head, e.at + 2) << 16) + (get_byte(e.head, e.at + 3)::bigint << 24)
                         END) AS raw
              FROM (SELECT h.stored, h.head, h.codec, (ARRAY[NULL, 1, 5, 1])[h.codec + 1] AS at
                    FROM (SELECT octet_length(c.body) AS stored, substring(c.body FROM 1 FOR 9) AS head,
                                 get_byte(substring(c.body FROM 1 FOR 1), 0) AS codec
                          FROM _kvs.chunk AS c TABLESAMPLE system ((SELECT percent FROM sample)) REPEATABLE (0)
                          WHERE octet_length(c.body) > 0
                          OFFSET 0) AS h) AS e
              GROUP BY 1
              UNION ALL
              SELECT 'pack', sum(h.members), sum(h.stored),
                     sum(get_byte(h.head, 1) + (get_byte(h.head, 2) << 8) + (get_byte(h.head, 3) << 16)
                         + (get_byte(h.head, 4)::bigint << 24))
              FROM (SELECT octet_length(p.body) AS stored, substring(p.body FROM 1 FOR 5) AS head,
                           cardinality(p.addresses) AS members
                    FROM _kvs.pack AS p TABLESAMPLE system ((SELECT percent FROM sample)) REPEATABLE (0)
                    WHERE octet_length(p.body) >= 5
                    OFFSET 0) AS h
              HAVING count(*) > 0) AS f),
    'node_cache', jsonb_build_object('size_bytes', $1, 'shared', $2, 'hits', $3, 'misses', $4, 'evictions', $5),
    'log', (
        SELECT jsonb_build_object(
            'changes', count(*),
            'bytes', (SELECT l.bytes FROM log_size AS l),
            'first_seq', coalesce(min(c.seq), 0),
            'low_water_mark', (SELECT coalesce(max(m.low_seq), 0) FROM _kvs.change_member AS m),
            'kept_since', (SELECT m.started_at FROM _kvs.change_member AS m
                           WHERE m.first_seq IS NOT NULL AND m.condemned_at IS NULL ORDER BY m.first_seq LIMIT 1),
            'last_seq', greatest(max(c.seq), (SELECT max(m.low_seq) - 1 FROM _kvs.change_member AS m), 0),
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
    const NodeCacheCounts counts = NodeCache::Get().counts();
    OwnerQuery row(kStatsQuery, {Parameter::Int8(int64{settings.node_cache_size} * 1024),
                                 Parameter::Bool(SharedNodeCache::Get() != nullptr),
                                 Parameter::Int8(static_cast<int64>(counts.hits)),
                                 Parameter::Int8(static_cast<int64>(counts.misses)),
                                 Parameter::Int8(static_cast<int64>(counts.evictions))});
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

}  // namespace kvs::sqlapi

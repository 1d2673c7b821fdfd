-- A look inside: inspect_commit, inspect_tree, dump_object, stats.
CREATE FUNCTION pg_temp.error_of(statement text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
    message text;
BEGIN
    EXECUTE statement;
    RETURN 'no error';
EXCEPTION WHEN OTHERS THEN
    GET STACKED DIAGNOSTICS message = MESSAGE_TEXT;
    RETURN SQLSTATE || ' ' || message;
END
$$;
SET timezone = 'UTC';

-- The initial commit is the same everywhere.
SELECT encode(_kvs.initial_commit(), 'hex') AS initial \gset
SELECT jsonb_pretty(kvs.inspect_commit(:'initial'));
SELECT kvs.inspect_tree(:'initial');
SELECT kvs.dump_object(kvs.inspect_commit(:'initial')->>'data_root');

SELECT kvs.create_branch('inspect', :'initial');
SET kvs.branch = 'inspect';
SET kvs.author = 'tester';
SELECT kvs.mput(ARRAY['doc:1', 'doc:2', 'doc:3'], ARRAY['{"a": 12345678901234567890.12}', '[1, "x", null]', 'true']::jsonb[]);
SELECT kvs.put_bytes('doc:4', '\x00ff'), kvs.put('doc:5', to_jsonb(repeat('large ', 1000))), kvs.put('doc:6', '6', ttl => '1000 years'),
       kvs.put('doc:7', '7', tags => '{b,a}', comment => 'seven', modified_by => 'ada', schema_hash => 's1'), kvs.put('doc:8', '8');
SELECT kvs.delete('doc:8', comment => 'eight');
SELECT kvs.commit('one', author => 'Ada <ada@example.org>') AS one \gset
SELECT kvs.put('doc:9', '9');
SELECT kvs.commit('two') AS two \gset

-- Commits.
SELECT jsonb_object_keys(kvs.inspect_commit('HEAD')) AS field;
SELECT c->>'hash' = :'two' AS hash, c->'generation' AS generation, c->'parents' = to_jsonb(ARRAY[:'one']) AS parents,
       c->>'data_root' = l.root AS data_root, c->>'author' AS author, c->>'message' AS message, c->'trees' AS trees,
       (c->>'committed_at')::timestamptz = l.committed_at AS committed_at, length(c->>'consumed_snapshot') > 0 AS consumed,
       c->>'log_id' = (SELECT log_id::text FROM kvs.history('doc:9')) AS log_id
FROM kvs.inspect_commit('HEAD') AS c, kvs.log(max_rows => 1) AS l;
SELECT kvs.inspect_commit('HEAD~1')->>'author' AS author, kvs.inspect_commit(left(:'one', 20))->>'message' AS message;

-- Trees: of a ref, by their root.
SELECT t - 'root' - 'stored_bytes' AS tree, (t->>'stored_bytes')::int BETWEEN 1 AND (t->>'bytes')::int + 1 AS stored
FROM kvs.inspect_tree('HEAD~1') AS t;
SELECT kvs.inspect_tree(kvs.inspect_commit('HEAD')->>'data_root') = kvs.inspect_tree('HEAD') AS same,
       kvs.inspect_tree(:'two') = kvs.inspect_tree('HEAD') AS by_commit;
SELECT kvs.inspect_tree(kvs.inspect_commit('HEAD')->>'meta_root')->'entries' AS with_tombstones;
-- WORKING is the tree of the last flush.
SELECT kvs.put('doc:10', '10');
SELECT kvs.inspect_tree('WORKING')->'entries' AS entries;
SELECT kvs.flush();
SELECT kvs.inspect_tree('WORKING')->'entries' AS entries;
-- A larger one.
SELECT kvs.import($$SELECT 'big:' || i, jsonb_build_object('n', i, 'text', md5(i::text)) FROM generate_series(1, 5000) AS i$$, message => 'big');
SELECT t->'depth' AS depth, t->'entries' AS entries,
       (SELECT sum((h->>'nodes')::int) FROM jsonb_array_elements(t->'size_histogram') AS h) = (t->>'nodes')::int AS all_in_histogram,
       (t->>'leaves')::int < (t->>'nodes')::int AS has_internal, (t->>'stored_bytes')::int < (t->>'bytes')::int AS compressed,
       (t->>'bytes')::int / (t->>'nodes')::int BETWEEN 2048 AND 5120 AS sizes_as_wanted
FROM kvs.inspect_tree('HEAD') AS t;

-- Objects: leaves of both trees, an internal node, a blob, a commit.
SELECT o->>'object' AS object, o->'level' AS level, o->'entries' AS entries
FROM kvs.dump_object(kvs.inspect_commit(:'one')->>'data_root') AS o;
SELECT item - 'blob' - 'expires_at' AS item, item ? 'blob' AS blob, item ? 'expires_at' AS expires
FROM jsonb_array_elements(kvs.dump_object(kvs.inspect_commit(:'one')->>'data_root')->'items') AS item;
SELECT o->>'object' AS object, item->>'key' AS key, item->'version' AS version, item->'deleted' AS deleted, item->'tags' AS tags,
       item->'comment' AS comment, item->'modified_by' AS modified_by, item->'schema_hash' AS schema_hash
FROM kvs.dump_object(kvs.inspect_commit(:'one')->>'meta_root') AS o, jsonb_array_elements(o->'items') AS item;
SELECT o->>'object' AS object, (o->>'level')::int > 0 AS above_leaves, o->'entries' AS entries,
       (SELECT sum((i->>'entries')::int) FROM jsonb_array_elements(o->'items') AS i) AS sum_of_children,
       (SELECT bool_and(kvs.dump_object(i->>'child')->'entries' = i->'entries') FROM jsonb_array_elements(o->'items') AS i) AS agree
FROM kvs.dump_object(kvs.inspect_tree('HEAD')->>'root') AS o;
SELECT o - 'hash' - 'stored_bytes' AS blob, length(o->>'hash') AS hash
FROM jsonb_array_elements(kvs.dump_object(kvs.inspect_commit(:'one')->>'data_root')->'items') AS item,
     kvs.dump_object(item->>'blob') AS o
WHERE item ? 'blob';
SELECT o->>'object' AS object, o - 'object' = kvs.inspect_commit(:'one') AS as_inspected
FROM kvs.dump_object(:'one') AS o;
SELECT kvs.dump_object(upper(:'one'))->>'message' AS message;

-- Figures. The store is that of all tests, so only their relations are known.
SELECT jsonb_object_keys(kvs.stats()) AS section;
SELECT (s->>'total_keys')::bigint = kvs.count_keys() AS total_keys,
       (s->>'total_commits')::bigint = 1 + (SELECT count(*) FROM _kvs.commit) AS total_commits,
       (s->>'total_branches')::bigint = (SELECT count(*) FROM kvs.branches) AS total_branches,
       (s->>'object_count')::bigint = (SELECT count(*) FROM _kvs.chunk) + (SELECT coalesce(sum(cardinality(addresses)), 0) FROM _kvs.pack) AS object_count,
       (s->'disk_usage'->>'chunk')::bigint = pg_total_relation_size('_kvs.chunk') AS disk_usage,
       (s->'compression'->>'ratio')::numeric > 1 AS compression, s->'compression'->>'source' AS source,
       (s->'compression'->>'objects')::bigint = (s->>'object_count')::bigint AS all_objects,
       (s->'node_cache'->>'size_bytes')::bigint = pg_size_bytes(current_setting('kvs.node_cache_size')) AS node_cache,
       (s->'log'->>'changes')::bigint = (SELECT count(*) FROM _kvs.change) AS changes,
       (s->'log'->>'last_seq')::bigint = (SELECT max(seq) FROM _kvs.change) AS last_seq
FROM kvs.stats() AS s;
-- What is said of compression is what the objects say of themselves; those in packs are another test's.
WITH stats AS MATERIALIZED (SELECT kvs.stats() AS s)
SELECT (s->'compression'->>'raw_bytes')::bigint - coalesce((s->'compression'->'codecs'->'pack'->>'raw_bytes')::bigint, 0) = sum((o->>'bytes')::bigint) AS raw_bytes,
       (s->'compression'->>'stored_bytes')::bigint - coalesce((s->'compression'->'codecs'->'pack'->>'stored_bytes')::bigint, 0) = sum((o->>'stored_bytes')::bigint) AS stored_bytes
FROM stats, _kvs.chunk AS c, kvs.dump_object(encode(c.hash, 'hex')) AS o GROUP BY s;

-- A node that was just read is found in the cache.
SELECT s->'node_cache' AS before FROM kvs.stats() AS s \gset
SELECT count(*) > 0 AS read FROM kvs.scan();
SELECT count(*) > 0 AS read_again FROM kvs.scan();
SELECT (n->>'hits')::bigint > (b->>'hits')::bigint AS hits, (n->>'misses')::bigint >= (b->>'misses')::bigint AS misses,
       (n->>'evictions')::bigint >= (b->>'evictions')::bigint AS evictions
FROM (SELECT kvs.stats()->'node_cache' AS n, :'before'::jsonb AS b) AS c;

-- Errors.
SELECT kvs.inspect_commit(NULL);
SELECT kvs.inspect_tree(NULL);
SELECT kvs.dump_object(NULL);
SELECT kvs.dump_object('abc');
SELECT pg_temp.error_of($$SELECT kvs.inspect_commit('WORKING')$$);
SELECT pg_temp.error_of($$SELECT kvs.inspect_commit('no-such-ref')$$);
SELECT pg_temp.error_of($$SELECT kvs.inspect_tree('no-such-ref')$$);
SELECT pg_temp.error_of(format('SELECT kvs.inspect_tree(%L)', repeat('0', 64)));
SELECT pg_temp.error_of(format('SELECT kvs.dump_object(%L)', repeat('0', 64)));
SELECT left(pg_temp.error_of(format('SELECT kvs.inspect_tree(%L)', item->>'blob')), 5)
FROM jsonb_array_elements(kvs.dump_object(kvs.inspect_commit(:'one')->>'data_root')->'items') AS item
WHERE item ? 'blob';
BEGIN;
UPDATE _kvs.chunk SET body = set_byte(body, octet_length(body) - 1, get_byte(body, octet_length(body) - 1) # 1)
WHERE encode(hash, 'hex') = kvs.inspect_commit(:'one')->>'data_root';
SELECT left(pg_temp.error_of(format('SELECT kvs.dump_object(%L)', kvs.inspect_commit(:'one')->>'data_root')), 5),
       left(pg_temp.error_of(format('SELECT kvs.inspect_tree(%L)', :'one')), 5);
ROLLBACK;
CREATE ROLE regress_kvs_inspect;
SET ROLE regress_kvs_inspect;
SELECT kvs.inspect_commit('HEAD');
SELECT kvs.inspect_tree('HEAD');
SELECT kvs.dump_object(:'one');
SELECT kvs.stats();
RESET ROLE;
GRANT SELECT ON kvs.entries TO regress_kvs_inspect;
SET ROLE regress_kvs_inspect;
SELECT kvs.inspect_commit('HEAD')->>'message' AS message, kvs.stats() ? 'log' AS stats, current_user;
SHOW search_path;
RESET ROLE;
REVOKE SELECT ON kvs.entries FROM regress_kvs_inspect;
DROP ROLE regress_kvs_inspect;

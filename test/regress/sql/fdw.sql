-- The foreign data wrapper: what is pushed down, that the answers are right, options, privileges.
-- A branch of its own, which begins empty.
SELECT kvs.create_branch('fdw', encode(_kvs.initial_commit(), 'hex'));
SET kvs.branch = 'fdw';
SET timezone = 'UTC';

-- 2,000 users and 40 other documents are committed; over them lie changed, deleted and new ones.
SELECT kvs.mput(array_agg('user:' || lpad(i::text, 5, '0') ORDER BY i),
                array_agg(jsonb_build_object('id', i, 'role', (ARRAY['admin', 'user', 'guest'])[1 + i % 3],
                                             'name', 'User number ' || i) ORDER BY i))
FROM generate_series(1, 2000) AS i;
SELECT kvs.mput(array_agg('team:' || i), array_agg(to_jsonb(i))) FROM generate_series(1, 40) AS i;
SELECT kvs.commit('load') IS NOT NULL AS committed;
SELECT kvs.create_tag('fdw-loaded') IS NOT NULL AS tagged;
SELECT kvs.put('user:00100', '{"id": 100, "role": "root"}', tags => '{b,a}', comment => 'promoted', modified_by => 'alice');
SELECT kvs.put('user:00100x', '{"id": -1}');
SELECT kvs.delete('user:00101');
SELECT kvs.put('user:00102', '{"id": 102, "role": "gone"}', ttl => '1 microsecond');
SELECT kvs.put_bytes('blob:1', '\x00ff');
SELECT kvs.put('blob:2', to_jsonb(repeat('large ', 2000)));
SELECT kvs.put('zebra', '"last"');

CREATE TABLE fdw_plain AS SELECT * FROM kvs.entries;
ALTER TABLE fdw_plain ALTER COLUMN key TYPE text COLLATE "C";
SELECT count(*), count(value), count(bytes), min(key), max(key), sum(length(value::text)) FROM fdw_plain;
SELECT key, value, version, type, modified_by, comment, tags, expires_at, schema_hash
FROM kvs.entries WHERE key = 'user:00100';
SELECT key, value, type, bytes FROM kvs.entries WHERE key >= 'blob' AND key < 'blob:2';
SELECT created_at <= updated_at AS in_order, updated_at > '2020-01-01' AS is_recent FROM kvs.entries WHERE key = 'user:00100';

-- Runs a query with $T standing for the foreign table, and for a plain table with the same rows.
CREATE FUNCTION fdw_same(query text, ordered boolean DEFAULT false) RETURNS TABLE (rows bigint, same boolean)
LANGUAGE plpgsql AS $$
DECLARE
    foreign_rows text[];
    plain_rows text[];
BEGIN
    EXECUTE format('SELECT array_agg(q::text) FROM (%s) AS q', replace(query, '$T', 'kvs.entries')) INTO foreign_rows;
    EXECUTE format('SELECT array_agg(q::text) FROM (%s) AS q', replace(query, '$T', 'fdw_plain')) INTO plain_rows;
    IF NOT ordered THEN
        foreign_rows := ARRAY(SELECT unnest(foreign_rows) COLLATE "C" ORDER BY 1);
        plain_rows := ARRAY(SELECT unnest(plain_rows) COLLATE "C" ORDER BY 1);
    END IF;
    RETURN QUERY SELECT coalesce(cardinality(foreign_rows), 0)::bigint, foreign_rows IS NOT DISTINCT FROM plain_rows;
END
$$;

-- What EXPLAIN ANALYZE counts of a query's first scan of a foreign table.
CREATE FUNCTION fdw_counter(query text, counter text) RETURNS bigint
LANGUAGE plpgsql SET max_parallel_workers_per_gather = 0 AS $$
DECLARE
    plan jsonb;
BEGIN
    EXECUTE 'EXPLAIN (ANALYZE, COSTS OFF, TIMING OFF, SUMMARY OFF, FORMAT JSON) ' || query INTO plan;
    RETURN jsonb_path_query_first(plan, '$.** ? (@."Node Type" == "Foreign Scan")') ->> counter;
END
$$;

-- What EXPLAIN says, in words that all versions of the server share: PostgreSQL 17 names the result of a subquery, and
-- turns the condition of a join, otherwise than 15. No worker takes part, here and above: what it counts it keeps.
CREATE FUNCTION fdw_explain(query text) RETURNS SETOF text
LANGUAGE plpgsql SET max_parallel_workers_per_gather = 0 AS $$
DECLARE
    line text;
BEGIN
    FOR line IN EXECUTE 'EXPLAIN (COSTS OFF) ' || query LOOP
        line := replace(line, '(InitPlan 1).col1', '$0');
        line := replace(line, ' (returns $0)', '');
        RETURN NEXT regexp_replace(line, '\((\$\d+) = key\)', '(key = \1)');
    END LOOP;
END
$$;

-- All of it.
EXPLAIN (COSTS OFF) SELECT * FROM kvs.entries;
SELECT q.query, s.* FROM (VALUES
    ($$SELECT * FROM $T$$),
    ($$SELECT t FROM $T AS t$$),
    ($$SELECT tags, key FROM $T$$),
    ($$SELECT count(*) FROM $T$$),
    ($$SELECT 1 FROM $T$$),
    ($$SELECT value->>'role', count(*), max(key) FROM $T GROUP BY 1$$)) AS q (query), fdw_same(q.query) AS s;

-- One key.
EXPLAIN (COSTS OFF) SELECT value FROM kvs.entries WHERE key = 'user:00042';
EXPLAIN (COSTS OFF) SELECT value FROM kvs.entries WHERE 'user:00042' = key AND value->>'role' = 'admin';
SELECT q.query, s.* FROM (VALUES
    ($$SELECT * FROM $T WHERE key = 'user:00042'$$),
    ($$SELECT * FROM $T WHERE key = 'user:00100'$$),
    ($$SELECT * FROM $T WHERE key = 'user:00101'$$),
    ($$SELECT * FROM $T WHERE key = 'user:00102'$$),
    ($$SELECT * FROM $T WHERE key = 'user:00042' AND value->>'role' = 'admin'$$),
    ($$SELECT * FROM $T WHERE key = ''$$),
    ($$SELECT * FROM $T WHERE key = repeat('x', 3000)$$),
    ($$SELECT * FROM $T WHERE key = NULL$$),
    ($$SELECT * FROM $T WHERE key = 'user:00042' AND key > 'user:00042'$$),
    ($$SELECT * FROM $T WHERE key = 'user:00042' COLLATE "POSIX"$$),
    ($$SELECT * FROM $T WHERE key = 'blob:2'$$)) AS q (query), fdw_same(q.query) AS s;

-- Several keys.
EXPLAIN (COSTS OFF) SELECT value FROM kvs.entries WHERE key IN ('user:00042', 'user:00007', 'nobody');
EXPLAIN (COSTS OFF) SELECT key FROM kvs.entries WHERE key = ANY ('{user:00042,user:00007,user:00042,NULL}') ORDER BY key DESC;
SELECT * FROM fdw_same($$SELECT * FROM $T WHERE key IN ('user:00042', 'user:00007', 'nobody')$$);
SELECT * FROM fdw_same($$SELECT key FROM $T WHERE key = ANY ('{user:00042,user:00007,user:00042,NULL}') ORDER BY key DESC$$, true);
SELECT q.query, s.* FROM (VALUES
    ($$SELECT * FROM $T WHERE key = ANY ('{}')$$),
    ($$SELECT * FROM $T WHERE key = ANY (NULL::text[])$$),
    ($$SELECT * FROM $T WHERE key IN ('user:00042', 'user:00007') AND key IN ('user:00007', 'zebra')$$),
    ($$SELECT * FROM $T WHERE key IN ('user:00042', 'user:00007') AND key < 'user:00010'$$),
    ($$SELECT * FROM $T WHERE key = ANY (ARRAY(SELECT 'user:' || lpad(i::text, 5, '0') FROM generate_series(1, 3000, 3) AS i))$$),
    ($$SELECT * FROM $T WHERE key <> ALL ('{user:00042,user:00007}')$$),
    ($$SELECT * FROM $T WHERE key = 'user:00042' OR key = 'team:1'$$)) AS q (query), fdw_same(q.query) AS s;

-- Ranges.
EXPLAIN (COSTS OFF) SELECT key FROM kvs.entries WHERE key >= 'user:00100' AND key < 'user:00110';
EXPLAIN (COSTS OFF) SELECT key FROM kvs.entries WHERE key BETWEEN 'user:00100' AND 'user:00110' AND version > 1;
EXPLAIN (COSTS OFF) SELECT key FROM kvs.entries WHERE 'user:00100' < key AND length(key) > 3;
SELECT q.query, s.* FROM (VALUES
    ($$SELECT * FROM $T WHERE key >= 'user:00100' AND key < 'user:00110'$$),
    ($$SELECT * FROM $T WHERE key > 'user:00100' AND key <= 'user:00110'$$),
    ($$SELECT * FROM $T WHERE key BETWEEN 'user:00100' AND 'user:00110' AND version > 1$$),
    ($$SELECT * FROM $T WHERE key < 'team:3'$$),
    ($$SELECT * FROM $T WHERE 'user:01990' <= key$$),
    ($$SELECT * FROM $T WHERE key > 'zebra'$$),
    ($$SELECT * FROM $T WHERE key >= 'b' AND key < 'a'$$),
    ($$SELECT * FROM $T WHERE key > 'team:3' AND key > 'user' AND key < 'v' AND key < 'user:00003'$$),
    ($$SELECT * FROM $T WHERE key >= 'user:00001' AND key <= 'user:00001'$$),
    ($$SELECT * FROM $T WHERE NOT key < 'user:01995'$$)) AS q (query), fdw_same(q.query) AS s;

-- Prefixes.
EXPLAIN (COSTS OFF) SELECT key FROM kvs.entries WHERE key LIKE 'team:%';
EXPLAIN (COSTS OFF) SELECT key FROM kvs.entries WHERE key LIKE 'team:1%5';
EXPLAIN (COSTS OFF) SELECT key FROM kvs.entries WHERE key LIKE 'team:15';
EXPLAIN (COSTS OFF) SELECT key FROM kvs.entries WHERE key LIKE '%15';
EXPLAIN (COSTS OFF) SELECT key FROM kvs.entries WHERE key ^@ 'team:1';
EXPLAIN (COSTS OFF) SELECT key FROM kvs.entries WHERE starts_with(key, 'team:1');
SELECT q.query, s.* FROM (VALUES
    ($$SELECT * FROM $T WHERE key LIKE 'team:%'$$),
    ($$SELECT * FROM $T WHERE key LIKE 'team:1%5'$$),
    ($$SELECT * FROM $T WHERE key LIKE 'team:1_'$$),
    ($$SELECT * FROM $T WHERE key LIKE 'team:15'$$),
    ($$SELECT * FROM $T WHERE key LIKE '%15'$$),
    ($$SELECT * FROM $T WHERE key LIKE '%'$$),
    ($$SELECT * FROM $T WHERE key LIKE ''$$),
    ($$SELECT * FROM $T WHERE key LIKE 'te\am:1%%'$$),
    ($$SELECT * FROM $T WHERE key LIKE 'team#:1%' ESCAPE '#'$$),
    ($$SELECT * FROM $T WHERE key LIKE 'team\%'$$),
    ($$SELECT * FROM $T WHERE key ILIKE 'TEAM:1%'$$),
    ($$SELECT * FROM $T WHERE key NOT LIKE 'team:%'$$),
    ($$SELECT * FROM $T WHERE key ^@ 'team:1'$$),
    ($$SELECT * FROM $T WHERE starts_with(key, 'team:1') AND starts_with(key, 'team:')$$),
    ($$SELECT * FROM $T WHERE starts_with('team:11', key)$$)) AS q (query), fdw_same(q.query) AS s;
SELECT key FROM kvs.entries WHERE key LIKE 'team\';

-- Another collation has another order: only equality and prefixes are the same. Some have another equality, too.
CREATE COLLATION fdw_any_case (provider = icu, locale = 'und-u-ks-level2', deterministic = false);
EXPLAIN (COSTS OFF) SELECT key FROM kvs.entries WHERE key < 'team:1' COLLATE "und-x-icu" ORDER BY key COLLATE "und-x-icu";
EXPLAIN (COSTS OFF) SELECT key FROM kvs.entries WHERE key = 'team:1' COLLATE "und-x-icu";
EXPLAIN (COSTS OFF) SELECT key FROM kvs.entries WHERE key LIKE 'team:1%' COLLATE "und-x-icu";
EXPLAIN (COSTS OFF) SELECT key FROM kvs.entries WHERE key = 'TEAM:1' COLLATE fdw_any_case;
EXPLAIN (COSTS OFF) SELECT key FROM kvs.entries WHERE key IN ('TEAM:1', 'TEAM:2' COLLATE fdw_any_case);
SELECT * FROM fdw_same($$SELECT * FROM $T WHERE key = 'TEAM:1' COLLATE fdw_any_case$$);
SELECT * FROM fdw_same($$SELECT * FROM $T WHERE key < 'team:1' COLLATE "und-x-icu"$$);

-- What is not a condition on the key alone, or has no value before the scan.
EXPLAIN (COSTS OFF) SELECT key FROM kvs.entries WHERE upper(key) = 'A';
EXPLAIN (COSTS OFF) SELECT key FROM kvs.entries WHERE key = modified_by;
EXPLAIN (COSTS OFF) SELECT key FROM kvs.entries WHERE key > random()::text;
EXPLAIN (COSTS OFF) SELECT key FROM kvs.entries WHERE key = current_setting('kvs.branch');
SELECT fdw_explain($$SELECT key FROM kvs.entries WHERE key = (SELECT 'team:' || max(i) FROM generate_series(1, 3) AS i)$$);
SELECT q.query, s.* FROM (VALUES
    ($$SELECT * FROM $T WHERE key = (SELECT 'team:' || max(i) FROM generate_series(1, 3) AS i)$$),
    ($$SELECT * FROM $T WHERE current_setting('kvs.branch') = 'none' AND key > 'a'$$)) AS q (query), fdw_same(q.query) AS s;

-- Order and limit.
EXPLAIN (COSTS OFF) SELECT key FROM kvs.entries ORDER BY key;
EXPLAIN (COSTS OFF) SELECT key FROM kvs.entries ORDER BY key DESC;
EXPLAIN (COSTS OFF) SELECT key FROM kvs.entries ORDER BY key DESC NULLS LAST LIMIT 3;
EXPLAIN (COSTS OFF) SELECT key, value FROM kvs.entries WHERE key LIKE 'user:%' ORDER BY key LIMIT 10 OFFSET 5;
EXPLAIN (COSTS OFF) SELECT key FROM kvs.entries LIMIT 7;
EXPLAIN (COSTS OFF) SELECT key FROM kvs.entries OFFSET 2030;
EXPLAIN (COSTS OFF) SELECT key FROM kvs.entries WHERE version > 1 ORDER BY key LIMIT 10;
EXPLAIN (COSTS OFF) SELECT key FROM kvs.entries ORDER BY version LIMIT 10;
EXPLAIN (COSTS OFF) SELECT key FROM kvs.entries ORDER BY key FETCH FIRST 2 ROWS WITH TIES;
EXPLAIN (COSTS OFF) SELECT count(*) FROM (SELECT key FROM kvs.entries ORDER BY key LIMIT 10) AS s;
EXPLAIN (COSTS OFF) SELECT DISTINCT key FROM kvs.entries LIMIT 2;
EXPLAIN (COSTS OFF) SELECT key, generate_series(1, 2) FROM kvs.entries LIMIT 2;
SELECT q.query, s.* FROM (VALUES
    ($$SELECT * FROM $T ORDER BY key$$),
    ($$SELECT * FROM $T ORDER BY key DESC$$),
    ($$SELECT * FROM $T WHERE key LIKE 'user:001%' ORDER BY key DESC$$),
    ($$SELECT * FROM $T ORDER BY key DESC NULLS LAST LIMIT 3$$),
    ($$SELECT key, value FROM $T WHERE key LIKE 'user:%' ORDER BY key LIMIT 10 OFFSET 95$$),
    ($$SELECT upper(key), value->>'id' FROM $T WHERE key > 'user:00099' ORDER BY key LIMIT 5$$),
    ($$SELECT key FROM $T ORDER BY key OFFSET 2030$$),
    ($$SELECT key FROM $T ORDER BY key LIMIT 0$$),
    ($$SELECT key FROM $T WHERE key = NULL ORDER BY key LIMIT 1$$),
    ($$SELECT key FROM $T ORDER BY key LIMIT NULL OFFSET NULL$$),
    ($$SELECT key FROM $T ORDER BY key OFFSET 5000$$),
    ($$SELECT key FROM $T WHERE key IN ('team:1', 'team:2', 'team:3') ORDER BY key DESC LIMIT 2$$),
    ($$SELECT key FROM $T ORDER BY version DESC, key LIMIT 10$$),
    ($$SELECT key FROM $T ORDER BY key DESC, version LIMIT 10$$)) AS q (query), fdw_same(q.query, true) AS s;
SELECT q.query, s.* FROM (VALUES
    ($$SELECT count(*) FROM (SELECT key FROM $T ORDER BY key LIMIT 10) AS s$$),
    ($$SELECT g, s.* FROM generate_series(0, 3) AS g, LATERAL (SELECT key FROM $T WHERE key > 'user:00' || g ORDER BY key LIMIT g) AS s$$),
    ($$(SELECT key FROM $T ORDER BY key LIMIT 2) UNION ALL (SELECT key FROM $T ORDER BY key DESC LIMIT 2)$$),
    ($$SELECT min(key), max(key) FROM $T WHERE key LIKE 'user:%'$$)) AS q (query), fdw_same(q.query) AS s;
SELECT key FROM kvs.entries LIMIT -1;
SELECT key FROM kvs.entries OFFSET -1;

-- A limit reads what it returns; a point read one path.
SELECT fdw_counter('SELECT * FROM kvs.entries ORDER BY key LIMIT 5', 'Nodes Read') <= 8 AS few,
       fdw_counter('SELECT * FROM kvs.entries ORDER BY key DESC LIMIT 5', 'Nodes Read') <= 8 AS few_backward,
       fdw_counter('SELECT value FROM kvs.entries WHERE key = ''user:00042''', 'Nodes Read') <= 4 AS one_path,
       fdw_counter('SELECT value FROM kvs.entries WHERE key > ''b'' AND key < ''a''', 'Nodes Read') AS none,
       fdw_counter('SELECT value FROM kvs.entries', 'Nodes Read') > 30 AS all_leaves;
SELECT fdw_counter('SELECT value FROM kvs.entries WHERE key = ''blob:2''', 'Chunks Fetched') IS NOT NULL AS counted;
SELECT fdw_counter('SELECT key FROM kvs.entries', 'Nodes Read') < fdw_counter('SELECT version FROM kvs.entries', 'Nodes Read') AS metadata_on_demand;

-- Prepared statements: plans for any value.
SET plan_cache_mode = force_generic_plan;
PREPARE by_key(text) AS SELECT key, value->>'id' AS id FROM kvs.entries WHERE key = $1;
EXPLAIN (COSTS OFF) EXECUTE by_key('user:00042');
EXECUTE by_key('user:00042');
EXECUTE by_key('nobody');
EXECUTE by_key(NULL);
PREPARE by_keys(text[]) AS SELECT key FROM kvs.entries WHERE key = ANY ($1) ORDER BY key;
EXPLAIN (COSTS OFF) EXECUTE by_keys('{user:00042,team:1}');
EXECUTE by_keys('{user:00042,team:1,user:00101,team:1,NULL}');
EXECUTE by_keys(NULL);
PREPARE by_range(text, text, bigint, bigint) AS
    SELECT key FROM kvs.entries WHERE key >= $1 AND key < $2 ORDER BY key DESC LIMIT $3 OFFSET $4;
EXPLAIN (COSTS OFF) EXECUTE by_range('team:2', 'team:3', 3, 1);
EXECUTE by_range('team:2', 'team:3', 3, 1);
EXECUTE by_range('team:2', 'team:3', NULL, NULL);
EXECUTE by_range('team:3', 'team:2', 3, 1);
EXECUTE by_range('team:2', 'team:3', -1, 0);
EXECUTE by_range('team:2', 'team:3', 1, -1);
PREPARE by_pattern(text) AS SELECT key FROM kvs.entries WHERE key LIKE $1 ORDER BY key;
EXPLAIN (COSTS OFF) EXECUTE by_pattern('team:1%');
EXECUTE by_pattern('team:1%5');
EXECUTE by_pattern('team:15');
EXECUTE by_pattern('team\');
EXECUTE by_pattern(NULL);
RESET plan_cache_mode;
DEALLOCATE ALL;

-- Joins. Keys are unique and counted, so that a few keys are looked up without any statistics.
CREATE TABLE fdw_wanted (id int, k text COLLATE "C", pattern text COLLATE "C");
INSERT INTO fdw_wanted VALUES (1, 'user:00001', 'team:1%'), (2, 'nobody', 'team:2_'), (3, 'user:00100', NULL),
                              (4, NULL, 'zebra'), (5, 'user:00001', '%:40');
ANALYZE fdw_wanted;
SELECT fdw_explain($$SELECT w.id, e.value FROM fdw_wanted AS w JOIN kvs.entries AS e ON e.key = w.k$$);
SELECT fdw_explain($$SELECT w.id, e.key FROM fdw_wanted AS w LEFT JOIN kvs.entries AS e ON e.key = w.k AND e.version > 1$$);
SELECT fdw_explain($$SELECT w.id, (SELECT e.value FROM kvs.entries AS e WHERE e.key = w.k) FROM fdw_wanted AS w$$);
SELECT fdw_explain($$SELECT w.id, s.key FROM fdw_wanted AS w, LATERAL (SELECT key FROM kvs.entries WHERE key > w.k ORDER BY key LIMIT w.id) AS s$$);
SELECT q.query, s.* FROM (VALUES
    ($$SELECT w.id, e.* FROM fdw_wanted AS w JOIN $T AS e ON e.key = w.k$$),
    ($$SELECT w.id, e.key FROM fdw_wanted AS w LEFT JOIN $T AS e ON e.key = w.k AND e.version > 1$$),
    ($$SELECT w.id, e FROM fdw_wanted AS w JOIN $T AS e ON e.key LIKE w.pattern$$),
    ($$SELECT w.id, e.key FROM fdw_wanted AS w JOIN $T AS e ON e.key > w.k AND e.key < w.k || '0'$$),
    ($$SELECT w.id, e.key FROM fdw_wanted AS w JOIN $T AS e ON e.key = ANY (ARRAY[w.k, 'zebra'])$$),
    ($$SELECT w.id FROM fdw_wanted AS w WHERE EXISTS (SELECT FROM $T AS e WHERE e.key = w.k)$$),
    ($$SELECT w.id FROM fdw_wanted AS w WHERE w.k NOT IN (SELECT e.key FROM $T AS e)$$),
    ($$SELECT w.id, (SELECT e.value FROM $T AS e WHERE e.key = w.k) FROM fdw_wanted AS w$$),
    ($$SELECT a.key FROM $T AS a JOIN $T AS b USING (key) WHERE b.version > 1$$)) AS q (query), fdw_same(q.query) AS s;
SET enable_nestloop = off;
SET enable_hashjoin = off;
EXPLAIN (COSTS OFF) SELECT a.key FROM kvs.entries AS a JOIN kvs.entries AS b USING (key);
SELECT q.query, s.* FROM (VALUES
    ($$SELECT a.key, b.value FROM $T AS a JOIN $T AS b USING (key)$$),
    ($$SELECT a.key, b.value FROM $T AS a FULL JOIN fdw_wanted AS w ON a.key = w.k JOIN $T AS b ON b.key = w.k$$)) AS q (query), fdw_same(q.query) AS s;
RESET enable_nestloop;
RESET enable_hashjoin;

-- Row estimates come from the counts in the tree.
CREATE FUNCTION fdw_estimate(query text) RETURNS bigint
LANGUAGE plpgsql AS $$
DECLARE
    plan jsonb;
BEGIN
    EXECUTE 'EXPLAIN (FORMAT JSON) ' || query INTO plan;
    RETURN plan->0->'Plan'->>'Plan Rows';
END
$$;
SELECT fdw_estimate('SELECT FROM kvs.entries WHERE key = ''user:00042''') AS one,
       fdw_estimate('SELECT FROM kvs.entries WHERE key IN (''a'', ''b'', ''a'', ''c'')') AS three,
       fdw_estimate('SELECT FROM kvs.entries WHERE key >= ''team:1'' AND key < ''team:2''') AS eleven,
       fdw_estimate('SELECT FROM kvs.entries WHERE key LIKE ''team:%''') AS forty,
       fdw_estimate('SELECT FROM kvs.entries WHERE key > ''b'' AND key < ''a''') AS least,
       fdw_estimate('SELECT FROM kvs.entries') BETWEEN 2035 AND 2050 AS all_of_them,
       fdw_estimate('SELECT FROM kvs.entries ORDER BY key LIMIT 9') AS nine;

-- Cursors, and savepoints that are rolled back under them.
BEGIN;
DECLARE c CURSOR FOR SELECT key FROM kvs.entries WHERE key LIKE 'team:%' ORDER BY key;
FETCH 2 FROM c;
SAVEPOINT s;
SELECT kvs.put('team:00', '0');
SELECT kvs.put('team:100', '100');
FETCH 2 FROM c;
SELECT key FROM kvs.entries WHERE key LIKE 'team:0%';
ROLLBACK TO s;
FETCH 2 FROM c;
SELECT key FROM kvs.entries WHERE key LIKE 'team:0%';
DECLARE d SCROLL CURSOR WITH HOLD FOR SELECT key FROM kvs.entries WHERE key LIKE 'team:%' ORDER BY key;
FETCH LAST FROM d;
FETCH BACKWARD 2 FROM d;
COMMIT;
FETCH FIRST FROM d;
CLOSE d;
-- An error in the middle of a scan leaves nothing behind.
SELECT 1 / (value::int - 3) FROM kvs.entries WHERE key LIKE 'team:%';
-- A function that writes while a scan runs does not change what the scan sees.
BEGIN;
SELECT count(*), sum(kvs.put('w' || key, '1')) FROM kvs.entries WHERE key LIKE 'team:%' OR key LIKE 'w%';
SELECT count(*) FROM kvs.entries WHERE key LIKE 'wteam:%';
ROLLBACK;

-- Tables of one's own: any columns in any order, a prefix, a branch, a moment.
CREATE FOREIGN TABLE fdw_teams (value jsonb, key text COLLATE "C") SERVER kvs OPTIONS (prefix 'team:');
EXPLAIN (COSTS OFF) SELECT key FROM fdw_teams WHERE key < 'team:2' ORDER BY key LIMIT 1;
SELECT count(*), min(key), max(key), sum(value::int) FROM fdw_teams;
SELECT * FROM fdw_teams WHERE key >= 'team:38' AND key < 'v';
SELECT * FROM fdw_teams WHERE key = 'zebra';
SELECT * FROM fdw_teams WHERE key IN ('zebra', 'team:7');
ALTER FOREIGN TABLE fdw_teams DROP COLUMN value;
SELECT * FROM fdw_teams ORDER BY key DESC LIMIT 1;
ALTER FOREIGN TABLE fdw_teams ADD COLUMN version bigint;
SELECT * FROM fdw_teams ORDER BY key DESC LIMIT 1;
CREATE FOREIGN TABLE fdw_unordered (key text) SERVER kvs;
EXPLAIN (COSTS OFF) SELECT * FROM fdw_unordered WHERE key = 'zebra';
SELECT * FROM fdw_unordered WHERE key = 'zebra';
CREATE FOREIGN TABLE fdw_values (value jsonb, type text) SERVER kvs;
SELECT type, count(value), count(*) FROM fdw_values GROUP BY 1 ORDER BY 1;

SELECT kvs.create_branch('fdw-other', 'fdw-loaded');
SELECT kvs.put('zebra', '"of another branch"', branch => 'fdw-other');
CREATE FOREIGN TABLE fdw_other (key text COLLATE "C", value jsonb) SERVER kvs OPTIONS (branch 'fdw-other');
CREATE FOREIGN TABLE fdw_loaded (key text COLLATE "C", value jsonb, version bigint) SERVER kvs OPTIONS (as_of 'fdw-loaded');
CREATE FOREIGN TABLE fdw_head (key text COLLATE "C", value jsonb) SERVER kvs OPTIONS (branch 'fdw', as_of 'HEAD');
EXPLAIN (COSTS OFF) SELECT * FROM fdw_other WHERE key = 'zebra';
EXPLAIN (COSTS OFF) SELECT * FROM fdw_loaded WHERE key = 'user:00100';
EXPLAIN (COSTS OFF) SELECT * FROM fdw_head WHERE key = 'zebra';
SELECT * FROM fdw_other WHERE key = 'zebra';
SELECT * FROM fdw_loaded WHERE key IN ('user:00100', 'user:00100x', 'user:00101', 'user:00102');
SELECT count(*) FROM fdw_head;
SELECT n.key, o.value AS then, n.value AS now FROM kvs.entries AS n FULL JOIN fdw_loaded AS o USING (key)
WHERE n.value IS DISTINCT FROM o.value AND key LIKE 'user:%' ORDER BY key;
-- The session's moment; a table's own branch beats it.
SET kvs.as_of = 'fdw-loaded';
EXPLAIN (COSTS OFF) SELECT * FROM kvs.entries WHERE key = 'user:00101';
SELECT key, value->>'role' AS role, version FROM kvs.entries WHERE key IN ('user:00100', 'user:00101');
SELECT * FROM fdw_other WHERE key = 'zebra';
RESET kvs.as_of;
-- A session's branch is that of the moment when the statement begins.
BEGIN;
DECLARE c CURSOR FOR SELECT value FROM kvs.entries WHERE key = 'zebra';
SELECT kvs.switch_branch('fdw-other');
FETCH c;
SELECT value FROM kvs.entries WHERE key = 'zebra';
ROLLBACK;
SET kvs.branch = 'nowhere';
SELECT * FROM kvs.entries;
SET kvs.branch = 'fdw';

-- Options and columns that cannot be.
CREATE FOREIGN TABLE fdw_bad (key text) SERVER kvs OPTIONS (pattern 'x');
CREATE FOREIGN TABLE fdw_bad (key text) SERVER kvs OPTIONS (branch 'no..where');
CREATE FOREIGN TABLE fdw_bad (key text) SERVER kvs OPTIONS (branch '');
CREATE FOREIGN TABLE fdw_bad (key text) SERVER kvs OPTIONS (as_of 'HEAD~x');
CREATE FOREIGN TABLE fdw_bad (key text OPTIONS (path 'x')) SERVER kvs;
\set long_prefix `printf 'x%.0s' $(seq 2049)`
\set ECHO none
CREATE FOREIGN TABLE fdw_bad (key text) SERVER kvs OPTIONS (prefix :'long_prefix');
\set ECHO all
CREATE SERVER fdw_server FOREIGN DATA WRAPPER kvs_fdw OPTIONS (host 'x');
CREATE USER MAPPING FOR CURRENT_USER SERVER kvs OPTIONS (password 'x');
CREATE FOREIGN TABLE fdw_bad (key text, name text) SERVER kvs;
SELECT * FROM fdw_bad;
ANALYZE fdw_bad;
ALTER FOREIGN TABLE fdw_bad DROP COLUMN name, ADD COLUMN value text;
SELECT key FROM fdw_bad;
ALTER FOREIGN TABLE fdw_bad DROP COLUMN value;
ALTER FOREIGN TABLE fdw_bad OPTIONS (ADD branch 'nowhere');
SELECT * FROM fdw_bad;
ALTER FOREIGN TABLE fdw_bad OPTIONS (SET branch 'fdw', ADD as_of 'nowhere');
SELECT * FROM fdw_bad;
DROP FOREIGN TABLE fdw_bad;

-- No writing, and no place where a row lies.
INSERT INTO kvs.entries (key, value) VALUES ('a', '1');
UPDATE kvs.entries SET value = '1';
DELETE FROM kvs.entries;
SELECT xmin FROM kvs.entries LIMIT 1;
SELECT tableoid::regclass, key FROM kvs.entries ORDER BY key LIMIT 1;

-- Updates of other tables through a join, and rows kept for a recheck.
UPDATE fdw_wanted AS w SET id = id + 100 FROM kvs.entries AS e WHERE e.key = w.k AND e.version > 1 RETURNING w.id, e.key;
SELECT w.id, e.key FROM fdw_wanted AS w JOIN kvs.entries AS e ON e.key = w.k ORDER BY w.id FOR UPDATE OF w;
SELECT fdw_explain($$SELECT w.id FROM fdw_wanted AS w JOIN kvs.entries AS e ON e.key = w.k FOR UPDATE OF w$$);

-- Rows of a foreign table are not locked, and nobody is told that they were.
SELECT key FROM kvs.entries WHERE key = 'team:1' FOR UPDATE;
\set VERBOSITY terse
SELECT key FROM kvs.entries FOR NO KEY UPDATE;
SELECT key FROM kvs.entries FOR SHARE NOWAIT;
SELECT key FROM kvs.entries FOR KEY SHARE SKIP LOCKED;
EXPLAIN SELECT key FROM kvs.entries FOR UPDATE;
SELECT w.id FROM fdw_wanted AS w JOIN kvs.entries AS e ON e.key = w.k FOR UPDATE;
SELECT w.id FROM fdw_wanted AS w LEFT JOIN kvs.entries AS e ON e.key = w.k FOR UPDATE OF e;
SELECT * FROM (SELECT key FROM kvs.entries) AS s FOR UPDATE;
CREATE VIEW fdw_view AS SELECT key FROM kvs.entries;
SELECT * FROM fdw_view FOR UPDATE;
CREATE FUNCTION fdw_locks() RETURNS text LANGUAGE sql AS 'SELECT key FROM kvs.entries FOR UPDATE';
SELECT fdw_locks();
DO $$ DECLARE k text; BEGIN SELECT key INTO k FROM kvs.entries LIMIT 1 FOR SHARE; END $$;
CREATE FOREIGN TABLE fdw_locked (key text, value jsonb) SERVER kvs;
SELECT key FROM fdw_locked FOR UPDATE;
CREATE TABLE fdw_parent (key text, value jsonb);
ALTER FOREIGN TABLE fdw_locked INHERIT fdw_parent;
SELECT key FROM fdw_parent FOR UPDATE;
\set VERBOSITY default
SELECT key FROM ONLY fdw_parent FOR UPDATE;
DELETE FROM fdw_wanted AS w USING kvs.entries AS e WHERE e.key = w.k AND w.id < 0;
DROP TABLE fdw_parent CASCADE;
DROP FUNCTION fdw_locks();
DROP VIEW fdw_view;

-- Partitions and inheritance.
CREATE TABLE fdw_parts (key text COLLATE "C", value jsonb) PARTITION BY RANGE (key);
CREATE FOREIGN TABLE fdw_part1 PARTITION OF fdw_parts FOR VALUES FROM ('team:') TO ('team;') SERVER kvs OPTIONS (prefix 'team:');
CREATE TABLE fdw_part2 PARTITION OF fdw_parts FOR VALUES FROM ('user:') TO ('user;');
INSERT INTO fdw_part2 VALUES ('user:local', '1');
SELECT fdw_explain($$SELECT * FROM fdw_parts WHERE key > 'team:38' ORDER BY key$$);
SELECT * FROM fdw_parts WHERE key > 'team:38' ORDER BY key LIMIT 4;
SELECT fdw_explain($$SELECT * FROM fdw_parts WHERE key = 'team:38'$$);

-- Parallel workers see the same.
SET parallel_setup_cost = 0;
SET parallel_tuple_cost = 0;
SET min_parallel_table_scan_size = 0;
SET enable_nestloop = off;
SELECT * FROM fdw_same($$SELECT p.version, count(*) FROM fdw_plain AS p JOIN $T AS e ON e.key = p.key AND e.version = p.version GROUP BY 1$$);
RESET enable_nestloop;
SELECT set_config(name, 'on', false) FROM pg_settings WHERE name IN ('force_parallel_mode', 'debug_parallel_query');
SELECT * FROM fdw_same($$SELECT * FROM $T WHERE key LIKE 'user:001%'$$);
SELECT set_config(name, 'off', false) FROM pg_settings WHERE name IN ('force_parallel_mode', 'debug_parallel_query');
RESET min_parallel_table_scan_size;
RESET parallel_tuple_cost;
RESET parallel_setup_cost;

-- Statistics.
ANALYZE kvs.entries;
SELECT attname, n_distinct, null_frac < 0.01 AS few_nulls, correlation > 0.9 AS in_order FROM pg_stats
WHERE schemaname = 'kvs' AND tablename = 'entries' AND attname IN ('key', 'type', 'version') ORDER BY attname;
SELECT reltuples BETWEEN 2040 AND 2045 AS counted, relpages > 0 AS sized FROM pg_class WHERE oid = 'kvs.entries'::regclass;
SET default_statistics_target = 1;
ANALYZE kvs.entries;
SELECT reltuples BETWEEN 1900 AND 2045 AS counted FROM pg_class WHERE oid = 'kvs.entries'::regclass;
RESET default_statistics_target;
ANALYZE fdw_teams;
SELECT reltuples FROM pg_class WHERE oid = 'fdw_teams'::regclass;
ANALYZE fdw_values;

-- Privileges: those of the store count for every table, whoever made it, also in EXPLAIN.
CREATE ROLE regress_kvs_reader;
CREATE ROLE regress_kvs_stranger;
GRANT SELECT ON kvs.entries TO regress_kvs_reader;
GRANT USAGE ON FOREIGN SERVER kvs TO regress_kvs_stranger;
GRANT SELECT ON fdw_teams TO regress_kvs_reader, regress_kvs_stranger;
CREATE SCHEMA fdw_stranger AUTHORIZATION regress_kvs_stranger;
SET ROLE regress_kvs_reader;
SELECT key FROM kvs.entries LIMIT 1;
SELECT count(*) FROM fdw_teams;
SET ROLE regress_kvs_stranger;
SELECT key FROM kvs.entries LIMIT 1;
EXPLAIN SELECT key FROM kvs.entries;
SELECT count(*) FROM fdw_teams;
CREATE FOREIGN TABLE fdw_stranger.mine (key text COLLATE "C", value jsonb) SERVER kvs;
SELECT * FROM fdw_stranger.mine;
EXPLAIN SELECT * FROM fdw_stranger.mine;
SELECT * FROM fdw_stranger.mine WHERE key = 'zebra';
PREPARE stranger AS SELECT * FROM fdw_stranger.mine;
EXECUTE stranger;
ANALYZE fdw_stranger.mine;
RESET ROLE;
-- A view reads with its owner's privileges, on behalf of whoever may use it.
CREATE VIEW fdw_view AS SELECT key, value FROM kvs.entries WHERE key LIKE 'team:%';
GRANT SELECT ON fdw_view TO regress_kvs_stranger;
SET ROLE regress_kvs_stranger;
SELECT count(*) FROM fdw_view;
EXPLAIN (COSTS OFF) SELECT key FROM fdw_view ORDER BY key LIMIT 1;
SELECT key FROM fdw_view ORDER BY key LIMIT 1;
RESET ROLE;
-- Nor does it lend its own to its owner: whoever asks, it is the owner who may not read.
CREATE VIEW fdw_stranger.view AS SELECT key FROM kvs.entries;
ALTER VIEW fdw_stranger.view OWNER TO regress_kvs_stranger;
SELECT key FROM fdw_stranger.view ORDER BY key LIMIT 1;
-- Conditions from outside a security barrier are tried behind it, unless they cannot leak.
CREATE VIEW fdw_barrier WITH (security_barrier) AS SELECT key, value FROM kvs.entries WHERE value->>'role' = 'admin';
EXPLAIN (COSTS OFF) SELECT key FROM fdw_barrier WHERE key LIKE 'user:0001%';
EXPLAIN (COSTS OFF) SELECT key FROM fdw_barrier WHERE key = 'user:00012';

SET client_min_messages = warning;
DROP SCHEMA fdw_stranger CASCADE;
RESET client_min_messages;
DROP COLLATION fdw_any_case;
DROP VIEW fdw_view, fdw_barrier;
DROP FOREIGN TABLE fdw_teams, fdw_unordered, fdw_values, fdw_other, fdw_loaded, fdw_head;
DROP TABLE fdw_parts, fdw_wanted, fdw_plain;
DROP FUNCTION fdw_same, fdw_counter, fdw_explain, fdw_estimate;
REVOKE ALL ON kvs.entries FROM regress_kvs_reader;
REVOKE ALL ON FOREIGN SERVER kvs FROM regress_kvs_stranger;
DROP ROLE regress_kvs_reader, regress_kvs_stranger;
RESET kvs.branch;
SELECT kvs.delete_branch('fdw-other', force => true), kvs.delete_branch('fdw', force => true), kvs.delete_tag('fdw-loaded');

-- Many keys at once: mput, delete_prefix, import, flush.
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
-- The data root of what a branch holds, committed.
CREATE FUNCTION pg_temp.root(branch text) RETURNS text LANGUAGE sql AS $$ SELECT root FROM kvs.log(root.branch, 1) $$;

SELECT encode(_kvs.initial_commit(), 'hex') AS initial \gset
SELECT kvs.create_branch('bulk', :'initial');
SET kvs.branch = 'bulk';
SET kvs.author = 'tester';

-- mput: how many keys; given twice, the last wins.
SELECT kvs.mput('{}', '{}');
SELECT kvs.mput(ARRAY['m:1', 'm:3', 'm:2'], ARRAY['1', '{"a": 3}', 'null']::jsonb[]);
SELECT key, value, version, modified_by FROM kvs.scan('m:');
SELECT kvs.mput(ARRAY['m:2', 'm:4', 'm:2', 'm:2'], ARRAY['21', '4', '22', '23']::jsonb[]);
SELECT key, value, version FROM kvs.scan('m:');
SELECT version, op, value FROM kvs.history('m:2');
SELECT kvs.mput(ARRAY['m:1'], ARRAY['"elsewhere"']::jsonb[], 'no such branch');
SELECT kvs.create_branch('bulk-mput', :'initial'), kvs.mput(ARRAY['m:1'], ARRAY['"elsewhere"']::jsonb[], branch => 'bulk-mput');
SELECT kvs.get('m:1'), kvs.get('m:1', branch => 'bulk-mput');
SELECT statement, pg_temp.error_of('SELECT kvs.mput(' || statement || ')') AS error FROM unnest(ARRAY[
    $$ARRAY['m:5'], '{}'$$, $$ARRAY['m:5', 'm:6'], ARRAY['1']::jsonb[]$$, $$'{}', ARRAY['1']::jsonb[]$$, $$NULL, '{}'$$, $$'{}', NULL$$,
    $$ARRAY['m:5', NULL], ARRAY['1', '2']::jsonb[]$$, $$ARRAY['m:5', 'm:6'], ARRAY['1', NULL]::jsonb[]$$,
    $$ARRAY['m:5', 'm//6:7'], ARRAY['1', '2']::jsonb[]$$, $$ARRAY[['m:5'], ['m:6']], ARRAY['1', '2']::jsonb[]$$,
    $$ARRAY['m:5', 'm:6'], ARRAY['1', to_jsonb(repeat('x', 17000000))]$$]) AS statement;
SELECT key FROM kvs.keys('m:#') AS key;
-- It ends an expiry, and tags and schema stay, as with put.
SELECT kvs.put('m:5', '5', ttl => '1 hour', tags => '{t}', schema_hash => 's'), kvs.mput(ARRAY['m:5'], ARRAY['55']::jsonb[]);
SELECT value, version, expires_at, tags, schema_hash FROM kvs.get_entry('m:5');
SELECT kvs.mput(array_agg('many:' || i), array_agg(to_jsonb(i))) FROM generate_series(1, 500) AS i;
SELECT count(*), sum((value)::int) FROM kvs.scan('many:');

-- delete_prefix: every living key, wherever it is stored; versions go on.
SELECT kvs.flush() > 0 AS flushed;
SELECT kvs.put('many:1', '"new"'), kvs.put('many:501', '1'), kvs.delete('many:2');
SELECT kvs.put('many:3', '3', ttl => '1 microsecond');
SELECT kvs.count_keys('many:'), kvs.delete_prefix('many:'), kvs.delete_prefix('many:');
SELECT kvs.count_keys('many:'), kvs.count_keys('m');
SELECT kvs.put('many:1', '1'), kvs.put('many:4', '4'), kvs.put('many:501', '5');
SELECT version, op FROM kvs.history('many:1');
BEGIN;
SELECT kvs.delete_prefix('m:'), kvs.count_keys('m:');
SELECT kvs.count_keys('m:');
SAVEPOINT s;
SELECT kvs.delete_prefix(''), kvs.delete_prefix('');
SELECT kvs.count_keys();
ROLLBACK TO SAVEPOINT s;
SELECT key FROM kvs.keys() AS key;
ROLLBACK;
SELECT count(*) FROM kvs.keys();
SELECT kvs.delete_prefix('nothing'), kvs.delete_prefix('m:', branch => 'bulk-mput'), kvs.delete_prefix('m//');
SELECT statement, pg_temp.error_of('SELECT kvs.delete_prefix(' || statement || ')') AS error
FROM unnest(ARRAY['NULL', $$'m:', 'nobody'$$]) AS statement;
-- Patterns mean nothing to it.
SELECT kvs.delete_prefix('#'), kvs.delete_prefix('m+'), kvs.delete_prefix('m%');
-- The large way, logged as a range.
SET kvs.bulk_log_threshold = 10;
SELECT kvs.mput(array_agg('range:' || i), array_agg(to_jsonb(i))) FROM generate_series(1, 100) AS i;
SELECT kvs.delete_prefix('range:');
SELECT kvs.put('range:7', '"again"');
RESET kvs.bulk_log_threshold;
SELECT version, op, value FROM kvs.history('range:7');
SELECT version, op, value FROM kvs.history('range:8');
SELECT kvs.commit('mput') IS NOT NULL AS committed;

-- import: any order, from any query; a message commits.
CREATE TABLE pg_temp.source AS SELECT 'item:' || i AS key, jsonb_build_object('n', i, 'text', md5(i::text)) AS value
FROM generate_series(1, 300) AS i;
SELECT kvs.create_branch('bulk-small', :'initial'), kvs.create_branch('bulk-large', :'initial'), kvs.create_branch('bulk-put', :'initial');
SELECT kvs.import('SELECT key, value FROM pg_temp.source ORDER BY md5(key)', branch => 'bulk-small', message => 'small');
SET kvs.bulk_log_threshold = 0;
SELECT kvs.import('TABLE pg_temp.source ORDER BY key DESC', 'bulk-large', 'large');
RESET kvs.bulk_log_threshold;
SELECT count(kvs.put(key, value, branch => 'bulk-put')) FROM pg_temp.source;
SELECT kvs.commit('put', branch => 'bulk-put') IS NOT NULL AS committed;
-- Equal contents have equal roots, whichever way they came.
SELECT pg_temp.root('bulk-small') = pg_temp.root('bulk-large') AS large, pg_temp.root('bulk-small') = pg_temp.root('bulk-put') AS put;
SELECT message, author FROM kvs.log('bulk-small', 1);
SELECT count(*) FROM kvs.diff('bulk-small', 'bulk-large');
SELECT count(*) FROM kvs.status('bulk-small');
SELECT count(*), min(version), max(version), min(modified_by) FROM kvs.scan('item:', branch => 'bulk-large');
SELECT branch, version, op, value->'n' AS n FROM unnest(ARRAY['bulk-small', 'bulk-large']) AS branch, LATERAL kvs.history('item:7', branch => branch);
-- Over what is there: versions go on, what is not named stays; equal rows too are writes.
SELECT kvs.put('item:7', '"seven"', branch => branch), kvs.delete('item:8', branch => branch), kvs.put('item:9', '9', tags => '{t}', branch => branch)
FROM unnest(ARRAY['bulk-small', 'bulk-large', 'bulk-put']) AS branch;
SELECT kvs.import($$SELECT key, to_jsonb(key) FROM pg_temp.source WHERE right(key, 1) IN ('7', '8', '9')$$, 'bulk-small');
SET kvs.bulk_log_threshold = 0;
SELECT kvs.import($$SELECT key, to_jsonb(key) FROM pg_temp.source WHERE right(key, 1) IN ('7', '8', '9')$$, 'bulk-large');
RESET kvs.bulk_log_threshold;
SELECT count(kvs.put(key, to_jsonb(key), branch => 'bulk-put')) FROM pg_temp.source WHERE right(key, 1) IN ('7', '8', '9');
SELECT kvs.commit('again', branch => branch) IS NOT NULL AS committed FROM unnest(ARRAY['bulk-small', 'bulk-large', 'bulk-put']) AS branch;
SELECT pg_temp.root('bulk-small') = pg_temp.root('bulk-large') AS large, pg_temp.root('bulk-small') = pg_temp.root('bulk-put') AS put;
SELECT branch, key, value, version, tags FROM unnest(ARRAY['bulk-small', 'bulk-large', 'bulk-put']) AS branch,
    LATERAL kvs.mget('{item:6,item:7,item:8,item:9}', branch);
SELECT branch, version, op FROM unnest(ARRAY['bulk-small', 'bulk-large']) AS branch, LATERAL kvs.history('item:8', branch => branch);
-- Without a message it is uncommitted work, over uncommitted rows as well.
SELECT kvs.put('item:1', '"working"', branch => 'bulk-large'), kvs.put('item:other', '"stays"', branch => 'bulk-large');
SET kvs.bulk_log_threshold = 0;
SELECT kvs.import($$VALUES ('item:1', '"imported"'::jsonb), ('item:new', '1')$$, 'bulk-large');
RESET kvs.bulk_log_threshold;
SELECT key, value, version FROM kvs.mget('{item:1,item:new,item:other}', 'bulk-large');
SELECT key, diff_type FROM kvs.status('bulk-large');
SELECT version, op, value FROM kvs.history('item:1', 2, 'bulk-large');
-- With a message all uncommitted work goes into the commit.
SELECT kvs.import($$VALUES ('item:2', '2'::jsonb)$$, 'bulk-large', 'with the rest');
SELECT count(*) FROM kvs.status('bulk-large');
SELECT key, diff_type FROM kvs.show('bulk-large');
-- Nothing to import; with a message, nothing to commit.
SELECT kvs.import('SELECT key, value FROM pg_temp.source WHERE false', 'bulk-large');
SELECT kvs.import('SELECT key, value FROM pg_temp.source WHERE false', 'bulk-large', 'nothing');
SELECT message FROM kvs.log('bulk-large', 1);
-- The same where all of it is there already, by either way.
SELECT kvs.import($$VALUES ('item:2', '2'::jsonb)$$, 'bulk-large', 'again');
SET kvs.bulk_log_threshold = 0;
SELECT kvs.import($$VALUES ('item:2', '2'::jsonb)$$, 'bulk-large', 'again');
RESET kvs.bulk_log_threshold;
SELECT message FROM kvs.log('bulk-large', 1);
SELECT pg_temp.error_of($$SELECT kvs.import('SELECT 1', 'bulk-large', ' ')$$);
-- Types that become text and jsonb; queries of other kinds.
SELECT kvs.import($$SELECT 'type:' || v, v::jsonb FROM unnest(ARRAY['1', '"a"', 'null', '[]']) AS v$$);
SELECT key, value FROM kvs.scan('type:');
SELECT statement, pg_temp.error_of(format('SELECT kvs.import(%L)', statement)) AS error FROM unnest(ARRAY[
    $$VALUES ('e:1', '1'::jsonb), ('e:2', '2'), ('e:1', '3')$$,
    $$SELECT 'e:1'::text$$, $$SELECT 'e:1'::text, '1'::jsonb, 1$$, $$SELECT 'e:1'::text, 1$$, $$SELECT 1, '1'::jsonb$$,
    $$SELECT '1'::jsonb, 'e:1'::text$$,
    $$SELECT NULL::text, '1'::jsonb$$, $$SELECT 'e:1'::text, NULL::jsonb$$,
    $$SELECT 'e//1:2'::text, '1'::jsonb$$, $$SELECT ''::text, '1'::jsonb$$, $$SELECT repeat('k', 2049), '1'::jsonb$$,
    $$SELECT 'e:1'::text, to_jsonb(repeat('x', 17000000))$$,
    $$SELECT 'e:1'::text, (repeat('[', 513) || repeat(']', 513))::jsonb$$,
    $$SELECT 'e:' || i, to_jsonb(1 / (3 - i)) FROM generate_series(1, 5) AS i$$,
    $$SELECT key, value FROM pg_temp.no_such_table$$, $$SELEC$$, $$$$, $$SELECT 'e:1'::text, '1'::jsonb; SELECT 'e:2'::text, '2'::jsonb$$,
    $$DELETE FROM pg_class WHERE false$$, $$SHOW search_path$$,
    $$CREATE TABLE pg_temp.x (a int)$$, $$BEGIN$$, $$COMMIT$$]) AS statement;
SELECT pg_temp.error_of('SELECT kvs.import(NULL)');
SELECT pg_temp.error_of($$SELECT kvs.import('SELECT 1', 'nobody')$$);
SELECT kvs.count_keys('e:');
SELECT kvs.import($$VALUES ('e:1', '1'::jsonb), ('e:2', '2'), ('e:1', '3')$$);
-- A key twice far apart, in the large way, with most of it sorted on disk.
SET kvs.bulk_log_threshold = 0;
SET work_mem = '64kB';
SELECT pg_temp.error_of($$SELECT kvs.import('SELECT ''e:'' || i % 2999, to_jsonb(i) FROM generate_series(1, 3000) AS i')$$);
SELECT kvs.import($$SELECT 'e:' || i, to_jsonb(i) FROM generate_series(1, 3000) AS i ORDER BY md5(i::text)$$);
-- In key order, which needs no sort: all rows, all but the last one, and a key twice.
SELECT kvs.import($$SELECT 'o:' || lpad(i::text, 4, '0'), to_jsonb(i) FROM generate_series(1, 3000) AS i$$);
SELECT kvs.import($$SELECT 'p:' || lpad((i % 3000)::text, 4, '0'), to_jsonb(i % 3000) FROM generate_series(1, 3000) AS i$$);
SELECT prefix, count(*), count(*) FILTER (WHERE right(key, 4)::int <> value::int) AS wrong
FROM unnest('{o:,p:}'::text[]) AS prefix, LATERAL kvs.scan(prefix) GROUP BY prefix ORDER BY prefix;
SELECT pg_temp.error_of($$SELECT kvs.import('SELECT ''q:'' || lpad((i / 2)::text, 4, ''0''), to_jsonb(i) FROM generate_series(2, 5001) AS i')$$);
RESET work_mem;
SELECT kvs.count_keys('e:'), kvs.get('e:2999');
-- Rolled back, all of it is gone.
BEGIN;
SELECT kvs.import($$SELECT 'e:' || i, '"rolled back"'::jsonb FROM generate_series(2990, 3010) AS i$$, message => 'rolled back');
SELECT kvs.count_keys('e:'), kvs.get('e:2999');
ROLLBACK;
RESET kvs.bulk_log_threshold;
SELECT kvs.count_keys('e:'), (SELECT version FROM kvs.get_entry('e:2999'));
SELECT count(*) FROM kvs.log(NULL) WHERE message = 'rolled back';
BEGIN;
SELECT kvs.put('e:1', '"kept"');
SAVEPOINT s;
SELECT kvs.import($$VALUES ('e:1', '1'::jsonb), ('e:2', NULL)$$);
ROLLBACK TO SAVEPOINT s;
SELECT kvs.import($$SELECT key, value FROM kvs.scan('e:', max_rows => 3)$$);
COMMIT;
SELECT key, value, version FROM kvs.scan('e:', max_rows => 3);
-- The query may read the store itself; it is run as the caller.
SELECT kvs.import($$SELECT 'copy/' || key, value FROM kvs.entries WHERE key LIKE 'type:%'$$);
SELECT key, value, version FROM kvs.scan('copy/');

-- Values of every size, by both ways, come back whole.
SELECT kvs.create_branch('bulk-sizes', :'initial'), kvs.create_branch('bulk-sizes-put', :'initial');
CREATE TABLE pg_temp.sizes AS
SELECT 'size:' || lpad(n::text, 6, '0') AS key, to_jsonb(repeat(md5(n::text), n / 32 + 1)) AS value
FROM unnest(ARRAY[1, 500, 1900, 2000, 2048, 2100, 3900, 4000, 4096, 4200, 8000, 8200, 16000, 17000, 70000, 300000]) AS n;
SET kvs.bulk_log_threshold = 0;
SELECT kvs.import('TABLE pg_temp.sizes', 'bulk-sizes', 'sizes');
RESET kvs.bulk_log_threshold;
SELECT kvs.mput(array_agg(key), array_agg(value), 'bulk-sizes-put') FROM pg_temp.sizes;
SELECT count(*), bool_and(s.value = e.value) AS same FROM pg_temp.sizes AS s JOIN kvs.scan('size:', branch => 'bulk-sizes-put') AS e USING (key);
SELECT kvs.flush('bulk-sizes-put');
SELECT count(*), bool_and(s.value = e.value) AS same FROM pg_temp.sizes AS s JOIN kvs.scan('size:', branch => 'bulk-sizes-put') AS e USING (key);
SELECT kvs.commit('sizes', branch => 'bulk-sizes-put') IS NOT NULL AS committed;
SELECT count(*), bool_and(s.value = e.value) AS same FROM pg_temp.sizes AS s JOIN kvs.scan('size:', branch => 'bulk-sizes') AS e USING (key);
SELECT pg_temp.root('bulk-sizes') = pg_temp.root('bulk-sizes-put') AS same_root;

-- flush: folds the working rows, changes nothing that can be read; returns how many rows it folded.
SELECT kvs.create_branch('bulk-flush', :'initial');
SET kvs.branch = 'bulk-flush';
SELECT kvs.flush(), (SELECT count(*) FROM kvs.snapshots WHERE branch = 'bulk-flush') AS snapshots;
SELECT kvs.put('f:1', '1', tags => '{t}', comment => 'c'), kvs.put('f:2', '2'), kvs.put('f:2', '22'), kvs.put('f:3', '3'), kvs.delete('f:3'),
       kvs.put_bytes('f:4', '\x04'), kvs.put('f:5', '5', ttl => '1 hour');
CREATE TABLE pg_temp.before AS SELECT * FROM kvs.scan('f:');
SELECT kvs.flush(), kvs.flush();
SELECT rows, at IS NOT NULL AS at, pos > 0 AS pos FROM kvs.snapshots WHERE branch = 'bulk-flush';
SELECT count(*) FROM (TABLE pg_temp.before EXCEPT SELECT * FROM kvs.scan('f:')) AS differences;
SELECT key, value, version FROM kvs.scan('f:');
SELECT version, op, value FROM kvs.history('f:3');
SELECT kvs.put('f:1', '11'), kvs.flush('bulk-flush'), kvs.flush(branch => 'bulk');
SELECT kvs.flush('nobody');
BEGIN;
SELECT kvs.put('f:1', '111');
SELECT kvs.flush();
ROLLBACK;
SELECT value, version, tags FROM kvs.get_entry('f:1');
-- By itself after kvs.flush_rows keys.
SET kvs.flush_rows = 50;
SELECT count(kvs.put('auto:' || i, to_jsonb(i))) FROM generate_series(1, 49) AS i;
DO $$ BEGIN FOR i IN 1..230 LOOP PERFORM kvs.put('auto:' || i, to_jsonb(-i)); END LOOP; END $$;
SELECT count(*) < 50 AS flushed FROM _kvs.working AS w JOIN _kvs.branch AS b ON b.id = w.epoch >> 32 WHERE b.name = 'bulk-flush';
SELECT rows >= 50 AS by_itself FROM kvs.snapshots WHERE branch = 'bulk-flush';
SELECT count(*), sum((value)::int), min(version), max(version) FROM kvs.scan('auto:');
SELECT kvs.mput(array_agg('auto:' || i), array_agg(to_jsonb(i))) FROM generate_series(1, 200) AS i;
-- Also with savepoints around it, which take back what they must.
BEGIN;
DO $$ BEGIN FOR i IN 1..60 LOOP PERFORM kvs.put('auto:' || i, '"kept"'); END LOOP; END $$;
SAVEPOINT s;
DO $$ BEGIN FOR i IN 1..120 LOOP PERFORM kvs.put('auto:' || i, '"taken back"'); END LOOP; END $$;
ROLLBACK TO SAVEPOINT s;
SELECT count(*) FILTER (WHERE value = '"kept"') AS kept, count(*) FILTER (WHERE value = '"taken back"') AS taken_back, count(*) FROM kvs.scan('auto:');
DO $$ BEGIN FOR i IN 61..100 LOOP PERFORM kvs.put('auto:' || i, '"kept"'); END LOOP; END $$;
COMMIT;
RESET kvs.flush_rows;
SELECT count(*) FILTER (WHERE value = '"kept"') AS kept, count(*), min(version), max(version) FROM kvs.scan('auto:');
SELECT kvs.commit('automatic') IS NOT NULL AS committed;
-- The root is that of the entries, however they were folded.
SELECT kvs.create_branch('bulk-flush-equal', :'initial');
SELECT kvs.import($$SELECT key, value FROM kvs.scan() WHERE type = 'json' AND expires_at IS NULL$$, 'bulk-flush-equal');
SELECT kvs.put_bytes('f:4', '\x04', branch => 'bulk-flush-equal');
SELECT kvs.delete('f:5'), kvs.commit('no expiry') IS NOT NULL AS committed, kvs.commit('equal', branch => 'bulk-flush-equal') IS NOT NULL AS equal;
SELECT pg_temp.root('bulk-flush') = pg_temp.root('bulk-flush-equal') AS same_root;
-- A commit compresses fast, an import thoroughly, and neither what is to be raw.
CREATE FUNCTION pg_temp.documents(kind text) RETURNS TABLE (key text, value jsonb) LANGUAGE sql AS $$
    SELECT kind || i, jsonb_build_object('name', kind || ' number ' || i, 'role', (ARRAY['admin', 'editor'])[1 + i % 2], 'token', md5(kind || i)) FROM generate_series(1, 2000) AS i;
$$;
CREATE TEMP TABLE stored AS SELECT hash FROM _kvs.chunk;
CREATE FUNCTION pg_temp.bytes_stored() RETURNS bigint LANGUAGE sql AS $$
    WITH new AS (INSERT INTO stored SELECT hash FROM _kvs.chunk EXCEPT SELECT hash FROM stored RETURNING hash)
    SELECT sum(octet_length(body)) FROM new JOIN _kvs.chunk USING (hash);
$$;
SELECT kvs.import('SELECT * FROM pg_temp.documents(''imported'')', message => 'imported');
SELECT pg_temp.bytes_stored() AS imported \gset
SELECT kvs.mput(array_agg(key), array_agg(value)) FROM pg_temp.documents('put');
SELECT kvs.commit('put') IS NOT NULL AS committed;
SELECT pg_temp.bytes_stored() AS put \gset
SET kvs.compression_level = 0;
SELECT kvs.mput(array_agg(key), array_agg(value)) FROM pg_temp.documents('raw');
SELECT kvs.commit('raw') IS NOT NULL AS committed;
RESET kvs.compression_level;
SELECT pg_temp.bytes_stored() AS raw \gset
SELECT :put > :imported * 1.1 AS fast_takes_more, :put < :raw * 0.7 AS raw_takes_most;
-- Chunks that are there already are looked for, so that hardly any is inserted in vain: what is inserted in vain leaves a gap between the rows of a page.
CREATE FUNCTION pg_temp.gaps() RETURNS bigint LANGUAGE sql AS $$
    SELECT sum(last - rows)::bigint
    FROM (SELECT max((ctid::text::point)[1]) AS last, count(*) AS rows FROM _kvs.chunk GROUP BY (ctid::text::point)[0]) AS page;
$$;
SELECT kvs.create_branch('bulk-twice', :'initial');
SELECT count(*) AS chunks, pg_temp.gaps() AS gaps FROM _kvs.chunk \gset
SELECT kvs.import('SELECT * FROM pg_temp.documents(''imported'') UNION ALL SELECT * FROM pg_temp.documents(''put'')', 'bulk-twice', message => 'again');
SELECT count(*) - :chunks BETWEEN 30 AND 200 AS metadata_is_new, pg_temp.gaps() - :gaps < 10 AS nothing_in_vain FROM _kvs.chunk;
SELECT count(*) AS differences FROM kvs.diff('bulk-twice', 'bulk-flush') AS d WHERE d.key LIKE 'imported%' OR d.key LIKE 'put%';
SELECT kvs.delete_branch('bulk-twice', force => true);
SELECT severity, type, detail FROM kvs.check() WHERE severity = 'error';

-- Reading many entries: scan, keys, find, mget, count_keys.
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
-- The keys that a scan returns, in its order.
CREATE FUNCTION pg_temp.keys(
    prefix text DEFAULT '', start_key text DEFAULT NULL, end_key text DEFAULT NULL, max_rows bigint DEFAULT NULL,
    reverse boolean DEFAULT false, branch text DEFAULT NULL, as_of text DEFAULT NULL
) RETURNS text LANGUAGE sql AS $$
    SELECT string_agg(key, ' ') FROM kvs.scan(keys.prefix, keys.start_key, keys.end_key, keys.max_rows, keys.reverse, keys.branch, keys.as_of);
$$;

SELECT kvs.create_branch('scan', encode(_kvs.initial_commit(), 'hex'));
SET kvs.branch = 'scan';
SELECT count(*), (SELECT count(*) FROM kvs.keys()), kvs.count_keys() FROM kvs.scan();

-- In the tree: b:01 .. b:20 and their neighbours. Over it: changed, new, deleted and expired ones.
SELECT kvs.mput(array_agg('b:' || lpad(i::text, 2, '0')), array_agg(to_jsonb(i))) FROM generate_series(1, 20) AS i;
SELECT kvs.mput(array_agg(key), array_agg(to_jsonb(key))) FROM unnest(ARRAY['a:1', 'a:2', 'b', 'c:1', 'ü:1', 'bb:1', 'a/x:1', 'a/x/y:2', 'a']) AS key;
SELECT kvs.put('b:03', '3', ttl => '1 microsecond'), kvs.put_bytes('b:04', '\x04'), kvs.delete('b:05');
SELECT kvs.commit('in the tree') IS NOT NULL AS committed;
SELECT kvs.put('b:06', '"flushed"'), kvs.delete('b:07'), kvs.put('b:08', '8', ttl => '1 microsecond');
SELECT kvs.flush();
SELECT kvs.put('b:09', '"changed"'), kvs.delete('b:10'), kvs.put('b:11', '11', ttl => '1 microsecond'), kvs.put('b:10a', '"new"'),
       kvs.put('b:05', '"back"'), kvs.delete('c:1'), kvs.put('b:00', '"first"'), kvs.put('b:99', '"last"'), kvs.put('b:21', '21'),
       kvs.delete('b:21'), kvs.put('b:22', '22', ttl => '1 microsecond');
SELECT key, value, version, type, bytes FROM kvs.scan('b:');
SELECT key, value FROM kvs.scan('b:', reverse => true, max_rows => 4);
SELECT pg_temp.keys();
SELECT pg_temp.keys(reverse => true);
SELECT pg_temp.keys('b:', as_of => 'HEAD');
SELECT pg_temp.keys('b:', as_of => 'WORKING') = pg_temp.keys('b:') AS working;
-- Prefixes are of bytes, not of levels.
SELECT prefix, pg_temp.keys(prefix) FROM unnest(ARRAY['a', 'a/', 'a:', 'b:0', 'b:1', 'b:10', 'b:10a', 'bb', 'c', 'ü', 'z', 'b:99x', '%', '#']) AS prefix;
-- Bounds: start inclusive, end exclusive; they need not be keys, and may lie outside the prefix.
SELECT start_key, end_key, pg_temp.keys('b:', start_key, end_key) AS forward, pg_temp.keys('b:', start_key, end_key, reverse => true) AS backward
FROM (VALUES ('b:15', NULL), (NULL, 'b:02'), ('b:15', 'b:17'), ('b:05', 'b:05'), ('b:12', 'b:11'), ('b:08', 'b:10a'), ('b:10', 'b:12'), ('a', 'b:01'),
             ('b:18', 'zzz'), ('', 'b:'), ('zzz', NULL), (NULL, ''), ('b:155', 'b:165')) AS v(start_key, end_key);
SELECT pg_temp.keys(start_key => 'a:2', end_key => 'b:02'), pg_temp.keys(end_key => 'a:2'), pg_temp.keys(start_key => 'c');
-- max_rows and LIMIT.
SELECT n, pg_temp.keys('b:', max_rows => n) AS first, pg_temp.keys('b:', max_rows => n, reverse => true) AS last FROM unnest(ARRAY[0, 1, 3, NULL]) AS n;
SELECT key FROM kvs.scan('b:') LIMIT 2;
SELECT key FROM kvs.scan('b:') OFFSET 2 LIMIT 2;
SELECT key FROM kvs.scan('b:', max_rows => 2) LIMIT 5;
SELECT pg_temp.error_of('SELECT count(*) FROM kvs.scan(max_rows => -1)');
SELECT pg_temp.error_of($$SELECT count(*) FROM kvs.scan(branch => 'nobody')$$), pg_temp.error_of($$SELECT count(*) FROM kvs.scan(as_of => 'nobody')$$);
SELECT count(*) FROM kvs.scan(NULL, reverse => NULL);
-- The order is that of the bytes, whatever the collation of the database.
SELECT kvs.mput('{o:a,o:B,o:é,o:z,o:Z,o:1,o:😀,o:~}', '{1,1,1,1,1,1,1,1}');
SELECT pg_temp.keys('o:');
SELECT kvs.delete_prefix('o:');

-- keys and find: patterns.
SELECT kvs.mput('{p,p:1,p:2,p/q,p/q:1,p/q/r:1,p/q/r:2,p/s:1,p/s/r:1,pq:1,p2:1}', array_fill('1'::jsonb, '{11}'));
SELECT kvs.flush() > 0 AS flushed;
SELECT kvs.delete('p:2'), kvs.put('p:3', '1'), kvs.put('p/q/t:1', '1', ttl => '1 microsecond');
SELECT pattern, (SELECT string_agg(key, ' ') FROM kvs.keys(pattern) AS key) AS keys,
       (SELECT string_agg(key, ' ') FROM kvs.find(pattern)) IS NOT DISTINCT FROM (SELECT string_agg(key, ' ') FROM kvs.keys(pattern) AS key) AS find
FROM unnest(ARRAY['p', 'p:1', 'p:2', 'p/+', 'p:+', '+:1', 'p/#', 'p:#', 'p/+/+', 'p/{a}/r:{b}', 'p/q:*', 'p*', 'p/q*', 'p/q/r:1*', '+/+/+:1', 'p/q/+:1',
                  'nothing:#', 'p:*']) AS pattern;
SELECT count(*) = kvs.count_keys() AS everything FROM kvs.keys('#');
SELECT count(*) = kvs.count_keys() AS everything FROM kvs.keys();
SELECT count(*) = kvs.count_keys() AS everything FROM kvs.find('#');
SELECT key, value, version FROM kvs.find('p/+/r:1');
SELECT key FROM kvs.keys('#', as_of => 'HEAD') AS key WHERE key !~ '^b:';
SELECT key FROM kvs.keys('b:+') AS key LIMIT 2;
SELECT pattern, pg_temp.error_of(format('SELECT count(*) FROM kvs.keys(%L)', pattern)) AS keys
FROM unnest(ARRAY['', 'a/#/b', 'a+', '#a', 'a*b', '*/a', 'a/{', 'a/{}', 'a//b', '/a']) AS pattern;
SELECT pattern, left(pg_temp.error_of(format('SELECT count(*) FROM kvs.find(%L)', pattern)), 5) AS find
FROM unnest(ARRAY['', 'a/#/b', 'a+', '#a', 'a*b', '*/a', 'a/{', 'a//b']) AS pattern;
SELECT * FROM kvs.keys('a/#/b');
SELECT pg_temp.error_of($$SELECT count(*) FROM kvs.keys('#', 'nobody')$$), pg_temp.error_of($$SELECT count(*) FROM kvs.find('#', as_of => 'nobody')$$);
SELECT (SELECT count(*) FROM kvs.keys(NULL)) AS keys, (SELECT count(*) FROM kvs.find(NULL)) AS find;

-- mget: a row per asked key, in the order asked.
SELECT key, value, version, type, bytes FROM kvs.mget('{b:09,nobody,b:01,b:04,b:03,b:10,b:09,b:22,ü:1}');
SELECT * FROM kvs.mget('{nobody}');
SELECT ordinality, key, value FROM kvs.mget('{p:3,nobody,p:1}') WITH ORDINALITY;
SELECT count(*) FROM kvs.mget('{}');
SELECT key, value FROM kvs.mget('{b:09,b:10,b:00}', as_of => 'HEAD');
SELECT key, value FROM kvs.mget('{b:09,b:10,b:00}') LIMIT 1;
SELECT pg_temp.error_of(format('SELECT count(*) FROM kvs.mget(%s)', arguments)) FROM unnest(ARRAY[$$ARRAY['a:1', NULL]$$, $$ARRAY['a:1', 'a//b:1']$$,
    $$'{a:1}', 'nobody'$$, $$'{a:1}', as_of => 'nobody'$$, $$'{{a:1},{a:2}}'$$]) AS arguments;
SELECT count(*) FROM kvs.mget(NULL);
SELECT count(*), count(key), count(value), bool_and(key = 'b:' || lpad((ordinality + 11)::text, 2, '0')) AS in_order
FROM kvs.mget((SELECT array_agg('b:' || lpad(i::text, 2, '0') ORDER BY i) FROM generate_series(12, 30) AS i)) WITH ORDINALITY AS m;

-- count_keys.
SELECT prefix, kvs.count_keys(prefix), (SELECT count(*) FROM kvs.scan(prefix)) AS scanned, kvs.count_keys(prefix, as_of => 'HEAD') AS at_head
FROM unnest(ARRAY['', 'a', 'b', 'b:', 'b:1', 'b:10', 'p/', 'nothing']) AS prefix;
SELECT pg_temp.error_of($$SELECT kvs.count_keys('', 'nobody')$$), pg_temp.error_of($$SELECT kvs.count_keys('', as_of => 'nobody')$$);
SELECT kvs.count_keys(NULL) = kvs.count_keys() AS null_is_all;

-- Other branches; the past of the session, which a branch that is named beats.
SELECT kvs.create_branch('scan-other');
SELECT kvs.put('b:01', '"other"', branch => 'scan-other'), kvs.delete('b:02', branch => 'scan-other');
SELECT key, value FROM kvs.scan('b:', max_rows => 2, branch => 'scan-other');
SELECT key, value FROM kvs.find('b:+', 'scan-other') LIMIT 2;
SELECT key, value FROM kvs.mget('{b:02,b:01}', 'scan-other');
SELECT kvs.count_keys('b:', 'scan-other'), (SELECT count(*) FROM kvs.keys('b:+', 'scan-other')), kvs.count_keys('b:', 'scan-other', 'HEAD');
SET kvs.as_of = 'scan@{0}';
SELECT pg_temp.keys('b:', max_rows => 9);
SELECT kvs.count_keys('b:'), (SELECT count(*) FROM kvs.keys('b:+')), (SELECT count(*) FROM kvs.find('b:#')), (SELECT value FROM kvs.mget('{b:09}'));
SELECT kvs.count_keys('b:', branch => 'scan'), kvs.count_keys('b:', branch => 'scan-other'), kvs.count_keys('b:', as_of => 'WORKING');
RESET kvs.as_of;

-- What the transaction has written is read, until it is rolled back.
BEGIN;
SELECT kvs.put('b:00', '"mine"'), kvs.delete('b:01'), kvs.put('b:02a', '"mine"');
SAVEPOINT s;
SELECT kvs.delete('b:00');
SELECT pg_temp.keys('b:', max_rows => 3);
ROLLBACK TO SAVEPOINT s;
SELECT key, value FROM kvs.scan('b:', max_rows => 3);
ROLLBACK;
SELECT key, value FROM kvs.scan('b:', max_rows => 3);

-- Cursors see the state of when they were opened, in both directions, also held ones.
BEGIN;
DECLARE c SCROLL CURSOR FOR SELECT key, value FROM kvs.scan('b:');
FETCH 2 FROM c;
SELECT kvs.put('b:02', '"later"'), kvs.delete('b:05'), kvs.put('b:02a', '"later"');
SELECT kvs.flush() > 0 AS flushed;
FETCH 3 FROM c;
FETCH BACKWARD 2 FROM c;
MOVE LAST IN c;
FETCH RELATIVE 0 FROM c;
CLOSE c;
DECLARE k CURSOR FOR SELECT key FROM kvs.keys('b:+') AS key;
FETCH 4 FROM k;
DECLARE h CURSOR WITH HOLD FOR SELECT key FROM kvs.find('b:1*');
ROLLBACK;
BEGIN;
DECLARE h CURSOR WITH HOLD FOR SELECT key FROM kvs.find('b:1*');
FETCH 1 FROM h;
COMMIT;
SELECT kvs.delete('b:12');
FETCH 2 FROM h;
CLOSE h;
SELECT kvs.put('b:12', '12');
-- Two scans at once, and a loop that writes what it reads.
DO $$
DECLARE
    e kvs.entry;
    rows int := 0;
BEGIN
    FOR e IN SELECT * FROM kvs.scan('p') LOOP
        PERFORM kvs.put('loop/' || replace(replace(e.key, '/', '-'), ':', '-') || ':1', e.value);
        PERFORM kvs.put('p/loop:' || rows, e.value);
        rows := rows + 1;
    END LOOP;
    RAISE NOTICE '% rows', rows;
END
$$;
SELECT kvs.count_keys('loop/'), kvs.count_keys('p/loop:');
SELECT kvs.delete_prefix('loop/'), kvs.delete_prefix('p/loop:');

-- In queries: joins, lateral, subqueries, aggregates, EXISTS, target lists.
SELECT a.key, b.key AS next FROM kvs.scan('b:', max_rows => 3) AS a, LATERAL kvs.scan('b:', start_key => a.key || ' ', max_rows => 1) AS b;
SELECT prefix, e.key FROM unnest(ARRAY['a', 'p', 'nothing', 'b:2']) AS prefix LEFT JOIN LATERAL kvs.scan(prefix, max_rows => 2) AS e ON true;
SELECT key, (SELECT count(*) FROM kvs.scan(s.key)) AS under FROM kvs.scan('p', max_rows => 5) AS s;
SELECT count(*), sum((value)::int) FROM kvs.scan('b:') WHERE jsonb_typeof(value) = 'number' AND key > 'b:11';
SELECT key FROM kvs.scan('b:') AS s WHERE EXISTS (SELECT FROM kvs.scan('b:', branch => 'scan-other') AS o WHERE o.key = s.key AND o.value <> s.value);
SELECT l.key, l.value AS here, r.value AS there FROM kvs.scan('b:0') AS l FULL JOIN kvs.scan('b:0', branch => 'scan-other') AS r USING (key)
WHERE l.value IS DISTINCT FROM r.value ORDER BY l.key, r.key;
SELECT (kvs.scan('b:', max_rows => 2)).key;
SELECT left(key, 1) AS first, count(*) FROM kvs.scan() GROUP BY 1 ORDER BY 1;
SELECT g, k FROM generate_series(1, 2) AS g, LATERAL (SELECT key AS k FROM kvs.keys('p/+') AS key) AS x;
SELECT kvs.get(m.key) = m.value AS same FROM kvs.mget('{b:01,b:02}') AS m;
PREPARE some_keys(text, bigint) AS SELECT key FROM kvs.scan($1, max_rows => $2);
EXECUTE some_keys('b:1', 2);
EXECUTE some_keys('p', 2);
DEALLOCATE some_keys;

-- The wrappers are inlined: rows stream, nothing is collected first.
EXPLAIN (COSTS OFF, VERBOSE) SELECT key FROM kvs.scan('b:') LIMIT 3;
EXPLAIN (COSTS OFF) SELECT * FROM kvs.keys('b:+') LIMIT 3;
EXPLAIN (COSTS OFF) SELECT key FROM kvs.find('b:#') LIMIT 3;
EXPLAIN (COSTS OFF) SELECT key FROM kvs.mget('{b:01}');
SELECT severity, type, detail FROM kvs.check() WHERE severity = 'error';

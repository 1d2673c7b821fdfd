-- Entries: put, put_entry, get, get_entry, exists, delete, patch, json_patch, increment, cas, touch, bytes, expiry.

-- SQLSTATE and message of a statement that must fail.
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
-- Returns as soon as a moment has passed.
CREATE FUNCTION pg_temp.wait_until(moment timestamptz) RETURNS boolean LANGUAGE plpgsql AS $$
BEGIN
    WHILE clock_timestamp() <= moment LOOP
        PERFORM pg_sleep(0.002);
    END LOOP;
    RETURN true;
END
$$;

SELECT kvs.create_branch('entries', encode(_kvs.initial_commit(), 'hex'));
SET kvs.branch = 'entries';
SET kvs.author = 'tester';

-- put and get: versions count from 1.
SELECT kvs.get('user:1') IS NULL AS absent, kvs.exists('user:1');
SELECT kvs.put('user:1', '{"name": "Ada", "roles": ["admin"]}');
SELECT kvs.put('user:1', '{"name": "Ada L."}');
SELECT kvs.get('user:1'), kvs.exists('user:1'), kvs.exists('user'), kvs.exists('user:11');
SELECT key, value, version, type, bytes, expires_at, modified_by, comment, tags, schema_hash FROM kvs.get_entry('user:1');
SELECT count(*) FROM kvs.get_entry('user:2');
-- Every option, by position and by name.
SELECT kvs.put('user:2', '1', 0, '1 hour', '{a,b}', 'why', 'ada', 's1', 'entries');
SELECT key, value, version, type, expires_at - updated_at BETWEEN '59 minutes' AND '61 minutes' AS in_an_hour, modified_by,
       comment, tags, schema_hash FROM kvs.get_entry('user:2');
SELECT kvs.put('user:2', '2', branch => 'entries', schema_hash => 's2', modified_by => 'bob', comment => 'because', tags => '{c}',
               ttl => '1 day', expected_version => 1);
SELECT value, version, expires_at > updated_at + interval '23 hours' AS tomorrow, modified_by, comment, tags, schema_hash
FROM kvs.get_entry('user:2');
-- Without options: the expiry is cleared, tags and schema stay, a comment is of its version, the author is the session's.
SELECT kvs.put('user:2', '3');
SELECT value, version, expires_at, modified_by, comment, tags, schema_hash FROM kvs.get_entry('user:2');
SELECT kvs.put('user:2', '3', tags => '{}', schema_hash => '');
SELECT version, tags, schema_hash FROM kvs.get_entry('user:2');
SELECT created_at < updated_at AS updated_later FROM kvs.get_entry('user:2');
-- A deletion ends them all; the versions go on.
SELECT kvs.put('user:2', '4', tags => '{x}', schema_hash => 's3'), kvs.delete('user:2'), kvs.put('user:2', '5');
SELECT value, version, comment, tags, schema_hash, created_at = updated_at AS created_anew FROM kvs.get_entry('user:2');
-- put_entry returns what get_entry shows.
SELECT e.* = g.* AS same, e.version, e.value, e.tags
FROM kvs.put_entry('user:3', '{"n": 1.50}', tags => '{t}', comment => 'c', ttl => '2 hours') AS e, LATERAL (SELECT e.*) AS g;
SELECT (p.entry).key, (p.entry).value, (p.entry).version, (p.entry).type, (p.entry).modified_by, (p.entry).comment, (p.entry).tags
FROM (SELECT kvs.put_entry('user:3', '{"n": 2}') AS entry OFFSET 0) AS p;
SELECT created_at < updated_at AS kept, expires_at IS NULL AS cleared FROM kvs.get_entry('user:3');
-- Lists of tags as they are given.
SELECT kvs.put('user:tags', '1', tags => ARRAY['b', 'a', 'a', 'tag with, comma', '"quoted"', 'Ünïcode']);
SELECT tags, cardinality(tags) FROM kvs.get_entry('user:tags');
SELECT pg_temp.error_of($$SELECT kvs.put('user:tags', '1', tags => '{{a,b},{c,d}}')$$);
SELECT pg_temp.error_of($$SELECT kvs.put('user:tags', '1', tags => '{a,""}')$$);
SELECT pg_temp.error_of($$SELECT kvs.put('user:tags', '1', tags => ARRAY['a', NULL])$$);

-- expected_version: 0 must not exist, n must be at n; a deleted key does not exist.
SELECT kvs.put('ev:1', '1', expected_version => 0);
SELECT pg_temp.error_of($$SELECT kvs.put('ev:1', '2', expected_version => 0)$$);
SELECT pg_temp.error_of($$SELECT kvs.put('ev:1', '2', expected_version => 2)$$);
SELECT kvs.put('ev:1', '2', expected_version => 1);
SELECT pg_temp.error_of($$SELECT kvs.put('ev:1', '3', expected_version => 1)$$);
SELECT pg_temp.error_of($$SELECT kvs.put('ev:nobody', '3', expected_version => 1)$$);
SELECT pg_temp.error_of($$SELECT kvs.put('ev:1', '3', expected_version => -1)$$);
SELECT kvs.delete('ev:1');
SELECT pg_temp.error_of($$SELECT kvs.put('ev:1', '4', expected_version => 2)$$);
SELECT pg_temp.error_of($$SELECT kvs.put('ev:1', '4', expected_version => 3)$$);
SELECT kvs.put('ev:1', '4', expected_version => 0);
SELECT pg_temp.error_of($$SELECT kvs.delete('ev:1', expected_version => 3)$$);
SELECT kvs.delete('ev:1', expected_version => 4);
SELECT pg_temp.error_of($$SELECT kvs.patch('ev:1', '{}', expected_version => 5)$$);
SELECT kvs.patch('ev:1', '{"a": 1}', expected_version => 0);
SELECT pg_temp.error_of($$SELECT kvs.json_patch('ev:1', '[]', expected_version => 5)$$);
SELECT kvs.json_patch('ev:1', '[]', expected_version => 6);
-- The error says what to do.
SELECT kvs.put('ev:1', '9', expected_version => 3);
SELECT kvs.put('ev:1', '9', expected_version => 0);
SELECT kvs.put('ev:nobody', '9', expected_version => 7);
-- The same from the tree.
SELECT kvs.flush() > 0 AS flushed;
SELECT pg_temp.error_of($$SELECT kvs.put('ev:1', '9', expected_version => 6)$$), kvs.put('ev:1', '9', expected_version => 7);
SELECT kvs.delete('ev:1'), kvs.flush();
SELECT pg_temp.error_of($$SELECT kvs.put('ev:1', '9', expected_version => 9)$$), kvs.put('ev:1', '9', expected_version => 0);

-- delete: false where there is nothing; a version of its own; its comment and author.
SELECT kvs.delete('del:1'), kvs.delete('del:1', expected_version => 0);
SELECT pg_temp.error_of($$SELECT kvs.delete('del:1', expected_version => 1)$$);
SELECT kvs.put('del:1', '1'), kvs.delete('del:1', comment => 'old', modified_by => 'bob'), kvs.delete('del:1');
SELECT kvs.get('del:1') IS NULL AS gone, kvs.exists('del:1'), (SELECT count(*) FROM kvs.get_entry('del:1'));
SELECT version, op, modified_by, comment FROM kvs.history('del:1');
SELECT kvs.put('del:1', '2'), pg_temp.error_of($$SELECT kvs.delete('del:1', 0)$$), kvs.delete('del:1', 3);

-- cas: false instead of an error.
SELECT kvs.cas('cas:1', 1, '1'), kvs.cas('cas:1', 0, '1'), kvs.cas('cas:1', 0, '2'), kvs.cas('cas:1', 1, '3'), kvs.cas('cas:1', 1, '4');
SELECT value, version FROM kvs.get_entry('cas:1');
SELECT kvs.put('cas:1', '5', ttl => '1 hour', tags => '{kept}', schema_hash => 's');
SELECT kvs.cas('cas:1', 3, '6', branch => 'entries');
SELECT value, version, expires_at IS NOT NULL AS expires, tags, schema_hash FROM kvs.get_entry('cas:1');
SELECT kvs.delete('cas:1'), kvs.cas('cas:1', 4, '7'), kvs.cas('cas:1', 5, '7'), kvs.cas('cas:1', 0, '7');
SELECT value, version FROM kvs.get_entry('cas:1');

-- touch: a new expiry or none; absent keys stay absent.
SELECT kvs.touch('touch:1', '1 hour'), kvs.put('touch:1', '{"a": 1}', tags => '{t}'), kvs.touch('touch:1', '1 hour');
SELECT value, version, tags, expires_at - updated_at BETWEEN '59 minutes' AND '61 minutes' AS in_an_hour FROM kvs.get_entry('touch:1');
SELECT kvs.touch('touch:1', NULL);
SELECT version, expires_at FROM kvs.get_entry('touch:1');
SELECT pg_temp.error_of(format('SELECT kvs.touch(''touch:1'', %L)', ttl)) FROM unnest(ARRAY['0', '-1 second', '1 month -40 days']) AS ttl;
SELECT pg_temp.error_of(format('SELECT kvs.put(''touch:1'', ''1'', ttl => %L)', ttl))
FROM unnest(ARRAY['0', '-1 second', '1000000 years']) AS ttl;
SELECT pg_temp.error_of($$SELECT kvs.touch('touch:1', '10000000 years')$$) LIKE '22008 %' AS out_of_range;

-- Expiry: an expired entry reads as absent everywhere, and is written anew with the next version.
SELECT expires_at AS soon FROM kvs.put_entry('ttl:1', '{"a": 1}', ttl => '10 milliseconds', tags => '{t}') \gset
SELECT pg_temp.wait_until(:'soon');
SELECT kvs.get('ttl:1') IS NULL AS gone, kvs.exists('ttl:1'), (SELECT count(*) FROM kvs.get_entry('ttl:1')), kvs.count_keys('ttl:');
SELECT kvs.touch('ttl:1', '1 hour'), kvs.delete('ttl:1');
SELECT pg_temp.error_of($$SELECT kvs.put('ttl:1', '2', expected_version => 1)$$);
SELECT kvs.patch('ttl:1', '{"b": 2}', expected_version => 0);
SELECT value, version, tags, expires_at FROM kvs.get_entry('ttl:1');
-- Within one transaction too, and from the tree.
BEGIN;
SELECT expires_at AS soon FROM kvs.put_entry('ttl:2', '1', ttl => '10 milliseconds') \gset
SELECT kvs.flush() > 0 AS flushed, pg_temp.wait_until(:'soon');
SELECT kvs.get('ttl:2') IS NULL AS gone, kvs.exists('ttl:2');
COMMIT;
SELECT kvs.increment('ttl:2'), kvs.cas('ttl:2', 0, '5'), kvs.cas('ttl:2', 2, '5');
SELECT value, version, expires_at FROM kvs.get_entry('ttl:2');
-- patch, json_patch, increment and cas keep an expiry, put clears it.
SELECT kvs.put('ttl:3', '{"n": 1}', ttl => '1 hour'), kvs.patch('ttl:3', '{"a": 1}'),
       kvs.json_patch('ttl:3', '[{"op": "remove", "path": "/a"}]'), kvs.increment('ttl:3', path => '/n'), kvs.cas('ttl:3', 4, '{}');
SELECT version, expires_at IS NOT NULL AS expires FROM kvs.get_entry('ttl:3');
SELECT kvs.put('ttl:3', '{}');
SELECT expires_at FROM kvs.get_entry('ttl:3');
-- An expiry far away is no expiry of today.
SELECT kvs.put('ttl:4', '1', ttl => '100000 years'), kvs.put('ttl:5', '1', ttl => '1 microsecond');
SELECT kvs.exists('ttl:4'), kvs.exists('ttl:5');

-- patch, RFC 7396.
SELECT kvs.put('p:1', '{"a": "b", "c": {"d": "e", "f": "g"}}');
SELECT kvs.patch('p:1', '{"a": "z", "c": {"f": null}}', comment => 'as in the RFC', modified_by => 'ada');
SELECT value, version, comment, modified_by FROM kvs.get_entry('p:1');
CREATE FUNCTION pg_temp.patched(document jsonb, delta jsonb) RETURNS jsonb LANGUAGE plpgsql AS $$
BEGIN
    PERFORM kvs.put('p:2', document);
    PERFORM kvs.patch('p:2', delta);
    RETURN kvs.get('p:2');
END
$$;
SELECT document, delta, pg_temp.patched(document, delta) AS result
FROM (VALUES ('{"a":"b"}'::jsonb, '{"a":"c"}'::jsonb), ('{"a":"b"}', '{"b":"c"}'), ('{"a":"b"}', '{"a":null}'),
             ('{"a":"b","b":"c"}', '{"a":null}'), ('{"a":["b"]}', '{"a":"c"}'), ('{"a":"c"}', '{"a":["b"]}'),
             ('{"a":{"b":"c"}}', '{"a":{"b":"d","c":null}}'), ('{"a":[{"b":"c"}]}', '{"a":[1]}'),
             ('["a","b"]', '["c","d"]'), ('{"a":"b"}', '["c"]'), ('{"a":"foo"}', 'null'), ('{"a":"foo"}', '"bar"'),
             ('{"e":null}', '{"a":1}'), ('[1,2]', '{"a":"b","c":null}'), ('{}', '{"a":{"bb":{"ccc":null}}}')) AS v(document, delta);
-- An absent key counts as {}; a delta that is not an object replaces.
SELECT kvs.patch('p:3', '{"a": {"b": 1, "c": null}, "d": null}'), kvs.patch('p:4', '[1, null]'), kvs.patch('p:5', 'null');
SELECT kvs.get('p:3'), kvs.get('p:4'), kvs.get('p:5');
SELECT kvs.put('p:6', '{"n": 1.10}', tags => '{t}', schema_hash => 's'), kvs.patch('p:6', '{"m": 12345678901234567890.123456789}');
SELECT value, tags, schema_hash FROM kvs.get_entry('p:6');
SELECT op FROM kvs.history('p:6', 1);

-- json_patch, RFC 6902.
CREATE FUNCTION pg_temp.json_patched(document jsonb, operations jsonb) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
    message text;
BEGIN
    PERFORM kvs.put('jp:1', document);
    PERFORM kvs.json_patch('jp:1', operations);
    RETURN kvs.get('jp:1');
EXCEPTION WHEN OTHERS THEN
    GET STACKED DIAGNOSTICS message = MESSAGE_TEXT;
    RETURN SQLSTATE || ' ' || message;
END
$$;
SELECT document, operations, pg_temp.json_patched(document, operations) AS result
FROM (VALUES ('{"a":1}'::jsonb, '[{"op":"add","path":"/b","value":[2]}]'::jsonb),
             ('{"a":[1,3]}', '[{"op":"add","path":"/a/1","value":2}]'),
             ('{"a":[1]}', '[{"op":"add","path":"/a/-","value":null}]'),
             ('{"a":1}', '[{"op":"add","path":"","value":"all"}]'),
             ('{"a":1,"b":[1,2,3]}', '[{"op":"remove","path":"/b/1"},{"op":"remove","path":"/a"}]'),
             ('{"a":1}', '[{"op":"replace","path":"/a","value":{"b":2}}]'),
             ('{"a":{"b":1},"c":{}}', '[{"op":"move","from":"/a/b","path":"/c/d"}]'),
             ('{"a":{"b":1}}', '[{"op":"copy","from":"/a","path":"/c"}]'),
             ('{"a":1.0,"b":[1,{"c":"x"}]}', '[{"op":"test","path":"/a","value":1},{"op":"test","path":"/b","value":[1.00,{"c":"x"}]}]'),
             ('{"a/b":1,"m~n":2,"":3}', '[{"op":"test","path":"/a~1b","value":1},{"op":"remove","path":"/m~0n"},{"op":"remove","path":"/"}]'),
             ('[1]', '[]'),
             ('{"a":1}', '[{"op":"replace","path":"/a","value":2},{"op":"test","path":"/a","value":1}]'),
             ('{"a":"1"}', '[{"op":"test","path":"/a","value":1}]'),
             ('{"a":1}', '[{"op":"remove","path":"/b"}]'),
             ('{"a":1}', '[{"op":"replace","path":"/b","value":1}]'),
             ('{"a":1}', '[{"op":"add","path":"/b/c","value":1}]'),
             ('{"a":[1]}', '[{"op":"add","path":"/a/2","value":1}]'),
             ('{"a":[1]}', '[{"op":"add","path":"/a/01","value":1}]'),
             ('{"a":{"b":1}}', '[{"op":"move","from":"/a","path":"/a/b"}]'),
             ('{"a":1}', '[{"op":"copy","from":"/b","path":"/c"}]'),
             ('{"a":1}', '[{"op":"frobnicate","path":"/a"}]'),
             ('{"a":1}', '[{"op":"add","path":"a","value":1}]'),
             ('{"a":1}', '[{"op":"add","path":"/b"}]'),
             ('{"a":1}', '[{"path":"/b"}]'),
             ('{"a":1}', '[1]'),
             ('{"a":1}', '{"op":"remove","path":"/a"}'),
             ('{"a":1}', 'null')) AS v(document, operations);
SELECT pg_temp.error_of($$SELECT kvs.json_patch('jp:nobody', '[{"op":"add","path":"","value":1}]')$$);
SELECT pg_temp.error_of($$SELECT kvs.json_patch('jp:nobody', '[{"op":"remove","path":"/a"}]')$$);
SELECT kvs.put('jp:2', '{"n": 1}'), kvs.json_patch('jp:2', '[{"op":"add","path":"/m","value":2.0}]', comment => 'c', modified_by => 'ada');
SELECT value, version, comment, modified_by FROM kvs.get_entry('jp:2');
-- A patch that fails leaves nothing behind.
SELECT kvs.json_patch('jp:2', '[{"op":"remove","path":"/m"},{"op":"test","path":"/n","value":2}]');
SELECT value, version FROM kvs.get_entry('jp:2');

-- increment: exact, at any place, from nothing.
SELECT kvs.increment('inc:1'), kvs.increment('inc:1', 0.1), kvs.increment('inc:1', 0.2), kvs.increment('inc:1', -1.3);
SELECT value, version FROM kvs.get_entry('inc:1');
SELECT kvs.increment('inc:2', 12345678901234567890.123456789), kvs.increment('inc:2', 0.000000001), kvs.increment('inc:2', 1e30);
SELECT kvs.get('inc:2');
SELECT left(pg_temp.error_of($$SELECT kvs.increment('inc:3', 2, '/stats/hits')$$), 5) AS error, kvs.exists('inc:3');
SELECT kvs.increment('inc:3', 2, '/hits'), kvs.increment('inc:3', path => '/hits');
SELECT kvs.increment('inc:7', path => ''), kvs.increment('inc:7', path => ''), kvs.get('inc:3');
SELECT kvs.put('inc:4', '{"a": [1, {"b": 2.50}], "s": "x", "nothing": null, "a/b": 5}');
SELECT kvs.increment('inc:4', 1, '/a/0'), kvs.increment('inc:4', 0.5, '/a/1/b'), kvs.increment('inc:4', 1, '/new'),
       kvs.increment('inc:4', 1, '/a/1/new'), kvs.increment('inc:4', 1, '/a/-'), kvs.increment('inc:4', -10, '/a~1b'),
       kvs.increment('inc:4', 0, '/a/0', 'entries');
SELECT value, version FROM kvs.get_entry('inc:4');
SELECT path, left(pg_temp.error_of(format('SELECT kvs.increment(''inc:4'', 1, %L)', path)), 5) AS error
FROM unnest(ARRAY['/s', '/nothing', '/a', '', '/a/9', '/a/x', '/s/t', '/no/such', 'a', '/a~2b']) AS path;
SELECT delta, pg_temp.error_of(format('SELECT kvs.increment(''inc:1'', %L)', delta)) FROM unnest(ARRAY['NaN', 'Infinity', '-Infinity']) AS delta;
SELECT version FROM kvs.get_entry('inc:4');
SELECT kvs.increment('inc:5', 1e-300) = 1e-300 AS tiny, kvs.increment('inc:5', 1e300) = 1e300 + 1e-300 AS exact;
SELECT kvs.put('inc:6', '1', tags => '{t}', schema_hash => 's'), kvs.increment('inc:6');
SELECT value, tags, schema_hash FROM kvs.get_entry('inc:6');

-- Bytes are not documents.
SELECT kvs.put_bytes('bytes:1', '\x00ff10'), kvs.put_bytes('bytes:empty', '');
SELECT kvs.get_bytes('bytes:1'), kvs.get_bytes('bytes:empty'), kvs.get_bytes('bytes:nobody') IS NULL AS absent, kvs.exists('bytes:empty');
SELECT key, value, version, type, bytes FROM kvs.get_entry('bytes:1');
SELECT kvs.get('bytes:1');
SELECT kvs.get_bytes('user:1');
SELECT pg_temp.error_of(statement) FROM unnest(ARRAY[
    $$SELECT kvs.patch('bytes:1', '{}')$$, $$SELECT kvs.json_patch('bytes:1', '[]')$$, $$SELECT kvs.increment('bytes:1')$$,
    $$SELECT kvs.increment('bytes:1', 1, '/a')$$]) AS statement;
SELECT kvs.touch('bytes:1', '1 hour'), kvs.cas('bytes:1', 2, '"a document now"');
SELECT value, version, type, bytes FROM kvs.get_entry('bytes:1');
SELECT kvs.put_bytes('bytes:1', '\x01', expected_version => 3, ttl => '1 hour', tags => '{t}', comment => 'c', modified_by => 'ada',
                     schema_hash => 's', branch => 'entries');
SELECT value, version, type, bytes, expires_at IS NOT NULL AS expires, tags, comment, modified_by, schema_hash FROM kvs.get_entry('bytes:1');
SELECT pg_temp.error_of($$SELECT kvs.put_bytes('bytes:1', '\x02', expected_version => 3)$$);
-- Large ones, uncommitted, flushed and committed.
SELECT decode(string_agg(md5(i::text), ''), 'hex') AS megabyte FROM generate_series(1, 65536) AS i \gset
SELECT kvs.put_bytes('bytes:large', :'megabyte'), kvs.put('bytes:doc', to_jsonb(:'megabyte'::text));
SELECT octet_length(kvs.get_bytes('bytes:large')), kvs.get_bytes('bytes:large') = :'megabyte'::bytea AS same, kvs.get('bytes:doc')->>0 = :'megabyte' AS same_doc;
SELECT kvs.flush() > 0 AS flushed;
SELECT kvs.get_bytes('bytes:large') = :'megabyte'::bytea AS same, kvs.get('bytes:doc')->>0 = :'megabyte' AS same_doc;
SELECT kvs.commit('large') IS NOT NULL AS committed;
SELECT kvs.get_bytes('bytes:large') = :'megabyte'::bytea AS same, kvs.get_bytes('bytes:large', as_of => 'HEAD') = :'megabyte'::bytea AS same_then,
       kvs.get('bytes:doc')->>0 = :'megabyte' AS same_doc;
SELECT type, octet_length(bytes), value IS NULL AS no_value FROM kvs.get_entry('bytes:large');

-- Documents come back as they are.
SELECT kvs.put('doc:' || n, document), kvs.get('doc:' || n) IS NULL AS not_yet
FROM (VALUES (1, 'null'::jsonb), (2, 'true'), (3, 'false'), (4, '""'), (5, '[]'), (6, '{}'), (7, '0'), (8, '-0'),
             (9, '12345678901234567890.123456789'), (10, '1e-30'), (11, '2'), (12, '2.0'), (13, '1e20'), (14, '{"b": 1, "a": [null, {"": ""}]}'),
             (15, '"\u00e9\ud83d\ude00 \" \\ \/ \b\f\n\r\t \u001f"'), (16, '{"a": 1, "a": 2}'), (17, '[1e400]'), (18, '1e-300')) AS v(n, document);
SELECT n, left(kvs.get('doc:' || n)::text, 60) AS document FROM generate_series(1, 16) AS n;
SELECT kvs.get('doc:17') = '[1e400]' AS huge, kvs.get('doc:18')::text = (1e-300)::text AS tiny,
       kvs.get('doc:11')::text = kvs.get('doc:12')::text AS two_is_two_point_nought;
SELECT kvs.commit('documents') IS NOT NULL AS committed;
SELECT n, left(kvs.get('doc:' || n)::text, 60) AS document FROM generate_series(1, 16) AS n;
SELECT kvs.get('doc:17') = '[1e400]' AS huge, kvs.get('doc:18')::text = (1e-300)::text AS tiny;
-- A JSON null is a value, an SQL NULL is none.
SELECT kvs.get('doc:1') IS NULL AS sql_null, kvs.get('doc:1') = 'null' AS json_null, kvs.exists('doc:1');
-- Patching keeps every digit of what it does not touch.
SELECT kvs.put('doc:19', '{"n": 12345678901234567890.12345678900, "m": 1.0, "t": 0.1e-10}'), kvs.patch('doc:19', '{"x": 1}'),
       kvs.json_patch('doc:19', '[{"op": "add", "path": "/y", "value": 2.00}]');
SELECT kvs.get('doc:19');

-- NULL arguments: readers find nothing, writers refuse.
SELECT kvs.get(NULL) IS NULL, kvs.get_bytes(NULL) IS NULL, kvs.exists(NULL), (SELECT count(*) FROM kvs.get_entry(NULL));
SELECT statement, pg_temp.error_of('SELECT kvs.' || statement) FROM unnest(ARRAY[
    $$put(NULL, '1')$$, $$put('n:1', NULL)$$, $$put_entry('n:1', NULL)$$, $$put_entry(NULL, '1')$$, $$put_bytes('n:1', NULL)$$,
    $$put_bytes(NULL, '')$$, $$delete(NULL)$$, $$patch(NULL, '{}')$$, $$patch('n:1', NULL)$$, $$json_patch(NULL, '[]')$$,
    $$json_patch('n:1', NULL)$$, $$increment(NULL)$$, $$increment('n:1', NULL)$$, $$cas(NULL, 0, '1')$$, $$cas('n:1', NULL, '1')$$,
    $$cas('n:1', 0, NULL)$$, $$touch(NULL, '1 hour')$$]) AS statement;
SELECT kvs.exists('n:1');

-- Keys: any text that the grammar allows, compared as bytes.
SELECT kvs.put(key, to_jsonb(key)) FROM unnest(ARRAY['k', 'K', 'k ', ' k', 'ключ', '鍵:値', '😀/é:ü', E'k\n\t\x01', 'users/active:123', ':a:b',
                                                     'a%2Fb:c', 'a:b/c:d%e', '#+*{}', 'k''"\']) AS key;
SELECT count(*), bool_and(kvs.get(key) = to_jsonb(key)) AS all_there FROM unnest(ARRAY['k', 'K', 'k ', ' k', 'ключ', '鍵:値', '😀/é:ü',
    E'k\n\t\x01', 'users/active:123', ':a:b', 'a%2Fb:c', 'a:b/c:d%e', '#+*{}', 'k''"\']) AS key;
-- The two ways to write an e with an accent are two keys.
SELECT kvs.exists(U&'\d83d\de00/\00e9:\00fc'), kvs.exists(U&'\d83d\de00/e\0301:\00fc');
SELECT key, pg_temp.error_of(format('SELECT kvs.put(%L, ''1'')', key)) AS put
FROM unnest(ARRAY['', ':', 'a:', '/a:b', 'a/:b', 'a//b:c', 'a%2fb:c', 'a%41:c', 'a%:c', ':a', '::a']) AS key;
SELECT statement, pg_temp.error_of('SELECT kvs.' || statement) AS error FROM unnest(ARRAY[
    $$get('a//b:c')$$, $$get_bytes('a//b:c')$$, $$exists('')$$, $$get_entry('a:')$$, $$delete('a:')$$, $$patch('a:', '{}')$$,
    $$json_patch('a:', '[]')$$, $$increment('a:')$$, $$cas('a:', 0, '1')$$, $$touch('a:', NULL)$$, $$put_bytes('a:', '')$$,
    $$put_entry('a:', '1')$$]) AS statement;
SELECT kvs.put('a//b:c', '1');
SELECT kvs.get('');
-- 2,048 bytes and no more.
SELECT kvs.put(repeat('k', 2048), '1'), kvs.put(repeat('é', 1024), '2');
SELECT kvs.get(repeat('k', 2048)), kvs.get(repeat('é', 1024)), kvs.exists(repeat('k', 2047));
SELECT left(pg_temp.error_of(format('SELECT kvs.put(%L, ''1'')', repeat('k', 2049))), 100);
SELECT left(pg_temp.error_of(format('SELECT kvs.put(%L, ''1'')', repeat('é', 1025))), 100);
SELECT left(pg_temp.error_of(format('SELECT kvs.get(%L)', repeat('k', 2049))), 100);
-- Bytes that are no text never come this far.
SELECT pg_temp.error_of($$SELECT kvs.put(convert_from('\xff', 'UTF8'), '1')$$);
SELECT pg_temp.error_of($$SELECT kvs.put(convert_from('\x6100', 'UTF8'), '1')$$);
SELECT pg_temp.error_of($$SELECT kvs.put('n:1', '"\u0000"')$$);

-- Limits of metadata.
SELECT kvs.put('meta:1', '1', modified_by => repeat('m', 256), comment => repeat('c', 2000), schema_hash => repeat('s', 64),
               tags => ARRAY[repeat('t', 499), repeat('u', 499)]);
SELECT length(modified_by), length(comment), length(schema_hash), length(tags[1]), length(tags[2]) FROM kvs.get_entry('meta:1');
SELECT kvs.flush() > 0 AS flushed;
SELECT length(modified_by), length(comment), length(schema_hash), length(tags[1]), length(tags[2]) FROM kvs.get_entry('meta:1');
SELECT option, pg_temp.error_of(format('SELECT kvs.put(''meta:1'', ''1'', %s => %L)', option, value)) AS error
FROM (VALUES ('modified_by', repeat('m', 257)), ('comment', repeat('c', 2001)), ('schema_hash', repeat('s', 65)),
             ('tags', '{' || repeat('t', 1000) || '}')) AS v(option, value);
SELECT version FROM kvs.get_entry('meta:1');

-- Limits of values: 512 levels, 16 MB. What is too large is rolled back with its statement.
SELECT kvs.put('deep:1', (repeat('[', 512) || repeat(']', 512))::jsonb), kvs.patch('deep:2', (repeat('{"a":', 512) || '1' || repeat('}', 512))::jsonb);
SELECT length(kvs.get('deep:1')::text), kvs.get('deep:2') = (repeat('{"a":', 512) || '1' || repeat('}', 512))::jsonb AS same;
SELECT left(pg_temp.error_of(format('SELECT kvs.put(''deep:3'', %L)', repeat('[', 513) || repeat(']', 513))), 100);
SELECT left(pg_temp.error_of(format('SELECT kvs.patch(''deep:3'', %L)', repeat('{"a":', 513) || '1' || repeat('}', 513))), 100);
SELECT left(pg_temp.error_of(format('SELECT kvs.json_patch(''deep:1'', ''[{"op":"copy","from":"","path":"%s/-"}]'')', repeat('/0', 511))), 100);
SELECT kvs.exists('deep:3'), version FROM kvs.get_entry('deep:1');
SELECT pg_temp.error_of($$SELECT kvs.put('big:1', to_jsonb(repeat('x', 17000000)))$$);
SELECT pg_temp.error_of($$SELECT kvs.put_bytes('big:1', convert_to(repeat('x', 16777217), 'UTF8'))$$);
-- Copies of copies end at the limit, not at the end of memory.
SELECT kvs.put('big:2', '[1]');
SELECT pg_temp.error_of($$SELECT kvs.json_patch('big:2', jsonb_agg('{"op": "copy", "from": "", "path": "/-"}'::jsonb)) FROM generate_series(1, 60)$$) LIKE '54000 %' AS too_large;
SELECT value, version FROM kvs.get_entry('big:2');
-- The largest and the smallest numbers of jsonb survive a patch; a sum beyond them is an error.
SELECT kvs.put('num:1', '{"large": 1e131071, "small": 1e-16000}'), kvs.patch('num:1', '{"other": 1}'), kvs.increment('num:1', 1, '/large') = 1e131071 + 1 AS sum;
SELECT kvs.get('num:1') = jsonb_build_object('large', 1e131071 + 1, 'small', 1e-16000, 'other', 1) AS exact;
SELECT pg_temp.error_of($$SELECT kvs.increment('num:1', 9e131071, '/large')$$);
BEGIN;
SELECT kvs.put_bytes('big:1', convert_to(repeat('x', 16777216), 'UTF8'));
SELECT kvs.flush() > 0 AS flushed;
SELECT octet_length(kvs.get_bytes('big:1'));
ROLLBACK;
SELECT kvs.exists('big:1');

-- Rolled back is as if it never was.
SELECT kvs.put('tx:1', '1');
BEGIN;
SELECT kvs.put('tx:1', '2'), kvs.put('tx:2', '1');
SELECT kvs.get('tx:1'), kvs.get('tx:2');
ROLLBACK;
SELECT value, version FROM kvs.get_entry('tx:1');
SELECT kvs.exists('tx:2'), (SELECT count(*) FROM kvs.history('tx:2')) AS history;
BEGIN;
SELECT kvs.put('tx:1', '2');
SAVEPOINT s;
SELECT kvs.put('tx:1', '3'), kvs.put('tx:2', '1'), kvs.delete('user:1');
SAVEPOINT t;
SELECT kvs.put('tx:1', '4');
RELEASE SAVEPOINT t;
SELECT value, version FROM kvs.get_entry('tx:1');
ROLLBACK TO SAVEPOINT s;
SELECT value, version FROM kvs.get_entry('tx:1');
SELECT kvs.exists('tx:2'), kvs.exists('user:1');
SELECT kvs.put('tx:3', '1');
-- A statement that fails takes its own writes with it and nothing else.
SAVEPOINT u;
SELECT kvs.put('tx:4', '1'), kvs.put('tx:1', '9', expected_version => 77);
ROLLBACK TO SAVEPOINT u;
SELECT kvs.put('tx:4', '1'), kvs.put('tx:5', '1') / (kvs.put('tx:6', '1') - 1);
ROLLBACK TO SAVEPOINT u;
COMMIT;
SELECT key, value, version FROM kvs.scan('tx:');
SELECT version, op, value FROM kvs.history('tx:1');
-- Many writes of one statement see one another.
SELECT kvs.put('tx:1', '10'), kvs.put('tx:1', '11'), kvs.increment('tx:1'), kvs.patch('tx:7', '{"a": 1}'), kvs.patch('tx:7', '{"b": 2}');
SELECT value, version FROM kvs.mget('{tx:1,tx:7}');
SELECT count(kvs.put('tx/many:' || i % 10, to_jsonb(i))), min(i) FROM generate_series(1, 100) AS i;
SELECT count(*), min(version), max(version) FROM kvs.scan('tx/many:');
-- A reader sees its statement's snapshot, not what the statement writes.
SELECT kvs.put('tx:8', '1') AS put, kvs.get('tx:8') IS NULL AS not_seen;
WITH written AS MATERIALIZED (SELECT kvs.put('tx:8', '2') AS version) SELECT kvs.get('tx:8'), version FROM written;
-- Exception blocks.
DO $$
BEGIN
    PERFORM kvs.put('tx:9', '1');
    FOR i IN 2..5 LOOP
        BEGIN
            PERFORM kvs.put('tx:9', to_jsonb(i));
            PERFORM kvs.put('tx/block:' || i, to_jsonb(i));
            IF i % 2 = 1 THEN
                RAISE EXCEPTION 'odd';
            END IF;
        EXCEPTION WHEN raise_exception THEN
            PERFORM kvs.put('tx/odd:' || i, kvs.get('tx:9'));
        END;
    END LOOP;
    BEGIN
        PERFORM kvs.put('tx:9', '9', expected_version => 1);
    EXCEPTION WHEN SQLSTATE 'KV001' THEN
        PERFORM kvs.put('tx/stale:9', kvs.get('tx:9'));
    END;
END
$$;
SELECT key, value, version FROM kvs.find('tx/+:+') WHERE key !~ 'many';
SELECT value, version FROM kvs.get_entry('tx:9');
SELECT version, value FROM kvs.history('tx:9');

-- The author: the argument, else kvs.author, else the session user.
SELECT kvs.put('author:1', '1', modified_by => 'ada'), kvs.put('author:2', '1');
SET kvs.author = '';
SELECT kvs.put('author:3', '1'), kvs.put('author:4', '1', modified_by => '');
BEGIN;
SET LOCAL kvs.author = 'somebody <else@example.org>';
SELECT kvs.put('author:5', '1'), kvs.delete('author:5');
COMMIT;
SELECT key, CASE modified_by WHEN session_user THEN 'session user' ELSE modified_by END AS modified_by FROM kvs.scan('author:');
SELECT op, modified_by FROM kvs.history('author:5');
SET kvs.author = 'tester';
SELECT left(pg_temp.error_of($$SELECT set_config('kvs.author', repeat('a', 257), true), kvs.put('author:6', '1')$$), 50);
SELECT current_setting('kvs.author');

-- Other branches: an explicit one, unknown ones, hostile names.
SELECT kvs.create_branch('entries-other', encode(_kvs.initial_commit(), 'hex'));
SELECT kvs.put('user:1', '"other"', branch => 'entries-other'), kvs.get('user:1', branch => 'entries-other'), kvs.get('user:1');
SELECT kvs.get('user:1', branch => 'entries-other'), kvs.get('user:1', 'entries-other', 'HEAD') IS NULL AS not_committed,
       kvs.get('user:1', as_of => 'entries-other') IS NULL AS not_there;
SELECT branch, pg_temp.error_of(format('SELECT kvs.put(''user:1'', ''1'', branch => %L)', branch)) AS put,
       pg_temp.error_of(format('SELECT kvs.get(''user:1'', branch => %L)', branch)) AS get
FROM unnest(ARRAY['nobody', 'HEAD', 'WORKING', 'a b', '''; DROP TABLE x; --', '../x', 'entries~1', 'Entries']) AS branch;
SELECT ref, pg_temp.error_of(format('SELECT kvs.get(''user:1'', as_of => %L)', ref)) AS get
FROM unnest(ARRAY['nobody', 'HEAD~99', 'HEAD^3', 'entries@{99}', 'ffffffffff', 'HEAD~x', 'WORKING', 'WORKING~1', '']) AS ref;

-- A session that reads the past, and a read-only transaction, do not write.
SET kvs.as_of = 'HEAD';
SELECT statement, pg_temp.error_of('SELECT kvs.' || statement) AS error FROM unnest(ARRAY[
    $$put('ro:1', '1')$$, $$put_entry('ro:1', '1')$$, $$put_bytes('ro:1', '')$$, $$delete('ro:1')$$, $$patch('ro:1', '{}')$$,
    $$json_patch('ro:1', '[]')$$, $$increment('ro:1')$$, $$cas('ro:1', 0, '1')$$, $$touch('ro:1', NULL)$$, $$mput('{}', '{}')$$,
    $$delete_prefix('ro:')$$, $$import('SELECT 1')$$, $$put('ro:1', '1', branch => 'entries')$$]) AS statement;
SELECT kvs.put('ro:1', '1');
SELECT kvs.get('tx:1') IS NULL AS of_the_past, kvs.get('doc:11'), kvs.get('tx:1', branch => 'entries') AS of_today;
RESET kvs.as_of;
BEGIN READ ONLY;
SELECT kvs.get('tx:1');
SELECT statement, pg_temp.error_of('SELECT kvs.' || statement) AS error FROM unnest(ARRAY[
    $$put('ro:1', '1')$$, $$put_entry('ro:1', '1')$$, $$put_bytes('ro:1', '')$$, $$delete('ro:1')$$, $$patch('ro:1', '{}')$$,
    $$json_patch('ro:1', '[]')$$, $$increment('ro:1')$$, $$cas('ro:1', 0, '1')$$, $$touch('ro:1', NULL)$$, $$mput('{}', '{}')$$,
    $$delete_prefix('ro:')$$, $$import('SELECT 1')$$]) AS statement;
COMMIT;
SELECT kvs.exists('ro:1');

-- Stricter isolation levels see one snapshot, and their own writes.
BEGIN ISOLATION LEVEL REPEATABLE READ;
SELECT kvs.put('iso:1', '1'), kvs.put('iso:1', '2');
SELECT kvs.increment('iso:1'), kvs.delete('iso:1');
SELECT kvs.exists('iso:1');
COMMIT;
BEGIN ISOLATION LEVEL SERIALIZABLE;
SELECT kvs.increment('iso:1', 5);
COMMIT;
SELECT value, version FROM kvs.get_entry('iso:1');
SELECT severity, type, detail FROM kvs.check() WHERE severity = 'error';

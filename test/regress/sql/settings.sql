-- Settings: kvs.branch, kvs.as_of, kvs.author, kvs.durability and the others.
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

-- They exist as soon as the library is loaded, which any function does.
SELECT kvs.current_branch();
-- What there is, and who may set it.
SELECT name, unit, vartype, min_val, max_val, enumvals, boot_val, context = 'user' AS by_user
FROM pg_settings WHERE name LIKE 'kvs.%' AND name <> 'kvs.node_cache_size' ORDER BY name;
SELECT count(*) FROM pg_settings WHERE name LIKE 'kvs.%' AND short_desc = '';
-- No others.
SET kvs.no_such_setting = 1;
SELECT pg_temp.error_of($$SELECT set_config('kvs.brunch', 'main', false)$$);
SHOW kvs.brunch;

-- Bad values. PostgreSQL 17 gives the bounds of a range their unit.
SELECT setting, value, regexp_replace(pg_temp.error_of(format('SET %s = %L', setting, value)), '(\d+) ms \.\. (\d+) ms', '\1 .. \2') AS error
FROM (VALUES ('kvs.durability', 'sloppy'), ('kvs.durability', ''), ('kvs.durability', 'on'), ('kvs.compression_level', '20'), ('kvs.compression_level', '-8'),
             ('kvs.compression_level', 'high'), ('kvs.flush_rows', '-1'), ('kvs.flush_rows', '1e20'), ('kvs.bulk_log_threshold', '-1'),
             ('kvs.branch_lock_timeout', '-1'), ('kvs.branch_lock_timeout', '5 parsecs'), ('kvs.batch_interval', '10')) AS v(setting, value);
-- Good ones.
SET kvs.durability = async;
SHOW kvs.durability;
SET kvs.durability = 'STRICT';
SHOW kvs.durability;
SET kvs.branch_lock_timeout = '2s';
SHOW kvs.branch_lock_timeout;
RESET kvs.branch_lock_timeout;
SHOW kvs.branch_lock_timeout;

-- Durability says when a transaction is acknowledged, not what it does; what the session says of synchronous_commit stays.
SELECT kvs.create_branch('settings', encode(_kvs.initial_commit(), 'hex'));
SET kvs.branch = 'settings';
SET synchronous_commit = local;
SET kvs.durability = strict;
SELECT kvs.put('durable:1', '1');
SHOW synchronous_commit;
SET kvs.durability = async;
SELECT kvs.put('durable:2', '2');
SHOW synchronous_commit;
SET kvs.durability = batched;
SELECT kvs.put('durable:3', '3');
BEGIN;
SELECT kvs.put('durable:4', '4');
SET LOCAL kvs.durability = strict;
SET LOCAL synchronous_commit = off;
SHOW synchronous_commit;
COMMIT;
BEGIN;
SELECT kvs.put('durable:5', '5');
ROLLBACK;
SHOW synchronous_commit;
SET synchronous_commit = off;
SET kvs.durability = strict;
SELECT kvs.put('durable:6', '6');
SHOW synchronous_commit;
RESET synchronous_commit;
RESET kvs.durability;
SELECT key, value FROM kvs.scan('durable:');

-- The branch: unknown ones are found out when they are used, so that an order of SETs does not matter.
SET kvs.branch = 'nobody';
SELECT kvs.current_branch();
SELECT kvs.get('durable:1');
SELECT statement, pg_temp.error_of('SELECT ' || statement) AS error FROM unnest(ARRAY[
    $$kvs.put('a', '1')$$, $$kvs.exists('a')$$, $$count(*) FROM kvs.scan()$$, $$count(*) FROM kvs.entries$$, $$kvs.commit('a')$$, $$kvs.flush()$$,
    $$count(*) FROM kvs.status()$$, $$count(*) FROM kvs.log()$$, $$count(*) FROM kvs.history('a')$$]) AS statement;
SELECT kvs.get('durable:1', branch => 'settings');
SELECT kvs.switch_branch('settings'), kvs.get('durable:1');
SHOW kvs.branch;
SELECT value, pg_temp.error_of(format('SELECT set_config(''kvs.branch'', %L, true), kvs.get(''a'')', value)) AS get
FROM unnest(ARRAY['', ' ', 'HEAD', 'WORKING', 'settings~1', 'Settings', 'a..b', repeat('x', 70), ''';--']) AS value;
SHOW kvs.branch;
-- SET LOCAL, savepoints and functions: as of every setting.
SELECT kvs.create_branch('settings-other');
SELECT kvs.put('durable:1', '"other"', branch => 'settings-other');
BEGIN;
SET LOCAL kvs.branch = 'settings-other';
SELECT kvs.get('durable:1');
SAVEPOINT s;
SET LOCAL kvs.branch = 'settings';
SELECT kvs.get('durable:1');
ROLLBACK TO SAVEPOINT s;
SELECT kvs.get('durable:1'), kvs.put('durable:7', '7');
COMMIT;
SELECT kvs.get('durable:1'), kvs.exists('durable:7'), kvs.exists('durable:7', branch => 'settings-other');
BEGIN;
SELECT kvs.switch_branch('settings-other');
ROLLBACK;
SELECT kvs.current_branch();
CREATE FUNCTION pg_temp.on_other(key text) RETURNS jsonb LANGUAGE sql SET kvs.branch = 'settings-other' AS $$ SELECT kvs.get(key) $$;
SELECT pg_temp.on_other('durable:1'), kvs.get('durable:1');
-- The same query text, planned once, on whichever branch the session is.
PREPARE one AS SELECT kvs.get('durable:1') AS got, (SELECT value FROM kvs.entries WHERE key = 'durable:1') AS entry;
EXECUTE one;
SET kvs.branch = 'settings-other';
EXECUTE one;
SET kvs.branch = 'settings';
DEALLOCATE one;

-- The moment: any ref; an unknown one is found out when it is used.
SELECT kvs.commit('first') IS NOT NULL AS committed;
SELECT kvs.put('durable:1', '"later"');
SET kvs.as_of = 'HEAD';
SELECT kvs.get('durable:1'), (SELECT value FROM kvs.entries WHERE key = 'durable:1') AS entry, kvs.get('durable:1', as_of => 'WORKING') AS working;
SET kvs.as_of = 'nobody';
SELECT kvs.get('durable:1');
SELECT pg_temp.error_of('SELECT count(*) FROM kvs.entries');
SET kvs.as_of = 'HEAD~';
SELECT kvs.exists('durable:1');
BEGIN;
SET LOCAL kvs.as_of = '';
SELECT kvs.get('durable:1'), kvs.put('durable:8', '8');
COMMIT;
SELECT pg_temp.error_of($$SELECT kvs.put('durable:9', '9')$$);
RESET kvs.as_of;
SELECT kvs.exists('durable:8'), kvs.exists('durable:9');

-- Levels of compression say nothing about contents.
SELECT kvs.create_branch('settings-raw', encode(_kvs.initial_commit(), 'hex')), kvs.create_branch('settings-zstd', encode(_kvs.initial_commit(), 'hex'));
SET kvs.compression_level = 0;
SELECT kvs.import($$SELECT 'compressed:' || i, to_jsonb(repeat('settings ', i)) FROM generate_series(1, 300) AS i$$, 'settings-raw', 'raw');
SET kvs.compression_level = 19;
SELECT kvs.import($$SELECT 'compressed:' || i, to_jsonb(repeat('settings ', i)) FROM generate_series(1, 300) AS i$$, 'settings-zstd', 'zstd');
RESET kvs.compression_level;
SELECT count(DISTINCT root) AS roots, count(*) FROM (SELECT root FROM kvs.log('settings-raw', 1) UNION ALL SELECT root FROM kvs.log('settings-zstd', 1)) AS r;
SELECT kvs.get('compressed:300', branch => 'settings-raw') = kvs.get('compressed:300', branch => 'settings-zstd') AS same;
SELECT severity, type, detail FROM kvs.check() WHERE severity = 'error';

-- An author has the length that commits and changes have room for, and it is said where he is set.
SELECT pg_temp.error_of(format('SET kvs.author = %L', repeat('a', 257))) LIKE '22023 invalid value for parameter "kvs.author": "aaa%' AS refused;
\set VERBOSITY terse
SELECT set_config('kvs.author', repeat('ä', 129), false);
\set VERBOSITY default
SELECT length(set_config('kvs.author', repeat('a', 256), false));
BEGIN;
SELECT kvs.put('author', '1') > 0 AS put;
SELECT kvs.commit('author') IS NOT NULL AS committed;
SELECT length(author) FROM kvs.log(max_rows => 1);
ROLLBACK;
RESET kvs.author;

-- kvs.origin and kvs.traceparent: what made a change, and the trace that it belongs to
-- (docs/decisions/0027-origin-and-trace.md).
CREATE FUNCTION pg_temp.fault(setting text, value text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
    fault text;
BEGIN
    PERFORM set_config(setting, value, true);
    RETURN 'none';
EXCEPTION WHEN OTHERS THEN
    GET STACKED DIAGNOSTICS fault = PG_EXCEPTION_DETAIL;
    RETURN SQLSTATE || ' ' || fault;
END
$$;
-- The versions of a key, the oldest first: operation and origin.
CREATE FUNCTION pg_temp.origins(k text, branch text DEFAULT NULL) RETURNS text LANGUAGE sql AS $$
    SELECT string_agg(op || '=' || coalesce(origin, '-'), ' ' ORDER BY version) FROM kvs.history(k, branch => branch)
$$;
-- What a row of the log says of the origin; "?" of a range record without origin and trace. It stands behind the flags,
-- the trace and the times.
CREATE FUNCTION pg_temp.origin_in(meta bytea) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
    at int := 2 + CASE WHEN get_byte(meta, 1) & 128 > 0 THEN 25 ELSE 0 END + 8;
BEGIN
    IF meta IS NULL THEN
        RETURN '?';
    END IF;
    WHILE get_byte(meta, at) > 127 LOOP
        at := at + 1;
    END LOOP;
    at := at + 1;
    RETURN CASE WHEN get_byte(meta, 1) & 64 > 0 THEN convert_from(substr(meta, at + 2, get_byte(meta, at)), 'UTF8') ELSE '-' END;
END
$$;
-- The last row of a branch: operation, key ("*" in a range record), origin.
CREATE FUNCTION pg_temp.logged(branch text) RETURNS text LANGUAGE sql AS $$
    SELECT op || ' ' || coalesce(convert_from(key, 'UTF8'), '*') || ' ' || pg_temp.origin_in(meta)
    FROM _kvs.change AS l JOIN _kvs.branch AS b ON b.id = l.branch_id WHERE b.name = logged.branch ORDER BY seq DESC LIMIT 1
$$;
SELECT kvs.create_branch('origin', encode(_kvs.initial_commit(), 'hex')) IS NOT NULL AS made;
SET kvs.branch = 'origin';
SET kvs.author = 'tester';

-- The settings.
SELECT what, pg_temp.fault('kvs.origin', value) FROM (VALUES
    ('none', ''), ('a name', 'binding:users'), ('any text', 'Зоя "the app" 🙂'), ('the longest', repeat('ü', 127) || 'x'),
    ('too long', repeat('ü', 128)), ('a line', E'a\nb'), ('delete', E'\x7f'), ('C1', U&'\0085')) AS v(what, value);
SELECT value, pg_temp.fault('kvs.traceparent', value) FROM (VALUES
    (''),
    ('00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01'),
    ('00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01-more'),
    ('cc-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01-more'),
    ('cc-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01more'),
    ('ff-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01'),
    ('00-4BF92F3577B34DA6A3CE929D0E0E4736-00F067AA0BA902B7-01'),
    ('00-00000000000000000000000000000000-00f067aa0ba902b7-01'),
    ('00-4bf92f3577b34da6a3ce929d0e0e4736-0000000000000000-01'),
    ('4bf92f3577b34da6a3ce929d0e0e4736'), ('b3')) AS v(value);
SET kvs.origin = E'a\nb';
SET kvs.traceparent = 'b3';
SHOW kvs.origin;
SHOW kvs.traceparent;

-- Without them a row of the log and an item of a tree have the bytes that they had.
SELECT kvs.put('plain', '1');
SELECT w.meta = '\x0102'::bytea || '\x01' || substr(c.meta, 3, 8) || '\x00' || substr(w.meta, 13, 16) || substr(w.meta, 29, length(w.meta) - 35) || '\x06' || 'tester' AS item,
       c.meta = '\x0202'::bytea || substr(c.meta, 3, 8) || '\x00' || '\x06' || 'tester' AS logged
FROM _kvs.change AS c JOIN _kvs.working AS w ON w.change_seq = c.seq WHERE c.key = 'plain';

-- Each write has the origin of its session, and none inherits that of the version before.
SET kvs.origin = 'put';
SELECT kvs.put('k', '{"n": 1}');
RESET kvs.origin;
SELECT kvs.put('k', '{"n": 2}');
SET kvs.origin = 'patch';
SELECT kvs.patch('k', '{"m": 1}');
SET kvs.origin = 'json_patch';
SELECT kvs.json_patch('k', '[{"op": "remove", "path": "/m"}]');
SET kvs.origin = 'increment';
SELECT kvs.increment('k', 1, '/n');
SET kvs.origin = 'cas';
SELECT kvs.cas('k', 5, '{"n": 4}');
SET kvs.origin = 'touch';
SELECT kvs.touch('k', '1 day');
SET kvs.origin = 'mput';
SELECT kvs.mput('{k,l}', ARRAY['{"n": 5}', '1']::jsonb[]);
SET kvs.origin = 'apply';
SELECT kvs.apply('[{"op": "put", "key": "k", "value": {"n": 6}}]') IS NOT NULL AS applied;
SET kvs.origin = 'put_bytes';
SELECT kvs.put_bytes('k', '\x01');
SET kvs.origin = 'delete';
SELECT kvs.delete('k');
SET kvs.origin = 'put_entry';
SELECT (kvs.put_entry('k', '{"n": 7}')).version;
SET kvs.origin = 'few';
SELECT kvs.import($$SELECT 'k' AS key, '{"n": 8}'::jsonb AS value$$);
SET kvs.origin = 'delete_prefix';
SELECT kvs.delete_prefix('k');
RESET kvs.origin;
SELECT kvs.delete('l');
SELECT version, op, origin FROM kvs.history('k') ORDER BY version;
SELECT pg_temp.origins('l');
-- They stay with what they belong to.
BEGIN;
SET LOCAL kvs.origin = 'local';
SET LOCAL kvs.traceparent = '00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01';
SELECT kvs.put('local', '1');
SAVEPOINT s;
SET LOCAL kvs.origin = 'savepoint';
SELECT kvs.put('local', '2');
ROLLBACK TO s;
SELECT kvs.put('local', '3');
COMMIT;
SELECT kvs.put('local', '4');
SELECT version, value, origin, traceparent FROM kvs.history('local');
BEGIN;
SET kvs.origin = 'undone';
SELECT kvs.put('local', '5');
ROLLBACK;
SELECT kvs.put('local', '6');
SELECT pg_temp.origins('local');

-- A range record: one origin and one trace for all of it.
SET kvs.bulk_log_threshold = 3;
SELECT kvs.import($$SELECT 'i:' || i AS key, to_jsonb(i) AS value FROM generate_series(1, 10) AS i$$);
SELECT pg_temp.logged('origin');
SET kvs.origin = 'import';
SET kvs.traceparent = '01-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-03-later';
SELECT kvs.import($$SELECT 'i:' || i AS key, to_jsonb(-i) AS value FROM generate_series(1, 10) AS i$$);
SELECT pg_temp.logged('origin');
RESET kvs.traceparent;
SELECT kvs.import($$SELECT 'j:' || i AS key, to_jsonb(-i) AS value FROM generate_series(1, 10) AS i$$);
SELECT pg_temp.logged('origin');
SELECT version, value, origin, traceparent FROM kvs.history('i:1');
SET kvs.origin = '';
SET kvs.traceparent = '00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-00';
SELECT kvs.import($$SELECT 'j:' || i AS key, to_jsonb(i) AS value FROM generate_series(1, 10) AS i$$);
SELECT pg_temp.logged('origin');
SELECT version, value, origin, traceparent FROM kvs.history('j:1');
RESET kvs.traceparent;

-- A flush and a commit keep what the rows have; the object of the tree tells it.
SET kvs.origin = 'before commit';
SET kvs.traceparent = '00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01';
SELECT kvs.put('k', '1');
SET kvs.origin = 'committer';
SELECT kvs.commit('one') IS NOT NULL AS committed;
RESET kvs.traceparent;
RESET kvs.origin;
SELECT op, origin, traceparent FROM kvs.history('k', 1);
SELECT DISTINCT item->>'key' AS key, item->>'origin' AS origin
FROM _kvs.chunk AS c, LATERAL jsonb_array_elements(kvs.dump_object(encode(c.hash, 'hex'))->'items') AS item
WHERE item->>'key' = 'k' AND item ? 'origin' AND item->>'origin' LIKE '%commit%';

-- A fast-forward takes versions over as they are: each keeps the origin of who made it. That of the change of this branch
-- is the session's, and stands in the range record.
SELECT kvs.create_branch('origin-dev') IS NOT NULL AS made;
SET kvs.origin = 'app';
SELECT kvs.put('k', '"dev"', branch => 'origin-dev'), kvs.put('dev', '1', branch => 'origin-dev');
SELECT kvs.commit('dev', branch => 'origin-dev') IS NOT NULL AS committed;
RESET kvs.origin;
SELECT fast_forward, merged FROM kvs.merge('origin-dev');
SELECT pg_temp.origins('dev'), pg_temp.logged('origin');
SELECT kvs.reset('origin~1') IS NOT NULL AS reset;
SET kvs.origin = 'merger';
SELECT pg_temp.origins('k'), pg_temp.logged('origin');
SELECT fast_forward, merged FROM kvs.merge('origin-dev');
SELECT pg_temp.origins('dev'), pg_temp.logged('origin');

-- A merge of few keys makes versions of its own, with the session's origin: theirs, kept and joined ones.
SET kvs.bulk_log_threshold = 1000;
SET kvs.origin = 'app';
SELECT kvs.put('theirs', '1', branch => 'origin-dev'), kvs.put('joined', '{"a": 1}', branch => 'origin-dev'), kvs.put('both', '1', branch => 'origin-dev');
SELECT kvs.commit('dev', branch => 'origin-dev') IS NOT NULL AS committed;
SET kvs.origin = 'main';
SELECT kvs.put('joined', '{"b": 1}'), kvs.put('both', '2'), kvs.put('both', '1');
SELECT kvs.commit('main') IS NOT NULL AS committed;
SET kvs.origin = 'merger';
SET kvs.traceparent = '00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01';
SELECT merged, conflicts FROM kvs.merge('origin-dev');
SELECT key, version, op, origin, traceparent FROM unnest('{theirs,joined,both}'::text[]) AS key, kvs.history(key) ORDER BY key, version;
RESET kvs.traceparent;
-- So do the others.
SET kvs.origin = 'revert';
SELECT kvs.put('r', '1'), kvs.commit('r') IS NOT NULL AS committed;
SELECT kvs.revert('HEAD') IS NOT NULL AS reverted;
SET kvs.origin = 'cherry-pick';
SELECT kvs.cherry_pick('HEAD~1') IS NOT NULL AS picked;
RESET kvs.origin;
SELECT kvs.reset('HEAD~1') IS NOT NULL AS reset;
SET kvs.origin = 'restore';
SELECT kvs.restore('r', 'HEAD~1');
SELECT pg_temp.origins('r');
SET kvs.origin = 'stash';
SELECT kvs.stash() IS NOT NULL AS stashed;
SET kvs.origin = 'pop';
SELECT conflicts FROM kvs.stash_pop((SELECT max(id) FROM kvs.stashes));
SELECT pg_temp.origins('r');
SELECT kvs.commit('r again') IS NOT NULL AS committed;
SET kvs.origin = 'app';
SELECT kvs.put('rebased', '1', branch => 'origin-dev'), kvs.commit('rebased', branch => 'origin-dev') IS NOT NULL AS committed;
SET kvs.origin = 'rebase';
SELECT count(*) > 0 AS rebased FROM kvs.rebase('origin-dev', 'origin');
SELECT pg_temp.origins('rebased', 'origin-dev'), pg_temp.logged('origin-dev');

-- Whatever the key, a row that an operation has written has the origin of its session.
SELECT op, pg_temp.origin_in(meta) AS origin, count(*) FROM _kvs.change
WHERE branch_id IN (SELECT id FROM _kvs.branch WHERE name LIKE 'origin%') AND op IN (5, 6, 7, 8) GROUP BY 1, 2 ORDER BY 1, 2;

-- Where the log is gone the trees still know the origin, but not the trace.
SET kvs.origin = 'app';
SET kvs.traceparent = '00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01';
SELECT kvs.put('kept', '1'), kvs.commit('kept') IS NOT NULL AS committed;
SELECT version, op, origin, traceparent FROM kvs.history('kept');
RESET kvs.origin;
RESET kvs.traceparent;
BEGIN;
DELETE FROM _kvs.change;
SELECT version, op, origin, traceparent FROM kvs.history('kept');
ROLLBACK;
-- So they come with a bundle.
CREATE TEMP TABLE bundle AS SELECT n, part FROM kvs.export_bundle('origin') WITH ORDINALITY AS b(part, n);
BEGIN;
SET LOCAL kvs.branch = 'main';
DELETE FROM _kvs.commit WHERE hash IN (SELECT decode(hash, 'hex') FROM kvs.log('origin'));
DELETE FROM _kvs.branch WHERE name LIKE 'origin%';
DELETE FROM _kvs.change;
DELETE FROM _kvs.chunk;
DELETE FROM _kvs.pack;
SELECT kvs.import_bundle(array_agg(part ORDER BY n)) IS NOT NULL AS imported FROM bundle;
SELECT kvs.create_branch('origin', 'bundle/origin');
SELECT version, origin, traceparent FROM kvs.history('kept', branch => 'origin');
SELECT version, origin FROM kvs.history('i:1', 1, branch => 'origin');
ROLLBACK;

-- check compares the log with the trees, and repair makes rows out of it, past the trace.
SET kvs.origin = 'app';
SET kvs.traceparent = '00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01';
SELECT kvs.put('live', '1'), kvs.put('live', '2');
SELECT * FROM kvs.check() WHERE severity = 'error';
BEGIN;
DELETE FROM _kvs.working WHERE key = 'live';
SELECT type, object FROM kvs.check() WHERE severity = 'error';
SELECT errors FROM kvs.repair();
SELECT * FROM kvs.check() WHERE severity = 'error';
SELECT pg_temp.origins('live');
SELECT w.meta NOT LIKE '%' || decode('4bf92f3577b34da6a3ce929d0e0e4736', 'hex') || '%' AS without_trace FROM _kvs.working AS w WHERE key = 'live';
ROLLBACK;
-- A damaged one is found: in an item, in a range record.
BEGIN;
UPDATE _kvs.change SET meta = set_byte(meta, 1, get_byte(meta, 1) & 191) WHERE key = 'live';
SELECT DISTINCT type, object FROM kvs.check() WHERE severity = 'error';
ROLLBACK;
BEGIN;
UPDATE _kvs.change SET meta = substr(meta, 1, length(meta) - 1) WHERE key IS NULL AND get_byte(meta, 1) & 64 > 0;
SELECT count(*) > 1 AS many, min(type) AS type, min(regexp_replace(object, '\d+', 'N')) AS object, min(detail) AS detail FROM kvs.check() WHERE severity = 'error';
ROLLBACK;
RESET kvs.traceparent;

-- Last of all: nothing is left of them.
RESET kvs.origin;
SELECT kvs.delete_branch('origin-dev', force => true) AS dev, kvs.switch_branch('main') AS main;
SELECT kvs.delete_branch('origin', force => true) AS origin;

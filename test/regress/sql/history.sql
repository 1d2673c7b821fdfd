-- The versions of one key: history, get_version.
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
-- A history on one line: version, operation and value of each revision, newest first.
CREATE FUNCTION pg_temp.line(key text, branch text DEFAULT NULL, max_rows bigint DEFAULT NULL) RETURNS text
LANGUAGE sql AS $$
    SELECT string_agg(h.version || ' ' || h.op || coalesce(' ' || h.value::text, ''), ', ' ORDER BY h.version DESC)
    FROM kvs.history(line.key, line.max_rows, line.branch) AS h;
$$;

SELECT kvs.create_branch('history', encode(_kvs.initial_commit(), 'hex'));
SET kvs.branch = 'history';
SET kvs.author = 'tester';

-- Every operation leaves a version; deletions too.
SELECT kvs.put('h:1', '{"a": 1}', comment => 'first', modified_by => 'ada', schema_hash => 's1');
SELECT kvs.patch('h:1', '{"b": 12345678901234567890.123456789}', comment => 'more');
SELECT kvs.put('h:1', 'null');
SELECT kvs.delete('h:1', comment => 'gone', modified_by => 'bob');
SELECT kvs.put_bytes('h:1', '\x00ff');
SELECT kvs.put('h:1', to_jsonb(repeat('large ', 1000)));
SELECT kvs.increment('h:2', 5), kvs.touch('h:2', '1 hour');
SELECT version, op, left(value::text, 40) AS value, bytes, modified_by, comment, schema_hash FROM kvs.history('h:1');
SELECT pg_temp.line('h:2');
-- Each change has an identity, and they ascend; the newest is the entry's own.
SELECT count(DISTINCT log_id) AS logs, count(DISTINCT seq) AS changes, bool_and(seq > older) AS ascending
FROM (SELECT log_id, seq, lead(seq, 1, 0::bigint) OVER (ORDER BY version DESC) AS older FROM kvs.history('h:1')) AS h;
SELECT h.version = e.version AND h.at = e.updated_at AS newest_is_current
FROM kvs.history('h:1', 1) AS h, kvs.get_entry('h:1') AS e;
SELECT count(*) AS of_nobody FROM kvs.history('h:nobody');

-- LIMIT and max_rows.
SELECT version FROM kvs.history('h:1') LIMIT 2;
SELECT version FROM kvs.history('h:1', max_rows => 3);
SELECT version FROM kvs.history('h:1', max_rows => 0);
SELECT (kvs.history('h:1', 2)).version;

-- Where a version is stored makes no difference: uncommitted, flushed, committed.
SELECT pg_temp.line('h:2') AS before \gset
SELECT kvs.flush() > 0 AS flushed;
SELECT pg_temp.line('h:2') = :'before' AS same;
SELECT kvs.commit('all of it') IS NOT NULL AS committed;
SELECT pg_temp.line('h:2') = :'before' AS same;
SELECT version, op, left(value::text, 40) AS value, bytes FROM kvs.history('h:1') WHERE version > 4;

-- One version.
SELECT v, left(kvs.get_version('h:1', v)::text, 40) AS value, kvs.get_version('h:1', v) IS NULL AS is_null
FROM unnest(ARRAY[0, 1, 2, 3, 4, 6, 7, -1]) AS v;
SELECT kvs.get_version('h:1', 5);
SELECT kvs.get_version('h:1', NULL) IS NULL, kvs.get_version(NULL, 1) IS NULL, kvs.get_version('h:nobody', 1) IS NULL;

-- What is rolled back never was.
BEGIN;
SELECT kvs.put('h:2', '100');
SAVEPOINT s;
SELECT kvs.put('h:2', '101');
SELECT pg_temp.line('h:2', max_rows => 2);
ROLLBACK TO SAVEPOINT s;
SELECT pg_temp.line('h:2', max_rows => 2);
SELECT kvs.put('h:2', '102');
COMMIT;
SELECT pg_temp.line('h:2');

-- Imports: with a change per key, and with one range record for all.
SELECT kvs.import($$SELECT 'h:' || i, to_jsonb(i) FROM generate_series(2, 4) AS i$$);
SET kvs.bulk_log_threshold = 1;
SELECT kvs.import($$SELECT 'h:' || i, to_jsonb(i * 10) FROM generate_series(3, 40) AS i$$);
SELECT kvs.put('h:3', '"after"'), kvs.delete('h:4');
SELECT kvs.import($$SELECT 'h:' || i, to_jsonb(i * 100) FROM generate_series(3, 40) AS i$$, message => 'imported');
SELECT kvs.put('h:3', '"last"');
RESET kvs.bulk_log_threshold;
SELECT pg_temp.line('h:2', max_rows => 2);
SELECT pg_temp.line('h:3');
SELECT pg_temp.line('h:4');
SELECT pg_temp.line('h:40');
SELECT kvs.get_version('h:3', 2), kvs.get_version('h:3', 4), kvs.get_version('h:40', 1);

-- A branch begins with the history of what it was made from, and goes its own way.
SELECT kvs.commit('before the fork') IS NOT NULL AS committed;
SELECT kvs.create_branch('history-fork');
SELECT kvs.put('h:3', '"fork"', branch => 'history-fork'), kvs.put('h:3', '"trunk"');
SELECT pg_temp.line('h:3', 'history-fork', 3) AS fork, pg_temp.line('h:3', 'history', 3) AS trunk,
       pg_temp.line('h:3', 'main') AS main;

-- A session that reads the past sees the history up to then; a branch that is named beats it.
SET kvs.as_of = 'HEAD~1';
SELECT pg_temp.line('h:3');
SELECT pg_temp.line('h:3', 'history', 1);
SELECT kvs.get_version('h:3', 5), kvs.get_version('h:3', 7);
RESET kvs.as_of;

-- Where the log does not reach, the commits tell: the versions that were committed, without their operations.
BEGIN;
DELETE FROM _kvs.change;
SELECT pg_temp.line('h:3') AS trunk, pg_temp.line('h:3', 'history-fork') AS fork;
SELECT pg_temp.line('h:4');
SELECT version, op, left(value::text, 40) AS value, bytes FROM kvs.history('h:1');
SELECT kvs.put('h:4', '"again"');
SELECT pg_temp.line('h:4');
SELECT kvs.get_version('h:4', 4), kvs.get_version('h:4', 3);
-- The same where the changes are those of another log.
UPDATE _kvs.store SET log_id = gen_random_uuid();
SELECT pg_temp.line('h:3', 'history-fork');
ROLLBACK;
-- Where only the older part of the log is gone, it goes on from there.
BEGIN;
DELETE FROM _kvs.change WHERE seq < (SELECT seq FROM kvs.history('h:3') WHERE version = 5);
SELECT pg_temp.line('h:3');
ROLLBACK;

-- Along the commits it goes towards the side of a merge from which the key's state came. This one is
-- put together by hand: the state of the fork, with the trunk as its first parent.
SELECT kvs.put('h:side', '"base"');
SELECT kvs.commit('base') IS NOT NULL AS committed;
SELECT kvs.create_branch('history-side');
SELECT kvs.put('h:side', '"side 1"', branch => 'history-side');
SELECT kvs.commit('side 1', branch => 'history-side') IS NOT NULL AS committed;
SELECT kvs.put('h:side', '"side 2"', branch => 'history-side');
SELECT kvs.commit('side 2', branch => 'history-side') IS NOT NULL AS committed;
SELECT kvs.put('h:trunk', '"trunk"');
SELECT kvs.commit('trunk') IS NOT NULL AS committed;
BEGIN;
DELETE FROM _kvs.change;
WITH made AS (
    SELECT '\x01'::bytea || set_byte('\x00', 0, side.generation::int + 1) || '\x02' || trunk.head || side.hash
           || substring(side.body FROM 36) AS merge_body, side.*
    FROM _kvs.branch AS trunk, _kvs.commit AS side
    WHERE trunk.name = 'history' AND side.hash = (SELECT head FROM _kvs.branch WHERE name = 'history-side')
), stored AS (
    INSERT INTO _kvs.commit
    SELECT sha256(convert_to('kvs commit', 'UTF8') || made.merge_body), generation + 1, ARRAY[trunk.head, made.hash], data_root,
           meta_root, author, committer, message, committed_at, log_id, NULL, made.merge_body
    FROM made, _kvs.branch AS trunk WHERE trunk.name = 'history'
    RETURNING *
)
UPDATE _kvs.branch AS b SET head = stored.hash, working_data_root = stored.data_root, working_meta_root = stored.meta_root
FROM stored WHERE b.name = 'history';
SELECT jsonb_array_length(kvs.inspect_commit('HEAD')->'parents') AS parents;
SELECT pg_temp.line('h:side');
SELECT count(*) AS errors FROM kvs.check() WHERE severity = 'error' AND type NOT IN ('broken_history', 'dangling_ref') AND detail !~ 'ancestry';
ROLLBACK;

-- A chain that is broken is not followed for ever.
BEGIN;
UPDATE _kvs.change SET prev_seq = seq WHERE key = 'h:2' AND version = 3;
SELECT pg_temp.error_of($$SELECT count(*) FROM kvs.history('h:2')$$);
ROLLBACK;

-- Errors and privileges.
SELECT * FROM kvs.history('h:1', max_rows => -1);
SELECT pg_temp.error_of($$SELECT count(*) FROM kvs.history('a//b:c')$$);
SELECT pg_temp.error_of($$SELECT kvs.get_version('', 1)$$);
SELECT pg_temp.error_of($$SELECT count(*) FROM kvs.history('h:1', branch => 'no such branch')$$);
SELECT count(*) AS of_null FROM kvs.history(NULL);
CREATE ROLE regress_kvs_history;
SET ROLE regress_kvs_history;
SELECT version FROM kvs.history('h:1');
SELECT kvs.get_version('h:1', 1);
SELECT version FROM kvs.history(NULL);
RESET ROLE;
GRANT SELECT ON kvs.entries TO regress_kvs_history;
SET ROLE regress_kvs_history;
SELECT count(*) AS may_read FROM kvs.history('h:1');
RESET ROLE;
REVOKE SELECT ON kvs.entries FROM regress_kvs_history;
DROP ROLE regress_kvs_history;

-- History costs what the key's versions cost.
SET kvs.branch = 'history';
DO $$ BEGIN FOR i IN 1..500 LOOP PERFORM kvs.put('h:hot', to_jsonb(i)); END LOOP; END $$;
SELECT count(*), min(version), max(version), sum((value)::int) FROM kvs.history('h:hot');

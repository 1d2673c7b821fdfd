-- The stream of changes: positions, what an event tells, reading on from a position.
CREATE FUNCTION pg_temp.error_of(query text) RETURNS text LANGUAGE plpgsql AS $$
BEGIN
    EXECUTE query;
    RETURN 'no error';
EXCEPTION WHEN OTHERS THEN
    RETURN SQLSTATE || ' ' || regexp_replace(SQLERRM, '\d{6,}', 'POSITION', 'g');
END
$$;
-- What is committed is in the stream a moment later. With preloading the workers run already.
SELECT kvs.start_workers();
SELECT kvs.create_branch('events', encode(_kvs.initial_commit(), 'hex'));
SET kvs.branch = 'events';
SELECT kvs.put('first', '0'), kvs.wait_for(timeout => '0') IS NOT NULL AS asked;
SELECT kvs.wait_for();
SELECT kvs.position() AS start \gset
-- The events since then, by their distance from it.
CREATE FUNCTION pg_temp.since(start bigint) RETURNS TABLE (n bigint, key text, operation text, op text, version bigint, type text, old jsonb, new jsonb)
LANGUAGE sql AS $$
    SELECT pos - start, key, operation, op, version, type, coalesce(old_value, to_jsonb(old_bytes)), coalesce(new_value, to_jsonb(new_bytes))
    FROM kvs.events(start, max_rows => NULL, branch => '*');
$$;

SELECT kvs.put('user:1', '{"n": 1}', comment => 'first', tags => '{a,b}');
SELECT kvs.put('user:1', '{"n": 2.50}'), kvs.patch('user:1', '{"m": null, "n": 3}'), kvs.increment('count');
SELECT kvs.delete('user:1'), kvs.delete('nobody');
SELECT kvs.put('user:1', '"again"'), kvs.put_bytes('blob', '\x00ff'), kvs.put_bytes('blob', '\x01'), kvs.put('blob', '1');
SELECT kvs.wait_for();
SELECT * FROM pg_temp.since(:start);
SELECT DISTINCT branch, modified_by FROM kvs.events(:start);
SELECT comment, tags, at = (SELECT at FROM kvs.history('user:1') WHERE version = 1) AS at FROM kvs.events(:start, max_rows => 1);
-- By pattern and branch; so many; nothing behind the end.
SELECT pos - :start AS n, key FROM kvs.events(:start, 'user:+');
SELECT count(*) FROM kvs.events(:start, branch => 'main');
SELECT pos - :start AS n, key FROM kvs.events(:start + 3, max_rows => 2);
SELECT (SELECT count(*) FROM kvs.events(kvs.position())) AS behind_the_end, (SELECT count(*) FROM kvs.events(:start, max_rows => 0)) AS none;
-- A transaction is one, and has what it kept; what was rolled back is nowhere.
BEGIN;
SELECT kvs.put('t:1', '1');
SAVEPOINT s;
SELECT kvs.put('t:2', '2');
ROLLBACK TO SAVEPOINT s;
SELECT kvs.put('t:3', '3');
SELECT pos FROM kvs.events(kvs.position());
COMMIT;
BEGIN;
SELECT kvs.put('t:4', '4');
ROLLBACK;
SELECT kvs.wait_for();
SELECT pos - :start AS n, key, count(*) OVER (PARTITION BY xid) FROM kvs.events(:start, 't:#');

-- One event in full.
SELECT kvs.event(:start + 2) - 'at' - 'pos' - 'xid' AS event;
SELECT kvs.event(:start + 9) - 'at' - 'pos' - 'xid' AS event;
SELECT kvs.event(:start + 5) ? 'new' AS has_new, kvs.event(:start + 1) ? 'old' AS has_old;

-- A range record is as many events as keys; a position in its middle is found.
SELECT kvs.position() AS start \gset
SET kvs.bulk_log_threshold = 10;
SELECT kvs.import($$SELECT 'i:' || lpad(i::text, 5, '0'), to_jsonb(i) FROM generate_series(1, 25000) AS i$$);
SELECT kvs.wait_for();
SELECT count(*), min(pos) - :start AS first, max(pos) - :start AS last, count(DISTINCT key) AS keys, min(op) AS op FROM kvs.events(:start, max_rows => NULL);
SELECT pos - :start AS n, key, new_value FROM kvs.events(:start + 9999, max_rows => 3);
SELECT pos - :start AS n, key, new_value FROM kvs.events(:start + 20002, max_rows => 1);
SELECT pos - :start AS n, key, new_value FROM kvs.events(:start + 24998);
SELECT count(*) FROM _kvs.tick WHERE first_pos > :start;
-- A merge, a reset, and what they change.
SELECT kvs.commit('imported') IS NOT NULL AS committed, kvs.create_branch('events-side');
SELECT kvs.import($$SELECT 'i:' || lpad(i::text, 5, '0'), to_jsonb(-i) FROM generate_series(1, 20) AS i$$, message => 'side', branch => 'events-side');
SELECT kvs.delete('i:25000', branch => 'events-side'), kvs.commit('side', branch => 'events-side') IS NOT NULL AS committed;
SELECT kvs.put('other', '1'), kvs.commit('ours') IS NOT NULL AS committed;
SELECT kvs.wait_for();
SELECT kvs.position() AS start \gset
SELECT merged, conflicts FROM kvs.merge('events-side');
SELECT kvs.wait_for();
SELECT count(*), count(*) FILTER (WHERE operation = 'delete') AS deleted, count(*) FILTER (WHERE old_value::text = ltrim(new_value::text, '-')) AS negated
FROM kvs.events(:start, max_rows => NULL) WHERE op = 'merge';
RESET kvs.bulk_log_threshold;

-- Commits and flushes are no events.
SELECT kvs.position() AS start \gset
SELECT kvs.flush() IS NULL AS flushed;
SELECT kvs.wait_for();
SELECT kvs.position() - :start AS events;

-- Waiting: for what is there, for what is not.
SELECT kvs.wait_for(:start), kvs.wait_for(:start + 1, '10ms'), kvs.wait_for(timeout => '0');
SELECT count(*) FROM kvs.events(:start - 1, wait => '1h');
SELECT count(*) FROM kvs.events(:start, wait => '10ms');

-- Errors.
SELECT pg_temp.error_of('SELECT kvs.events(-1)');
SELECT pg_temp.error_of('SELECT kvs.events(123)');
SELECT pg_temp.error_of(format('SELECT kvs.events(%s)', :start + 1000000));
SELECT pg_temp.error_of('SELECT kvs.events(9000000000000000000)');
SELECT pg_temp.error_of($$SELECT kvs.events(pattern => 'a+b')$$);
SELECT pg_temp.error_of($$SELECT kvs.events(branch => 'nowhere')$$);
SELECT pg_temp.error_of('SELECT kvs.events(max_rows => -1)');
SELECT pg_temp.error_of($$SELECT kvs.events(wait => '-1s')$$);
SELECT pg_temp.error_of($$SELECT kvs.wait_for(timeout => '-1s')$$);
SELECT pg_temp.error_of('SELECT kvs.event(-5)');
SELECT pg_temp.error_of(format('SELECT kvs.event(%s)', :start + 1000000));
SELECT kvs.event(NULL);
BEGIN ISOLATION LEVEL REPEATABLE READ;
SELECT count(*) > 0 AS some FROM kvs.events();
SELECT pg_temp.error_of($$SELECT kvs.events(wait => '1s')$$);
SELECT pg_temp.error_of('SELECT kvs.wait_for()');
COMMIT;
BEGIN READ ONLY;
SELECT count(*) > 0 AS some FROM kvs.events(wait => '1s');
SELECT pg_temp.error_of('SELECT kvs.start_workers()'), pg_temp.error_of('SELECT kvs.stop_workers()');
COMMIT;

-- Workers come and go.
SELECT name, state, lag, last_error FROM kvs.workers WHERE name = 'sequencer' AND state IN ('active', 'idle');
SELECT kvs.stop_workers();
DO $$ BEGIN FOR i IN 1 .. 500 LOOP EXIT WHEN (SELECT state FROM kvs.workers WHERE name = 'sequencer') = 'stopped'; PERFORM pg_sleep(0.01), pg_stat_clear_snapshot(); END LOOP; END $$;
SELECT state FROM kvs.workers WHERE name = 'sequencer';
SELECT kvs.put('while', '"it is stopped"');
SELECT count(*) FROM kvs.events(:start);
SELECT lag FROM kvs.workers WHERE name = 'sequencer';
SELECT kvs.start_workers();
SELECT kvs.wait_for();
SELECT key FROM kvs.events(:start);

-- Who may not read the store learns nothing of it.
CREATE ROLE regress_kvs_events;
SET ROLE regress_kvs_events;
SELECT pg_temp.error_of('SELECT kvs.events()'), pg_temp.error_of('SELECT kvs.position()'), pg_temp.error_of('SELECT kvs.event(1)');
SELECT pg_temp.error_of('SELECT kvs.wait_for()'), pg_temp.error_of('SELECT kvs.start_workers()'), pg_temp.error_of('TABLE kvs.workers');
RESET ROLE;
GRANT SELECT ON kvs.entries TO regress_kvs_events;
SET ROLE regress_kvs_events;
SELECT count(*) > 0 AS some FROM kvs.events();
SELECT pg_temp.error_of('SELECT kvs.stop_workers()'), pg_temp.error_of('TABLE _kvs.tick'), pg_temp.error_of('TABLE _kvs.listener');
RESET ROLE;
REVOKE ALL ON kvs.entries FROM regress_kvs_events;
DROP ROLE regress_kvs_events;
SELECT kvs.delete_branch('events-side', true), kvs.switch_branch('main'), kvs.delete_branch('events', true);
-- Events of a branch that is gone keep their place, and lose its name.
SELECT key, branch FROM kvs.events(:start, branch => '*');

-- Entries that have expired are deleted by the maintenance worker: which, in which order, once, on which branches.
-- The tests run without it (kvs.maintenance); this database has it for as long as this one runs.
\set SHOW_CONTEXT never
CREATE PROCEDURE pg_temp.wait_until(condition text) LANGUAGE plpgsql AS $$
DECLARE
    is_true boolean;
BEGIN
    FOR i IN 1 .. 1000 LOOP
        EXECUTE 'SELECT ' || condition INTO is_true;
        EXIT WHEN is_true;
        COMMIT;
        PERFORM pg_sleep(0.02), pg_stat_clear_snapshot();
    END LOOP;
    ASSERT is_true, condition;
END
$$;
SELECT kvs.stop_workers();
CALL pg_temp.wait_until($$NOT EXISTS (SELECT FROM kvs.workers WHERE pid IS NOT NULL)$$);
SELECT current_database() AS database \gset
ALTER DATABASE :"database" SET kvs.maintenance = on;
SELECT kvs.create_branch('ew', encode(_kvs.initial_commit(), 'hex')), kvs.switch_branch('ew');
-- Before there was a worker: in the tree, and over it.
SELECT kvs.put('old:tree', '1', ttl => '1ms'), kvs.put('old:lives', '1', ttl => '1 hour'), kvs.put('old:forever', '1');
SELECT kvs.flush();
SELECT kvs.put('old:row', '1', ttl => '2ms');
SELECT kvs.start_workers();
SELECT kvs.wait_for();
SELECT kvs.position() AS start \gset
CALL pg_temp.wait_until($$EXISTS (SELECT FROM kvs.workers WHERE name = 'maintenance' AND pid IS NOT NULL AND lag = 0)$$);
CALL pg_temp.wait_until($$(SELECT count(*) >= 2 FROM kvs.events(0, 'old:#') WHERE operation = 'delete')$$);
SELECT key, operation, op, version, new_value, old_value, modified_by, comment, origin FROM kvs.events(0, 'old:#') WHERE operation = 'delete' ORDER BY key;
SELECT name, pid IS NOT NULL AS runs, last_error FROM kvs.workers ORDER BY name;

-- In the order in which they expire, whatever the order of keys and of writes.
SELECT kvs.position() AS start \gset
SELECT kvs.put('o:c', '1', ttl => '10ms'), kvs.put('o:a', '1', ttl => '30ms'), kvs.put('o:b', '1', ttl => '20ms'), kvs.put('o:d', '1', ttl => '1 hour');
CALL pg_temp.wait_until(format($$(SELECT count(*) >= 3 FROM kvs.events(%s, 'o:+') WHERE op = 'expire')$$, :start));
SELECT key, op, version FROM kvs.events(:start, 'o:+') WHERE operation = 'delete';
SELECT op, version FROM kvs.history('o:a');
-- What was given another life, deleted, created anew or put without an end stays as it is.
SELECT kvs.position() AS start \gset
SELECT kvs.put('m:later', '1', ttl => '200ms'), kvs.put('m:forever', '1', ttl => '200ms'), kvs.put('m:put', '1', ttl => '200ms'),
       kvs.put('m:deleted', '1', ttl => '200ms'), kvs.put('m:again', '1', ttl => '200ms'), kvs.put('m:earlier', '1', ttl => '1 hour');
SELECT kvs.touch('m:later', '2 hours'), kvs.touch('m:forever', NULL), kvs.put('m:put', '2'), kvs.delete('m:deleted'),
       kvs.delete('m:again'), kvs.put('m:again', '3', ttl => '3 hours'), kvs.touch('m:earlier', '210ms');
SELECT kvs.put('n:last', '1', ttl => '300ms');
CALL pg_temp.wait_until(format($$(SELECT count(*) >= 2 FROM kvs.events(%s) WHERE op = 'expire' AND operation = 'delete')$$, :start));
SELECT key, op, version FROM kvs.events(:start) WHERE op = 'expire' AND operation = 'delete';
SELECT key, version FROM kvs.scan('m:');

-- A branch has entries of which it has no event of its own; so has one that was reset, or merged into.
SELECT kvs.put('b:1', '1', ttl => '400ms'), kvs.put('b:2', '2', ttl => '1 hour');
SELECT kvs.commit('entries that end') IS NOT NULL AS committed;
SELECT kvs.create_branch('ew-copy'), kvs.create_branch('ew-reset', encode(_kvs.initial_commit(), 'hex')), kvs.create_branch('ew-merge', encode(_kvs.initial_commit(), 'hex'));
SELECT kvs.reset('ew', branch => 'ew-reset') IS NOT NULL AS reset, (SELECT m.commit IS NOT NULL FROM kvs.merge('ew', 'ew-merge') AS m) AS merged;
CALL pg_temp.wait_until(format($$(SELECT count(*) >= 4 FROM kvs.events(%s, 'b:1', branch => '*') WHERE op = 'expire')$$, :start));
SELECT branch, key, operation FROM kvs.events(:start, 'b:1', branch => '*') WHERE op = 'expire' ORDER BY branch COLLATE "C";
-- One that begins at an old commit has them again, and they are over: below the rows of the branch that it is compared with.
SELECT kvs.create_branch('ew-old', 'ew');
CALL pg_temp.wait_until(format($$EXISTS (SELECT FROM kvs.events(%s, 'b:1', branch => 'ew-old') WHERE op = 'expire')$$, :start));
SELECT kvs.delete_branch('ew-old', true);
-- Once each, and many at one moment.
SELECT kvs.position() AS start \gset
DO $$ BEGIN PERFORM kvs.put('many:' || i, to_jsonb(i), ttl => '100ms') FROM generate_series(1, 3000) AS i; END $$;
CALL pg_temp.wait_until(format($$(SELECT count(*) >= 3000 FROM kvs.events(%s, 'many:+', max_rows => NULL) WHERE op = 'expire')$$, :start));
SELECT count(*), count(DISTINCT key) FROM kvs.events(:start, 'many:+', max_rows => NULL) WHERE op = 'expire';
-- What is remembered is when those end that live, and what else was to be looked at then.
CALL pg_temp.wait_until($$NOT EXISTS (SELECT FROM _kvs.expiry_scan) AND (SELECT lag = 0 FROM kvs.workers WHERE name = 'maintenance')$$);
SELECT convert_from(key, 'UTF8') AS key FROM _kvs.expiry WHERE branch_id = (SELECT id FROM _kvs.branch WHERE name = 'ew') ORDER BY 1;

-- Stopped, it deletes nothing; when it goes on it does.
SELECT kvs.position() AS start \gset
SELECT kvs.stop_workers();
CALL pg_temp.wait_until($$NOT EXISTS (SELECT FROM kvs.workers WHERE pid IS NOT NULL)$$);
SELECT name, state FROM kvs.workers ORDER BY name;
SELECT kvs.put('s:1', '1', ttl => '1ms');
SELECT pg_sleep(0.3);
SELECT op, version FROM kvs.history('s:1');
-- The place in the stream is lost: all is looked for again.
UPDATE _kvs.worker SET pos = 5 WHERE name = 'maintenance';
DELETE FROM _kvs.expiry;
SELECT kvs.start_workers();
CALL pg_temp.wait_until(format($$EXISTS (SELECT FROM kvs.events(%s, 's:1') WHERE op = 'expire')$$, :start));
CALL pg_temp.wait_until($$NOT EXISTS (SELECT FROM _kvs.expiry_scan)$$);
SELECT convert_from(key, 'UTF8') AS key FROM _kvs.expiry WHERE branch_id = (SELECT id FROM _kvs.branch WHERE name = 'ew') ORDER BY 1;
SELECT count(*) FROM kvs.workers WHERE last_error IS NOT NULL;
SELECT type, detail FROM kvs.check() WHERE severity = 'error';

ALTER DATABASE :"database" RESET kvs.maintenance;
SELECT kvs.switch_branch('main'), kvs.delete_branch('ew-copy', true), kvs.delete_branch('ew-reset', true), kvs.delete_branch('ew-merge', true), kvs.delete_branch('ew', true);
SELECT kvs.stop_workers();
CALL pg_temp.wait_until($$NOT EXISTS (SELECT FROM kvs.workers WHERE pid IS NOT NULL)$$);
SELECT kvs.start_workers();

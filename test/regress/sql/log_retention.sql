-- Retention of the change log: kvs.change_retention, and what the log's readers say of what is gone.
CREATE FUNCTION pg_temp.line(key text, branch text DEFAULT NULL) RETURNS text LANGUAGE sql AS $$
    SELECT string_agg(format('%s %s %s', h.version, h.op, coalesce(h.value::text, '-')), ', ') FROM kvs.history(key, branch => branch) AS h;
$$;
CREATE FUNCTION pg_temp.error_of(statement text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
    result text;
BEGIN
    EXECUTE statement INTO result;
    RETURN result;
EXCEPTION WHEN OTHERS THEN
    RETURN SQLSTATE || ' ' || SQLERRM;
END
$$;
CREATE FUNCTION pg_temp.errors() RETURNS TABLE (type text, object text, detail text) LANGUAGE sql AS $$
    SELECT type, object, regexp_replace(detail, 'change \d+', 'change n', 'g') FROM kvs.check() WHERE severity = 'error';
$$;
-- The members that are not waiting, in their order.
CREATE VIEW pg_temp.members AS
    SELECT member, first_seq,
           CASE WHEN condemned_at IS NOT NULL THEN 'condemned' WHEN closed_at IS NOT NULL THEN 'closed'
                WHEN first_seq = (SELECT max(first_seq) FROM _kvs.change_member) THEN 'current' ELSE 'closing' END AS state
    FROM _kvs.change_member WHERE first_seq IS NOT NULL;
CREATE FUNCTION pg_temp.states() RETURNS text LANGUAGE sql AS $$
    SELECT string_agg(format('%s %s', member, state), ', ' ORDER BY first_seq) FROM pg_temp.members;
$$;
CREATE FUNCTION pg_temp.low() RETURNS bigint LANGUAGE sql AS $$ SELECT max(low_seq) FROM _kvs.change_member $$;
-- A step of the collection may have to wait, for autovacuum for instance: collects until the members are in these states.
CREATE PROCEDURE pg_temp.collect(wanted text) LANGUAGE plpgsql AS $$
BEGIN
    FOR i IN 1 .. 2000 LOOP
        PERFORM kvs.gc();
        COMMIT;
        EXIT WHEN pg_temp.states() = wanted;
        PERFORM pg_sleep(0.01);
    END LOOP;
    IF pg_temp.states() IS DISTINCT FROM wanted THEN
        RAISE WARNING 'members are %', pg_temp.states();
    END IF;
END
$$;
-- Time goes by.
CREATE FUNCTION pg_temp.age(members int[], age interval) RETURNS bigint LANGUAGE sql AS $$
    WITH aged AS (UPDATE _kvs.change_member SET started_at = started_at - age, closed_at = closed_at - age
                  WHERE member = ANY (members) RETURNING 1)
    SELECT count(*) FROM aged;
$$;

-- What an append to a member costs: an entry in one index, of numbers.
SELECT count(DISTINCT indrelid) AS members, count(*) AS indexes FROM pg_index
WHERE indrelid::regclass::text ~ '^_kvs\.change(_\d)?$' AND indpred IS NULL AND pg_get_indexdef(indexrelid) ~ 'UNIQUE .* btree \(seq\)';
SELECT indexrelid::regclass AS other FROM pg_index
WHERE indrelid::regclass::text ~ '^_kvs\.change(_\d)?$' AND NOT indisprimary ORDER BY indrelid;

-- By default it is kept for ever.
SELECT kvs.create_branch('retention', encode(_kvs.initial_commit(), 'hex'));
SHOW kvs.change_retention;
SET kvs.branch = 'retention';
SELECT kvs.put('r:1', '1'), kvs.put('r:1', '2'), kvs.put('r:1', '3');
SELECT kvs.commit('three') IS NOT NULL AS committed;
SELECT kvs.put('r:1', '4'), kvs.put('r:2', '"uncommitted"'), kvs.put('r:gone', '1'), kvs.delete('r:gone');
SELECT changes_removed FROM kvs.gc();
SELECT count(*) FROM _kvs.change_member;
SELECT kvs.stats()->'log'->'low_water_mark' AS low, kvs.stats()->'log'->'kept_since' AS since;

-- An import, whose record holds trees that nothing else does.
SET kvs.bulk_log_threshold = 10;
SELECT kvs.import($$SELECT 'bulk:' || i, jsonb_build_object('n', i, 'text', md5(i::text)) FROM generate_series(1, 200) AS i$$);
SELECT encode(substr(item, 65, 32), 'hex') AS import_root, seq AS import_seq FROM _kvs.change WHERE key IS NULL ORDER BY seq DESC LIMIT 1 \gset
SELECT kvs.put('bulk:7', '"now"') AS bulk_version;
SELECT kvs.commit('bulk') IS NOT NULL AS committed;

-- With retention another member becomes the one that is written to; what is there stays, and is read as before.
SET kvs.change_retention = '1d';
CALL pg_temp.collect('0 closing, 1 current');
SELECT kvs.put('r:1', '5'), kvs.put('r:3', '"new"');
SELECT tableoid::regclass AS member, version FROM _kvs.change WHERE key = 'r:1' AND branch_id = (SELECT id FROM _kvs.branch WHERE name = 'retention') ORDER BY seq;
SELECT pg_temp.line('r:1'), pg_temp.line('bulk:7');
SELECT kvs.get_version('r:1', 1) AS v1, kvs.get_version('r:1', 4) AS v4, kvs.get_version('r:1', 6) AS v6;
SELECT * FROM pg_temp.errors();
CALL pg_temp.collect('0 closed, 1 current');
SELECT changes_removed FROM kvs.gc();
SELECT pg_temp.states();

-- What is old enough is first condemned, which whoever reads the log can see, then removed.
SELECT pg_temp.age('{0}', '2 days');
CALL pg_temp.collect('0 condemned, 1 current');
SELECT pg_temp.low() > max(c.seq) AS above_all_of_it FROM ONLY _kvs.change AS c;
SELECT pg_temp.low() <= min(c.seq) AS below_what_is_kept FROM _kvs.change_1 AS c;
SELECT pg_temp.line('r:1');
SELECT count(*) AS old FROM ONLY _kvs.change \gset
SELECT changes_removed = :old AS announced FROM kvs.gc(dry_run => true);
CALL pg_temp.collect('1 current');
SELECT count(*) FROM ONLY _kvs.change;
SELECT changes_removed FROM kvs.gc(dry_run => true);
-- History goes on along the commits; what neither has is an error, not an answer.
SELECT pg_temp.line('r:1'), pg_temp.line('r:2'), pg_temp.line('r:3'), pg_temp.line('r:gone'), pg_temp.line('bulk:7'), pg_temp.line('bulk:8');
SELECT v, pg_temp.error_of(format('SELECT kvs.get_version(%L, %s)', 'r:1', v)) FROM generate_series(0, 6) AS v;
SELECT pg_temp.error_of($$SELECT kvs.get_version('r:gone', 1)$$) AS before_a_deletion, kvs.get_version('r:gone', 2) AS deletion, kvs.get_version('r:gone', 3) AS none;
SELECT pg_temp.error_of($$SELECT kvs.get_version('bulk:7', 1)$$) AS import, kvs.get_version('r:3', 1) AS kept, kvs.get_version('r:3', 2) AS none;
SELECT kvs.get_version('r:2', 1) AS uncommitted, kvs.get_version('no such', 1) AS never;
SELECT kvs.get_version('r:1', 1);
-- The same in a parallel query.
CREATE TABLE retention_rows WITH (parallel_workers = 2) AS SELECT g FROM generate_series(1, 100) AS g;
BEGIN;
SET LOCAL parallel_setup_cost = 0;
SET LOCAL parallel_tuple_cost = 0;
SELECT count(*) FROM retention_rows WHERE (SELECT max(version) FROM kvs.history('r:1')) = 5;
SELECT count(*) FROM retention_rows WHERE kvs.get_version('r:1', 5) = '5';
SELECT count(*) FROM retention_rows WHERE kvs.get_version('r:1', 1) = '1';
ROLLBACK;
DROP TABLE retention_rows;
-- The states of commits, and versions, are what they were.
SELECT kvs.get('r:1', as_of => 'HEAD~1') AS first, kvs.get('r:1', as_of => 'HEAD') AS second, kvs.get('r:1') AS now;
SELECT kvs.cas('r:2', 1, '"with version"') AS swapped, kvs.put('bulk:8', '8', expected_version => 1) AS bulk;
SELECT pg_temp.error_of($$SELECT kvs.cas('r:1', 4, '0')$$), pg_temp.error_of($$SELECT kvs.put('r:1', '0', expected_version => 4)$$);
SELECT pg_temp.line('r:2'), pg_temp.line('bulk:8');
SELECT * FROM pg_temp.errors();
SELECT (s->'log'->>'low_water_mark')::bigint = pg_temp.low() AS low, (s->'log'->>'first_seq')::bigint = (SELECT min(seq) FROM _kvs.change) AS first,
       (s->'log'->>'changes')::bigint = (SELECT count(*) FROM _kvs.change) AS changes, s->'log'->>'kept_since' IS NOT NULL AS since,
       (s->'log'->>'bytes')::bigint = (SELECT sum(pg_total_relation_size(m::regclass)) FROM unnest('{_kvs.change,_kvs.change_1,_kvs.change_2,_kvs.change_3,_kvs.change_4,_kvs.change_5}'::text[]) AS m) AS bytes,
       s->'log'->'bytes' = s->'disk_usage'->'change' AS as_disk_usage
FROM kvs.stats() AS s;

-- With its record the trees that only an import was to have.
SELECT EXISTS (SELECT FROM _kvs.change WHERE seq = :import_seq) AS recorded;
SELECT objects_removed > 0 AS removed FROM kvs.gc();
SELECT count(*) FROM _kvs.chunk WHERE hash = decode(:'import_root', 'hex');
SELECT kvs.get('bulk:9')->'n' AS n, kvs.count_keys('bulk:') AS keys;

-- Merge, restore and branches where the common past is gone from the log.
SELECT kvs.create_branch('retention-side', 'HEAD~1');
SELECT kvs.put('r:side', '"side"', branch => 'retention-side'), kvs.put('r:1', '"side"', branch => 'retention-side');
SELECT kvs.commit('side', branch => 'retention-side') IS NOT NULL AS committed, kvs.commit('trunk') IS NOT NULL AS committed;
SELECT fast_forward, merged, conflicts FROM kvs.merge('retention-side', strategy => 'theirs');
SELECT kvs.restore('r:1', 'HEAD~1'), kvs.get('r:1');
SELECT pg_temp.line('r:1'), pg_temp.line('r:side'), pg_temp.line('r:1', 'retention-side');
SELECT message, version FROM kvs.blame('r:side');
SELECT * FROM pg_temp.errors();

-- Damage is still damage, from the low-water mark on.
SELECT kvs.put('r:4', '1'), kvs.put('r:4', '2'), kvs.put('r:4', '3');
SELECT seq AS third, prev_seq AS second FROM _kvs.change WHERE key = 'r:4' AND version = 3 \gset
BEGIN;
DELETE FROM _kvs.change WHERE seq = :second;
SELECT * FROM pg_temp.errors();
ROLLBACK;
BEGIN;
DELETE FROM _kvs.change WHERE seq = :third;
SELECT * FROM pg_temp.errors();
ROLLBACK;
BEGIN;
UPDATE _kvs.change SET prev_seq = pg_temp.low() + 1000000 WHERE seq = :third;
SELECT * FROM pg_temp.errors();
SELECT orphaned_objects_removed >= 0 AS ran, errors FROM kvs.repair();
SELECT prev_seq = :second AS mended FROM _kvs.change WHERE seq = :third;
ROLLBACK;
-- A link to below it is broken where the change that it should name is kept; so it is mended.
BEGIN;
UPDATE _kvs.change SET prev_seq = 1 WHERE seq = :third;
SELECT * FROM pg_temp.errors();
SELECT errors FROM kvs.repair();
SELECT prev_seq > 1 AS mended FROM _kvs.change WHERE seq = :third;
ROLLBACK;
BEGIN;
UPDATE _kvs.change_member SET low_seq = 0;
SELECT count(*) > 0 AS lost_mark FROM pg_temp.errors();
ROLLBACK;
BEGIN;
INSERT INTO _kvs.change_4 SELECT nextval('_kvs.change_seq'), 0, xid, 1, branch_id, op, 'r:stray', meta, item FROM _kvs.change WHERE seq = :third;
SELECT count(*) FROM pg_temp.errors() WHERE detail LIKE '%not in use%';
SELECT regexp_replace(errors::text, 'change \d+', 'change n', 'g') AS errors FROM kvs.repair();
SELECT pg_temp.states();
SELECT * FROM pg_temp.errors();
ROLLBACK;
-- What became of the members, forgotten: it is found out from what is in them.
BEGIN;
UPDATE _kvs.change_member SET first_seq = NULL, started_at = NULL WHERE member = 1;
SELECT DISTINCT regexp_replace(detail, '\d+', 'n', 'g') AS detail FROM pg_temp.errors();
SELECT kvs.put('r:4', '4');
SELECT tableoid::regclass FROM _kvs.change WHERE key = 'r:4' AND version = 4;
SELECT regexp_replace(errors::text, 'change \d+', 'change n', 'g') AS errors FROM kvs.repair();
SELECT pg_temp.states();
SELECT * FROM pg_temp.errors();
SELECT pg_temp.line('r:4');
ROLLBACK;

-- A rotation that is rolled back: writers go on where they were.
SELECT pg_temp.age('{1}', '7 hours');
BEGIN;
SELECT changes_removed FROM kvs.gc();
SELECT pg_temp.states();
SELECT kvs.put('r:5', '1');
SELECT tableoid::regclass FROM _kvs.change WHERE key = 'r:5';
-- Nor is a member closed whose writers may not have heard of the new one.
SELECT changes_removed FROM kvs.gc();
SELECT pg_temp.states();
ROLLBACK;
SELECT pg_temp.states();
SELECT kvs.put('r:5', '2');
SELECT tableoid::regclass FROM _kvs.change WHERE key = 'r:5';
BEGIN;
SAVEPOINT s;
SELECT changes_removed FROM kvs.gc();
SELECT pg_temp.states();
ROLLBACK TO SAVEPOINT s;
SELECT kvs.put('r:5', '3');
SELECT DISTINCT tableoid::regclass FROM _kvs.change WHERE key = 'r:5';
COMMIT;
-- At the stricter levels too.
BEGIN ISOLATION LEVEL SERIALIZABLE;
SELECT kvs.get('r:5');
SELECT changes_removed FROM kvs.gc();
SELECT kvs.put('r:5', '4');
SELECT pg_temp.line('r:5');
SELECT * FROM pg_temp.errors();
COMMIT;
SELECT pg_temp.states();
SELECT tableoid::regclass, count(*) FROM _kvs.change WHERE key = 'r:5' GROUP BY 1 ORDER BY 1;
SELECT pg_temp.line('r:5');

-- When each member is in use the current one stays it.
DO $$
BEGIN
    FOR i IN 1 .. 8 LOOP
        PERFORM kvs.put('r:ring', to_jsonb(i));
        PERFORM pg_temp.age(ARRAY[0, 1, 2, 3, 4, 5], '7 hours');
        UPDATE _kvs.change_member SET closed_at = now() WHERE closed_at IS NOT NULL;
        PERFORM kvs.gc();
        COMMIT;
    END LOOP;
END
$$;
CALL pg_temp.collect('1 closed, 2 closed, 3 closed, 4 closed, 5 closed, 0 current');
SELECT pg_temp.line('r:ring');
-- A member with something in it is not taken, whatever its row says.
SELECT pg_temp.age('{1}', '2 days');
CALL pg_temp.collect('1 condemned, 2 closed, 3 closed, 4 closed, 5 closed, 0 current');
-- An open query of the same session keeps it.
BEGIN;
DECLARE reader CURSOR FOR SELECT seq FROM _kvs.change_1;
FETCH 1 FROM reader \gset
SELECT changes_removed FROM kvs.gc();
COMMIT;
CALL pg_temp.collect('2 closed, 3 closed, 4 closed, 5 closed, 0 closing, 1 current');
SELECT pg_temp.line('r:ring'), pg_temp.line('r:5');
SELECT * FROM pg_temp.errors();

-- Shorter: all that is older goes. Longer, and for ever: nothing.
SELECT kvs.put('r:ring', '"last"');
SET kvs.change_retention = 0;
CALL pg_temp.collect('2 current');
SELECT count(*) FROM _kvs.change;
SELECT pg_temp.line('r:ring');
SELECT kvs.put('r:ring', '"very last"');
SET kvs.change_retention = -1;
SELECT changes_removed FROM kvs.gc(dry_run => true);
SELECT changes_removed FROM kvs.gc();
SELECT pg_temp.line('r:ring');
SELECT * FROM pg_temp.errors();

-- Nothing goes that a durable subscription has not come to, or that has no position in the stream yet.
SELECT kvs.start_workers(), kvs.create_subscription('retention', 'r:#') IS NOT NULL AS created;
SELECT kvs.put('r:s', '1');
SELECT kvs.wait_for(timeout => '60s');
SET kvs.change_retention = 0;
CALL pg_temp.collect('2 closed, 3 current');
SELECT changes_removed FROM kvs.gc();
SELECT pg_temp.states();
SELECT key, new_value, kvs.park('retention', pos, 'later') FROM kvs.poll('retention') WHERE key = 'r:s';
SELECT count(*) FROM kvs.poll('retention', 'idle');
SELECT changes_removed FROM kvs.gc();
SELECT pg_temp.states();
SELECT kvs.replay_parked('retention');
SELECT key, new_value, kvs.ack('retention', pos) FROM kvs.poll('retention');
CALL pg_temp.collect('3 current');
-- The ticks went with it, but for the last one.
SELECT count(*) FROM _kvs.tick;
SELECT kvs.stop_workers();
SELECT kvs.put('r:s', '2');
CALL pg_temp.collect('3 closed, 4 current');
SELECT changes_removed FROM kvs.gc();
SELECT pg_temp.states();
SELECT kvs.start_workers();
SELECT kvs.wait_for(timeout => '60s');
-- Unless it is to be kept for it no longer: then the subscription is told.
SET kvs.subscription_retention = 0;
CALL pg_temp.collect('4 current');
SELECT regexp_replace(pg_temp.error_of($$SELECT key FROM kvs.poll('retention')$$), '\d{6,}', 'POS');
SELECT kvs.seek('retention', 'start') = kvs.position() AS moved;
SELECT kvs.put('r:s', '3');
SELECT kvs.wait_for(timeout => '60s');
SELECT key, new_value FROM kvs.poll('retention');
RESET kvs.subscription_retention;
SELECT kvs.drop_subscription('retention');
SET kvs.change_retention = -1;

-- What the setting may be, and who may set it.
SET kvs.change_retention = '30d';
SHOW kvs.change_retention;
CREATE ROLE regress_kvs_retention;
SET ROLE regress_kvs_retention;
SET kvs.change_retention = 0;
SELECT count(*) FROM _kvs.change_member;
RESET ROLE;
DROP ROLE regress_kvs_retention;
RESET kvs.change_retention;
RESET kvs.bulk_log_threshold;
RESET kvs.branch;
SELECT kvs.delete_branch('retention-side', force => true), kvs.delete_branch('retention', force => true);

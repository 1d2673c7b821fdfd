-- Durable subscriptions: who gets which event, in which order, and what comes again.
\set SHOW_CONTEXT never
\set VERBOSITY terse
SELECT kvs.start_workers();
SELECT kvs.wait_for(timeout => '60s');
CREATE TABLE pg_temp.base AS SELECT kvs.position() AS pos;
SELECT kvs.create_branch('subs', encode(_kvs.initial_commit(), 'hex'));
SET kvs.branch = 'subs';
CREATE FUNCTION pg_temp.poll(name text, member text, max_rows bigint DEFAULT 100, lease interval DEFAULT '1h')
RETURNS TABLE (key text, value jsonb, deliveries int) LANGUAGE sql AS
$$ SELECT key, new_value, delivery_count FROM kvs.poll(name, member, max_rows, lease) $$;
CREATE FUNCTION pg_temp.pos(key text, version bigint DEFAULT 1) RETURNS bigint LANGUAGE sql AS
$$ SELECT pos FROM kvs.events((SELECT pos FROM pg_temp.base), branch => 'subs', max_rows => NULL) AS e WHERE e.key = pos.key AND e.version = pos.version $$;
CREATE FUNCTION pg_temp.error_of(statement text) RETURNS text LANGUAGE plpgsql AS $$
BEGIN
    EXECUTE statement;
    RETURN 'none';
EXCEPTION WHEN OTHERS THEN
    RETURN SQLSTATE || ' ' || regexp_replace(SQLERRM, '^(event|position) \d+', '\1 POS');
END
$$;
CREATE TEMP VIEW state AS
SELECT name, pos - (SELECT min(pos) - 1 FROM kvs.events((SELECT pos FROM pg_temp.base), branch => 'subs', max_rows => NULL)) AS pos, lag_events, in_flight, parked, held, members
FROM kvs.subscriptions WHERE name LIKE 's%';

-- Creating.
SELECT kvs.create_subscription('s1', 'key:+') = kvs.position() AS from_now;
SELECT kvs.create_subscription('s1', '#');
SELECT kvs.create_subscription('', '#');
SELECT kvs.create_subscription(repeat('x', 256));
SELECT kvs.create_subscription(NULL);
SELECT kvs.create_subscription('bad', 'a/#/b');
SELECT kvs.create_subscription('bad', from_pos => -1);
SELECT pg_temp.error_of($$SELECT kvs.create_subscription('bad', from_pos => kvs.position() + 1000)$$);
SELECT kvs.create_subscription('bad', branch => 'nobody');
SELECT kvs.create_subscription('bad', operations => '{put}');
SELECT kvs.create_subscription('bad', on_park => 'stop');
SELECT kvs.create_subscription('bad', max_deliveries => 0);
SELECT kvs.create_subscription('bad', max_in_flight => 0);
SELECT name, pattern, branch, operations, max_deliveries, on_park, max_in_flight, creator = current_user AS own FROM kvs.subscriptions WHERE name = 's1';

-- Two members share it by key.
SELECT kvs.put('key:a', '1'), kvs.put('key:b', '1'), kvs.put('key:a', '2'), kvs.put('other:a', '1'), kvs.put('key:c', '1'), kvs.put('key:b', '2');
SELECT kvs.wait_for(timeout => '60s');
SELECT * FROM pg_temp.poll('s1', 'm1', 1);
SELECT * FROM pg_temp.poll('s1', 'm2', 1);
SELECT * FROM pg_temp.poll('s1', 'm2');
SELECT * FROM pg_temp.poll('s1', 'm1');
SELECT * FROM pg_temp.poll('s1', 'm1');
SELECT * FROM pg_temp.state;
-- Acknowledged out of order, by whom it was given to, once.
SELECT kvs.ack('s1', pg_temp.pos('key:a', 2), 'm1');
SELECT pg_temp.error_of($$SELECT kvs.ack('s1', pg_temp.pos('key:a', 2), 'm2')$$);
SELECT pg_temp.error_of($$SELECT kvs.ack('s1', pg_temp.pos('key:b'), 'm1')$$);
SELECT pg_temp.error_of($$SELECT kvs.ack('s1', pg_temp.pos('key:b'))$$);
SELECT pg_temp.error_of($$SELECT kvs.ack('s1', 0, 'm1')$$);
SELECT in_flight FROM pg_temp.state;
SELECT kvs.ack('s1', pg_temp.pos('key:a', 1), 'm1');
SELECT pg_temp.error_of($$SELECT kvs.ack_many('s1', ARRAY[pg_temp.pos('key:b', 1), pg_temp.pos('key:c'), 0], 'm2')$$);
SELECT kvs.ack_many('s1', ARRAY[pg_temp.pos('key:b', 1), pg_temp.pos('key:c')], 'm2'), kvs.ack_many('s1', '{}', 'm2'), kvs.ack_many('s1', NULL, 'm2');
SELECT * FROM pg_temp.state;
SELECT kvs.ack('s1', pg_temp.pos('key:b', 2), 'm2');
SELECT * FROM pg_temp.poll('s1', 'm1');
SELECT * FROM pg_temp.state;
-- What does not match is passed over, and the place in the stream goes on.
SELECT kvs.put('other:b', '1'), kvs.put('other:c', '1');
SELECT kvs.wait_for(timeout => '60s');
SELECT lag_events, lag_time > '0' AS lags FROM kvs.subscriptions WHERE name = 's1';
SELECT * FROM pg_temp.poll('s1', 'm1');
SELECT lag_events, lag_time FROM kvs.subscriptions WHERE name = 's1';

-- A poll or an acknowledgement that is rolled back was not.
SELECT kvs.put('key:a', '3');
SELECT kvs.wait_for(timeout => '60s');
BEGIN;
SELECT * FROM pg_temp.poll('s1', 'm1');
ROLLBACK;
SELECT * FROM pg_temp.poll('s1', 'm2');
BEGIN;
SELECT kvs.ack('s1', pg_temp.pos('key:a', 3), 'm2');
SELECT in_flight FROM pg_temp.state;
ROLLBACK;
SELECT in_flight FROM pg_temp.state;
BEGIN;
SAVEPOINT s;
SELECT kvs.ack('s1', pg_temp.pos('key:a', 3), 'm2');
ROLLBACK TO SAVEPOINT s;
SELECT in_flight FROM pg_temp.state;
SELECT kvs.ack('s1', pg_temp.pos('key:a', 3), 'm2');
COMMIT;
SELECT * FROM pg_temp.state;

-- A lease that runs out: whoever is first has it again, with what comes behind it of its key.
SELECT kvs.put('key:a', '4'), kvs.put('key:a', '5');
SELECT kvs.wait_for(timeout => '60s');
SELECT * FROM pg_temp.poll('s1', 'm1', 1, '1ms');
SELECT pg_sleep(0.01);
SELECT in_flight FROM pg_temp.state;
-- As long as nobody has got it, it may be acknowledged.
BEGIN;
SELECT kvs.ack('s1', pg_temp.pos('key:a', 4), 'm1');
ROLLBACK;
SELECT * FROM pg_temp.poll('s1', 'm2');
SELECT pg_temp.error_of($$SELECT kvs.ack('s1', pg_temp.pos('key:a', 4), 'm1')$$);
SELECT * FROM pg_temp.poll('s1', 'm1');
SELECT kvs.ack_many('s1', ARRAY[pg_temp.pos('key:a', 4), pg_temp.pos('key:a', 5)], 'm2');

-- A member that is late acknowledges in order, all in one call or one after the other.
SELECT kvs.put('key:a', '5.1'), kvs.put('key:a', '5.2'), kvs.put('key:a', '5.3');
SELECT kvs.wait_for(timeout => '60s');
SELECT * FROM pg_temp.poll('s1', 'm1', 100, '1ms');
SELECT pg_sleep(0.01);
SELECT pg_temp.error_of($$SELECT kvs.ack('s1', pg_temp.pos('key:a', 7), 'm1')$$);
SELECT kvs.ack_many('s1', ARRAY[pg_temp.pos('key:a', 6), pg_temp.pos('key:a', 7)], 'm1');
SELECT kvs.ack('s1', pg_temp.pos('key:a', 8), 'm1');

-- Extending, and giving back.
SELECT kvs.put('key:a', '6'), kvs.put('key:a', '7'), kvs.put('key:b', '3');
SELECT kvs.wait_for(timeout => '60s');
SELECT * FROM pg_temp.poll('s1', 'm1', 100, '1ms');
SELECT kvs.extend('s1', '1h', 'm1'), kvs.extend('s1', '1h', 'm2'), kvs.extend('s1', '1h', 'nobody');
SELECT * FROM pg_temp.poll('s1', 'm2');
SELECT kvs.extend('s1', '0', 'm1');
SELECT kvs.extend('s1', NULL, 'm1');
-- The later event of the key comes again behind it, and was not handed out in vain.
SELECT kvs.nack('s1', pg_temp.pos('key:a', 9), member => 'm1');
SELECT pg_temp.error_of($$SELECT kvs.ack('s1', pg_temp.pos('key:a', 10), 'm1')$$);
SELECT pg_temp.error_of($$SELECT kvs.nack('s1', pg_temp.pos('key:a', 9), member => 'm1')$$);
SELECT * FROM pg_temp.poll('s1', 'm2');
SELECT kvs.nack('s1', pg_temp.pos('key:a', 9), '1h', 'm2');
SELECT * FROM pg_temp.poll('s1', 'm1');
SELECT * FROM pg_temp.poll('s1', 'm2');
SELECT in_flight FROM pg_temp.state;
SELECT kvs.nack('s1', pg_temp.pos('key:b', 3), '-1s', 'm1');
SELECT kvs.ack('s1', pg_temp.pos('key:b', 3), 'm1');
SELECT pg_temp.error_of($$SELECT kvs.nack('s1', pg_temp.pos('key:b', 3), '0', 'm1')$$);

-- Filters: operations, all branches, at most so many in flight.
SELECT kvs.create_subscription('s2', operations => '{delete}') > 0, kvs.create_subscription('s3', operations => '{patch,expire}') > 0,
       kvs.create_subscription('s4', branch => '*', max_in_flight => 2) > 0, kvs.create_subscription('s5', operations => '{set}') > 0;
SELECT kvs.put('op:a', '{"a": 1}'), kvs.patch('op:a', '{"b": 2}'), kvs.delete('op:a'), kvs.put('op:b', '1', branch => 'main');
SELECT kvs.wait_for(timeout => '60s');
SELECT key, operation, op, old_value FROM kvs.poll('s2');
SELECT key, operation, op, old_value, new_value FROM kvs.poll('s3');
SELECT key, operation, op FROM kvs.poll('s5');
SELECT key, branch, op FROM kvs.poll('s4', 'm1');
SELECT key, branch, op FROM kvs.poll('s4', 'm1');
SELECT kvs.ack('s4', pg_temp.pos('op:a', 2), 'm1');
SELECT key, branch, op FROM kvs.poll('s4', 'm1');
SELECT kvs.drop_subscription('s2'), kvs.drop_subscription('s3'), kvs.drop_subscription('s4'), kvs.drop_subscription('s5'), kvs.drop_subscription('s5');
SELECT kvs.delete('op:b', branch => 'main');

-- Parking: by hand, which holds the key.
SELECT kvs.create_subscription('s2', 'park:+', max_deliveries => 2) > 0, kvs.create_subscription('s3', 'park:+', on_park => 'skip', max_deliveries => 2) > 0;
SELECT kvs.put('park:a', '1'), kvs.put('park:b', '1'), kvs.put('park:a', '2'), kvs.put('park:b', '2'), kvs.put('park:a', '3');
SELECT kvs.wait_for(timeout => '60s');
SELECT pg_temp.error_of($$SELECT kvs.park('s2', pg_temp.pos('park:a', 1), 'too early')$$);
SELECT * FROM pg_temp.poll('s2', 'm1', 3);
SELECT kvs.park('s2', pg_temp.pos('park:a', 1), NULL);
SELECT kvs.park('s2', pg_temp.pos('park:a', 1), 'no such address');
SELECT pg_temp.error_of($$SELECT kvs.park('s2', pg_temp.pos('park:a', 1), 'twice')$$);
SELECT name, key, reason, sqlstate, deliveries, parked_at IS NOT NULL AS dated FROM kvs.parked;
SELECT pg_temp.error_of($$SELECT kvs.ack('s2', pg_temp.pos('park:a', 1), 'm1')$$);
SELECT pg_temp.error_of($$SELECT kvs.ack('s2', pg_temp.pos('park:a', 2), 'm1')$$);
SELECT * FROM pg_temp.poll('s2', 'm2');
SELECT * FROM pg_temp.poll('s2', 'm1');
SELECT kvs.ack_many('s2', ARRAY[pg_temp.pos('park:b', 1), pg_temp.pos('park:b', 2)], 'm1');
SELECT * FROM pg_temp.poll('s2', 'm1');
SELECT name, in_flight, parked, held FROM pg_temp.state WHERE name = 's2';
SELECT kvs.put('park:a', '4'), kvs.put('park:b', '3');
SELECT kvs.wait_for(timeout => '60s');
SELECT * FROM pg_temp.poll('s2', 'm2');
SELECT name, in_flight, parked, held FROM pg_temp.state WHERE name = 's2';
SELECT kvs.replay_parked('s2', 'park:b'), kvs.replay_parked('s2', 'park:a'), kvs.replay_parked('s2');
SELECT * FROM pg_temp.poll('s2', 'm1', 2);
SELECT * FROM pg_temp.poll('s2', 'm2');
SELECT * FROM pg_temp.poll('s2', 'm1');
SELECT kvs.ack_many('s2', array_agg(pg_temp.pos('park:a', v)), 'm1') FROM generate_series(1, 4) AS v;
SELECT kvs.ack('s2', pg_temp.pos('park:b', 3), 'm2');
SELECT * FROM pg_temp.poll('s2', 'm1');
SELECT name, lag_events, in_flight, parked, held FROM pg_temp.state WHERE name = 's2';
-- After so many deliveries; with skip, the key goes on.
SELECT * FROM pg_temp.poll('s3', 'm1', 1);
SELECT kvs.nack('s3', pg_temp.pos('park:a', 1), member => 'm1');
SELECT * FROM pg_temp.poll('s3', 'm1', 1, '1ms');
SELECT pg_sleep(0.01);
SELECT * FROM pg_temp.poll('s3', 'm2');
SELECT name, key, reason, deliveries FROM kvs.parked;
SELECT kvs.nack('s3', pg_temp.pos('park:b', 1), member => 'm2');
SELECT * FROM pg_temp.poll('s3', 'm1');
SELECT kvs.nack('s3', pg_temp.pos('park:b', 1), member => 'm1');
SELECT name, key, reason, deliveries FROM kvs.parked;
SELECT kvs.replay_parked('s3');
-- Their keys are still in the hands of others.
SELECT * FROM pg_temp.poll('s3', 'm3');
SELECT kvs.ack_many('s3', array_agg(pg_temp.pos('park:a', v)), 'm2') FROM generate_series(2, 4) AS v;
SELECT kvs.ack_many('s3', array_agg(pg_temp.pos('park:b', v)), 'm1') FROM generate_series(2, 3) AS v;
SELECT * FROM pg_temp.poll('s3', 'm3');
-- Counted anew since the replay.
SELECT kvs.nack('s3', pg_temp.pos('park:b', 1), member => 'm3');
SELECT * FROM pg_temp.poll('s3', 'm3');
SELECT kvs.nack('s3', pg_temp.pos('park:b', 1), member => 'm3');
SELECT * FROM pg_temp.poll('s3', 'm3');
SELECT name, key, reason, deliveries FROM kvs.parked;

-- Moving.
SELECT kvs.seek('s3', 'nowhere');
SELECT pg_temp.error_of($$SELECT kvs.seek('s3', (kvs.position() + 1000)::text)$$);
SELECT kvs.seek('nobody', 'end');
SELECT kvs.seek('s3', NULL);
SELECT kvs.seek('s3', 'end') = kvs.position() AS at_end;
SELECT name, lag_events, in_flight, parked, held FROM pg_temp.state WHERE name = 's3';
SELECT pg_temp.error_of($$SELECT kvs.ack('s3', pg_temp.pos('park:a', 1), 'm3')$$);
-- What is parked stays so, unless it comes again by itself.
SELECT name, key, reason, deliveries FROM kvs.parked;
SELECT kvs.seek('s3', (pg_temp.pos('park:b', 2) - 1)::text) = pg_temp.pos('park:b', 2) - 1 AS there;
SELECT * FROM pg_temp.poll('s3', 'm1');
SELECT kvs.seek('s3', 'start') >= 0 AS at_start;
SELECT * FROM pg_temp.poll('s3', 'm2', 2);
SELECT name, parked FROM pg_temp.state WHERE name = 's3';
SELECT kvs.seek('s3', '2000-01-01') = kvs.seek('s3', 'start') AS at_start;
SELECT kvs.seek('s3', (now() + interval '1 day')::text) = kvs.position() AS at_end;

-- Waiting.
SELECT clock_timestamp() AS begin \gset
SELECT count(*), clock_timestamp() - :'begin' >= '100ms' AS waited FROM kvs.poll('s2', wait => '100ms');
SELECT kvs.put('park:c', '1');
SELECT key FROM kvs.poll('s2', 'm1', wait => '60s', lease => '50ms');
-- For the end of a lease.
SELECT key, delivery_count, clock_timestamp() - :'begin' < '30s' AS in_time FROM kvs.poll('s2', 'm2', wait => '60s');
SELECT count(*) FROM kvs.poll('s2', max_rows => 0, wait => '60s');
BEGIN ISOLATION LEVEL REPEATABLE READ;
SELECT count(*) FROM kvs.poll('s2', wait => '1s');
ROLLBACK;
BEGIN ISOLATION LEVEL SERIALIZABLE;
SELECT count(*) FROM kvs.poll('s2');
SELECT kvs.ack('s2', pg_temp.pos('park:c'), 'm2');
COMMIT;
SELECT kvs.poll('s2', lease => '0');
SELECT kvs.poll('s2', max_rows => -1);
SELECT kvs.poll('nobody');
SELECT kvs.poll(NULL);
BEGIN READ ONLY;
SELECT kvs.poll('s2');
ROLLBACK;

-- An import is logged as one record, and is as many events.
SET kvs.bulk_log_threshold = 10;
SELECT kvs.import('SELECT ''park:'' || g, to_jsonb(g) FROM generate_series(100, 149) AS g');
SELECT kvs.wait_for(timeout => '60s');
SELECT count(*), min(key), max(key) FROM pg_temp.poll('s2', 'm1', 20);
SELECT count(*), min(key), max(key) FROM pg_temp.poll('s2', 'm2', 20);
SELECT kvs.ack_many('s2', array_agg(e.pos), 'm1') FROM kvs.events((SELECT pos FROM pg_temp.base), 'park:1*', NULL, 'subs') AS e WHERE key BETWEEN 'park:100' AND 'park:119';
SELECT count(*), min(key), max(key) FROM pg_temp.poll('s2', 'm1', 20);
SELECT name, in_flight, lag_events FROM pg_temp.state WHERE name = 's2';
RESET kvs.bulk_log_threshold;

-- Who may.
CREATE ROLE regress_kvs_subscriber;
CREATE ROLE regress_kvs_other;
GRANT SELECT ON kvs.entries TO regress_kvs_subscriber, regress_kvs_other;
SET ROLE regress_kvs_subscriber;
SELECT kvs.create_subscription('s6', 'who:+') > 0 AS created;
SELECT kvs.seek('s2', 'end');
SELECT kvs.drop_subscription('s2');
RESET ROLE;
SELECT kvs.put('who:a', '1');
SELECT kvs.wait_for(timeout => '60s');
SET ROLE regress_kvs_other;
SELECT pos, key FROM kvs.poll('s6') \gset
SELECT :'key', kvs.ack('s6', :pos);
SELECT kvs.seek('s6', 'start');
RESET ROLE;
REVOKE SELECT ON kvs.entries FROM regress_kvs_other;
SET ROLE regress_kvs_other;
SELECT kvs.poll('s6');
SELECT * FROM kvs.subscriptions;
RESET ROLE;
SET ROLE regress_kvs_subscriber;
SELECT kvs.drop_subscription('s6');
RESET ROLE;
REVOKE SELECT ON kvs.entries FROM regress_kvs_subscriber;
DROP ROLE regress_kvs_subscriber, regress_kvs_other;

-- Nothing is left.
SELECT kvs.drop_subscription(name) FROM kvs.subscriptions WHERE name LIKE 's_' ORDER BY name;
SELECT count(*) FROM _kvs.subscription_member;
SELECT count(*) FROM _kvs.subscription_event;
SELECT kvs.poll('s1');
RESET kvs.branch;
SELECT kvs.delete_branch('subs', force => true);

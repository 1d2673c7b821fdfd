-- Subscriptions of sessions. What comes by NOTIFY is for a client to hear (test/t/032_listeners.pl); here is what a
-- session can see of its own.
CREATE FUNCTION pg_temp.error_of(query text) RETURNS text LANGUAGE plpgsql AS $$
BEGIN
    EXECUTE query;
    RETURN 'no error';
EXCEPTION WHEN OTHERS THEN
    RETURN SQLSTATE || ' ' || SQLERRM;
END
$$;
SELECT kvs.start_workers();
SELECT kvs.create_branch('subscribe', encode(_kvs.initial_commit(), 'hex'));
SET kvs.branch = 'subscribe';

-- One channel, which nobody can guess; each subscription once.
SELECT kvs.subscribe('user:+') AS channel \gset
SELECT :'channel' ~ '^kvs_[0-9a-f]{32}$' AS is_random, kvs.subscribe('user:#') = :'channel' AS same, kvs.subscribe('user:+') = :'channel' AS again;
SELECT count(*) FROM pg_listening_channels() AS c WHERE c = :'channel';
SELECT pattern, branch_id > 1 AS one_branch, role::regrole, pid = pg_backend_pid() AS own, is_lagged FROM _kvs.listener WHERE channel = :'channel' ORDER BY pattern;
SELECT kvs.subscribe('user:+', '*') = :'channel' AS same, kvs.subscribe('main:#', 'main') = :'channel' AS same;
SELECT pattern, CASE branch_id WHEN 0 THEN 'all' WHEN 1 THEN 'main' ELSE 'own' END AS branch FROM _kvs.listener WHERE channel = :'channel' ORDER BY 1, 2;
-- Taken back by pattern, on whatever branch; with the last one LISTEN ends.
SELECT kvs.unsubscribe('nothing'), kvs.unsubscribe('user:+');
SELECT count(*) FROM pg_listening_channels() AS c WHERE c = :'channel';
SELECT kvs.unsubscribe(), kvs.unsubscribe();
SELECT count(*) FROM pg_listening_channels() AS c WHERE c = :'channel';
SELECT count(*) FROM _kvs.listener WHERE channel = :'channel';
-- With the transaction.
BEGIN;
SELECT kvs.subscribe('a') = :'channel' AS same;
SAVEPOINT s;
SELECT kvs.subscribe('b') = :'channel' AS same;
ROLLBACK TO SAVEPOINT s;
COMMIT;
SELECT pattern FROM _kvs.listener WHERE channel = :'channel';
BEGIN;
SELECT kvs.unsubscribe();
ROLLBACK;
SELECT pattern FROM _kvs.listener WHERE channel = :'channel';
SELECT count(*) FROM pg_listening_channels() AS c WHERE c = :'channel';
SELECT kvs.unsubscribe();

-- Errors.
SELECT pg_temp.error_of($$SELECT kvs.subscribe('a+')$$), pg_temp.error_of('SELECT kvs.subscribe(NULL)');
SELECT pg_temp.error_of($$SELECT kvs.subscribe('a', 'nowhere')$$);
BEGIN READ ONLY;
SELECT pg_temp.error_of($$SELECT kvs.subscribe('a')$$), pg_temp.error_of('SELECT kvs.unsubscribe()');
COMMIT;
CREATE ROLE regress_kvs_subscribe;
SET ROLE regress_kvs_subscribe;
SELECT pg_temp.error_of($$SELECT kvs.subscribe('a')$$), pg_temp.error_of('SELECT kvs.unsubscribe()'), pg_temp.error_of('TABLE _kvs.listener');
RESET ROLE;
DROP ROLE regress_kvs_subscribe;
SELECT kvs.switch_branch('main'), kvs.delete_branch('subscribe', true);

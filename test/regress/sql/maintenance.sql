-- The maintenance worker folds the rows of a branch, however few of them each session has written.
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
ALTER DATABASE :"database" SET kvs.flush_rows = 300;
SELECT kvs.create_branch('mt', encode(_kvs.initial_commit(), 'hex')), kvs.create_branch('mt-hot', encode(_kvs.initial_commit(), 'hex')), kvs.switch_branch('mt');
SELECT kvs.start_workers();
CALL pg_temp.wait_until($$EXISTS (SELECT FROM kvs.workers WHERE name = 'maintenance' AND pid IS NOT NULL AND lag = 0)$$);
-- This session has begun before, and would flush by itself from more rows on.
-- Few keys, however often they are changed, are no reason; nor are fewer rows.
DO $$ BEGIN FOR i IN 1 .. 700 LOOP PERFORM kvs.put('hot:' || i % 7, to_jsonb(i), branch => 'mt-hot'); END LOOP; END $$;
DO $$ BEGIN FOR i IN 1 .. 299 LOOP PERFORM kvs.put('row:' || i, to_jsonb(i)); END LOOP; END $$;
SELECT kvs.wait_for();
CALL pg_temp.wait_until($$(SELECT lag = 0 FROM kvs.workers WHERE name = 'maintenance')$$);
SELECT pg_sleep(0.5);
SELECT branch FROM kvs.snapshots WHERE starts_with(branch, 'mt');
-- One more is.
SELECT kvs.put('row:300', '300');
CALL pg_temp.wait_until($$EXISTS (SELECT FROM kvs.snapshots WHERE branch = 'mt')$$);
SELECT branch, rows FROM kvs.snapshots WHERE starts_with(branch, 'mt');
SELECT count(*), sum(value::int) FROM kvs.scan();
SELECT count(*) FROM kvs.workers WHERE last_error IS NOT NULL;
ALTER DATABASE :"database" RESET kvs.maintenance;
ALTER DATABASE :"database" RESET kvs.flush_rows;
SELECT kvs.switch_branch('main'), kvs.delete_branch('mt', true), kvs.delete_branch('mt-hot', true);
SELECT kvs.stop_workers();
CALL pg_temp.wait_until($$NOT EXISTS (SELECT FROM kvs.workers WHERE pid IS NOT NULL)$$);
SELECT kvs.start_workers();

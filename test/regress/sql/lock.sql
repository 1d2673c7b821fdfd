-- Namespace locks within one session; test/isolation has what two sessions do to one another.
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
CREATE FUNCTION pg_temp.locks() RETURNS TABLE (mode text, locks bigint) LANGUAGE sql AS $$
    SELECT l.mode, count(*) FROM pg_locks AS l
    WHERE l.pid = pg_backend_pid() AND l.locktype = 'advisory' AND l.granted AND l.objsubid > 2
    GROUP BY l.mode ORDER BY l.mode;
$$;

-- The namespace exclusively, what is above it in passing, until the end of the transaction.
BEGIN;
SELECT kvs.lock('orders/eu:#');
SELECT * FROM pg_temp.locks();
SELECT kvs.lock('orders/eu:#'), kvs.lock('orders:+'), kvs.lock('orders/eu/{year}:1'), kvs.lock('orders/us:12*');
SELECT * FROM pg_temp.locks();
COMMIT;
SELECT * FROM pg_temp.locks();

-- A savepoint gives back what was locked after it.
BEGIN;
SELECT kvs.lock('a:#');
SAVEPOINT s;
SELECT kvs.lock('#');
SELECT * FROM pg_temp.locks();
ROLLBACK TO SAVEPOINT s;
SELECT * FROM pg_temp.locks();
ROLLBACK;

-- Branches do not meet.
SELECT kvs.create_branch('lock', encode(_kvs.initial_commit(), 'hex'));
BEGIN;
SELECT kvs.lock('a', branch => 'lock'), kvs.lock('a', branch => 'main');
SELECT * FROM pg_temp.locks();
COMMIT;

-- Errors.
SELECT kvs.lock(NULL);
SELECT pg_temp.error_of($$SELECT kvs.lock('a+b')$$);
SELECT pg_temp.error_of($$SELECT kvs.lock('a', branch => 'no such branch')$$);
SET kvs.as_of = 'HEAD';
SELECT pg_temp.error_of($$SELECT kvs.lock('a')$$);
RESET kvs.as_of;
SET default_transaction_read_only = on;
SELECT pg_temp.error_of($$SELECT kvs.lock('a')$$);
RESET default_transaction_read_only;
CREATE ROLE regress_kvs_lock;
SET ROLE regress_kvs_lock;
SELECT kvs.lock('a');
RESET ROLE;
DROP ROLE regress_kvs_lock;

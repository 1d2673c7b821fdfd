-- Branches of which each transaction that changes them becomes a commit by itself.
\set SHOW_CONTEXT never
\pset format unaligned
SELECT kvs.create_branch('ac', encode(_kvs.initial_commit(), 'hex')), kvs.create_branch('ac-2', encode(_kvs.initial_commit(), 'hex')), kvs.switch_branch('ac');
SET kvs.author = 'tester';
-- The newest commits of the session's branch, and what is uncommitted.
PREPARE made AS SELECT l.message, l.author, (SELECT string_agg(s.key || '=' || s.value::text, ' ' ORDER BY s.key) FROM kvs.scan(as_of => l.hash) AS s) AS contents
    FROM kvs.log(max_rows => $1) AS l;
PREPARE uncommitted AS SELECT key, diff_type FROM kvs.status();

-- The option: how it is named, set and shown.
SELECT name, autocommit FROM kvs.branches WHERE name LIKE 'ac%' ORDER BY name;
SELECT kvs.set_branch_option('ac', 'autocommit', '5 minutes');
SELECT kvs.set_branch_option('ac', 'autocommit', '00:05');
SELECT kvs.set_branch_option('ac-2', 'autocommit', '1 day 12 hours');
SELECT name, autocommit FROM kvs.branches WHERE name LIKE 'ac%' ORDER BY name;
SELECT kvs.set_branch_option('ac-2', 'autocommit', 'off');
SELECT kvs.set_branch_option('ac', 'autocomit', 'off');
SELECT kvs.set_branch_option('ac', 'autocommit', 'always');
SELECT kvs.set_branch_option('ac', 'autocommit', '');
SELECT kvs.set_branch_option('ac', 'autocommit', '999 ms');
SELECT kvs.set_branch_option('ac', 'autocommit', '-1 hour');
SELECT kvs.set_branch_option('ac', 'autocommit', '367 days');
SELECT kvs.set_branch_option('ac', 'autocommit', '999999999 years');
SELECT kvs.set_branch_option('nobody', 'autocommit', 'off');
SELECT kvs.set_branch_option('', 'autocommit', 'off');
SELECT kvs.set_branch_option(NULL, 'autocommit', 'off');
SELECT kvs.set_branch_option('ac', NULL, 'off');
SELECT kvs.set_branch_option('ac', 'autocommit', NULL);
BEGIN READ ONLY;
SELECT kvs.set_branch_option('ac', 'autocommit', 'off');
ROLLBACK;

-- What was uncommitted is committed together with the setting.
SELECT kvs.put('before', '0');
SELECT kvs.set_branch_option('ac', 'autocommit', 'transaction');
EXECUTE made(1);
EXECUTE uncommitted;

-- A statement, a transaction, many changes of one key.
SELECT kvs.delete('before');
EXECUTE made(1);
BEGIN;
SELECT kvs.put('a', '1'), kvs.put('b', '1'), kvs.put('b', '2');
SELECT message FROM kvs.log(max_rows => 1);
EXECUTE uncommitted;
COMMIT;
EXECUTE made(2);
EXECUTE uncommitted;
-- The message: the comments, each once.
BEGIN;
SELECT kvs.put('a', '2', comment => 'dearer');
SELECT kvs.put('b', '3', comment => 'cheaper'), kvs.put('c', '1'), kvs.increment('c', 1);
SELECT kvs.put('d', '1', comment => 'dearer');
COMMIT;
EXECUTE made(1);
BEGIN;
DO $$ BEGIN FOR i IN 1 .. 100 LOOP PERFORM kvs.put('a', to_jsonb(i), comment => 'comment ' || i); END LOOP; END $$;
COMMIT;
SELECT cardinality(string_to_array(message, E'\n')) AS lines FROM kvs.log(max_rows => 1);
-- Nothing changed: no commit.
SELECT count(*) AS commits FROM kvs.log() \gset
SELECT kvs.put('a', '100'), kvs.delete('nobody'), kvs.get('a');
BEGIN;
SELECT kvs.put('z', '1');
SELECT kvs.delete('z');
COMMIT;
BEGIN;
SELECT kvs.put('z', '1');
ROLLBACK;
SELECT count(*) - :commits AS made FROM kvs.log();

-- Savepoints: what was rolled back counts for nothing, nor does its comment.
BEGIN;
SAVEPOINT one;
SELECT kvs.put('s:1', '1', comment => 'one');
SAVEPOINT two;
SELECT kvs.put('s:2', '2', comment => 'two');
ROLLBACK TO SAVEPOINT two;
SELECT kvs.put('s:3', '3', comment => 'three');
RELEASE SAVEPOINT one;
COMMIT;
EXECUTE made(1);
SELECT count(*) AS commits FROM kvs.log() \gset
BEGIN;
SAVEPOINT one;
SELECT kvs.put('s:4', '1');
ROLLBACK TO SAVEPOINT one;
SELECT count(*) FROM pg_locks WHERE pid = pg_backend_pid() AND mode = 'ShareUpdateExclusiveLock';
COMMIT;
DO $$ BEGIN
    FOR i IN 1 .. 20 LOOP
        BEGIN
            PERFORM kvs.put('s:' || i, to_jsonb(i), comment => 'in a block');
            IF i % 2 = 0 THEN RAISE EXCEPTION 'no'; END IF;
        EXCEPTION WHEN raise_exception THEN NULL;
        END;
    END LOOP;
END $$;
SELECT count(*) - :commits AS made FROM kvs.log();
SELECT message, (SELECT count(*) FROM kvs.scan('s:', as_of => 'HEAD')) FROM kvs.log(max_rows => 1);
-- A procedure that commits makes a commit each time.
CREATE PROCEDURE pg_temp.work() LANGUAGE plpgsql AS $$
BEGIN
    FOR i IN 1 .. 3 LOOP
        PERFORM kvs.put('p', to_jsonb(i), comment => 'step ' || i);
        COMMIT;
    END LOOP;
    PERFORM kvs.put('p', '4');
    ROLLBACK;
END $$;
CALL pg_temp.work();
SELECT message FROM kvs.log(max_rows => 3);
SELECT kvs.get('p');

-- The levels above READ COMMITTED.
BEGIN ISOLATION LEVEL REPEATABLE READ;
SELECT kvs.put('level', '1', comment => 'repeatable read');
COMMIT;
BEGIN ISOLATION LEVEL SERIALIZABLE;
SELECT kvs.put('level', '2', comment => 'serializable');
COMMIT;
SELECT message FROM kvs.log(max_rows => 2);

-- Several branches in one transaction.
SELECT kvs.set_branch_option('ac-2', 'autocommit', 'transaction');
BEGIN;
SELECT kvs.put('both', '1', branch => 'ac-2', comment => 'in the second'), kvs.put('both', '1', comment => 'in the first');
COMMIT;
SELECT 'ac' AS branch, message FROM kvs.log('ac', max_rows => 1) UNION ALL SELECT 'ac-2', message FROM kvs.log('ac-2', max_rows => 1);

-- A transaction that commits by itself has what came behind that in a commit of its own.
BEGIN;
SELECT kvs.put('own', '1', comment => 'mine');
SELECT kvs.commit('by hand') IS NOT NULL AS committed;
COMMIT;
SELECT message FROM kvs.log(max_rows => 1);
BEGIN;
SELECT kvs.put('own', '2');
SELECT kvs.commit('by hand') IS NOT NULL AS committed;
SELECT kvs.put('own', '3', comment => 'behind it');
COMMIT;
SELECT message FROM kvs.log(max_rows => 2);
BEGIN;
SELECT kvs.put('own', '4', comment => 'committed after all');
SAVEPOINT s;
SELECT kvs.commit('taken back') IS NOT NULL AS committed;
ROLLBACK TO SAVEPOINT s;
COMMIT;
SELECT message FROM kvs.log(max_rows => 1);
EXECUTE uncommitted;

-- Whatever changes the branch: imports of few and of many, restores, merges, stashes, resets.
SET kvs.bulk_log_threshold = 10;
SELECT kvs.import($$SELECT 'few:' || i, to_jsonb(i) FROM generate_series(1, 3) AS i$$);
SELECT kvs.import($$SELECT 'many:' || i, to_jsonb(i) FROM generate_series(1, 30) AS i$$);
SELECT message, (SELECT count(*) FROM kvs.scan('many:', as_of => 'HEAD')) AS many FROM kvs.log(max_rows => 1);
RESET kvs.bulk_log_threshold;
SELECT kvs.restore('few:#', 'HEAD~2');
SELECT kvs.delete_prefix('many:');
SELECT kvs.apply('[{"op": "put", "key": "applied", "value": 1}]') IS NOT NULL AS applied;
EXECUTE made(3);
EXECUTE uncommitted;
-- A soft reset leaves a difference, which becomes a commit; with another in one transaction that is the other.
SELECT kvs.reset('HEAD~3', 'soft') IS NOT NULL AS reset;
EXECUTE made(1);
EXECUTE uncommitted;
BEGIN;
SELECT kvs.reset('HEAD~2', 'soft') IS NOT NULL AS reset, kvs.commit('squashed') IS NOT NULL AS squashed;
COMMIT;
SELECT message FROM kvs.log(max_rows => 1);
-- A stash takes what the transaction has not committed yet.
BEGIN;
SELECT kvs.put('stashed', '1');
SELECT kvs.stash() AS stash \gset
COMMIT;
SELECT kvs.exists('stashed');
SELECT conflicts FROM kvs.stash_pop(:stash);
SELECT kvs.get('stashed', as_of => 'HEAD');
EXECUTE uncommitted;
-- A merge: its own commit, and one that is staged while the branch goes on.
SELECT kvs.put('theirs', '1', branch => 'ac-2');
SELECT conflicts FROM kvs.merge('ac-2');
SELECT kvs.put('both', '"ours"'), kvs.put('both', '"theirs"', branch => 'ac-2');
SELECT conflicts FROM kvs.merge('ac-2');
SELECT kvs.put('goes', '"on"', comment => 'while a merge is staged');
SELECT kvs.resolve('both', 'theirs');
SELECT conflicts FROM kvs.merge_continue();
SELECT message FROM kvs.log(max_rows => 2);
SELECT kvs.get('both', as_of => 'HEAD') AS both, kvs.get('goes', as_of => 'HEAD') AS goes;
EXECUTE uncommitted;

-- The option in the transaction that writes: what holds at its end counts.
BEGIN;
SELECT kvs.put('option', '1');
SELECT kvs.set_branch_option('ac', 'autocommit', 'off');
COMMIT;
EXECUTE uncommitted;
BEGIN;
SELECT kvs.set_branch_option('ac', 'autocommit', 'transaction');
ROLLBACK;
EXECUTE uncommitted;
BEGIN;
SAVEPOINT s;
SELECT kvs.set_branch_option('ac', 'autocommit', 'transaction');
ROLLBACK TO SAVEPOINT s;
SELECT kvs.put('option', '2');
COMMIT;
EXECUTE uncommitted;
SELECT kvs.set_branch_option('ac', 'autocommit', 'transaction');
EXECUTE uncommitted;
-- Rename, create, delete.
SELECT kvs.rename_branch('ac-2', 'ac-3'), kvs.create_branch('ac-4', 'ac-3'), kvs.create_branch('ac-5', 'WORKING');
SELECT name, autocommit FROM kvs.branches WHERE name LIKE 'ac%' ORDER BY name;
SELECT kvs.put('renamed', '1', branch => 'ac-3', comment => 'under another name');
SELECT message FROM kvs.log('ac-3', max_rows => 1);
BEGIN;
SELECT kvs.put('gone', '1', branch => 'ac-3'), kvs.put('option', '3', comment => 'another is deleted');
SELECT kvs.delete_branch('ac-3', force => true);
COMMIT;
SELECT message FROM kvs.log(max_rows => 1);
SELECT kvs.create_branch('ac-3');
SELECT autocommit FROM kvs.branches WHERE name = 'ac-3';

-- No flush in the middle, which others would have to wait for.
SET kvs.flush_rows = 2;
BEGIN;
SELECT kvs.put('f:1', '1');
SELECT kvs.put('f:2', '1');
SELECT kvs.put('f:3', '1');
SELECT count(*) FROM pg_locks WHERE pid = pg_backend_pid() AND mode = 'ShareUpdateExclusiveLock';
COMMIT;
RESET kvs.flush_rows;
EXECUTE uncommitted;

-- Hooks are asked as with any commit. One that refuses undoes the transaction.
CREATE FUNCTION public.ac_hook(told jsonb) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
    c refcursor;
BEGIN
    OPEN c FOR SELECT 1;
    IF told->'changes' @? '$[*] ? (@.key == "bad")' THEN RAISE EXCEPTION 'refused'; END IF;
    PERFORM kvs.put('audit', told->'message');
END $$;
SELECT kvs.add_hook('ac', 'pre_commit', 'public.ac_hook(jsonb)');
SELECT kvs.put('bad', '1');
SELECT kvs.exists('bad');
BEGIN;
SELECT kvs.put('good', '1');
SELECT kvs.put('bad', '1');
COMMIT;
SELECT kvs.exists('good');
CALL pg_temp.work();
SELECT message, author FROM kvs.log(max_rows => 1);
-- What it writes is left to the next commit.
EXECUTE uncommitted;
SELECT kvs.put('good', '1', comment => 'good');
SELECT kvs.get('audit', as_of => 'HEAD') AS committed, kvs.get('audit') AS uncommitted;
EXECUTE uncommitted;
BEGIN ISOLATION LEVEL REPEATABLE READ;
SELECT kvs.put('good', '2', comment => 'better');
COMMIT;
SELECT kvs.get('audit', as_of => 'HEAD') AS committed, kvs.get('audit') AS uncommitted;
SELECT kvs.drop_hook('ac');
CREATE FUNCTION public.ac_fail(told jsonb) RETURNS void LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION 'too late'; END $$;
SELECT kvs.add_hook('ac', 'post_commit', 'public.ac_fail(jsonb)');
SELECT kvs.put('good', '3', comment => 'best');
SELECT message FROM kvs.log(max_rows => 1);
SELECT kvs.drop_hook('ac');
DROP FUNCTION public.ac_hook, public.ac_fail;

-- Whoever may write may so commit; what is written by deferred triggers is part of the transaction.
CREATE ROLE regress_kvs_autocommit;
GRANT SELECT, INSERT, UPDATE ON kvs.entries TO regress_kvs_autocommit;
SET ROLE regress_kvs_autocommit;
SELECT kvs.put('by', '"a writer"', comment => 'by a writer');
SELECT kvs.commit('no');
RESET ROLE;
SELECT message FROM kvs.log(max_rows => 1);
DROP OWNED BY regress_kvs_autocommit;
DROP ROLE regress_kvs_autocommit;
CREATE TABLE public.ac_source (key text, value jsonb);
CREATE FUNCTION public.ac_copy() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN PERFORM kvs.put(new.key, new.value, comment => 'by a trigger'); RETURN NULL; END $$;
CREATE CONSTRAINT TRIGGER copy AFTER INSERT ON public.ac_source DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION public.ac_copy();
INSERT INTO public.ac_source VALUES ('triggered', '1');
SELECT kvs.get('triggered', as_of => 'HEAD'), (SELECT message FROM kvs.log(max_rows => 1));
DROP TABLE public.ac_source;
DROP FUNCTION public.ac_copy();
EXECUTE uncommitted;
SELECT type, detail FROM kvs.check() WHERE severity = 'error';

SELECT kvs.switch_branch('main'), kvs.delete_branch(name, true) FROM kvs.branches WHERE name LIKE 'ac%';

-- Commit hooks: kvs.add_hook, kvs.drop_hook, kvs.hooks.
\set SHOW_CONTEXT never
CREATE FUNCTION pg_temp.error_of(statement text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
    message text;
    detail text;
BEGIN
    EXECUTE statement;
    RETURN 'no error';
EXCEPTION WHEN OTHERS THEN
    GET STACKED DIAGNOSTICS message = MESSAGE_TEXT, detail = PG_EXCEPTION_DETAIL;
    RETURN concat_ws(' ', SQLSTATE, message, nullif(detail, ''));
END
$$;
CREATE SCHEMA kvs_hooks;
-- What hooks were told, in the order in which they were called.
CREATE TABLE kvs_hooks.call (n int GENERATED ALWAYS AS IDENTITY, hook text, told jsonb);
CREATE FUNCTION kvs_hooks.note_a(changes jsonb) RETURNS void LANGUAGE sql AS $$ INSERT INTO kvs_hooks.call (hook, told) VALUES ('a', changes) $$;
CREATE FUNCTION kvs_hooks.note_b(changes jsonb) RETURNS void LANGUAGE sql AS $$ INSERT INTO kvs_hooks.call (hook, told) VALUES ('b', changes) $$;
CREATE FUNCTION kvs_hooks.note_post(told jsonb) RETURNS text LANGUAGE sql AS $$ INSERT INTO kvs_hooks.call (hook, told) VALUES ('post', told) RETURNING 'done' $$;
CREATE FUNCTION kvs_hooks.refuse(changes jsonb) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'not on my watch' USING ERRCODE = 'KVX01', DETAIL = format('The first key is %s.', changes->'changes'->0->'key'), HINT = 'Ask nicely.';
END
$$;
SELECT kvs.create_branch('hooks', encode(_kvs.initial_commit(), 'hex'));
SELECT kvs.create_branch('hooks-other', encode(_kvs.initial_commit(), 'hex'));
SET kvs.branch = 'hooks';

-- What is refused.
CREATE FUNCTION kvs_hooks.nothing() RETURNS void LANGUAGE sql AS '';
CREATE FUNCTION kvs_hooks.two(a jsonb, b jsonb DEFAULT NULL) RETURNS void LANGUAGE sql AS '';
CREATE FUNCTION kvs_hooks.text(a text) RETURNS void LANGUAGE sql AS '';
CREATE FUNCTION kvs_hooks.many(a jsonb) RETURNS SETOF int LANGUAGE sql AS 'SELECT 1';
CREATE FUNCTION kvs_hooks.variadic(VARIADIC a jsonb[]) RETURNS void LANGUAGE sql AS '';
CREATE PROCEDURE kvs_hooks.proc(a jsonb) LANGUAGE sql AS '';
CREATE FUNCTION pg_temp.gone(a jsonb) RETURNS void LANGUAGE sql AS '';
SELECT statement, regexp_replace(pg_temp.error_of('SELECT kvs.add_hook(' || statement || ')'), 'pg_temp_\d+', 'pg_temp') AS error
FROM unnest(ARRAY[$$NULL, 'pre_commit', 'kvs_hooks.note_a(jsonb)'$$, $$'h', NULL, 'kvs_hooks.note_a(jsonb)'$$, $$'h', 'pre_commit', NULL$$,
                  $$'', 'pre_commit', 'kvs_hooks.note_a(jsonb)'$$, $$repeat('x', 256), 'pre_commit', 'kvs_hooks.note_a(jsonb)'$$,
                  $$'h', 'pre_merge', 'kvs_hooks.note_a(jsonb)'$$, $$'h', 'PRE_COMMIT', 'kvs_hooks.note_a(jsonb)'$$,
                  $$'h', 'pre_commit', 'kvs_hooks.note_a(jsonb)', 'a*b'$$, $$'h', 'pre_commit', 'kvs_hooks.no_such(jsonb)'$$,
                  $$'h', 'pre_commit', 4294967295::oid$$, $$'h', 'pre_commit', 'kvs_hooks.nothing()'$$, $$'h', 'pre_commit', 'kvs_hooks.two(jsonb, jsonb)'$$,
                  $$'h', 'pre_commit', 'kvs_hooks.text(text)'$$, $$'h', 'pre_commit', 'kvs_hooks.many(jsonb)'$$, $$'h', 'pre_commit', 'kvs_hooks.variadic(jsonb[])'$$,
                  $$'h', 'pre_commit', 'kvs_hooks.proc(jsonb)'$$, $$'h', 'pre_commit', 'pg_temp.gone(jsonb)'$$]) AS statement;
SELECT pg_temp.error_of('SELECT kvs.drop_hook(NULL)') AS error, kvs.drop_hook('no such hook');
BEGIN READ ONLY;
SELECT kvs.add_hook('h', 'pre_commit', 'kvs_hooks.note_a(jsonb)');
ROLLBACK;
SET kvs.as_of = 'HEAD';
SELECT pg_temp.error_of($$SELECT kvs.add_hook('h', 'pre_commit', 'kvs_hooks.note_a(jsonb)')$$) AS adds, pg_temp.error_of($$SELECT kvs.drop_hook('h')$$) AS drops;
RESET kvs.as_of;
SELECT count(*) FROM kvs.hooks;

-- Adding, listing, dropping.
SELECT kvs.add_hook('a', 'pre_commit', 'kvs_hooks.note_a(jsonb)');
SELECT pg_temp.error_of($$SELECT kvs.add_hook('a', 'post_commit', 'kvs_hooks.note_b(jsonb)')$$);
BEGIN;
SELECT kvs.add_hook(name => 'rolled back', event => 'pre_commit', function => 'kvs_hooks.refuse(jsonb)');
ROLLBACK;
SET search_path = kvs_hooks;
SELECT kvs.add_hook('post', 'post_commit', 'note_post(jsonb)', pattern => NULL);
SELECT kvs.add_hook('built in', 'post_commit', 'pg_catalog.jsonb_typeof(jsonb)', 'b:#');
RESET search_path;
SELECT name, event, function, pattern, creator = current_user AS mine, created_at <= clock_timestamp() AS at FROM kvs.hooks ORDER BY name;

-- What a hook is told.
SELECT kvs.mput('{a:1, a:2, b:1, n}', ARRAY['{"x": [1, {"y": "z"}], "e": 1.50}', '"text"', 'true', 'null']::jsonb[]), kvs.put_bytes('by', '\x01');
SELECT kvs.commit('first', author => 'Ada') AS hash \gset
SELECT hook, told - '{commit,parent,parents,root,committed_at,changes}'::text[] AS told FROM kvs_hooks.call ORDER BY n;
SELECT jsonb_array_elements(told->'changes') FROM kvs_hooks.call WHERE hook = 'a' ORDER BY n;
SELECT hook, told->>'commit' = :'hash' AS commit, told->>'parent' = encode(_kvs.initial_commit(), 'hex') AS parent, told->'parents' = jsonb_build_array(told->'parent') AS parents,
       told->>'root' = root AS root, (told->>'committed_at')::timestamptz = committed_at AS at
FROM kvs_hooks.call, kvs.log(max_rows => 1) ORDER BY n;
TRUNCATE kvs_hooks.call;
SELECT kvs.put('a:1', '{"x": [2]}'), kvs.delete('a:2'), kvs.put('b:1', 'true', tags => '{red}'), kvs.put('n', jsonb_build_object('big', repeat('long ', 2000)));
SELECT kvs.commit('second') IS NOT NULL AS committed;
SELECT change - 'to_value' AS change, left(change->>'to_value', 20) AS to_value, length(change->>'to_value')
FROM kvs_hooks.call, jsonb_array_elements(told->'changes') AS change WHERE hook = 'a' ORDER BY change->>'key';
-- Nothing changed, nothing is called.
TRUNCATE kvs_hooks.call;
SELECT kvs.put('a:1', '{"x": [2]}');
SELECT kvs.commit('nothing');
SELECT kvs.put('a:1', '{"x": [3]}'), kvs.flush();
SELECT count(*) FROM kvs_hooks.call;
SELECT kvs.commit('third') IS NOT NULL AS committed;
SELECT hook, told->'changes' AS changes FROM kvs_hooks.call ORDER BY n;
SELECT kvs.drop_hook('a'), kvs.drop_hook('post'), kvs.drop_hook('built in'), kvs.drop_hook('built in');

-- Each sees what its pattern matches, and is not called otherwise; pre_commit first, then by name.
TRUNCATE kvs_hooks.call;
SELECT kvs.add_hook('3', 'pre_commit', 'kvs_hooks.note_a(jsonb)', 'a:#'), kvs.add_hook('2', 'pre_commit', 'kvs_hooks.note_b(jsonb)', 'b:+'),
       kvs.add_hook('1', 'post_commit', 'kvs_hooks.note_post(jsonb)', 'a:1');
SELECT kvs.put('a:1', '1'), kvs.put('a:2', '1'), kvs.put('b:2', '1'), kvs.put('b:2:c', '1');
SELECT kvs.commit('both') IS NOT NULL AS committed;
SELECT kvs.put('b:3', '1'), kvs.put('a:2', '2');
SELECT kvs.commit('no post') IS NOT NULL AS committed;
SELECT kvs.put('c', '1');
SELECT kvs.commit('none') IS NOT NULL AS committed;
SELECT hook, told->'message' AS message, told->'pattern' AS pattern, jsonb_path_query_array(told, '$.changes[*].key') AS keys FROM kvs_hooks.call ORDER BY n;
SELECT kvs.drop_hook(name) FROM kvs.hooks;

-- An error of pre_commit is the commit's, and nothing is left of the commit.
SELECT kvs.add_hook('refuse', 'pre_commit', 'kvs_hooks.refuse(jsonb)', 'a:#'), kvs.add_hook('post', 'post_commit', 'kvs_hooks.note_post(jsonb)');
TRUNCATE kvs_hooks.call;
SELECT kvs.put('a:1', '"refused"');
DO $$
DECLARE
    message text;
    detail text;
    hint text;
    context text;
BEGIN
    PERFORM kvs.commit('refused');
EXCEPTION WHEN SQLSTATE 'KVX01' THEN
    GET STACKED DIAGNOSTICS message = MESSAGE_TEXT, detail = PG_EXCEPTION_DETAIL, hint = PG_EXCEPTION_HINT, context = PG_EXCEPTION_CONTEXT;
    RAISE NOTICE '% | % | % | %', message, detail, hint, context LIKE '%kvs pre_commit hook "refuse"%';
END
$$;
SELECT key, diff_type FROM kvs.status();
SELECT message FROM kvs.log(max_rows => 1);
SELECT count(*) FROM kvs.reflog WHERE branch = 'hooks';
SELECT count(*) FROM kvs_hooks.call;
SELECT version, value FROM kvs.get_entry('a:1');
-- Other keys go on, in a transaction that was refused too.
BEGIN;
SAVEPOINT before;
SELECT kvs.commit('refused again');
ROLLBACK TO before;
SELECT kvs.restore('a:1', 'HEAD'), kvs.put('c', '2');
SELECT kvs.commit('without a:1') IS NOT NULL AS committed;
COMMIT;
SELECT message FROM kvs.log(max_rows => 2);
SELECT kvs.get('a:1'), count(*) FROM kvs_hooks.call;
SELECT kvs.drop_hook(name) FROM kvs.hooks;

-- An error of post_commit is a warning, and undoes what that hook did; the others run.
CREATE FUNCTION kvs_hooks.writes_and_fails(told jsonb) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO kvs_hooks.call (hook) VALUES ('never seen');
    PERFORM kvs.put('never', '1');
    PERFORM 1 / 0;
END
$$;
SELECT kvs.add_hook('1', 'post_commit', 'kvs_hooks.refuse(jsonb)'), kvs.add_hook('2', 'post_commit', 'kvs_hooks.writes_and_fails(jsonb)'),
       kvs.add_hook('3', 'post_commit', 'kvs_hooks.note_post(jsonb)');
TRUNCATE kvs_hooks.call;
BEGIN;
SELECT kvs.put('a:1', '"kept"');
SELECT kvs.commit('kept') IS NOT NULL AS committed;
SELECT kvs.put('a:1', '"after"');
COMMIT;
SELECT message FROM kvs.log(max_rows => 1);
SELECT hook FROM kvs_hooks.call;
SELECT kvs.get('a:1'), kvs.exists('never'), current_user = session_user AS myself, current_setting('kvs.branch') AS branch;
SELECT kvs.drop_hook(name) FROM kvs.hooks;
-- But not a cancel.
CREATE FUNCTION kvs_hooks.slow(told jsonb) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'canceling statement' USING ERRCODE = 'query_canceled';
END
$$;
SELECT kvs.add_hook('slow', 'post_commit', 'kvs_hooks.slow(jsonb)');
SELECT kvs.commit('canceled');
SELECT message FROM kvs.log(max_rows => 1);
SELECT kvs.drop_hook('slow');

-- A hook reads the new state, by WORKING, HEAD and hash, in the branch of the commit, whichever the session's is.
CREATE FUNCTION kvs_hooks.reads(told jsonb) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    RAISE NOTICE 'branch %, get %, HEAD %, parent %, HEAD is the commit: %, uncommitted %, changed %', kvs.current_branch(), kvs.get('a:1'),
        kvs.get('a:1', as_of => 'HEAD'), kvs.get('a:1', as_of => told->>'parent'), kvs.rev_parse('HEAD') = told->>'commit',
        (SELECT count(*) FROM kvs.status()), (SELECT array_agg(key) FROM kvs.diff(told->>'parent', told->>'commit', told->>'pattern'));
END
$$;
CREATE FUNCTION kvs_hooks.reads_stable(told jsonb) RETURNS void LANGUAGE plpgsql STABLE AS $$
BEGIN
    RAISE NOTICE 'stable: branch %, get %, HEAD is the commit: %, changed %', kvs.current_branch(), kvs.get('a:1'), kvs.rev_parse('HEAD') = told->>'commit',
        (SELECT array_agg(key) FROM kvs.show(told->>'commit'));
END
$$;
SELECT kvs.add_hook('reads', 'pre_commit', 'kvs_hooks.reads(jsonb)'), kvs.add_hook('reads stable', 'pre_commit', 'kvs_hooks.reads_stable(jsonb)');
SELECT kvs.commit('reads') IS NOT NULL AS committed;
SELECT kvs.put('a:1', '"other"', branch => 'hooks-other'), kvs.put('a:9', '9', branch => 'hooks-other');
SELECT kvs.commit('reads', branch => 'hooks-other') IS NOT NULL AS committed, current_setting('kvs.branch') AS branch;
BEGIN ISOLATION LEVEL REPEATABLE READ;
SELECT kvs.put('a:1', '"rr"');
SELECT kvs.commit('repeatable read') IS NOT NULL AS committed;
COMMIT;
BEGIN ISOLATION LEVEL SERIALIZABLE;
SELECT kvs.put('a:1', '"ser"');
SELECT kvs.commit('serializable') IS NOT NULL AS committed;
COMMIT;
-- Several in one statement.
SELECT n, kvs.put('a:1', to_jsonb(n)), kvs.commit('number ' || n) IS NOT NULL AS committed FROM generate_series(1, 2) AS n;
SELECT kvs.drop_hook(name) FROM kvs.hooks;

-- What a hook writes comes after the commit, as uncommitted work, with the next version; the next hook sees it.
CREATE FUNCTION kvs_hooks.writes(told jsonb) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    PERFORM kvs.patch('a:1', '{"seen": true}'), kvs.put('audit', told->'message'), kvs.delete('b:1');
END
$$;
SELECT kvs.add_hook('1', 'pre_commit', 'kvs_hooks.writes(jsonb)'), kvs.add_hook('2', 'pre_commit', 'kvs_hooks.reads(jsonb)'), kvs.add_hook('3', 'post_commit', 'kvs_hooks.reads_stable(jsonb)');
SELECT kvs.put('a:1', '{"by": "me"}');
SELECT kvs.commit('to be noted') IS NOT NULL AS committed;
SELECT key, diff_type, from_version, to_version, from_value, to_value FROM kvs.diff();
SELECT version, op, value FROM kvs.history('a:1', 3);
SELECT kvs.drop_hook('1');
SELECT kvs.commit('what the hook wrote') IS NOT NULL AS committed;
SELECT kvs.drop_hook(name) FROM kvs.hooks;

-- It may not flush, commit or move a branch, in either event; and a session that has piled up rows does not flush from there.
CREATE FUNCTION kvs_hooks.tries(told jsonb) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
    statement text;
BEGIN
    FOREACH statement IN ARRAY ARRAY[$q$SELECT kvs.commit('nested')$q$, $q$SELECT kvs.commit('nested', branch => 'hooks-other')$q$, $q$SELECT kvs.flush()$q$,
        $q$SELECT kvs.delete_branch('hooks', true)$q$, $q$SELECT kvs.rename_branch('hooks', 'hooks2')$q$, $q$SELECT kvs.create_branch('hooks2', 'WORKING')$q$,
        $q$SELECT kvs.import('SELECT ''i:'' || n, ''1''::jsonb FROM generate_series(1, 2000) AS n')$q$,
        $q$SELECT kvs.create_branch('hooks2')$q$, $q$SELECT kvs.put('piled:1', '1'), kvs.put('piled:2', '2')$q$]
    LOOP
        BEGIN
            EXECUTE statement;
            RAISE NOTICE '%: no error', statement;
        EXCEPTION WHEN OTHERS THEN
            RAISE NOTICE '%: % %', statement, SQLSTATE, SQLERRM;
        END;
    END LOOP;
END
$$;
SELECT kvs.add_hook('tries', 'pre_commit', 'kvs_hooks.tries(jsonb)');
SET kvs.flush_rows = 1;
BEGIN;
SELECT kvs.put('a:1', '1');
SELECT kvs.commit('outer') IS NOT NULL AS committed;
SELECT key FROM kvs.status();
SELECT count(*) FROM _kvs.working AS w JOIN _kvs.branch AS b ON b.id = w.epoch >> 32 WHERE b.name = 'hooks';
ROLLBACK;
RESET kvs.flush_rows;
SELECT kvs.drop_hook('tries'), kvs.add_hook('tries', 'post_commit', 'kvs_hooks.tries(jsonb)');
BEGIN;
SELECT kvs.put('a:1', '1');
SELECT kvs.commit('outer') IS NOT NULL AS committed;
ROLLBACK;
SELECT kvs.drop_hook('tries');

-- What it sets is not set afterwards.
CREATE FUNCTION kvs_hooks.sets(told jsonb) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    SET kvs.author = 'somebody else';
    SET search_path = kvs_hooks;
    PERFORM kvs.switch_branch('hooks-other');
    IF told->>'message' = 'fail' THEN
        RAISE EXCEPTION 'failed';
    END IF;
END
$$;
SELECT kvs.add_hook('sets', 'pre_commit', 'kvs_hooks.sets(jsonb)');
SELECT kvs.put('a:1', '"sets"');
SELECT kvs.commit('sets') IS NOT NULL AS committed;
SELECT current_setting('kvs.author') AS author, current_setting('search_path') AS search_path, current_setting('kvs.branch') AS branch;
SELECT kvs.put('a:1', '"fails"'), pg_temp.error_of($$SELECT kvs.commit('fail')$$);
SELECT current_setting('kvs.author') AS author, current_setting('search_path') AS search_path, current_setting('kvs.branch') AS branch, current_user = session_user AS myself;
SELECT kvs.restore('a:1', 'HEAD'), kvs.drop_hook('sets');

-- Many changes: the hook is told that there are too many to be told, and streams them.
CREATE FUNCTION kvs_hooks.streams(told jsonb) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
    stat record;
BEGIN
    SELECT count(*) AS rows, count(*) FILTER (WHERE diff_type = 'added') AS added, min(key) AS min, max(key) AS max, sum((to_value->>'n')::int) AS sum INTO stat
    FROM kvs.diff(told->>'parent', told->>'commit', told->>'pattern');
    RAISE NOTICE 'truncated %, told of %, % rows, % added, % to %, sum %', told->'truncated', jsonb_array_length(told->'changes'), stat.rows, stat.added, stat.min, stat.max, stat.sum;
    IF stat.sum > 1250025000 THEN
        RAISE EXCEPTION 'sum %', stat.sum;
    END IF;
END
$$;
SELECT kvs.add_hook('streams', 'pre_commit', 'kvs_hooks.streams(jsonb)', 'many:#'), kvs.add_hook('post', 'post_commit', 'kvs_hooks.note_post(jsonb)', 'many:#');
TRUNCATE kvs_hooks.call;
SELECT kvs.put('few', '1'), kvs.import($$SELECT 'many:' || lpad(n::text, 5, '0'), jsonb_build_object('n', n) FROM generate_series(1, 50000) AS n$$, message => 'imported');
SELECT kvs.import($$SELECT 'many:' || lpad(n::text, 5, '0'), jsonb_build_object('n', n + 1) FROM generate_series(1, 50000) AS n$$, message => 'refused');
SELECT kvs.mput(array_agg('many:' || lpad(n::text, 5, '0')), array_agg(jsonb_build_object('n', 0))) FROM generate_series(1, 10000) AS n;
SELECT kvs.commit('as many as may be') IS NOT NULL AS committed;
SELECT kvs.mput(array_agg('many:' || lpad(n::text, 5, '0')), array_agg(jsonb_build_object('n', 1))) FROM generate_series(1, 10001) AS n;
SELECT kvs.commit('one more') IS NOT NULL AS committed;
SELECT kvs.import($$SELECT 'few:' || n, '1'::jsonb FROM generate_series(1, 10) AS n$$, message => 'no match');
SELECT kvs.import($$SELECT 'many:few:' || n, '{"n": 1}'::jsonb FROM generate_series(1, 10) AS n$$, message => 'a small import');
SET kvs.hook_max_changes = 0;
SELECT kvs.put('many:1', '{"n": 1}');
SELECT kvs.commit('not even one') IS NOT NULL AS committed;
RESET kvs.hook_max_changes;
SELECT hook, told->>'message' AS message, told ? 'changes' AS changes FROM kvs_hooks.call ORDER BY n;
SELECT message FROM kvs.log(max_rows => 6);
SELECT kvs.drop_hook(name) FROM kvs.hooks;
-- Large documents count too.
SELECT kvs.add_hook('streams', 'pre_commit', 'kvs_hooks.streams(jsonb)', 'large:#');
SELECT count(kvs.put('large:' || n, jsonb_build_object('n', n, 'd', repeat('x', 1000000)))) FROM generate_series(1, 8) AS n;
SELECT kvs.commit('8 MB less a little') IS NOT NULL AS committed;
SELECT count(kvs.put('large:' || n, jsonb_build_object('n', n, 'd', repeat('y', 1000000)))) FROM generate_series(1, 8) AS n;
SELECT kvs.commit('both sides') IS NOT NULL AS committed;
SELECT kvs.drop_hook('streams'), kvs.delete_prefix('large:');
SELECT kvs.commit('no longer large') IS NOT NULL AS committed;

-- Privileges: who may add, as whom it runs, what it finds.
CREATE ROLE regress_kvs_hooker;
CREATE ROLE regress_kvs_member;
CREATE ROLE regress_kvs_committer;
GRANT SELECT, INSERT, UPDATE, DELETE ON kvs.entries TO regress_kvs_hooker, regress_kvs_committer, regress_kvs_member;
GRANT CREATE, USAGE ON SCHEMA kvs_hooks TO regress_kvs_hooker;
GRANT USAGE ON SCHEMA kvs_hooks TO regress_kvs_committer;
SET ROLE regress_kvs_hooker;
SELECT kvs.add_hook('mine', 'pre_commit', 'kvs_hooks.note_a(jsonb)');
RESET ROLE;
CREATE ROLE regress_kvs_nobody;
SET ROLE regress_kvs_nobody;
SELECT * FROM kvs.hooks;
RESET ROLE;
DROP ROLE regress_kvs_nobody;
GRANT EXECUTE ON FUNCTION kvs.add_hook TO regress_kvs_hooker, regress_kvs_member;
REVOKE EXECUTE ON FUNCTION kvs_hooks.note_a FROM PUBLIC;
REVOKE SELECT ON kvs.entries FROM regress_kvs_hooker;
SET ROLE regress_kvs_hooker;
SELECT pg_temp.error_of($$SELECT kvs.add_hook('mine', 'pre_commit', 'kvs_hooks.note_b(jsonb)')$$) AS no_select;
RESET ROLE;
GRANT SELECT ON kvs.entries TO regress_kvs_hooker;
SET ROLE regress_kvs_hooker;
SELECT pg_temp.error_of($$SELECT kvs.add_hook('mine', 'pre_commit', 'kvs_hooks.note_a(jsonb)')$$) AS no_execute;
CREATE TABLE kvs_hooks.secret (who text);
CREATE FUNCTION kvs_hooks.lower(text) RETURNS text LANGUAGE sql AS $$ SELECT 'trapped: ' || current_user $$;
CREATE FUNCTION kvs_hooks.as_creator(told jsonb) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO kvs_hooks.secret VALUES (current_user);
    RAISE NOTICE 'user %, session user is somebody else: %, lower: %, search_path: %', current_user, current_user <> session_user, lower('FOUND'), current_setting('search_path');
END
$$;
SELECT kvs.add_hook('mine', 'pre_commit', 'kvs_hooks.as_creator(jsonb)');
SELECT name, creator FROM kvs.hooks;
RESET ROLE;
-- The committer's own functions of the same names are not found; tables of the creator are written.
CREATE FUNCTION pg_temp.lower(text) RETURNS text LANGUAGE sql AS $$ SELECT 'trapped: ' || current_user $$;
SET ROLE regress_kvs_committer;
SET search_path = kvs_hooks, pg_temp, pg_catalog, public;
SELECT kvs.put('a:1', '"by committer"');
SELECT kvs.commit('by committer') IS NOT NULL AS committed, current_user;
SELECT pg_temp.error_of('SELECT * FROM kvs_hooks.secret') AS secret, pg_temp.error_of('SELECT * FROM _kvs.hook') AS table, name, creator FROM kvs.hooks;
SELECT kvs.put('a:1', '"before"'), pg_temp.error_of($$SELECT kvs.drop_hook('mine')$$);
RESET search_path;
RESET ROLE;
SELECT * FROM kvs_hooks.secret;
SET ROLE regress_kvs_member;
SELECT pg_temp.error_of($$SELECT kvs.drop_hook('mine')$$);
RESET ROLE;
GRANT regress_kvs_hooker TO regress_kvs_member;
BEGIN;
SET ROLE regress_kvs_member;
SELECT kvs.drop_hook('mine');
ROLLBACK;
-- The context is restricted.
SET ROLE regress_kvs_hooker;
CREATE FUNCTION kvs_hooks.restricted(told jsonb) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
    statement text;
BEGIN
    FOREACH statement IN ARRAY ARRAY['SET ROLE regress_kvs_committer', 'RESET ROLE', 'SET SESSION AUTHORIZATION DEFAULT', 'RESET SESSION AUTHORIZATION',
        'CREATE TEMP TABLE t (a int)', 'LISTEN x', 'PREPARE p AS SELECT 1', 'DECLARE c CURSOR WITH HOLD FOR SELECT 1', 'INSERT INTO kvs_hooks.later VALUES (1)', 'COMMIT']
    LOOP
        BEGIN
            EXECUTE statement;
            RAISE NOTICE '%: no error, %', statement, current_user;
        EXCEPTION WHEN OTHERS THEN
            RAISE NOTICE '%: % %', statement, SQLSTATE, SQLERRM;
        END;
    END LOOP;
END
$$;
CREATE TABLE kvs_hooks.later (a int);
CREATE FUNCTION kvs_hooks.later() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE NOTICE 'deferred trigger as %', current_user; RETURN NULL; END $$;
CREATE CONSTRAINT TRIGGER later AFTER INSERT ON kvs_hooks.later DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION kvs_hooks.later();
SELECT kvs.drop_hook('mine'), kvs.add_hook('mine', 'pre_commit', 'kvs_hooks.restricted(jsonb)');
RESET ROLE;
SELECT kvs.commit('restricted') IS NOT NULL AS committed;
-- Not everybody chooses from where on changes are not told.
SET ROLE regress_kvs_committer;
SELECT pg_temp.error_of('SET kvs.hook_max_changes = 0');
RESET ROLE;
-- A right that the creator lost, a function that is gone or was renamed, a creator that is gone.
SET ROLE regress_kvs_hooker;
SELECT kvs.drop_hook('mine'), kvs.add_hook('mine', 'pre_commit', 'kvs_hooks.note_b(jsonb)'), kvs.add_hook('mine too', 'post_commit', 'kvs_hooks.as_creator(jsonb)');
RESET ROLE;
GRANT INSERT ON kvs_hooks.call TO regress_kvs_hooker;
SELECT kvs.put('a:1', '"lost"');
REVOKE SELECT ON kvs.entries FROM regress_kvs_hooker;
SELECT kvs.commit('no select');
GRANT SELECT ON kvs.entries TO regress_kvs_hooker;
REVOKE EXECUTE ON FUNCTION kvs_hooks.note_b FROM PUBLIC;
SELECT kvs.commit('no execute');
GRANT EXECUTE ON FUNCTION kvs_hooks.note_b TO PUBLIC;
REVOKE USAGE ON SCHEMA kvs_hooks FROM regress_kvs_hooker;
SELECT kvs.commit('no usage');
GRANT USAGE ON SCHEMA kvs_hooks TO regress_kvs_hooker;
ALTER FUNCTION kvs_hooks.note_b RENAME TO note_c;
SELECT kvs.commit('renamed');
CREATE FUNCTION kvs_hooks.note_b(changes text) RETURNS void LANGUAGE sql AS $$ INSERT INTO kvs_hooks.call (hook) VALUES ('of another type') $$;
SELECT kvs.commit('another signature');
ALTER FUNCTION kvs_hooks.note_c RENAME TO note_b;
DROP FUNCTION kvs_hooks.as_creator;
SELECT kvs.commit('post_commit is gone') IS NOT NULL AS committed;
SELECT kvs.put('a:1', '"more"');
DROP FUNCTION kvs_hooks.note_b(jsonb);
SELECT kvs.commit('dropped');
SELECT message FROM kvs.log(max_rows => 1);
SELECT name, function FROM kvs.hooks ORDER BY name;
SELECT kvs.drop_hook('mine');
SELECT kvs.commit('no longer a hook') IS NOT NULL AS committed;
-- A role that is gone: its pre_commit hooks refuse commits, and say how to get rid of them.
SELECT kvs.drop_hook('mine too');
GRANT EXECUTE ON FUNCTION kvs.add_hook TO regress_kvs_hooker;
SET ROLE regress_kvs_hooker;
SELECT kvs.add_hook('mine', 'pre_commit', 'kvs_hooks.note_post(jsonb)'), kvs.add_hook('mine too', 'post_commit', 'kvs_hooks.note_post(jsonb)');
RESET ROLE;
DROP OWNED BY regress_kvs_hooker, regress_kvs_member, regress_kvs_committer CASCADE;
DROP ROLE regress_kvs_hooker;
SELECT name, creator FROM kvs.hooks;
SELECT kvs.put('a:1', '"and more"');
SELECT kvs.commit('nobody') IS NOT NULL AS committed;
-- The owner of the extension, and who has that role, may remove them; others may not.
GRANT ALL ON kvs.entries TO regress_kvs_committer;
SET ROLE regress_kvs_committer;
SELECT kvs.drop_hook('mine');
RESET ROLE;
DO $$ BEGIN EXECUTE format('GRANT %I TO regress_kvs_committer', current_user); END $$;
SET ROLE regress_kvs_committer;
SELECT kvs.drop_hook('mine');
RESET ROLE;
DO $$ BEGIN EXECUTE format('REVOKE %I FROM regress_kvs_committer', current_user); END $$;
REVOKE ALL ON kvs.entries FROM regress_kvs_committer;
-- A post_commit hook cannot refuse.
\set VERBOSITY terse
SELECT kvs.commit('nobody') IS NOT NULL AS committed;
\set VERBOSITY default
SELECT kvs.drop_hook('mine too'), (SELECT count(*) FROM kvs.hooks) AS hooks;

-- A function is kept by name, and runs as its hook's creator: so it must be the one that was added, and belong to somebody
-- who may act for the creator.
CREATE ROLE regress_kvs_app;
CREATE ROLE regress_kvs_attacker;
GRANT SELECT, INSERT, UPDATE, DELETE ON kvs.entries TO regress_kvs_app, regress_kvs_attacker;
GRANT EXECUTE ON FUNCTION kvs.add_hook TO regress_kvs_app, regress_kvs_attacker;
GRANT CREATE, USAGE ON SCHEMA kvs_hooks TO regress_kvs_app, regress_kvs_attacker, regress_kvs_member;
CREATE FUNCTION kvs_hooks.guard(told jsonb) RETURNS void LANGUAGE plpgsql AS $$ BEGIN RAISE NOTICE 'the one that was added, as %', current_user; END $$;
SELECT kvs.add_hook('check', 'pre_commit', 'kvs_hooks.guard(jsonb)'), kvs.add_hook('check too', 'post_commit', 'kvs_hooks.guard(jsonb)');
SELECT kvs.put('a:1', '"guarded"');
DROP FUNCTION kvs_hooks.guard(jsonb);
SET ROLE regress_kvs_attacker;
CREATE FUNCTION kvs_hooks.guard(told jsonb) RETURNS void LANGUAGE plpgsql AS $$ BEGIN RAISE NOTICE 'code of the attacker, as %', current_user; END $$;
SELECT pg_temp.error_of($$SELECT kvs.commit('taken over')$$) ~ '^42501 function kvs_hooks.guard\(jsonb\) belongs to role "regress_kvs_attacker", not to role "[^"]+" as when it was added$' AS refused;
RESET ROLE;
SELECT kvs.drop_hook('check');
\set VERBOSITY sqlstate
SELECT kvs.commit('post_commit was taken over') IS NOT NULL AS committed;
\set VERBOSITY default
-- Nobody lets the code of others run in his name.
SET ROLE regress_kvs_app;
SELECT kvs.add_hook('theirs', 'pre_commit', 'kvs_hooks.guard(jsonb)');
RESET ROLE;
SELECT pg_temp.error_of($$SELECT kvs.add_hook('theirs', 'pre_commit', 'kvs_hooks.guard(jsonb)')$$) ~ '^42501' AS nor_does_a_superuser;
DROP FUNCTION kvs_hooks.guard(jsonb);
SELECT kvs.drop_hook('check too');
-- Of a superuser it may be: he may act for everybody. Of a member of the creator too, as long as he is one.
CREATE FUNCTION kvs_hooks.guard(told jsonb) RETURNS void LANGUAGE plpgsql AS $$ BEGIN RAISE NOTICE 'as %', current_user; END $$;
SET ROLE regress_kvs_app;
SELECT kvs.add_hook('check', 'pre_commit', 'kvs_hooks.guard(jsonb)');
RESET ROLE;
SELECT kvs.put('a:1', '"checked"'), kvs.commit('checked') IS NOT NULL AS committed;
SELECT kvs.drop_hook('check');
GRANT regress_kvs_app TO regress_kvs_member;
ALTER FUNCTION kvs_hooks.guard(jsonb) OWNER TO regress_kvs_member;
SET ROLE regress_kvs_app;
SELECT kvs.add_hook('check', 'pre_commit', 'kvs_hooks.guard(jsonb)');
RESET ROLE;
SELECT name, creator, function_owner FROM kvs.hooks;
SELECT kvs.put('a:1', '"checked again"'), kvs.commit('checked') IS NOT NULL AS committed;
REVOKE regress_kvs_app FROM regress_kvs_member;
SELECT kvs.put('a:1', '"no member"'), pg_temp.error_of($$SELECT kvs.commit('no member')$$);
GRANT regress_kvs_app TO regress_kvs_member;
-- Given away; and given back.
ALTER FUNCTION kvs_hooks.guard(jsonb) OWNER TO regress_kvs_app;
SELECT pg_temp.error_of($$SELECT kvs.commit('another owner')$$);
ALTER FUNCTION kvs_hooks.guard(jsonb) OWNER TO regress_kvs_member;
-- A schema that took the name of the function's.
ALTER SCHEMA kvs_hooks RENAME TO kvs_hooks_2;
SELECT pg_temp.error_of($$SELECT kvs.commit('another schema')$$);
ALTER SCHEMA kvs_hooks_2 RENAME TO kvs_hooks;
-- No longer what a hook can be.
DROP FUNCTION kvs_hooks.guard(jsonb);
SET ROLE regress_kvs_member;
CREATE PROCEDURE kvs_hooks.guard(told jsonb) LANGUAGE plpgsql AS 'BEGIN END';
RESET ROLE;
SELECT pg_temp.error_of($$SELECT kvs.commit('a procedure')$$);
DROP PROCEDURE kvs_hooks.guard(jsonb);
SET ROLE regress_kvs_member;
CREATE FUNCTION kvs_hooks.guard(told jsonb) RETURNS void LANGUAGE plpgsql AS $$ BEGIN RAISE NOTICE 'made anew, as %', current_user; END $$;
RESET ROLE;
SELECT kvs.commit('made anew by its owner') IS NOT NULL AS committed;
-- A role is known by its name.
ALTER ROLE regress_kvs_app RENAME TO regress_kvs_app_2;
SELECT kvs.put('a:1', '"renamed"'), pg_temp.error_of($$SELECT kvs.commit('renamed')$$);
ALTER ROLE regress_kvs_app_2 RENAME TO regress_kvs_app;
SELECT kvs.commit('renamed back') IS NOT NULL AS committed;
SELECT kvs.drop_hook('check');
-- A row that came without the function's owner, as from an older dump.
INSERT INTO _kvs.hook (name, event, function, pattern, creator, created_at) VALUES ('old', 'pre_commit', 'kvs_hooks.guard(jsonb)', '#', 'regress_kvs_app', now());
SELECT kvs.put('a:1', '"old"'), pg_temp.error_of($$SELECT kvs.commit('old')$$);
SELECT kvs.drop_hook('old');

-- A pre_commit hook may answer like a CHECK constraint: false rejects the commit, NULL does not.
CREATE DOMAIN kvs_hooks.verdict AS boolean;
CREATE FUNCTION kvs_hooks.answers(told jsonb) RETURNS boolean LANGUAGE sql AS $$ SELECT (told->>'message')::boolean $$;
CREATE FUNCTION kvs_hooks.answers_verdict(told jsonb) RETURNS kvs_hooks.verdict LANGUAGE sql AS $$ SELECT (told->>'message')::boolean::kvs_hooks.verdict $$;
CREATE FUNCTION kvs_hooks.answers_zero(told jsonb) RETURNS int LANGUAGE sql AS $$ SELECT 0 $$;
CREATE FUNCTION kvs_hooks.answers_null(told jsonb) RETURNS boolean LANGUAGE sql AS $$ SELECT NULL::boolean $$;
SELECT kvs.add_hook('answers', 'pre_commit', 'kvs_hooks.answers(jsonb)', 'a:#'), kvs.add_hook('answers too', 'post_commit', 'kvs_hooks.answers(jsonb)');
SELECT kvs.commit('false');
SELECT kvs.commit('true') IS NOT NULL AS committed;
SELECT kvs.put('b:1', '"not matched"'), kvs.commit('false') IS NOT NULL AS committed;
SELECT kvs.drop_hook(name) FROM kvs.hooks;
SELECT kvs.add_hook('verdict', 'pre_commit', 'kvs_hooks.answers_verdict(jsonb)'), kvs.add_hook('zero', 'pre_commit', 'kvs_hooks.answers_zero(jsonb)'),
       kvs.add_hook('null', 'pre_commit', 'kvs_hooks.answers_null(jsonb)');
SELECT kvs.put('a:1', '"answered"'), pg_temp.error_of($$SELECT kvs.commit('false')$$);
SELECT kvs.commit('true') IS NOT NULL AS committed;
SELECT kvs.drop_hook(name) FROM kvs.hooks;
DROP OWNED BY regress_kvs_app, regress_kvs_attacker, regress_kvs_member CASCADE;
DROP ROLE regress_kvs_app, regress_kvs_attacker;

-- What a dump carries names roles and functions; their OIDs are others elsewhere. A regclass is dumped as a name.
SELECT attrelid::regclass, attname, atttypid::regtype FROM pg_attribute
WHERE attrelid IN (SELECT unnest(extconfig) FROM pg_extension WHERE extname = 'kvs') AND attnum > 0
      AND (atttypid::regtype::text ~ '^reg(?!class$)' OR atttypid = 'oid'::regtype);

RESET kvs.branch;
SELECT kvs.delete_branch('hooks', true), kvs.delete_branch('hooks-other', true);
DROP ROLE regress_kvs_member, regress_kvs_committer;
\set VERBOSITY terse
DROP SCHEMA kvs_hooks CASCADE;
\set VERBOSITY default

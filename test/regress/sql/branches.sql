-- Branches: create, switch, rename, delete; uncommitted work stays with its branch; transactions.

-- SQLSTATE and message of a statement that must fail.
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

-- What is in a branch, or at a ref.
CREATE FUNCTION pg_temp.content(branch text DEFAULT NULL, as_of text DEFAULT NULL) RETURNS text LANGUAGE sql AS $$
    SELECT coalesce(string_agg(key || '=' || value, ' ' ORDER BY key), '') FROM kvs.scan(branch => branch, as_of => as_of);
$$;

SELECT encode(_kvs.initial_commit(), 'hex') AS initial \gset

-- A branch of its own on the empty store.
SELECT kvs.create_branch('br', :'initial');
SELECT kvs.switch_branch('br'), kvs.current_branch();
SHOW kvs.branch;
SELECT kvs.put('a', '1'), kvs.put('b', '2');
SELECT kvs.commit('one') AS one \gset
SELECT name, head = :'one' AS at_one, message, working_changes FROM kvs.branches WHERE name = 'br';

-- From HEAD, without the uncommitted work; and from WORKING, with it.
SELECT kvs.put('a', '10'), kvs.put('c', '3'), kvs.delete('b');
SELECT kvs.create_branch('br-head'), kvs.create_branch('br-work', 'WORKING'), kvs.create_branch('br-null', NULL);
SELECT name, head = :'one' AS at_one, working_changes FROM kvs.branches WHERE name LIKE 'br%' ORDER BY name;
SELECT pg_temp.content('br'), pg_temp.content('br-head'), pg_temp.content('br-work'), pg_temp.content('br-null');
-- What is carried over is the same state, with its versions, and from then on each goes its own way.
SELECT key, version FROM kvs.scan(branch => 'br-work') ORDER BY key;
SELECT kvs.put('c', '33', branch => 'br-work'), kvs.put('b', '22', branch => 'br-work');
SELECT pg_temp.content('br'), pg_temp.content('br-work');
SELECT key, diff_type FROM kvs.status('br-work');
SELECT kvs.commit('carried over', branch => 'br-work') AS carried \gset
SELECT key, diff_type, from_version, to_version FROM kvs.show(:'carried');
SELECT pg_temp.content('br'), pg_temp.content('br', 'HEAD');

-- From a tag, a commit, a step back, a hash that is abbreviated.
SELECT kvs.create_tag('br-tag', :'one') = :'one';
SELECT kvs.create_branch('br-from-tag', 'br-tag'), kvs.create_branch('br-from-step', 'br-work~1'),
       kvs.create_branch('br-from-hash', left(:'carried', 20));
SELECT name, head = :'one' AS at_one, head = :'carried' AS at_carried, working_changes
FROM kvs.branches WHERE name LIKE 'br-from-%' ORDER BY name;

-- Uncommitted work stays with its branch.
SELECT kvs.switch_branch('br-from-tag');
SELECT pg_temp.content();
SELECT kvs.put('tagged', 'true');
SELECT kvs.switch_branch('br');
SELECT pg_temp.content(), pg_temp.content('br-from-tag');
SELECT count(*) FROM kvs.status('br-from-tag');

-- One statement creates, switches and writes.
SELECT kvs.switch_branch(kvs.create_branch('br-chain'));
SELECT kvs.put('chain', '1');
SELECT pg_temp.content();
SELECT kvs.switch_branch('br');

-- Errors of create_branch.
SELECT kvs.create_branch('br');
SELECT error, pg_temp.error_of(error)
FROM unnest(ARRAY[
    $$SELECT kvs.create_branch('br')$$,
    $$SELECT kvs.create_branch('br-tag')$$,
    $$SELECT kvs.create_branch('')$$,
    $$SELECT kvs.create_branch('two words')$$,
    $$SELECT kvs.create_branch('HEAD')$$,
    $$SELECT kvs.create_branch('working')$$,
    $$SELECT kvs.create_branch('c0ffee')$$,
    $$SELECT kvs.create_branch('-x')$$,
    $$SELECT kvs.create_branch('a..b')$$,
    $$SELECT kvs.create_branch('a/')$$,
    $$SELECT kvs.create_branch('a.lock')$$,
    $$SELECT kvs.create_branch(repeat('n', 256))$$,
    $$SELECT kvs.create_branch(NULL)$$,
    $$SELECT kvs.create_branch('br-x', 'nowhere')$$,
    $$SELECT kvs.create_branch('br-x', 'HEAD~100')$$,
    $$SELECT kvs.create_branch('br-x', 'HEAD~x')$$
]) AS error;
SELECT kvs.create_branch(repeat('n', 255)) = repeat('n', 255);
SELECT kvs.delete_branch(repeat('n', 255));
SET kvs.as_of = 'br-tag';
SELECT pg_temp.error_of($$SELECT kvs.create_branch('br-x')$$), pg_temp.error_of($$SELECT kvs.delete_branch('br-head')$$),
       pg_temp.error_of($$SELECT kvs.rename_branch('br-head', 'br-x')$$);
-- Switching is no write.
SELECT kvs.switch_branch('br-head'), kvs.switch_branch('br');
RESET kvs.as_of;
BEGIN READ ONLY;
SELECT kvs.switch_branch('br-head'), kvs.switch_branch('br');
SELECT kvs.create_branch('br-x');
ROLLBACK;

-- Errors of switch_branch; a session may stand on a branch that does not exist.
SELECT error, pg_temp.error_of(error)
FROM unnest(ARRAY[
    $$SELECT kvs.switch_branch('nowhere')$$,
    $$SELECT kvs.switch_branch('br-tag')$$,
    $$SELECT kvs.switch_branch('')$$,
    $$SELECT kvs.switch_branch(NULL)$$
]) AS error;
SET kvs.branch = 'nowhere';
SELECT kvs.current_branch();
SELECT pg_temp.error_of('SELECT kvs.get(''a'')'), pg_temp.error_of('SELECT * FROM kvs.status()'),
       pg_temp.error_of('SELECT kvs.create_branch(''br-x'')');
SELECT kvs.switch_branch('br');

-- Switching is transactional like SET.
BEGIN;
SELECT kvs.switch_branch('br-head');
SAVEPOINT s;
SELECT kvs.switch_branch('br-work');
ROLLBACK TO s;
SELECT kvs.current_branch();
ROLLBACK;
SELECT kvs.current_branch();
BEGIN;
SELECT kvs.switch_branch('br-head');
COMMIT;
SELECT kvs.current_branch();
SELECT kvs.switch_branch('br');

-- Rename takes the uncommitted work, the moves and the session along.
SELECT kvs.rename_branch('br-work', 'br-renamed');
SELECT branch, n, operation FROM kvs.reflog WHERE branch IN ('br-work', 'br-renamed') ORDER BY branch, n;
SELECT kvs.rev_parse('br-renamed@{1}') = :'one', kvs.rev_parse('br-renamed') = :'carried';
SELECT kvs.put('r', '1', branch => 'br-renamed');
SELECT kvs.rename_branch('br-renamed', 'br-renamed/again');
SELECT pg_temp.content('br-renamed/again'), pg_temp.content('br-renamed/again', 'br-renamed/again');
SELECT pg_temp.error_of($$SELECT kvs.get('a', branch => 'br-renamed')$$);
SELECT kvs.switch_branch('br-renamed/again'), kvs.rename_branch('br-renamed/again', 'br-renamed'), kvs.current_branch();
SELECT kvs.get('r');
BEGIN;
SELECT kvs.rename_branch('br-renamed', 'br-other');
SELECT kvs.current_branch(), kvs.get('r');
ROLLBACK;
SELECT kvs.current_branch(), kvs.get('r');
SELECT kvs.switch_branch('br');
SELECT error, pg_temp.error_of(error)
FROM unnest(ARRAY[
    $$SELECT kvs.rename_branch('nowhere', 'br-x')$$,
    $$SELECT kvs.rename_branch('', 'br-x')$$,
    $$SELECT kvs.rename_branch('br-tag', 'br-x')$$,
    $$SELECT kvs.rename_branch('br-renamed', 'br')$$,
    $$SELECT kvs.rename_branch('br-renamed', 'br-renamed')$$,
    $$SELECT kvs.rename_branch('br-renamed', 'br-tag')$$,
    $$SELECT kvs.rename_branch('br-renamed', 'a b')$$,
    $$SELECT kvs.rename_branch(NULL, 'br-x')$$,
    $$SELECT kvs.rename_branch('br', NULL)$$
]) AS error;
-- A name that was given up is free again.
SELECT kvs.create_branch('br-work', 'br'), kvs.delete_branch('br-work');

-- Deleting: not the session's branch, no uncommitted work, no commits that nothing else has.
SELECT kvs.delete_branch('br-head');
SELECT kvs.delete_branch('br-chain');
SELECT error, pg_temp.error_of(error)
FROM unnest(ARRAY[
    $$SELECT kvs.delete_branch('br')$$,
    $$SELECT kvs.delete_branch('br', force => true)$$,
    $$SELECT kvs.delete_branch('br-chain')$$,
    $$SELECT kvs.delete_branch('nowhere')$$,
    $$SELECT kvs.delete_branch('')$$,
    $$SELECT kvs.delete_branch('br-tag')$$,
    $$SELECT kvs.delete_branch(NULL)$$
]) AS error;
SELECT name FROM kvs.branches WHERE name LIKE 'br%' ORDER BY name;
-- A commit that no other ref reaches would be lost.
SELECT kvs.commit('r', branch => 'br-renamed') AS renamed \gset
SELECT pg_temp.error_of($$SELECT kvs.delete_branch('br-renamed')$$);
SELECT kvs.create_tag('br-keep', 'br-renamed') = :'renamed';
SELECT kvs.delete_branch('br-renamed'), kvs.delete_branch('br-from-hash');
-- With an ancestor of another ref's commit nothing is lost either.
SELECT kvs.create_branch('br-ancestor', 'br-keep~1'), kvs.delete_branch('br-ancestor');
SELECT kvs.delete_branch('br-from-step');

-- Commits are no loss as long as a branch reaches them, the session's or another, from however far; nor as long as a tag does.
SELECT kvs.create_branch('br-trunk', encode(_kvs.initial_commit(), 'hex'));
DO $$ BEGIN FOR i IN 1 .. 3 LOOP
    PERFORM kvs.put('trunk', to_jsonb(i), branch => 'br-trunk'), kvs.commit('trunk ' || i, branch => 'br-trunk');
    PERFORM kvs.create_branch('br-far-' || i, 'br-trunk');
END LOOP; END $$;
DO $$ BEGIN FOR i IN 4 .. 60 LOOP
    PERFORM kvs.put('trunk', to_jsonb(i), branch => 'br-trunk'), kvs.commit('trunk ' || i, branch => 'br-trunk');
END LOOP; END $$;
SELECT kvs.delete_branch('br-far-1');
SELECT current_setting('kvs.branch') AS session_branch, set_config('kvs.branch', 'br-trunk', false) AS now_branch \gset
SELECT kvs.delete_branch('br-far-2');
SELECT kvs.put('far', '1', branch => 'br-far-3');
SELECT kvs.commit('own', branch => 'br-far-3') IS NOT NULL AS committed;
SELECT pg_temp.error_of($$SELECT kvs.delete_branch('br-far-3')$$);
SELECT kvs.create_tag('br-far-tag', 'br-far-3') IS NOT NULL AS tagged;
SELECT kvs.delete_branch('br-far-3'), kvs.delete_tag('br-far-tag');
SET kvs.branch = :'session_branch';
SELECT kvs.delete_branch('br-trunk', force => true);
-- What a forced deletion throws away can be found in the reflog.
SELECT kvs.create_branch('br-lost', 'br');
SELECT kvs.put('lost', '1', branch => 'br-lost');
SELECT kvs.commit('lost', branch => 'br-lost') AS lost \gset
SELECT kvs.put('lost', '2', branch => 'br-lost');
SELECT pg_temp.error_of($$SELECT kvs.delete_branch('br-lost')$$);
SELECT kvs.delete_branch('br-lost', force => true);
SELECT pg_temp.error_of($$SELECT kvs.get('lost', branch => 'br-lost')$$);
SELECT n, operation, from_commit = :'lost' AS from_lost, to_commit = :'lost' AS to_lost, discarded_root IS NOT NULL AS discarded
FROM kvs.reflog WHERE branch = 'br-lost' ORDER BY n;
SELECT kvs.create_branch('br-lost', from_commit) FROM kvs.reflog WHERE branch = 'br-lost' AND operation = 'delete';
SELECT pg_temp.content('br-lost');
SELECT count(*) FROM kvs.status('br-lost');
-- The uncommitted work is a commit of its own there.
SELECT kvs.create_branch('br-saved', to_commit) FROM kvs.reflog WHERE branch = 'br-lost' AND operation = 'save';
SELECT pg_temp.content('br-saved'), message FROM kvs.log('br-saved', max_rows => 1);
SELECT key, diff_type, from_value, to_value FROM kvs.show('br-saved');
SELECT kvs.delete_branch('br-saved', force => true);
-- The working rows went with the branch.
SELECT count(*) FROM _kvs.working AS w WHERE NOT EXISTS (SELECT FROM _kvs.branch AS b WHERE b.id = w.epoch >> 32);
-- A row that says what the tree says is no uncommitted work.
SELECT kvs.put('a', '1', branch => 'br-from-tag'), kvs.delete('tagged', branch => 'br-from-tag');
SELECT count(*) FROM kvs.status('br-from-tag');
SELECT kvs.delete_branch('br-from-tag');

-- All of it rolls back: whole transactions and savepoints.
BEGIN;
SELECT kvs.create_branch('br-rollback');
SELECT kvs.put('a', '5', branch => 'br-rollback');
SELECT kvs.commit('rolled back', branch => 'br-rollback') IS NOT NULL;
ROLLBACK;
SELECT pg_temp.error_of($$SELECT kvs.get('a', branch => 'br-rollback')$$);
SELECT pg_temp.error_of($$SELECT kvs.put('a', '5', branch => 'br-rollback')$$);
SELECT count(*) FROM kvs.reflog WHERE branch = 'br-rollback';
-- A branch of the same name is another one.
BEGIN;
SELECT kvs.create_branch('br-again', :'initial');
SELECT kvs.put('a', '5', branch => 'br-again');
ROLLBACK;
SELECT kvs.create_branch('br-again', :'initial');
SELECT kvs.put('a', '6', branch => 'br-again');
SELECT kvs.delete_branch('br-again', force => true);
SELECT kvs.create_branch('br-again', :'initial');
SELECT kvs.put('a', '7', branch => 'br-again');
SELECT pg_temp.content('br-again');
BEGIN;
SELECT kvs.create_branch('br-rollback');
SAVEPOINT s;
SELECT kvs.put('a', '6', branch => 'br-rollback');
SELECT kvs.rename_branch('br-rollback', 'br-rollback-2');
SELECT kvs.create_branch('br-rollback');
SELECT kvs.delete_branch('br-null');
ROLLBACK TO s;
SELECT name, working_changes FROM kvs.branches WHERE name LIKE 'br-rollback%' OR name = 'br-null' ORDER BY name;
SELECT kvs.put('a', '7', branch => 'br-rollback');
COMMIT;
SELECT pg_temp.content('br-rollback');
BEGIN;
SELECT kvs.delete_branch('br-rollback', force => true);
SELECT pg_temp.error_of($$SELECT kvs.get('a', branch => 'br-rollback')$$);
ROLLBACK;
SELECT pg_temp.content('br-rollback');
SELECT operation FROM kvs.reflog WHERE branch = 'br-rollback' ORDER BY n;

-- The stricter isolation levels.
BEGIN ISOLATION LEVEL REPEATABLE READ;
SELECT kvs.create_branch('br-strict', 'WORKING'), kvs.rename_branch('br-rollback', 'br-strict-2');
SELECT pg_temp.content('br-strict'), pg_temp.content('br-strict-2');
COMMIT;
BEGIN ISOLATION LEVEL SERIALIZABLE;
SELECT kvs.delete_branch('br-strict', force => true), kvs.delete_branch('br-strict-2', force => true);
COMMIT;
SELECT name FROM kvs.branches WHERE name LIKE 'br-strict%';

-- A new store has branch main, which is stored when a second one joins it. The only branch cannot be deleted.
BEGIN;
TRUNCATE _kvs.branch, _kvs.tag, _kvs.working, _kvs.reflog;
SELECT kvs.switch_branch('main');
SELECT name, head = :'initial' AS initial, message, committed_at = to_timestamp(0) AS epoch, working_changes FROM kvs.branches;
SELECT pg_temp.error_of($$SELECT kvs.delete_branch('main', force => true)$$);
SET LOCAL kvs.branch = 'elsewhere';
SELECT pg_temp.error_of($$SELECT kvs.delete_branch('main', force => true)$$);
SET LOCAL kvs.branch = 'main';
SELECT kvs.put('new', '1');
SAVEPOINT s;
SELECT kvs.create_branch('second');
SELECT id, name FROM _kvs.branch WHERE id = 1;
SELECT pg_temp.content('main'), pg_temp.content('second');
ROLLBACK TO s;
SELECT kvs.create_branch('second', 'WORKING');
SELECT pg_temp.content('main'), pg_temp.content('second');
SELECT kvs.switch_branch('second'), kvs.delete_branch('main', force => true);
SELECT pg_temp.error_of('SELECT kvs.get(''new'', branch => ''main'')'), kvs.get('new');
SELECT pg_temp.error_of($$SELECT kvs.delete_branch('second', force => true)$$);
ROLLBACK TO s;
SELECT kvs.rename_branch('main', 'trunk'), kvs.current_branch();
SELECT name, working_changes FROM kvs.branches;
SELECT kvs.commit('first') IS NOT NULL;
SELECT branch, n, operation, from_commit = :'initial' AS from_initial FROM kvs.reflog;
ROLLBACK;

-- Privileges: SELECT on kvs.entries to switch, all of INSERT, UPDATE and DELETE to change branches.
CREATE ROLE regress_kvs_branches;
SET ROLE regress_kvs_branches;
SELECT error, pg_temp.error_of(error)
FROM unnest(ARRAY[
    $$SELECT kvs.current_branch()$$,
    $$SELECT kvs.switch_branch('br')$$,
    $$SELECT * FROM kvs.branches$$,
    $$SELECT kvs.create_branch('br-x')$$,
    $$SELECT kvs.delete_branch('br-x')$$,
    $$SELECT kvs.rename_branch('br', 'br-x')$$
]) AS error;
RESET ROLE;
GRANT SELECT, INSERT, UPDATE ON kvs.entries TO regress_kvs_branches;
SET ROLE regress_kvs_branches;
SELECT kvs.switch_branch('br'), kvs.current_branch();
SELECT pg_temp.error_of($$SELECT kvs.create_branch('br-x')$$);
RESET ROLE;
GRANT DELETE ON kvs.entries TO regress_kvs_branches;
SET ROLE regress_kvs_branches;
SELECT kvs.create_branch('br-x', 'WORKING'), kvs.rename_branch('br-x', 'br-y'), kvs.delete_branch('br-y', force => true);
SELECT n, operation, author = session_user AS by_session_user FROM kvs.reflog WHERE branch = 'br-y' ORDER BY n;
RESET ROLE;
REVOKE ALL ON kvs.entries FROM regress_kvs_branches;
DROP ROLE regress_kvs_branches;

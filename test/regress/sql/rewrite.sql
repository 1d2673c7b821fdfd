-- Rewriting a branch: revert, cherry_pick, reset and its undo, rebase, squash, stash.
CREATE FUNCTION pg_temp.error_of(statement text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
    hint text;
BEGIN
    EXECUTE statement;
    RETURN 'no error';
EXCEPTION WHEN OTHERS THEN
    GET STACKED DIAGNOSTICS hint = PG_EXCEPTION_HINT;
    RETURN SQLSTATE || ': ' || regexp_replace(SQLERRM, '[0-9a-f]{12,64}', 'HASH', 'g') || CASE WHEN hint <> '' THEN ' (' || hint || ')' ELSE '' END;
END
$$;
CREATE FUNCTION pg_temp.content(branch text DEFAULT NULL) RETURNS text LANGUAGE sql AS $$
    SELECT string_agg(key || '@' || version || '=' || value, ' ' ORDER BY key) FROM kvs.scan(branch => branch)
$$;
CREATE FUNCTION pg_temp.messages(branch text DEFAULT NULL) RETURNS text LANGUAGE sql AS $$
    SELECT string_agg(split_part(message, E'\n', 1) || ' by ' || author, ' < ' ORDER BY n)
    FROM kvs.log(coalesce(branch, 'HEAD')) WITH ORDINALITY AS l(hash, parents, root, author, message, at, n)
    WHERE message <> 'initial commit'
$$;
SELECT kvs.create_branch('r', encode(_kvs.initial_commit(), 'hex')) AS branch, kvs.switch_branch('r') AS switched;
SET kvs.author = 'ann';
SELECT kvs.put('a', '1'), kvs.put('b', '1'), kvs.put('c', '1');
SELECT kvs.commit('one') IS NOT NULL AS committed;
SELECT kvs.put('a', '2'), kvs.delete('b'), kvs.put('d', '2');
SELECT kvs.commit('two') IS NOT NULL AS committed;
SELECT kvs.put('c', '3'), kvs.put('e', '3');
SELECT kvs.commit('three') IS NOT NULL AS committed;
SELECT pg_temp.content();

-- revert takes one commit back; versions go on.
SET kvs.author = 'bob';
SELECT kvs.revert('HEAD~1') IS NOT NULL AS reverted;
SELECT pg_temp.content(), pg_temp.messages();
SELECT split_part(message, E'\n', 3) LIKE 'This reverts commit %' AS names_it FROM kvs.log(max_rows => 1);
SELECT op, version, value, modified_by FROM kvs.history('b');
SELECT count(*) AS uncommitted FROM kvs.status();
SELECT kvs.cas('a', 2, '9') AS stale, kvs.get_version('a', 3) AS reverted;
-- Reverting the revert brings it back; reverting what is gone changes nothing.
SELECT kvs.revert('HEAD') IS NOT NULL AS reverted;
SELECT pg_temp.content();
SELECT kvs.revert('HEAD~1') IS NULL AS nothing;
SELECT kvs.put('c', '4');
SELECT kvs.commit('four') IS NOT NULL AS committed;
SELECT pg_temp.error_of($$SELECT kvs.revert('HEAD~3')$$);
SELECT pg_temp.error_of($$SELECT kvs.revert(encode(_kvs.initial_commit(), 'hex'))$$);
SELECT pg_temp.error_of($$SELECT kvs.revert('HEAD', parent => 2)$$);
SELECT pg_temp.error_of($$SELECT kvs.revert('WORKING')$$);
SELECT kvs.put('c', '5');
SELECT pg_temp.error_of($$SELECT kvs.revert('HEAD')$$);
SELECT kvs.put('other', '1');
SELECT kvs.put('c', '4');
SELECT kvs.revert('HEAD') IS NOT NULL AS reverted;
SELECT key, diff_type FROM kvs.status();
SELECT kvs.commit('other') IS NOT NULL AS committed;

-- A merge is reverted against one of its parents.
SELECT kvs.create_branch('side') AS branch;
SELECT kvs.put('side', '1', branch => 'side'), kvs.put('main', '1');
SELECT kvs.commit('side', branch => 'side') IS NOT NULL, kvs.commit('main') IS NOT NULL;
SELECT merged FROM kvs.merge('side');
SELECT pg_temp.error_of($$SELECT kvs.revert('HEAD')$$);
SELECT kvs.revert('HEAD', parent => 1) IS NOT NULL AS reverted;
SELECT kvs.exists('side'), kvs.exists('main');

-- cherry_pick keeps author and message.
SELECT kvs.create_branch('pick', 'HEAD~2') AS branch;
SELECT kvs.put('picked', '"p"', branch => 'pick'), kvs.put('a', '"theirs"', branch => 'pick');
SELECT kvs.commit('to pick', author => 'carl', branch => 'pick') IS NOT NULL AS committed;
SELECT kvs.cherry_pick('pick') IS NOT NULL AS picked;
SELECT author, split_part(message, E'\n', 1) AS subject, split_part(message, E'\n', 3) LIKE '(cherry picked from commit %' AS names_it, cardinality(parents) AS parents
FROM kvs.log(max_rows => 1);
SELECT kvs.get('picked'), kvs.get('a');
SELECT kvs.cherry_pick('pick') IS NULL AS has_it_already;
SELECT kvs.put('a', '"again"', branch => 'pick'), kvs.put('a', '"ours"');
SELECT kvs.commit('conflicting', branch => 'pick') IS NOT NULL, kvs.commit('ours') IS NOT NULL;
SELECT pg_temp.error_of($$SELECT kvs.cherry_pick('pick')$$);
SELECT count(*) AS staged FROM kvs.conflicts;
SELECT kvs.cherry_pick('pick', strategy => 'theirs') IS NOT NULL AS picked;
SELECT kvs.get('a');
SELECT pg_temp.error_of($$SELECT kvs.cherry_pick('HEAD', strategy => 'mine')$$);
SELECT pg_temp.error_of($$SELECT kvs.cherry_pick(hash) FROM kvs.log() WHERE cardinality(parents) = 2$$);

-- reset hard: contents go back, versions do not; the reflog undoes it, with what was uncommitted.
SELECT kvs.create_branch('z', encode(_kvs.initial_commit(), 'hex')) AS branch, kvs.switch_branch('z') AS switched;
SELECT kvs.put('k', '1');
SELECT kvs.commit('k1') IS NOT NULL;
SELECT kvs.put('k', '2'), kvs.put('l', '2', tags => ARRAY['t']);
SELECT kvs.commit('k2') IS NOT NULL;
SELECT kvs.put('k', '3'), kvs.put('m', '3');
SELECT kvs.reset('HEAD~1') = kvs.rev_parse('HEAD~1') AS the_commit;
SELECT pg_temp.content(), pg_temp.messages();
SELECT count(*) AS uncommitted FROM kvs.status();
SELECT op, version, value FROM kvs.history('k');
SELECT kvs.cas('k', 1, '0') AS stale, kvs.put('k', '4', expected_version => 4) AS fresh;
SELECT kvs.reset() IS NOT NULL AS discarded;
SELECT operation, discarded_root IS NOT NULL AS discarded FROM kvs.reflog WHERE branch = 'z' ORDER BY n LIMIT 4;
SELECT kvs.get('k', as_of => 'z@{1}') AS discarded_just_now, kvs.get('k', as_of => 'z@{4}') AS discarded_before;
SELECT kvs.reset('z@{4}') IS NOT NULL AS undone;
SELECT pg_temp.content(), pg_temp.messages();
-- soft: contents stay, what differs is uncommitted.
SELECT kvs.reset('HEAD~1', 'soft') = kvs.rev_parse('HEAD~1') AS the_commit;
SELECT pg_temp.content(), pg_temp.messages();
SELECT key, diff_type FROM kvs.status();
SELECT pg_temp.error_of($$SELECT kvs.reset('HEAD', 'mixed')$$);
SELECT pg_temp.error_of($$SELECT kvs.reset('nothing')$$);
SELECT pg_temp.error_of($$SELECT kvs.reset('WORKING')$$);
-- A reset forgets what is staged.
SELECT kvs.commit('k3') IS NOT NULL;
SELECT kvs.create_branch('y', 'HEAD~1') AS branch;
SELECT kvs.put('k', '"y"', branch => 'y');
SELECT kvs.commit('y', branch => 'y') IS NOT NULL;
SELECT conflicts FROM kvs.merge('y');
SELECT kvs.reset() IS NOT NULL;
SELECT count(*) AS staged FROM kvs.conflicts;

-- rebase: one by one, with authors and messages.
SELECT kvs.create_branch('feature', 'HEAD~1') AS branch;
SELECT kvs.put('f1', '1', branch => 'feature');
SELECT kvs.commit('f1', author => 'carl', branch => 'feature') IS NOT NULL;
SELECT kvs.put('k', '2', branch => 'feature'), kvs.put('l', '2', tags => ARRAY['t'], branch => 'feature');
SELECT kvs.commit('as on z', branch => 'feature') IS NOT NULL;
SELECT kvs.put('f1', '2', branch => 'feature');
SELECT kvs.commit('f2', author => 'dora', branch => 'feature') IS NOT NULL;
SELECT count(*) AS commits, count(new_commit) AS moved, bool_or(new_commit = old_commit) AS same FROM kvs.rebase('feature', 'z');
SELECT pg_temp.messages('feature'), pg_temp.content('feature');
SELECT op, version, value FROM kvs.history('f1', branch => 'feature');
SELECT count(*) AS again FROM kvs.rebase('feature', 'z');
SELECT count(*) AS uncommitted FROM kvs.diff('feature', 'feature@{0}');
SELECT fast_forward, merged FROM kvs.merge('feature');
-- A branch without commits of its own moves to the top.
SELECT kvs.create_branch('behind', 'HEAD~2') AS branch;
SELECT count(*) AS moved FROM kvs.rebase('behind', 'z');
SELECT kvs.rev_parse('behind') = kvs.rev_parse('z') AS on_top;
SELECT kvs.put('k', '"b"', branch => 'behind');
SELECT pg_temp.error_of($$SELECT * FROM kvs.rebase('behind', 'y')$$);
SELECT kvs.commit('b', branch => 'behind') IS NOT NULL;
SELECT pg_temp.error_of($$SELECT * FROM kvs.rebase('behind', 'y')$$);
SELECT count(new_commit) AS moved FROM kvs.rebase('behind', 'y', strategy => 'theirs');
SELECT kvs.get('k', branch => 'behind');

-- squash
SELECT kvs.put('uncommitted', '1');
SELECT kvs.squash('HEAD~2', 'both') IS NOT NULL AS squashed;
SELECT kvs.squash('HEAD~1', 'renamed') IS NOT NULL AS reworded;
SELECT pg_temp.messages(), pg_temp.content();
SELECT key, diff_type FROM kvs.status();
SELECT pg_temp.error_of($$SELECT kvs.squash('HEAD', 'nothing')$$);
SELECT pg_temp.error_of($$SELECT kvs.squash('y', 'not below')$$);
SELECT pg_temp.error_of($$SELECT kvs.squash('HEAD~1', NULL)$$);
SELECT pg_temp.error_of($$SELECT kvs.squash('HEAD~1', '')$$);
-- Commits that cancel out leave none behind; what is uncommitted stays, and so do versions.
SELECT kvs.create_branch('cancels') AS branch;
SELECT kvs.put('cancel', '1', branch => 'cancels');
SELECT kvs.commit('there', branch => 'cancels') IS NOT NULL AS committed;
SELECT kvs.delete('cancel', branch => 'cancels'), kvs.put('left', '1', branch => 'cancels');
SELECT kvs.delete('left', branch => 'cancels');
SELECT kvs.commit('and back', branch => 'cancels') IS NOT NULL AS committed;
SELECT kvs.put('work', '1', branch => 'cancels');
SELECT kvs.squash('HEAD~2', 'nothing', branch => 'cancels') AS none;
SELECT kvs.rev_parse('cancels') = kvs.rev_parse('HEAD') AS is_back;
SELECT key, diff_type FROM kvs.status('cancels');
SELECT operation FROM kvs.reflog WHERE branch = 'cancels' ORDER BY n LIMIT 1;
SELECT kvs.put('cancel', '2', branch => 'cancels') AS goes_on;
SELECT kvs.delete_branch('cancels', force => true);

-- stash
SELECT kvs.put('k', '"stashed"'), kvs.delete('l');
SELECT setval('_kvs.stash_id', 100);
SELECT kvs.stash('half done');
SELECT pg_temp.content();
SELECT kvs.stash() IS NULL AS nothing;
SELECT id, branch, message, author FROM kvs.stashes;
SELECT d.key, d.diff_type FROM kvs.stashes AS s, kvs.diff(s.head, s.commit) AS d;
SELECT kvs.put('n', '1');
SELECT commit, merged, conflicts FROM kvs.stash_apply(101);
SELECT pg_temp.content();
SELECT key, diff_type FROM kvs.status();
SELECT pg_temp.error_of($$SELECT * FROM kvs.stash_apply(999)$$);
-- Applied once more onto other work it conflicts; the conflict is staged, and continuing commits nothing.
SELECT kvs.reset() IS NOT NULL;
SELECT kvs.put('k', '"other"');
SELECT conflicts FROM kvs.stash_pop(101);
SELECT key, ours, theirs, reason FROM kvs.conflicts;
SELECT kvs.resolve('k', 'theirs');
SELECT commit, merged, conflicts FROM kvs.merge_continue();
SELECT kvs.get('k'), kvs.exists('l');
SELECT count(*) AS kept FROM kvs.stashes;
SELECT kvs.reset() IS NOT NULL;
SELECT merged FROM kvs.stash_pop(101, branch => 'y');
SELECT key, diff_type FROM kvs.diff('y', 'y@{0}');
SELECT count(*) AS left FROM kvs.stashes;
SELECT kvs.stash_drop(101) AS dropped;
SELECT pg_temp.error_of($$SELECT kvs.stash_drop(NULL)$$);

-- Rolled back, nothing of it stays.
BEGIN;
SAVEPOINT before;
SELECT kvs.reset('HEAD~1') IS NOT NULL;
ROLLBACK TO before;
SELECT pg_temp.messages();
COMMIT;
CREATE ROLE regress_rewrite_stranger;
SET ROLE regress_rewrite_stranger;
SELECT call, pg_temp.error_of('SELECT ' || call) FROM unnest(ARRAY[$$kvs.revert('HEAD')$$, $$kvs.cherry_pick('HEAD')$$, $$kvs.reset()$$,
    $$kvs.rebase('a', 'b')$$, $$kvs.squash('HEAD', 'm')$$, $$kvs.stash()$$, $$kvs.stash_apply(1)$$, $$kvs.stash_pop(1)$$, $$kvs.stash_drop(1)$$]) AS call;
RESET ROLE;
DROP ROLE regress_rewrite_stranger;
SELECT count(*) AS problems FROM kvs.check() WHERE severity = 'error';

-- The message of a revert quotes the first line of the other one.
SELECT kvs.put('subject', '1');
SELECT kvs.commit(E'subject\n\nAnd a body.') IS NOT NULL AS committed;
SELECT kvs.revert('HEAD') IS NOT NULL AS reverted;
SELECT kvs.revert('HEAD') IS NOT NULL AS reverted_again;
SELECT regexp_replace(message, '[0-9a-f]{64}', 'HASH') AS message FROM kvs.log(max_rows => 2);

SELECT kvs.switch_branch('main') AS switched;
SELECT bool_and(kvs.delete_branch(name, force => true)) FROM unnest(ARRAY['r', 'side', 'pick', 'z', 'y', 'feature', 'behind']) AS name;
RESET kvs.author;

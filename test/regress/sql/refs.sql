-- Tags, the grammar of refs, reflog, merge_base, kvs.as_of.

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

SELECT encode(_kvs.initial_commit(), 'hex') AS initial \gset
SELECT kvs.create_branch('rf', :'initial'), kvs.switch_branch('rf');
SELECT clock_timestamp() AS t0 \gset
SELECT kvs.put('k', '1');
SELECT kvs.commit('one') AS c1 \gset
SELECT clock_timestamp() AS t1 \gset
SELECT kvs.put('k', '2');
SELECT kvs.commit('two') AS c2 \gset
SELECT clock_timestamp() AS t2 \gset
SELECT kvs.put('k', '3');
SELECT kvs.commit('three') AS c3 \gset
SELECT kvs.put('k', '4');

-- Every way to name a commit.
SELECT ref, CASE kvs.rev_parse(ref) WHEN :'c3' THEN 'three' WHEN :'c2' THEN 'two' WHEN :'c1' THEN 'one'
                                    WHEN :'initial' THEN 'initial' END AS commit
FROM unnest(ARRAY['HEAD', 'rf', 'HEAD~', 'HEAD~0', 'HEAD~1', 'HEAD~2', 'rf~3', 'HEAD^', 'HEAD^0', 'HEAD^1', 'HEAD^^', 'rf^~1',
                  'rf@{0}', 'rf@{1}', 'rf@{2}', 'rf@{3}', '@{1}', '@{1}~1', 'HEAD@{1}', 'HEAD@{1}^']) AS ref;
SELECT kvs.rev_parse(:'c2') = :'c2', kvs.rev_parse(upper(:'c2')) = :'c2', kvs.rev_parse(left(:'c2', 16)) = :'c2',
       kvs.rev_parse(left(:'c2', 16) || '~1') = :'c1', kvs.rev_parse(left(:'initial', 12)) = :'initial';
-- Where the branch stood at a moment.
SELECT kvs.rev_parse('rf@{' || :'t2' || '}') = :'c2', kvs.rev_parse('@{' || :'t1' || '}') = :'c1',
       kvs.rev_parse('rf@{' || :'t0' || '}') = :'initial', kvs.rev_parse('rf@{now}') = :'c3',
       kvs.rev_parse('rf@{' || :'t2' || '}~1') = :'c1';
-- Or counted back from now.
SELECT kvs.rev_parse('rf@{0 seconds ago}') = :'c3',
       kvs.rev_parse('rf@{' || extract(epoch FROM statement_timestamp() - :'t2'::timestamptz) || ' seconds ago}') = :'c2',
       kvs.rev_parse('rf@{0 days ' || extract(epoch FROM statement_timestamp() - :'t1'::timestamptz) || ' seconds ago}~1') = :'initial';

SELECT error, pg_temp.error_of(format('SELECT kvs.rev_parse(%L)', error))
FROM unnest(ARRAY['nowhere', 'WORKING', 'HEAD~4', 'HEAD^2', 'rf@{4}', 'rf@{1990-01-01}', 'ffffffffffffffff', '',
                  'HEAD~x', 'rf@{1', 'rf@{}', 'two words', 'WORKING~1', 'HEAD@{1}@{1}', 'rf@{100 years ago}', 'rf@{some time ago}', 'rf@{ago}',
                  'rf@{2026-13-45}', 'rf@{2026-01-01 25:00}', 'rf@{99999999999999999 years ago}', 'rf@{200000000 days ago}', NULL]) AS error;
-- First digits that two commits share mean neither; here of a commit made up for it.
BEGIN;
INSERT INTO _kvs.commit
SELECT set_byte(hash, 31, 255 - get_byte(hash, 31)), generation, parents, data_root, meta_root, author, committer, message,
       committed_at, log_id, consumed_snapshot, body
FROM _kvs.commit WHERE encode(hash, 'hex') = :'c1';
SELECT pg_temp.error_of(format('SELECT kvs.rev_parse(%L)', left(:'c1', 62))) = format('42704 unknown ref "%s"', left(:'c1', 62)) AS refused,
       kvs.rev_parse(:'c1') = :'c1' AS found;
ROLLBACK;
SELECT kvs.rev_parse(left(:'c1', 62)) = :'c1' AS found;

-- Tags.
SELECT kvs.create_tag('rf-v1', :'c1', 'first') = :'c1', kvs.create_tag('rf-v3') = :'c3', kvs.create_tag('rf/null', NULL) = :'c3';
SELECT kvs.get_tag('rf-v1') = :'c1', kvs.rev_parse('rf-v1') = :'c1', kvs.rev_parse('rf-v3~2') = :'c1',
       kvs.get_tag('nowhere') IS NULL, kvs.get_tag('rf') IS NULL, kvs.get_tag(NULL) IS NULL;
SELECT name, commit = :'c1' AS one, commit = :'c3' AS three, message, tagger = session_user AS by_me, created_at <= clock_timestamp() AS dated
FROM kvs.tags WHERE name LIKE 'rf%' ORDER BY name;
SET kvs.author = 'Ada <ada@example.org>';
SELECT kvs.create_tag('rf-signed', 'HEAD', 'by Ada') = :'c3';
RESET kvs.author;
SELECT tagger FROM kvs.tags WHERE name = 'rf-signed';
SELECT kvs.delete_tag('rf-signed'), kvs.delete_tag('rf-signed'), kvs.delete_tag('rf');
SELECT error, pg_temp.error_of(error)
FROM unnest(ARRAY[
    $$SELECT kvs.create_tag('rf-v1')$$,
    $$SELECT kvs.create_tag('rf')$$,
    $$SELECT kvs.create_tag('main')$$,
    $$SELECT kvs.create_tag('HEAD')$$,
    $$SELECT kvs.create_tag('beef')$$,
    $$SELECT kvs.create_tag('a b')$$,
    $$SELECT kvs.create_tag('')$$,
    $$SELECT kvs.create_tag(NULL)$$,
    $$SELECT kvs.create_tag('rf-x', 'nowhere')$$,
    $$SELECT kvs.create_tag('rf-x', 'WORKING')$$,
    $$SELECT kvs.delete_tag(NULL)$$,
    $$SELECT kvs.rev_parse('rf-v1@{1}')$$
]) AS error;
SET kvs.as_of = 'rf-v1';
SELECT pg_temp.error_of($$SELECT kvs.create_tag('rf-x')$$), pg_temp.error_of($$SELECT kvs.delete_tag('rf-v1')$$);
RESET kvs.as_of;
BEGIN READ ONLY;
SELECT kvs.get_tag('rf-v1') = :'c1';
SELECT kvs.delete_tag('rf-v1');
ROLLBACK;

-- Tags roll back; a tag does not move when its branch does.
BEGIN;
SELECT kvs.create_tag('rf-rollback') = :'c3';
SELECT kvs.delete_tag('rf-v1');
ROLLBACK;
SELECT kvs.get_tag('rf-rollback') IS NULL, kvs.get_tag('rf-v1') = :'c1';
BEGIN;
SELECT kvs.create_tag('rf-kept') = :'c3';
SAVEPOINT s;
SELECT kvs.create_tag('rf-rollback') = :'c3', kvs.delete_tag('rf-kept');
ROLLBACK TO s;
SELECT kvs.create_tag('rf-rollback', :'c1') = :'c1';
COMMIT;
SELECT kvs.get_tag('rf-kept') = :'c3', kvs.get_tag('rf-rollback') = :'c1';

-- The past by as_of, and by the session's moment. An explicit branch beats kvs.as_of.
SELECT kvs.get('k'), kvs.get('k', as_of => 'HEAD'), kvs.get('k', as_of => 'rf-v1'), kvs.get('k', as_of => 'rf~1'),
       kvs.get('k', as_of => :'c2'), kvs.get('k', as_of => 'WORKING'), kvs.get('k', as_of => 'rf~3');
SELECT kvs.create_branch('rf-side', 'rf-v1');
SELECT kvs.put('k', '100', branch => 'rf-side');
-- HEAD and WORKING resolve inside the branch.
SELECT kvs.get('k', branch => 'rf-side', as_of => 'HEAD'), kvs.get('k', branch => 'rf-side', as_of => 'WORKING'),
       kvs.get('k', branch => 'rf-side', as_of => 'rf~1');
SET kvs.as_of = 'rf~1';
SELECT kvs.get('k'), kvs.get('k', branch => 'rf'), kvs.get('k', branch => 'rf-side'), kvs.get('k', as_of => 'rf-v1'),
       kvs.get('k', branch => 'rf-side', as_of => 'HEAD');
SELECT count(*), min(value::text) FROM kvs.scan();
SELECT message FROM kvs.log();
SELECT message FROM kvs.log('HEAD');
SELECT pg_temp.error_of($$SELECT kvs.put('k', '5')$$), pg_temp.error_of($$SELECT kvs.put('k', '5', branch => 'rf-side')$$);
SET kvs.as_of = 'nowhere';
SELECT pg_temp.error_of($$SELECT kvs.get('k')$$), kvs.get('k', branch => 'rf');
RESET kvs.as_of;

-- The reflog counts from the latest move.
SELECT n, operation, CASE from_commit WHEN :'c2' THEN 'two' WHEN :'c1' THEN 'one' WHEN :'initial' THEN 'initial' END AS from_commit,
       CASE to_commit WHEN :'c3' THEN 'three' WHEN :'c2' THEN 'two' WHEN :'c1' THEN 'one' WHEN :'initial' THEN 'initial' END AS to_commit,
       author = session_user AS by_me, discarded_root
FROM kvs.reflog WHERE branch = 'rf' ORDER BY n;

-- merge_base.
SELECT kvs.commit('side', branch => 'rf-side') AS side \gset
SELECT kvs.merge_base('rf', 'rf-side') = :'c1', kvs.merge_base('rf-side', 'rf') = :'c1', kvs.merge_base('rf', 'rf~1') = :'c2',
       kvs.merge_base('rf', 'rf') = :'c3', kvs.merge_base(:'side', :'initial') = :'initial';
SELECT error, pg_temp.error_of(error)
FROM unnest(ARRAY[
    $$SELECT kvs.merge_base('rf', 'nowhere')$$,
    $$SELECT kvs.merge_base('rf', 'WORKING')$$,
    $$SELECT kvs.merge_base(NULL, 'rf')$$,
    $$SELECT kvs.merge_base('rf', NULL)$$
]) AS error;

-- Privileges.
CREATE ROLE regress_kvs_refs;
SET ROLE regress_kvs_refs;
SELECT error, pg_temp.error_of(error)
FROM unnest(ARRAY[
    $$SELECT kvs.rev_parse('rf')$$,
    $$SELECT kvs.merge_base('rf', 'rf')$$,
    $$SELECT kvs.get_tag('rf-v1')$$,
    $$SELECT kvs.create_tag('rf-x')$$,
    $$SELECT kvs.delete_tag('rf-v1')$$,
    $$SELECT * FROM kvs.tags$$,
    $$SELECT * FROM kvs.reflog$$
]) AS error;
RESET ROLE;
GRANT SELECT ON kvs.entries TO regress_kvs_refs;
SET ROLE regress_kvs_refs;
SELECT kvs.rev_parse('rf-v1') = :'c1', kvs.get_tag('rf-v1') = :'c1';
SELECT pg_temp.error_of($$SELECT kvs.create_tag('rf-x')$$), pg_temp.error_of($$SELECT kvs.delete_tag('rf-v1')$$);
RESET ROLE;
REVOKE ALL ON kvs.entries FROM regress_kvs_refs;
DROP ROLE regress_kvs_refs;

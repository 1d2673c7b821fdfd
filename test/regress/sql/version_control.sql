-- commit, status, diff, diff_stat, show, log.

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
SELECT kvs.create_branch('vc', :'initial'), kvs.switch_branch('vc');

-- A commit that changes nothing makes none.
SELECT kvs.commit('nothing yet');
SELECT kvs.put('user:1', '{"name": "Ada"}'), kvs.put('user:2', '{"name": "Bob"}'), kvs.put('user/eu:3', '{"name": "Cem"}'),
       kvs.put('order:1', '[1, 2.50]'), kvs.put_bytes('blob', '\x0001ff');
SELECT key, diff_type, from_value, to_value, from_version, to_version FROM kvs.status();
SELECT key, diff_type, from_value, to_value, from_version, to_version FROM kvs.diff();
SELECT kvs.commit('one', author => 'Ada') AS c1 \gset
SELECT kvs.commit('again');
SELECT count(*) FROM kvs.status();
-- Nor do a value written again, a change taken back, and a key that came and went.
SELECT kvs.put('user:1', '{"name": "Ada"}'), kvs.put('user:2', '"changed"'), kvs.put('user:2', '{"name": "Bob"}'), kvs.put('new', '1'),
       kvs.delete('new');
SELECT * FROM kvs.status();
SELECT * FROM kvs.diff();
SELECT kvs.flush();
SELECT * FROM kvs.status();
SELECT kvs.put('user:1', '{"name": "Ada"}', comment => 'the same');
SELECT kvs.commit('nothing either');
SELECT * FROM kvs.status();

-- Every type of difference, with the working rows over the tree and with the tree alone.
SELECT kvs.put('user:1', '{"name": "Ada L."}'), kvs.delete('user:2'), kvs.put('user:4', '{"name": "Dan"}'),
       kvs.put('user/eu:3', '{"name": "Cem"}', tags => '{eu}'), kvs.touch('order:1', '1000 years'), kvs.put_bytes('blob', '\x0001fe');
SELECT key, diff_type, from_version, to_version FROM kvs.status();
SELECT key, diff_type, from_value, to_value, from_version, to_version FROM kvs.diff();
SELECT * FROM kvs.diff_stat();
SELECT kvs.flush();
SELECT key, diff_type, from_version, to_version FROM kvs.status();
SELECT key, diff_type, from_value, to_value, from_version, to_version FROM kvs.diff('WORKING', 'HEAD');
SELECT * FROM kvs.diff_stat('WORKING', 'HEAD');
-- Working rows over a flushed tree that differs from HEAD.
SELECT kvs.put('user:1', '{"name": "Ada"}'), kvs.put('user:2', '{"name": "Bob"}', tags => '{back}'), kvs.delete('user:4'),
       kvs.put('user/eu:3', '{"name": "Cem"}', tags => '{}'), kvs.put('user:5', 'null');
SELECT key, diff_type, from_value, to_value, from_version, to_version FROM kvs.diff();
SELECT working_changes FROM kvs.branches WHERE name = 'vc';
SELECT kvs.commit('two', author => 'Bob') AS c2 \gset
SELECT * FROM kvs.diff();
SELECT key, diff_type FROM kvs.show(:'c2');
SELECT * FROM kvs.diff_stat('HEAD~1', 'HEAD');
SELECT kvs.rev_parse('HEAD') = :'c2', kvs.rev_parse('HEAD~1') = :'c1';
-- Content is bytes: 2.50 is not 2.5. A schema is metadata.
SELECT kvs.put('order:1', '[1, 2.5]', schema_hash => 'x'), kvs.put('user:5', 'null', schema_hash => 'x');
SELECT key, diff_type, from_value, to_value FROM kvs.diff();
SELECT kvs.commit('three', author => 'Ada') AS c3 \gset

-- Any two states; the same state twice.
SELECT key, diff_type, from_version, to_version FROM kvs.diff(:'c1', 'HEAD');
SELECT key, diff_type FROM kvs.diff(:'initial', 'vc~2');
SELECT count(*) FROM kvs.diff('HEAD', 'HEAD');
SELECT count(*) FROM kvs.diff('WORKING', 'WORKING');
SELECT key, diff_type FROM kvs.diff(NULL, :'c2');
SELECT * FROM kvs.diff_stat(NULL, NULL);
-- What a commit changed; the initial commit changed nothing, the first one all that it has.
SELECT count(*) FROM kvs.show(:'initial');
SELECT key, diff_type, to_value FROM kvs.show(:'c1');
SELECT key, diff_type FROM kvs.show('HEAD');

-- Patterns restrict to what matches.
SELECT pattern, (SELECT string_agg(key, ' ') FROM kvs.diff(:'initial', 'HEAD', pattern)) AS keys
FROM unnest(ARRAY['#', 'user:#', 'user:+', 'user/eu:+', 'user/{region}:+', '+:1', 'user:1', 'user:1*', 'nothing:#', NULL]) AS pattern;

-- Values of every size; a large value is a blob in the tree and inline in a working row.
SELECT kvs.put('large', to_jsonb(repeat('x', 5000))), kvs.put('medium', to_jsonb(repeat('y', 2100)));
SELECT kvs.commit('large') IS NOT NULL;
SELECT kvs.put('large', to_jsonb(repeat('x', 5000)), tags => '{t}'), kvs.put('medium', to_jsonb(repeat('y', 2100)));
SELECT key, diff_type, from_value = to_value AS same FROM kvs.diff();
SELECT kvs.put('large', to_jsonb(repeat('x', 4999) || 'z'));
SELECT key, diff_type, length(from_value->>0), length(to_value->>0) FROM kvs.diff();
SELECT kvs.flush();
SELECT key, diff_type, right(from_value->>0, 1), right(to_value->>0, 1) FROM kvs.diff();
SELECT kvs.commit('larger') IS NOT NULL;

-- An entry whose time is over is no content, though the commit holds it; see expiry.sql.
SELECT kvs.put('fleeting', '1', ttl => '1 microsecond');
SELECT kvs.get('fleeting');
SELECT key, diff_type, to_value FROM kvs.diff();
SELECT kvs.commit('fleeting') IS NOT NULL;
SELECT key, diff_type, from_value FROM kvs.diff('HEAD', 'HEAD~1');

-- log: newest first; its filters.
SELECT message, CASE author WHEN session_user THEN 'session user' ELSE author END AS author FROM kvs.log();
SELECT message FROM kvs.log('HEAD~4');
SELECT message FROM kvs.log(NULL, max_rows => 2);
SELECT message FROM kvs.log(max_rows => 0);
SELECT message FROM kvs.log() LIMIT 1;
SELECT message FROM kvs.log(author => 'Ada');
SELECT message FROM kvs.log(author => 'Ad');
SELECT message FROM kvs.log(pattern => 'user:#');
SELECT message FROM kvs.log(pattern => 'order:1', author => 'Ada', max_rows => 1);
SELECT message FROM kvs.log(pattern => '#');
SELECT committed_at AS second_at FROM kvs.log() WHERE message = 'two' \gset
SELECT message FROM kvs.log(since => :'second_at');
SELECT message FROM kvs.log(since => 'infinity');
SELECT count(*) FROM kvs.log(since => '-infinity');
-- What a row says: hash and root as they are, parents in order.
SELECT l.hash = :'c2' AS is_two, l.parents = ARRAY[:'c1'] AS after_one, encode(c.data_root, 'hex') = l.root AS root, l.committed_at = c.committed_at AS at
FROM kvs.log() AS l JOIN _kvs.commit AS c ON encode(c.hash, 'hex') = l.hash WHERE l.message = 'two';
SELECT hash = :'initial' AS initial, parents, author, message, committed_at = to_timestamp(0) AS epoch FROM kvs.log(:'initial');
-- WORKING stands on HEAD.
SELECT message FROM kvs.log('WORKING', max_rows => 1);
-- Equal contents have equal roots, wherever they were written.
SELECT kvs.create_branch('vc-equal', :'initial');
SELECT kvs.put('k', '1', branch => 'vc-equal'), kvs.put('l', '2', branch => 'vc-equal');
SELECT kvs.commit('both', branch => 'vc-equal') IS NOT NULL;
SELECT kvs.delete('k', branch => 'vc-equal');
SELECT kvs.commit('one gone', branch => 'vc-equal') IS NOT NULL;
SELECT kvs.put('k', '1', branch => 'vc-equal');
SELECT kvs.commit('back', branch => 'vc-equal') IS NOT NULL;
SELECT count(DISTINCT root), count(*) FROM kvs.log('vc-equal') WHERE message IN ('both', 'back');
SELECT * FROM kvs.diff('vc-equal', 'vc-equal~2');

-- Two lines of history: by time, whichever line.
SELECT kvs.create_branch('vc-a', 'vc-equal'), kvs.create_branch('vc-b', 'vc-equal');
SELECT kvs.put('k', '2', branch => 'vc-a'), kvs.put('k', '3', branch => 'vc-b');
SELECT kvs.commit('on a', branch => 'vc-a') IS NOT NULL;
SELECT kvs.commit('on b', branch => 'vc-b') IS NOT NULL;
SELECT message FROM kvs.log('vc-a', max_rows => 2);
SELECT message FROM kvs.log('vc-b', max_rows => 2);
SELECT key, diff_type, from_value, to_value FROM kvs.diff('vc-a', 'vc-b');
SELECT count(*) FROM kvs.status('vc-b');

-- Commits roll back, and the uncommitted work comes back.
SELECT kvs.put('k', '4', branch => 'vc-a');
BEGIN;
SELECT kvs.commit('rolled back', branch => 'vc-a') IS NOT NULL;
SELECT message FROM kvs.log('vc-a', max_rows => 1);
ROLLBACK;
SELECT message FROM kvs.log('vc-a', max_rows => 1);
SELECT key, diff_type FROM kvs.status('vc-a');
BEGIN;
SAVEPOINT s;
SELECT kvs.commit('rolled back', branch => 'vc-a') IS NOT NULL;
SELECT kvs.put('l', '5', branch => 'vc-a');
ROLLBACK TO s;
SELECT key, diff_type FROM kvs.status('vc-a');
SELECT kvs.put('m', '6', branch => 'vc-a');
SELECT kvs.commit('kept', branch => 'vc-a') IS NOT NULL;
COMMIT;
SELECT message FROM kvs.log('vc-a', max_rows => 1);
SELECT key, diff_type, to_value FROM kvs.show('vc-a');
SELECT operation FROM kvs.reflog WHERE branch = 'vc-a' ORDER BY n;

-- A cursor goes on with the state that it was opened on.
BEGIN;
SELECT count(kvs.put('cursor:' || i, to_jsonb(i))) FROM generate_series(1, 100) AS i;
DECLARE differences CURSOR FOR SELECT key, to_value FROM kvs.diff() WHERE key LIKE 'cursor:%';
FETCH 2 FROM differences;
SELECT kvs.commit('under the cursor') IS NOT NULL, kvs.put('cursor:100', '0'), kvs.delete('cursor:11');
FETCH 2 FROM differences;
MOVE FORWARD ALL IN differences;
CLOSE differences;
ROLLBACK;
SELECT key FROM kvs.diff(:'initial', 'HEAD') LIMIT 2;

-- Errors.
SELECT error, pg_temp.error_of(error)
FROM unnest(ARRAY[
    $$SELECT * FROM kvs.status('nowhere')$$,
    $$SELECT * FROM kvs.diff('nowhere')$$,
    $$SELECT * FROM kvs.diff('HEAD', 'nowhere')$$,
    $$SELECT * FROM kvs.diff('HEAD', 'HEAD~1000')$$,
    $$SELECT * FROM kvs.diff('HEAD', 'WORKING', 'a+')$$,
    $$SELECT * FROM kvs.diff_stat('nowhere')$$,
    $$SELECT * FROM kvs.show('nowhere')$$,
    $$SELECT * FROM kvs.show('WORKING')$$,
    $$SELECT * FROM kvs.show(NULL)$$,
    $$SELECT * FROM kvs.log('nowhere')$$,
    $$SELECT * FROM kvs.log(max_rows => -1)$$,
    $$SELECT * FROM kvs.log(pattern => '#/a')$$,
    $$SELECT kvs.commit(NULL)$$,
    $$SELECT kvs.commit('x', branch => 'nowhere')$$
]) AS error;
SELECT _kvs.working_changes(-1);

-- Against the plain meaning of a diff: two states joined by key. Random work on two branches that share a history.
CREATE FUNCTION pg_temp.expected(from_branch text, from_ref text, to_branch text, to_ref text)
RETURNS SETOF kvs.diff_row LANGUAGE sql AS $$
    SELECT key, CASE WHEN f.version IS NULL THEN 'added' WHEN t.version IS NULL THEN 'removed'
                     WHEN (f.type, f.value::text, f.bytes) IS DISTINCT FROM (t.type, t.value::text, t.bytes) THEN 'modified'
                     ELSE 'metadata' END,
           coalesce(f.value, to_jsonb(f.bytes)), coalesce(t.value, to_jsonb(t.bytes)), f.version, t.version
    FROM kvs.scan(branch => from_branch, as_of => from_ref) AS f
         FULL JOIN kvs.scan(branch => to_branch, as_of => to_ref) AS t USING (key)
    WHERE f.version IS NULL OR t.version IS NULL
       OR (f.type, f.value::text, f.bytes, f.expires_at, f.tags, f.schema_hash)
          IS DISTINCT FROM (t.type, t.value::text, t.bytes, t.expires_at, t.tags, t.schema_hash);
$$;
CREATE FUNCTION pg_temp.wrong(from_branch text, from_ref text, to_branch text, to_ref text, from_text text, to_text text)
RETURNS bigint LANGUAGE sql AS $$
    WITH actual AS (SELECT * FROM kvs.diff(from_text, to_text)),
         expected AS (SELECT * FROM pg_temp.expected(from_branch, from_ref, to_branch, to_ref))
    SELECT (SELECT count(*) FROM (TABLE actual EXCEPT ALL TABLE expected) AS a)
         + (SELECT count(*) FROM (TABLE expected EXCEPT ALL TABLE actual) AS e);
$$;
SELECT kvs.create_branch('vc-r1', :'initial'), kvs.create_branch('vc-r2', :'initial');
CREATE TEMP TABLE round (n int, wrong_commits bigint, wrong_working bigint, wrong_back bigint, wrong_parts bigint, wrong_count bigint,
                         types text[]);
DO $$
DECLARE
    branch text;
    k text;
    what int;
    size int;
BEGIN
    PERFORM setseed(0.25);
    FOR n IN 1..25 LOOP
        branch := 'vc-r' || 1 + (random() * 1)::int;
        PERFORM kvs.switch_branch(branch);
        FOR i IN 1..(random() * 60)::int LOOP
            k := 'r' || (random() * 2)::int || ':' || (random() * 80)::int;
            what := (random() * 8)::int;
            size := CASE WHEN random() < 0.1 THEN 3000 ELSE 10 END;
            IF what < 4 THEN
                PERFORM kvs.put(k, to_jsonb(repeat('x', size) || (random() * 3)::int));
            ELSIF what = 4 THEN
                PERFORM kvs.delete(k);
            ELSIF what = 5 THEN
                PERFORM kvs.put(k, to_jsonb((random() * 2)::int), tags => ARRAY['t' || (random() * 2)::int]);
            ELSIF what = 6 THEN
                PERFORM kvs.put_bytes(k, decode(repeat('ab', size), 'hex'));
            ELSIF what = 7 THEN
                PERFORM kvs.touch(k, make_interval(years => 100 + (random() * 2)::int));
            ELSE
                PERFORM kvs.flush();
            END IF;
        END LOOP;
        IF random() < 0.4 THEN
            PERFORM kvs.commit('round ' || n);
        END IF;
        INSERT INTO round
        SELECT n, pg_temp.wrong('vc-r1', 'HEAD', 'vc-r2', 'HEAD', 'vc-r1', 'vc-r2'),
               pg_temp.wrong('vc-r1', 'HEAD', branch, 'WORKING', 'vc-r1', 'WORKING')
                   + pg_temp.wrong('vc-r2', 'HEAD', branch, 'WORKING', 'vc-r2', 'WORKING'),
               pg_temp.wrong(branch, 'WORKING', 'vc-r2', 'HEAD', 'WORKING', 'vc-r2'),
               (WITH parts AS (SELECT * FROM kvs.diff('vc-r1', 'WORKING', 'r1:#') UNION ALL
                               SELECT * FROM kvs.diff('vc-r1', 'WORKING', 'r0:+') UNION ALL
                               SELECT * FROM kvs.diff('vc-r1', 'WORKING', 'r2*')),
                     whole AS (SELECT * FROM kvs.diff('vc-r1', 'WORKING'))
                SELECT (SELECT count(*) FROM (TABLE parts EXCEPT ALL TABLE whole) AS p)
                     + (SELECT count(*) FROM (TABLE whole EXCEPT ALL TABLE parts) AS w)),
               (SELECT working_changes - (SELECT count(*) FROM kvs.status()) FROM kvs.branches WHERE name = branch),
               (SELECT array_agg(DISTINCT diff_type) FROM kvs.diff('vc-r1', 'WORKING'));
    END LOOP;
END
$$;
SELECT count(*) AS rounds, sum(wrong_commits) AS wrong_commits, sum(wrong_working) AS wrong_working, sum(wrong_back) AS wrong_back,
       sum(wrong_parts) AS wrong_parts, sum(wrong_count) AS wrong_count FROM round;
SELECT array_agg(DISTINCT type ORDER BY type) AS types FROM round, unnest(types) AS type;

-- Privileges: SELECT on kvs.entries.
SELECT kvs.switch_branch('vc');
CREATE ROLE regress_kvs_version_control;
SET ROLE regress_kvs_version_control;
SELECT error, pg_temp.error_of(error)
FROM unnest(ARRAY[
    $$SELECT * FROM kvs.status()$$,
    $$SELECT * FROM kvs.diff()$$,
    $$SELECT * FROM kvs.diff_stat()$$,
    $$SELECT * FROM kvs.show('HEAD')$$,
    $$SELECT * FROM kvs.log()$$,
    $$SELECT kvs.commit('x')$$
]) AS error;
RESET ROLE;
GRANT SELECT ON kvs.entries TO regress_kvs_version_control;
SET ROLE regress_kvs_version_control;
SELECT count(*) FROM kvs.status();
SELECT message FROM kvs.log(max_rows => 1);
SELECT pg_temp.error_of($$SELECT kvs.commit('x')$$);
RESET ROLE;
-- A message says something.
SELECT pg_temp.error_of($$SELECT kvs.commit('')$$), pg_temp.error_of($$SELECT kvs.commit(E' \n')$$);
REVOKE ALL ON kvs.entries FROM regress_kvs_version_control;
DROP ROLE regress_kvs_version_control;

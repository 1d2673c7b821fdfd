-- Which commit changed a value last: kvs.blame; and the filters of kvs.log along merges.
\set SHOW_CONTEXT never
CREATE FUNCTION pg_temp.error_of(statement text) RETURNS text LANGUAGE plpgsql AS $$
BEGIN
    EXECUTE statement;
    RETURN 'no error';
EXCEPTION WHEN OTHERS THEN
    RETURN SQLSTATE || ' ' || SQLERRM;
END
$$;
SELECT kvs.create_branch('blame', encode(_kvs.initial_commit(), 'hex'));
SET kvs.branch = 'blame';

-- An empty store, and one with nothing but uncommitted work.
SELECT * FROM kvs.blame();
SELECT kvs.put('user:1', '1'), kvs.put('user:2', '1'), kvs.put('user:3', '1'), kvs.put_bytes('bytes', '\x01'), kvs.put('large', to_jsonb(repeat('x', 10000)));
SELECT * FROM kvs.blame();
SELECT * FROM kvs.blame(ref => 'WORKING');

-- What counts is the value.
SELECT kvs.commit('one', author => 'Ada') IS NOT NULL AS committed;
SELECT kvs.put('user:1', '2'), kvs.put('user:2', '1', tags => '{red}'), kvs.put('user:4', 'null'), kvs.put('gone', '1');
SELECT kvs.commit('two', author => 'Bob') IS NOT NULL AS committed;
SELECT kvs.put('user:1', '2'), kvs.touch('user:3', '1 day'), kvs.put_bytes('bytes', '\x02'), kvs.delete('gone'), kvs.put('large', to_jsonb(repeat('x', 9999) || 'y'));
SELECT kvs.commit('three', author => 'Cyd') IS NOT NULL AS committed;
SELECT kvs.put('user:4', '4'), kvs.delete('user:3');
SELECT kvs.commit('four', author => 'Ada') IS NOT NULL AS committed;
SELECT kvs.put('user:3', '1'), kvs.put('user:4', 'null'), kvs.put('large', to_jsonb(repeat('x', 9999) || 'y'));
SELECT kvs.commit('five', author => 'Bob') IS NOT NULL AS committed;
SELECT key, message, author, version FROM kvs.blame();
-- Each row is what the log and the commit say.
SELECT b.key, b.author = l.author AND b.message = l.message AND b.committed_at = l.committed_at AS logged, (kvs.get_entry(b.key, as_of => b.commit)).version = b.version AS version
FROM kvs.blame() AS b LEFT JOIN kvs.log() AS l ON l.hash = b.commit;
-- Refs and patterns.
SELECT key, message, version FROM kvs.blame('user:#');
SELECT key, message, version FROM kvs.blame('user:4');
SELECT key, message, version FROM kvs.blame(ref => 'HEAD~1');
SELECT key, message, version FROM kvs.blame(NULL, 'blame~3');
SELECT key, message, version FROM kvs.blame('gone', 'HEAD~3');
SELECT count(*) FROM kvs.blame('gone');
SELECT count(*) FROM kvs.blame('nobody:#');
SELECT count(*) FROM kvs.blame(ref => encode(_kvs.initial_commit(), 'hex'));
SELECT key, message FROM kvs.blame() LIMIT 1;
SET kvs.as_of = 'blame~2';
SELECT key, message, version FROM kvs.blame('user:#');
RESET kvs.as_of;
SELECT key, message FROM kvs.blame() WHERE key < 'user:2' ORDER BY key DESC;
SELECT pg_temp.error_of($$SELECT * FROM kvs.blame('a*b')$$) AS pattern, pg_temp.error_of($$SELECT * FROM kvs.blame('#', 'nobody')$$) AS ref;
-- Uncommitted work.
SELECT kvs.put('user:1', '3'), kvs.put('user:2', '1'), kvs.put('user:9', '9'), kvs.delete('user:4'), kvs.put('user:3', '1', tags => '{red}');
SELECT key, message, commit IS NULL AS uncommitted, author IS NULL AND committed_at IS NULL AS nobody, version FROM kvs.blame('user:#', 'WORKING');
SELECT kvs.flush();
SELECT key, message, commit IS NULL AS uncommitted, version FROM kvs.blame('user:#', 'WORKING');
SELECT kvs.put('user:1', '2'), kvs.put('user:2', '22');
SELECT key, message, commit IS NULL AS uncommitted, version FROM kvs.blame('user:#', 'WORKING');
SELECT key, message, version FROM kvs.blame('user:#', 'blame');
-- What has expired is not alive.
SELECT kvs.put('user:8', '8', ttl => '1 microsecond');
SELECT kvs.commit('six') IS NOT NULL AS committed;
SELECT key, message FROM kvs.blame('user:#') WHERE key > 'user:3';
-- Who may.
CREATE ROLE regress_kvs_blame;
SET ROLE regress_kvs_blame;
SELECT * FROM kvs.blame();
RESET ROLE;
GRANT SELECT ON kvs.entries TO regress_kvs_blame;
SET ROLE regress_kvs_blame;
SELECT count(*) FROM kvs.blame();
SELECT pg_temp.error_of($$SELECT _kvs.blame('#', NULL)$$);
RESET ROLE;
REVOKE SELECT ON kvs.entries FROM regress_kvs_blame;
DROP ROLE regress_kvs_blame;

-- A random history against what kvs.show() says of each commit; in one batch of keys and in many.
CREATE TABLE pg_temp.shown (n int, commit text, key text, version bigint);
CREATE FUNCTION pg_temp.expected(head int) RETURNS TABLE (key text, commit text, version bigint) LANGUAGE sql AS $$
    SELECT DISTINCT ON (key) key, commit, version FROM pg_temp.shown WHERE n <= head ORDER BY key, n DESC
$$;
CREATE FUNCTION pg_temp.differences(pattern text, ref text, head int) RETURNS bigint LANGUAGE sql AS $$
    SELECT count(*) FROM (SELECT key, commit, version FROM kvs.blame(pattern, ref)) AS b
         FULL JOIN (SELECT e.* FROM pg_temp.expected(head) AS e, kvs.keys(pattern, as_of => ref) AS k WHERE e.key = k.k) AS e USING (key)
    WHERE (b.commit, b.version) IS DISTINCT FROM (e.commit, e.version)
$$;
SET client_min_messages = warning;
SELECT setseed(0.25);
DO $$
DECLARE
    made text;
    c int := 1;
BEGIN
    WHILE c <= 40 LOOP
        PERFORM CASE WHEN random() < 0.15 THEN kvs.delete(key)::int ELSE kvs.put(key, to_jsonb((random() * 3)::int))::int END
        FROM (SELECT 'r:' || (random() * 400)::int AS key FROM generate_series(1, 1 + (random() ^ 3 * 300)::int)) AS k;
        made := kvs.commit('random ' || c);
        -- A single key may have been written as it was.
        CONTINUE WHEN made IS NULL;
        INSERT INTO pg_temp.shown SELECT c, made, key, to_version FROM kvs.show(made) WHERE diff_type IN ('added', 'modified');
        c := c + 1;
    END LOOP;
END
$$;
RESET client_min_messages;
SELECT count(*) > 300 AS many, count(DISTINCT commit) > 10 AS of_many FROM kvs.blame('r:#');
SELECT pg_temp.differences('r:#', 'HEAD', 40), pg_temp.differences('r:1*', 'HEAD', 40), pg_temp.differences('r:7', 'HEAD', 40);
SELECT n, pg_temp.differences('r:#', 'HEAD~' || 40 - n, n) FROM generate_series(1, 39, 6) AS n;
-- 64 kB of memory are a few hundred keys at a time.
SELECT kvs.import($$SELECT 'i:' || lpad(n::text, 5, '0'), to_jsonb(n) FROM generate_series(1, 5000) AS n$$, message => 'imported');
SELECT count(kvs.put('i:' || lpad(n::text, 5, '0'), '0')) FROM generate_series(1, 5000, 7) AS n;
SELECT kvs.commit('every seventh') IS NOT NULL AS committed;
SET work_mem = '64kB';
SELECT message, version, count(*), min(key), max(key) FROM kvs.blame('i:#') GROUP BY 1, 2 ORDER BY 1;
SELECT key, message FROM kvs.blame('i:#') OFFSET 4995;
SELECT pg_temp.differences('r:#', 'HEAD', 40), pg_temp.differences('r:#', 'HEAD~2', 40);
RESET work_mem;
-- Few keys among many changes.
SELECT kvs.import($$SELECT 's:' || lpad(n::text, 3, '0') || ':' || m, '1'::jsonb FROM generate_series(1, 100) AS n, generate_series(1, 50) AS m$$, message => 'sparse one');
SELECT kvs.import($$SELECT 's:' || lpad(n::text, 3, '0') || ':' || m, '2'::jsonb FROM generate_series(1, 100) AS n, generate_series(1, 50) AS m
                    WHERE m <> 7 OR n % 3 = 0$$, message => 'sparse two');
SELECT message, version, count(*), min(key), max(key), count(*) FILTER (WHERE split_part(key, ':', 2)::int % 3 = 0) AS thirds FROM kvs.blame('s:+:7') GROUP BY 1, 2 ORDER BY 1;
-- In key order.
SELECT count(*) FROM (SELECT key, lag(key) OVER () AS previous FROM kvs.blame()) AS b WHERE previous >= key;

-- Merges. The states are written on a branch of their own; a merge has the trees of such a state, and other parents.
BEGIN;
CREATE FUNCTION pg_temp.merge(state text, VARIADIC parents text[]) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
    alike _kvs.commit := c FROM _kvs.commit AS c WHERE hash = decode(kvs.rev_parse(state), 'hex');
    made _kvs.commit := alike;
    parent text;
BEGIN
    made.parents := '{}';
    made.generation := 0;
    FOREACH parent IN ARRAY parents LOOP
        made.parents := made.parents || decode(kvs.rev_parse(parent), 'hex');
        made.generation := greatest(made.generation, 1 + (SELECT generation FROM _kvs.commit WHERE hash = decode(kvs.rev_parse(parent), 'hex')));
    END LOOP;
    -- Format, generation, parents; what follows stays. All numbers are small.
    made.body := set_byte(set_byte('\x010000', 1, made.generation::int), 2, cardinality(made.parents));
    FOR i IN 1..cardinality(made.parents) LOOP
        made.body := made.body || made.parents[i];
    END LOOP;
    made.body := made.body || substring(alike.body FROM 4 + 32 * cardinality(alike.parents));
    made.hash := sha256('kvs commit' || made.body);
    INSERT INTO _kvs.commit SELECT made.*;
    RETURN encode(made.hash, 'hex');
END
$$;
-- Makes a branch's state that of the arguments and commits it.
CREATE FUNCTION pg_temp.state(branch text, message text, state jsonb) RETURNS text LANGUAGE plpgsql AS $$
BEGIN
    PERFORM kvs.delete(k, branch => state.branch) FROM kvs.keys('#', branch => state.branch) AS k WHERE NOT state.state ? k;
    PERFORM kvs.put(key, value, branch => state.branch) FROM jsonb_each(state.state) WHERE kvs.get(key, branch => state.branch) IS DISTINCT FROM value;
    RETURN kvs.commit(message, branch => state.branch);
END
$$;
SELECT kvs.create_branch('blame-state', encode(_kvs.initial_commit(), 'hex'));
SELECT kvs.create_branch('blame-ours', encode(_kvs.initial_commit(), 'hex'));
SELECT pg_temp.state('blame-ours', 'base', '{"same": 0, "ours": 0, "theirs": 0, "both": 0, "new": 0, "conflict": 0, "gone": 0, "kept": 0}') AS base \gset
SELECT kvs.create_branch('blame-theirs', 'blame-ours');
SELECT pg_temp.state('blame-ours', 'in ours', '{"same": 0, "ours": 1, "theirs": 0, "both": 1, "new": 1, "conflict": 1, "kept": 0, "added ours": 1}') AS ours \gset
SELECT pg_temp.state('blame-theirs', 'in theirs', '{"same": 0, "ours": 0, "theirs": 2, "both": 1, "new": 2, "conflict": 2, "gone": 0, "added theirs": 2}') AS theirs \gset
SELECT pg_temp.state('blame-theirs', 'more in theirs', '{"same": 0, "ours": 0, "theirs": 2, "both": 1, "new": 2, "conflict": 2, "gone": 0, "added theirs": 3}') AS theirs2 \gset
SELECT pg_temp.state('blame-state', 'merge', '{"same": 0, "ours": 1, "theirs": 2, "both": 1, "new": 12, "conflict": 2, "kept": 0, "added ours": 1, "added theirs": 3, "added merge": 1}') AS state \gset
SELECT pg_temp.merge(:'state', :'ours', :'theirs2') AS merge \gset
SELECT key, message FROM kvs.blame(ref => :'merge');
-- The parents in the other order: what both have is followed to the first.
SELECT pg_temp.merge(:'state', :'theirs2', :'ours') AS turned \gset
SELECT key, message FROM kvs.blame(ref => :'turned');
-- A key that was taken from one side is not the merge's.
SELECT key, ARRAY(SELECT message FROM kvs.log(:'merge', pattern => key)) AS log FROM unnest('{same,ours,theirs,both,new,conflict,gone,kept,added ours,added theirs,added merge}'::text[]) AS key;
SELECT message FROM kvs.log(:'merge', author => session_user);
SELECT message FROM kvs.log(:'merge', author => session_user, pattern => 'theirs', max_rows => 1);
-- A second merge, of a branch that began before the first: a key comes down on both ways.
SELECT pg_temp.state('blame-ours', 'more in ours', '{"same": 0, "ours": 4, "theirs": 0, "both": 1, "new": 1, "conflict": 1, "kept": 0, "added ours": 1}') AS ours2 \gset
SELECT pg_temp.state('blame-state', 'second merge', '{"same": 0, "ours": 4, "theirs": 2, "both": 1, "new": 12, "conflict": 2, "kept": 0, "added ours": 1, "added theirs": 3, "added merge": 1}') AS state2 \gset
SELECT pg_temp.merge(:'state2', :'merge', :'ours2') AS merge2 \gset
SELECT key, message FROM kvs.blame(ref => :'merge2');
SELECT pg_temp.merge(:'state2', :'ours2', :'merge') AS merge3 \gset
SELECT count(*) FROM (SELECT key, commit FROM kvs.blame(ref => :'merge2') EXCEPT SELECT key, commit FROM kvs.blame(ref => :'merge3')) AS differing;
SELECT ARRAY(SELECT message FROM kvs.log(:'merge2', pattern => 'ours')) AS ours, ARRAY(SELECT message FROM kvs.log(:'merge2', pattern => 'new')) AS new;
-- Three parents.
SELECT pg_temp.merge(:'state2', :'theirs', :'ours2', :'theirs2') AS octopus \gset
SELECT key, message FROM kvs.blame(ref => :'octopus');
-- What differs from the merge that a branch stands on.
UPDATE _kvs.branch SET (head, working_data_root, working_meta_root) = (SELECT hash, data_root, meta_root FROM _kvs.commit WHERE hash = decode(:'merge', 'hex')) WHERE name = 'blame-ours';
SELECT kvs.put('theirs', '3', branch => 'blame-ours'), kvs.put('ours', '1', branch => 'blame-ours'), kvs.switch_branch('blame-ours');
SELECT key, message FROM kvs.blame(ref => 'WORKING');
SELECT message FROM kvs.log(since => (SELECT committed_at FROM kvs.log() WHERE message = 'more in theirs'));
ROLLBACK;

SELECT kvs.current_branch();
RESET kvs.branch;
SELECT kvs.delete_branch('blame', true);

-- kvs.apply: many operations in one call.
\set VERBOSITY terse
SET client_min_messages = warning;
CREATE FUNCTION pg_temp.error_of(statement text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
    hint text;
BEGIN
    EXECUTE statement;
    RETURN 'no error';
EXCEPTION WHEN OTHERS THEN
    GET STACKED DIAGNOSTICS hint = PG_EXCEPTION_HINT;
    RETURN SQLSTATE || ' ' || SQLERRM || CASE WHEN hint = '' THEN '' ELSE ' | ' || hint END;
END
$$;
CREATE FUNCTION pg_temp.answers(operations jsonb, atomic boolean DEFAULT true) RETURNS TABLE (n bigint, answer jsonb)
LANGUAGE sql AS $$
    SELECT ordinality, a.value FROM jsonb_array_elements(kvs.apply(operations, atomic => atomic)) WITH ORDINALITY AS a;
$$;
SELECT kvs.create_branch('apply', encode(_kvs.initial_commit(), 'hex')) IS NOT NULL AS made;
SET kvs.branch = 'apply';

-- Every operation, and what the one before has left.
SELECT * FROM pg_temp.answers('[
    {"op": "put", "key": "a:1", "value": {"name": "Ada"}, "tags": ["x", "y"], "comment": "first", "modified_by": "tests"},
    {"op": "get", "key": "a:1"},
    {"op": "patch", "key": "a:1", "delta": {"age": 36}},
    {"op": "json_patch", "key": "a:1", "operations": [{"op": "test", "path": "/age", "value": 36}, {"op": "remove", "path": "/age"}]},
    {"op": "get", "key": "a:1"},
    {"op": "increment", "key": "a:count"},
    {"op": "increment", "key": "a:count", "delta": 0.1},
    {"op": "increment", "key": "a:2", "delta": 2, "path": "/n"},
    {"op": "put_bytes", "key": "a:bytes", "bytes": "\\x00ff"},
    {"op": "get", "key": "a:bytes"},
    {"op": "cas", "key": "a:2", "expected_version": 1, "value": 5},
    {"op": "touch", "key": "a:2", "ttl": "1 day"},
    {"op": "delete", "key": "a:count"},
    {"op": "get", "key": "a:count"},
    {"op": "delete", "key": "a:count"},
    {"op": "touch", "key": "a:none", "ttl": "1 day"}]');
SELECT key, version, value, bytes, expires_at IS NOT NULL AS expires, tags, comment, modified_by = 'tests' AS by_tests
FROM kvs.scan('a:') ORDER BY key;
SELECT version, comment, modified_by IN ('tests', current_user) AS by_us FROM kvs.history('a:1');
-- The numbers of the log ascend with the versions of a key.
SELECT convert_from(key, 'UTF8') AS key, array_agg(version ORDER BY seq) FROM _kvs.change
WHERE branch_id = (SELECT id FROM _kvs.branch WHERE name = 'apply') GROUP BY 1 ORDER BY 1;

-- One that is refused: all or nothing.
SELECT * FROM pg_temp.answers('[
    {"op": "put", "key": "b:1", "value": 1}, {"op": "put", "key": "a:1", "value": 1, "expected_version": 7},
    {"op": "put", "key": "b:2", "value": 1}]');
SELECT * FROM kvs.scan('b:');
-- Each for itself.
SELECT * FROM pg_temp.answers('[
    {"op": "put", "key": "b:1", "value": 1}, {"op": "put", "key": "a:1", "value": 1, "expected_version": 7},
    {"op": "patch", "key": "a:bytes", "delta": {}}, {"op": "json_patch", "key": "b:3", "operations": []},
    {"op": "cas", "key": "a:1", "expected_version": 1, "value": 0}, {"op": "increment", "key": "a:1", "path": "/name"},
    {"op": "json_patch", "key": "a:2", "operations": [{"op": "remove", "path": "/x"}]},
    {"op": "put", "key": "__schema:x", "value": 1}, {"op": "get", "key": "__schema:x"},
    {"op": "put", "key": "b:2", "value": 2, "expected_version": 0}]', false);
SELECT key, version, value FROM kvs.scan('b:');
-- A savepoint takes all of it back.
BEGIN;
SAVEPOINT s;
SELECT kvs.apply('[{"op": "put", "key": "b:1", "value": 2}, {"op": "put", "key": "b:4", "value": 2}]');
ROLLBACK TO s;
SELECT kvs.apply('[{"op": "get", "key": "b:1"}, {"op": "get", "key": "b:4"}]');
COMMIT;

-- Only reads: also where nothing may be written.
BEGIN READ ONLY;
SELECT * FROM pg_temp.answers('[{"op": "get", "key": "a:1"}, {"op": "get", "key": "nothing"}, {"op": "get", "key": "a:bytes"}]');
ROLLBACK;
SELECT kvs.apply('[]') AS nothing, kvs.apply('[]', atomic => false) AS nothing_either;

-- Many, in any order, each key twice; and in another branch.
SELECT count(*), count(*) FILTER (WHERE answer->>'status' = 'ok') AS ok, max((answer->>'version')::int) AS highest
FROM pg_temp.answers((SELECT jsonb_agg(jsonb_build_object('op', 'put', 'key', 'c:' || i * 7919 % 500, 'value', i) ORDER BY i)
                      FROM generate_series(1, 1000) AS i));
SELECT count(*), sum(value::int) = (SELECT sum(i) FROM generate_series(501, 1000) AS i) AS the_later_ones FROM kvs.scan('c:');
SELECT kvs.commit('many') IS NOT NULL AS committed;
SELECT kvs.create_branch('apply-2') IS NOT NULL AS made;
SELECT kvs.apply('[{"op": "increment", "key": "c:1"}, {"op": "increment", "key": "c:2"}, {"op": "increment", "key": "c:3"},
                   {"op": "increment", "key": "c:4"}, {"op": "get", "key": "c:1"}]', 'apply-2');
SELECT string_agg(value::text, ' ' ORDER BY key) FROM kvs.scan('c:', branch => 'apply-2') WHERE key IN ('c:1', 'c:2', 'c:3', 'c:4');
SELECT string_agg(value::text, ' ' ORDER BY key) FROM kvs.scan('c:') WHERE key IN ('c:1', 'c:2', 'c:3', 'c:4');

-- What is malformed is an error, named by its number, and nothing is done.
SELECT pg_temp.error_of(format('SELECT kvs.apply(%L)', operations)) FROM (VALUES
    ('{}'), ('[1]'), ('[{"op": "get"}]'), ('[{"key": "x"}]'), ('[{"op": "got", "key": "x"}]'), ('[{"op": "get", "key": 1}]'),
    ('[{"op": "get", "key": "a"}, {"op": "get", "key": ""}]'), ('[{"op": "put", "key": "x"}]'),
    ('[{"op": "put", "key": "x", "value": 1, "valu": 1}]'), ('[{"op": "put", "key": "x", "value": 1, "ttl": "-1 day"}]'),
    ('[{"op": "put", "key": "x", "value": 1, "ttl": "soon"}]'), ('[{"op": "put", "key": "x", "value": 1, "tags": "a"}]'),
    ('[{"op": "put", "key": "x", "value": 1, "tags": [1]}]'), ('[{"op": "put", "key": "x", "value": 1, "expected_version": "1"}]'),
    ('[{"op": "put", "key": "x", "value": 1, "expected_version": -1}]'), ('[{"op": "cas", "key": "x", "value": 1}]'),
    ('[{"op": "increment", "key": "x", "delta": "1"}]'), ('[{"op": "increment", "key": "x", "path": "a"}]'),
    ('[{"op": "put_bytes", "key": "x", "bytes": "\\x0"}]'), ('[{"op": "touch", "key": "x"}]')) AS v(operations);
SELECT pg_temp.error_of('SELECT kvs.apply(NULL)');
SELECT pg_temp.error_of($$SELECT kvs.apply((SELECT jsonb_agg(jsonb_build_object('op', 'get', 'key', 'x')) FROM generate_series(1, 10001)))$$);
SELECT pg_temp.error_of($$SELECT kvs.apply('[{"op": "put", "key": "x", "value": 1}]', 'nowhere')$$);
BEGIN READ ONLY;
SELECT pg_temp.error_of($$SELECT kvs.apply('[{"op": "put", "key": "x", "value": 1}]')$$);
ROLLBACK;
SELECT kvs.exists('x') AS written;
RESET kvs.branch;

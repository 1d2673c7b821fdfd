-- One object out of several documents: create_payload.
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

SELECT kvs.create_branch('payload', encode(_kvs.initial_commit(), 'hex'));
SET kvs.branch = 'payload';

SELECT kvs.mput(ARRAY['user:1', 'address:1', 'count', ':a:b', 'x/y%2Fz:1', 'nothing'],
                ARRAY['{"name": "Ada", "roles": ["admin", "author"], "a/b": {"~": 1}, "": "empty"}',
                      '{"city": "London", "number": 12345678901234567890.1234567890123456789}',
                      '7', '"colon"', 'true', 'null']::jsonb[]);
SELECT kvs.put_bytes('raw:1', '\x00');
SELECT kvs.put('late', '1', ttl => '1 microsecond');

-- Whole documents, by serialised key and by namespace and key.
SELECT kvs.create_payload('{"user": "user:1", "total": "count", "address": {"key": "1", "namespace": ["address"]},
                            "colon": {"key": "a:b"}, "deep": {"namespace": ["x", "y/z"], "key": "1"}}');
-- Parts of documents: members, elements, escaped names, the whole, every digit.
SELECT jsonb_pretty(kvs.create_payload('{
    "name":  {"key": "1", "namespace": ["user"], "path": "/name"},
    "role":  {"key": "1", "namespace": ["user"], "path": "/roles/1"},
    "tilde": {"key": "1", "namespace": ["user"], "path": "/a~1b/~0"},
    "empty": {"key": "1", "namespace": ["user"], "path": "/"},
    "whole": {"key": "count", "path": ""},
    "exact": {"key": "1", "namespace": ["address"], "path": "/number"}}'));
-- JSON null where a key or a path is absent, deleted or expired.
SELECT kvs.create_payload('{"a": "nobody", "b": {"key": "1", "namespace": ["user"], "path": "/roles/2"},
                            "c": {"key": "1", "namespace": ["user"], "path": "/roles/01"},
                            "d": {"key": "1", "namespace": ["user"], "path": "/name/first"},
                            "e": {"key": "count", "path": "/0"}, "f": "late", "g": "nothing",
                            "h": {"key": "1", "namespace": ["user"], "path": "/roles/-"}}');
SELECT kvs.create_payload('{}');

-- As of a commit, of another branch, of the session's moment.
SELECT kvs.commit('payload') IS NOT NULL AS committed;
SELECT kvs.put('count', '8');
SELECT kvs.create_payload('{"total": "count"}'), kvs.create_payload('{"total": "count"}', as_of => 'HEAD'),
       kvs.create_payload('{"total": "count"}', branch => 'main');
SET kvs.as_of = 'HEAD';
SELECT kvs.create_payload('{"total": "count"}'), kvs.create_payload('{"total": "count"}', branch => 'payload');
RESET kvs.as_of;

-- Nested deeply it is still a document.
SELECT kvs.put('deep', (repeat('[', 512) || repeat(']', 512))::jsonb);
SELECT length(kvs.create_payload('{"deep": "deep"}')::text);

-- Errors.
SELECT kvs.create_payload(NULL);
SELECT kvs.create_payload('[]');
SELECT kvs.create_payload('{"f": {"namespace": ["a"]}}');
SELECT kvs.create_payload('{"raw": "raw:1"}');
SELECT pg_temp.error_of(format('SELECT kvs.create_payload(%L)', mapping))
FROM unnest(ARRAY['1', '{"f": 1}', '{"f": ["a"]}', '{"f": "a:"}', '{"f": {"key": 1}}', '{"f": {"key": ""}}',
                  '{"f": {"key": "k", "namespace": "n"}}', '{"f": {"key": "k", "namespace": [1]}}',
                  '{"f": {"key": "k", "namespace": [""]}}', '{"f": {"key": "k", "path": 1}}',
                  '{"f": {"key": "k", "path": "a"}}', '{"f": {"key": "k", "path": "/~2"}}',
                  '{"f": {"key": "k", "pth": "/a"}}']) AS mapping;
SELECT pg_temp.error_of($$SELECT kvs.create_payload('{}', branch => 'no such branch')$$);
SELECT pg_temp.error_of($$SELECT kvs.create_payload('{}', as_of => 'no-such-ref')$$);

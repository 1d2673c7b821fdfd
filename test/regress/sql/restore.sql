-- Keys as they were: restore.
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
-- What is in a branch.
CREATE FUNCTION pg_temp.content(branch text DEFAULT NULL) RETURNS text LANGUAGE sql AS $$
    SELECT string_agg(key || '@' || version || '=' || coalesce(left(value::text, 12), bytes::text), ' ' ORDER BY key)
    FROM kvs.scan(branch => branch);
$$;

SELECT kvs.create_branch('restore', encode(_kvs.initial_commit(), 'hex'));
SET kvs.branch = 'restore';
SET kvs.author = 'tester';

SELECT kvs.put('user:1', '{"name": "Ada"}', tags => '{admin,author}', schema_hash => 's1', comment => 'hired'),
       kvs.put('user:2', '12345678901234567890.1234567890'), kvs.put('order:1', '1'), kvs.put('order:2', '2'),
       kvs.put('large', to_jsonb(repeat('large ', 1000))), kvs.put_bytes('raw', '\x00ff');
SELECT kvs.put('session', '1', ttl => '1000 years'), kvs.put('short', '1', ttl => '1 microsecond');
SELECT kvs.commit('then') IS NOT NULL AS committed;
SELECT kvs.put('user:1', '{"name": "Eve"}', tags => '{}', schema_hash => ''), kvs.delete('user:2'),
       kvs.put('user:3', '3'), kvs.delete('order:1'), kvs.put('order:2', '22'), kvs.put('large', '"small"'),
       kvs.put('raw', '"text"'), kvs.put('session', '2'), kvs.put('short', '2'), kvs.put('order:3', '3', tags => '{new}');
SELECT kvs.commit('now') IS NOT NULL AS committed;
SELECT kvs.put('order:3', '33'), kvs.put('order:4', '4');
SELECT pg_temp.content();

-- Only what the pattern means; keys that were not there are deleted; each change is a new version.
SELECT kvs.restore('user:#', 'HEAD~1');
SELECT pg_temp.content();
SELECT tags, schema_hash, comment, modified_by FROM kvs.get_entry('user:1');
SELECT version, op, value FROM kvs.history('user:1');
SELECT version, op, value FROM kvs.history('user:3');
-- What is as it was stays untouched.
SELECT kvs.restore('user:#', 'HEAD~1');
SELECT kvs.restore('order:2', 'HEAD~1'), kvs.restore('order:2', 'HEAD~1');

-- The rest: bytes, large values, expiry. What has expired by now does not come back.
SELECT kvs.restore('#', 'HEAD~1');
SELECT pg_temp.content();
SELECT kvs.get_bytes('raw'), length(kvs.get('large')::text), (SELECT expires_at IS NOT NULL FROM kvs.get_entry('session')) AS expires;
SELECT kvs.restore('#', 'HEAD~1');
SELECT key, diff_type FROM kvs.diff('HEAD~1', 'WORKING');

-- Only tags, schema or expiry differ.
SELECT kvs.put('user:1', kvs.get('user:1'), tags => '{other}'), kvs.touch('session', NULL);
SELECT kvs.restore('#', 'HEAD~1');
SELECT tags, schema_hash FROM kvs.get_entry('user:1');

-- Forward again, from uncommitted work and from a flushed state.
SELECT kvs.flush() > 0 AS flushed;
SELECT kvs.restore('#', 'HEAD');
SELECT pg_temp.content();
SELECT key, diff_type FROM kvs.status();
SELECT kvs.restore('#', 'WORKING'), kvs.restore('#', 'HEAD');

-- Another branch: refs are those of the branch that is changed.
SELECT kvs.create_branch('restore-other', 'HEAD~1');
SELECT kvs.put('user:1', '"other"', branch => 'restore-other');
SELECT kvs.restore('user:1', 'HEAD', branch => 'restore-other');
SELECT pg_temp.content('restore-other');
SELECT kvs.restore('user:#', 'restore', branch => 'restore-other');
SELECT key, diff_type FROM kvs.diff('restore', 'restore-other') WHERE key LIKE 'user:%';

-- It is a write like any other: it rolls back, and commits.
BEGIN;
SELECT kvs.restore('#', 'HEAD~1');
ROLLBACK;
SELECT count(*) FROM kvs.status();
SELECT kvs.restore('order:#', 'HEAD~1');
SELECT kvs.commit('back') IS NOT NULL AS committed;
SELECT key, diff_type, from_value, to_value FROM kvs.show('HEAD');

-- Many keys.
SELECT kvs.mput(array_agg('many:' || i), array_agg(to_jsonb(i))) FROM generate_series(1, 5000) AS i;
SELECT kvs.commit('many') IS NOT NULL AS committed;
SELECT kvs.delete_prefix('many:');
SELECT kvs.restore('many:+', 'HEAD');
SELECT count(*), sum(value::int), min(version), max(version) FROM kvs.scan('many:');
SELECT count(*) FROM kvs.status();

-- Errors.
SELECT kvs.restore(NULL, 'HEAD');
SELECT kvs.restore('#', NULL);
SELECT pg_temp.error_of($$SELECT kvs.restore('a+', 'HEAD')$$);
SELECT pg_temp.error_of($$SELECT kvs.restore('#', 'no-such-ref')$$);
SELECT pg_temp.error_of($$SELECT kvs.restore('#', 'HEAD~1000')$$);
SELECT pg_temp.error_of($$SELECT kvs.restore('#', 'HEAD', branch => 'no such branch')$$);
SET kvs.as_of = 'HEAD';
SELECT pg_temp.error_of($$SELECT kvs.restore('#', 'HEAD')$$);
RESET kvs.as_of;
CREATE ROLE regress_kvs_restore;
GRANT INSERT, UPDATE, DELETE ON kvs.entries TO regress_kvs_restore;
SET ROLE regress_kvs_restore;
SELECT kvs.restore('#', 'HEAD');
RESET ROLE;
REVOKE INSERT, UPDATE, DELETE ON kvs.entries FROM regress_kvs_restore;
DROP ROLE regress_kvs_restore;

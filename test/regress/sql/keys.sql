-- Keys and documents by themselves: serialize_key, parse_key, data_hash.

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

-- Serialised forms.
SELECT kvs.serialize_key(ARRAY['users', 'active'], '123') AS nested,
       kvs.serialize_key(ARRAY['user'], '1') AS flat,
       kvs.serialize_key('{}', 'settings') AS none,
       kvs.serialize_key('{}', 'a:b') AS colon,
       kvs.serialize_key(ARRAY['a/b', 'c:d', 'e%f'], 'g/h:i%j') AS escaped,
       kvs.serialize_key(ARRAY['Straße', '日本'], 'ключ') AS unicode;
SELECT * FROM kvs.parse_key('users/active:123');
SELECT * FROM kvs.parse_key('settings');
SELECT * FROM kvs.parse_key(':a:b');
SELECT * FROM kvs.parse_key('a%2Fb/c%3Ad/e%25f:g/h:i%j');

-- Each is the inverse of the other.
SELECT count(*) AS keys, bool_and(p.namespace = k.namespace AND p.key = k.key) AS same
FROM (VALUES ('{}'::text[], 'k'), ('{}', 'k:k'), ('{}', '::'), ('{a}', ':'), ('{a,b,c}', 'd'), ('{/,:,%}', '%2F'),
             ('{"a b","ü"}', ' '), ('{%2F}', 'x')) AS k(namespace, key),
     kvs.parse_key(kvs.serialize_key(k.namespace, k.key)) AS p;

-- NULL in, NULL out.
SELECT kvs.serialize_key(NULL, 'k') IS NULL, kvs.serialize_key('{}', NULL) IS NULL, kvs.data_hash(NULL) IS NULL;

-- What is no key.
SELECT kvs.serialize_key(ARRAY['a', ''], 'k');
SELECT kvs.serialize_key('{a}', '');
SELECT pg_temp.error_of($$SELECT kvs.serialize_key(ARRAY['a', NULL], 'k')$$);
SELECT pg_temp.error_of($$SELECT kvs.serialize_key('{{a,b},{c,d}}', 'k')$$);
SELECT left(pg_temp.error_of($$SELECT kvs.serialize_key('{}', repeat('k', 2049))$$), 5);
SELECT length(kvs.serialize_key('{}', repeat('k', 2048)));
SELECT pg_temp.error_of(format('SELECT kvs.parse_key(%L)', key))
FROM unnest(ARRAY['', 'a:', ':k', 'a//b:k', '/a:k', 'a/:k', 'a%2fb:k', 'a%41:k', 'a%:k', 'a/b']) AS key;

-- Documents are equal by what they say, not by how they are written.
SELECT kvs.data_hash('{}') AS empty_object, encode(sha256('{}'), 'hex') AS of_its_text;
SELECT kvs.data_hash('{"b": [1, 2.50, -0, 1e3], "a": "x"}') = encode(sha256('{"a":"x","b":[1,2.5,0,1000]}'), 'hex') AS canonical;
SELECT kvs.data_hash('{"b": 1, "a": 2.0}') = kvs.data_hash('{"a": 2, "b": 1.0}') AS same,
       kvs.data_hash('[1, 2]') = kvs.data_hash('[2, 1]') AS other_order,
       kvs.data_hash('1') = kvs.data_hash('"1"') AS other_type;
-- Digits beyond those of a double count.
SELECT kvs.data_hash('12345678901234567890.123456789') = kvs.data_hash('12345678901234567890.123456788') AS same,
       kvs.data_hash('12345678901234567890.1234567890') = kvs.data_hash('12345678901234567890.123456789') AS zero_cut;
-- Keys sort by UTF-16 code units, strings are escaped as little as possible.
SELECT kvs.data_hash(jsonb_build_object(U&'\+01F600', 1, U&'\FB33', 2, 'a', E'\u001f\n"\\é'))
       = encode(sha256(convert_to(U&'{"a":"\005cu001f\005cn\005c"\005c\005cé","\+01F600":1,"\FB33":2}', 'UTF8')), 'hex') AS by_utf16;
SELECT kvs.data_hash(to_jsonb(1::numeric / 3)) = kvs.data_hash('0.33333333333333333333') AS exact;
SELECT pg_temp.error_of(format('SELECT kvs.data_hash(%L)', repeat('[', 513) || repeat(']', 513)));
SELECT length(kvs.data_hash((repeat('[', 512) || repeat(']', 512))::jsonb));

-- Keys that the store keeps for itself get no value from outside.
SELECT kvs.create_branch('reserved', encode(_kvs.initial_commit(), 'hex'));
SET kvs.branch = 'reserved';
SELECT statement, pg_temp.error_of('SELECT ' || statement) AS error
FROM unnest(ARRAY[$$kvs.put('__schema:x', '1')$$, $$kvs.put_entry('__schema:x', '1')$$, $$kvs.put_bytes('__schema:x', 'x')$$, $$kvs.cas('__schema:x', 0, '1')$$,
                  $$kvs.patch('__schema:x', '{}')$$, $$kvs.json_patch('__schema:x', '[]')$$, $$kvs.increment('__schema:x')$$, $$kvs.touch('__schema:x', '1 day')$$,
                  $$kvs.mput('{a,__schema:x}', ARRAY['1', '1']::jsonb[])$$, $$kvs.import('SELECT ''__schema:x'', ''1''::jsonb')$$,
                  $$kvs.import('SELECT ''__schema:'' || n, ''1''::jsonb FROM generate_series(1, 2000) AS n')$$, $$kvs.put('__schema', '1')$$,
                  $$kvs.put('__schema/a:x', '1')$$, $$kvs.put(':__schema:x', '1')$$]) AS statement;
-- What came by otherwise is read, committed, merged, restored and deleted.
SELECT kvs.put('__schemb:x', '"old"');
UPDATE _kvs.working SET key = '__schema:x' WHERE key = '__schemb:x';
UPDATE _kvs.change SET key = '__schema:x' WHERE key = '__schemb:x';
SELECT kvs.commit('old') IS NOT NULL AS committed, kvs.get('__schema:x'), kvs.create_branch('reserved-2') IS NOT NULL AS branched;
SELECT kvs.delete('__schema:x');
SELECT kvs.exists('__schema:x'), pg_temp.error_of($$SELECT kvs.put('__schema:x', '1')$$);
SELECT kvs.restore('__schema:#', 'HEAD');
SELECT kvs.get('__schema:x');
SELECT kvs.delete_prefix('__schema:');
SELECT kvs.commit('deleted') IS NOT NULL AS committed;
SELECT merged FROM kvs.merge('reserved', 'reserved-2');
SELECT kvs.exists('__schema:x', branch => 'reserved-2');
SELECT kvs.revert('HEAD') IS NOT NULL AS reverted;
SELECT kvs.get('__schema:x');
SELECT kvs.delete('__schema'), kvs.delete('__schema/a:x'), kvs.delete(':__schema:x');
RESET kvs.branch;
SELECT kvs.delete_branch('reserved', true), kvs.delete_branch('reserved-2', true);

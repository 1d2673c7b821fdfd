-- Bundles: export_bundle, import_bundle.
\set SHOW_CONTEXT never
SELECT kvs.create_branch('bundles', encode(_kvs.initial_commit(), 'hex'));
SET kvs.branch = 'bundles';

SELECT count(kvs.put('doc:' || i, jsonb_build_object('n', i))) FROM generate_series(1, 500) AS i;
-- Large enough to be chunks of their own, and not to be compressed away.
SELECT count(kvs.put('large:' || i, to_jsonb((SELECT string_agg(md5((1000 * i + j)::text), '') FROM generate_series(1, 40000) AS j))))
FROM generate_series(1, 5) AS i;
SELECT kvs.commit('first') IS NOT NULL AS committed;
SELECT kvs.create_tag('bundles-1') IS NOT NULL AS tagged;
SELECT kvs.put('doc:7', '"changed"'), kvs.delete('doc:8');
SELECT kvs.commit('second') IS NOT NULL AS committed;

CREATE TEMP TABLE whole AS SELECT n, part FROM kvs.export_bundle('bundles') WITH ORDINALITY AS b(part, n);
CREATE TEMP TABLE increment AS SELECT n, part FROM kvs.export_bundle('HEAD', since => 'bundles-1') WITH ORDINALITY AS b(part, n);

-- Parts are of about a megabyte; an increment is small.
SELECT count(*) AS parts, bool_and(length(part) < 3000000) AS bounded, bool_and(part BETWEEN 'kvs bundle' AND 'kvs bundlf') AS magic FROM whole;
SELECT count(*) AS parts, sum(length(part)) < 20000 AS small FROM increment;
-- Rows stream.
SELECT length(part) > 1000000 AS large FROM kvs.export_bundle('bundles') AS part LIMIT 1;
-- The same commits make the same bundle.
SELECT bool_and(w.part = b.part) FROM whole AS w JOIN kvs.export_bundle('bundles') WITH ORDINALITY AS b(part, n) USING (n);

-- Into a store that has all of it nothing comes but a name.
SELECT kvs.import_bundle((SELECT array_agg(part ORDER BY n) FROM whole)) = kvs.rev_parse('bundles') AS same;
SELECT name, remote, branch, message, head = kvs.rev_parse('bundles') AS same FROM kvs.remote_branches WHERE remote = 'bundle';
SELECT kvs.rev_parse('bundle/bundles~1') = kvs.rev_parse('bundles-1') AS resolves;
SELECT kvs.rev_parse('bundle/bundles@{0}');
SELECT kvs.rev_parse('bundle/nothing');

-- What an import answers, or its error.
CREATE FUNCTION pg_temp.state(parts bytea[]) RETURNS text LANGUAGE plpgsql AS $$
BEGIN
    RETURN kvs.import_bundle(parts) IS NOT NULL;
EXCEPTION WHEN OTHERS THEN
    RETURN SQLSTATE || ' ' || regexp_replace(SQLERRM, '[0-9a-f]{64}', 'HASH');
END
$$;

-- Into one that has nothing of it: the rows are taken away first, which nobody but the owner can do.
CREATE FUNCTION pg_temp.forget() RETURNS text LANGUAGE SQL AS $$
    DELETE FROM _kvs.remote_ref WHERE remote = 'bundle';
    DELETE FROM _kvs.tag WHERE name = 'bundles-1';
    DELETE FROM _kvs.commit WHERE message IN ('first', 'second') AND hash IN (SELECT decode(hash, 'hex') FROM kvs.log('bundles'));
    DELETE FROM _kvs.branch WHERE name = 'bundles';
    DELETE FROM _kvs.chunk;
    DELETE FROM _kvs.pack;
    SELECT 'forgotten'
$$;
BEGIN;
SELECT kvs.switch_branch('main');
SELECT root AS root FROM kvs.log('bundles') LIMIT 1 \gset
SELECT pg_temp.forget();
SELECT pg_temp.state(array_agg(part ORDER BY n)) FROM increment;
SELECT kvs.import_bundle(array_agg(part ORDER BY n)) IS NOT NULL AS imported FROM whole;
SELECT message, root = :'root' AS same FROM kvs.log('bundle/bundles') LIMIT 1;
SELECT message FROM kvs.log('bundle/bundles');
SELECT kvs.create_branch('bundles', 'bundle/bundles');
SELECT kvs.get('doc:7', branch => 'bundles'), kvs.get('doc:8', branch => 'bundles'), kvs.get('doc:9', branch => 'bundles'),
       length(kvs.get('large:2', branch => 'bundles')::text), kvs.count_keys(branch => 'bundles');
SELECT version, op FROM kvs.history('doc:7', branch => 'bundles');
SELECT kvs.import_bundle(array_agg(part ORDER BY n)) = kvs.rev_parse('bundle/bundles') AS same FROM increment;
-- Writing goes on above the versions that came.
SELECT kvs.put('doc:7', '"mine"', branch => 'bundles'), kvs.put('doc:8', '"again"', branch => 'bundles'), kvs.put('doc:9', '9', branch => 'bundles');
ROLLBACK;

-- The increment alone suffices where its prerequisite is.
BEGIN;
SELECT kvs.switch_branch('main');
DELETE FROM _kvs.remote_ref WHERE remote = 'bundle';
DELETE FROM _kvs.chunk WHERE hash = (SELECT decode(root, 'hex') FROM kvs.log('bundles') LIMIT 1);
DELETE FROM _kvs.commit WHERE hash = (SELECT head FROM _kvs.branch WHERE name = 'bundles');
DELETE FROM _kvs.branch WHERE name = 'bundles';
SELECT kvs.import_bundle(array_agg(part ORDER BY n)) IS NOT NULL AS imported FROM increment;
SELECT kvs.get('doc:7', as_of => 'bundle/bundles');
ROLLBACK;

-- What an export of other refs is called.
BEGIN;
SELECT kvs.import_bundle(ARRAY(SELECT kvs.export_bundle('bundles-1'))) = kvs.get_tag('bundles-1') AS same;
SELECT kvs.import_bundle(ARRAY(SELECT kvs.export_bundle('HEAD~1'))) = kvs.get_tag('bundles-1') AS same;
SELECT regexp_replace(name, '[0-9a-f]{64}', 'HASH') AS name, message FROM kvs.remote_branches WHERE remote = 'bundle' ORDER BY 1;
-- The initial commit, which every store has, and an increment with nothing in it.
SELECT kvs.import_bundle(ARRAY(SELECT kvs.export_bundle(encode(_kvs.initial_commit(), 'hex')))) = encode(_kvs.initial_commit(), 'hex') AS initial;
SELECT kvs.import_bundle(ARRAY(SELECT kvs.export_bundle('bundles', 'bundles'))) = kvs.rev_parse('bundles') AS nothing_new;
ROLLBACK;

-- Parts that are not as they were.
\set VERBOSITY terse
SELECT pg_temp.state(array_agg(part ORDER BY n)) FROM whole WHERE n < (SELECT max(n) FROM whole);
SELECT pg_temp.state(array_agg(part ORDER BY n DESC)) FROM whole;
SELECT pg_temp.state(array_agg(part ORDER BY n)) FROM whole WHERE n > 1;
SELECT pg_temp.state(array_agg(part ORDER BY n)) FROM (SELECT n, part FROM whole WHERE n = 1 UNION ALL SELECT n + 1, part FROM increment) AS mixed;
SELECT pg_temp.state(array_agg(part ORDER BY n) || '\x00'::bytea) FROM whole;
SELECT pg_temp.state('{}'), pg_temp.state(ARRAY['\x'::bytea]), pg_temp.state(ARRAY['kvs bundle'::bytea]);
SELECT pg_temp.state(ARRAY[set_byte(part, 10, 2)]) FROM increment;
SELECT DISTINCT pg_temp.state(ARRAY[set_byte(part, i, get_byte(part, i) # 1)])
FROM increment, generate_series(11, length(part) - 1, 41) AS i ORDER BY 1;
-- Whoever can make a digest can make a part, but neither a chunk nor a commit that is not what it says.
CREATE FUNCTION pg_temp.forged(content bytea) RETURNS bytea LANGUAGE SQL AS $$
    SELECT whole || sha256('kvs bundle part'::bytea || decode(repeat('00', 32), 'hex') || whole)
    FROM (SELECT 'kvs bundle'::bytea || '\x0100'::bytea || content AS whole) AS b
$$;
SELECT pg_temp.state(ARRAY[pg_temp.forged('\x0203004142'::bytea)]);
SELECT pg_temp.state(ARRAY[pg_temp.forged('\x02020341'::bytea)]);
SELECT pg_temp.state(ARRAY[pg_temp.forged('\x03024142'::bytea)]);
SELECT pg_temp.state(ARRAY[pg_temp.forged('\x0404'::bytea || 'main'::bytea || sha256('no commit'))]);
SELECT pg_temp.state(ARRAY[pg_temp.forged('\x0404'::bytea || 'a..b'::bytea || _kvs.initial_commit())]);
SELECT pg_temp.state(ARRAY[pg_temp.forged('\x01'::bytea || sha256('no commit') || '\x0404'::bytea || 'main'::bytea || sha256('no commit'))]);

-- Arguments.
SELECT kvs.export_bundle(NULL);
SELECT kvs.export_bundle('WORKING');
SELECT kvs.export_bundle('nothing');
SELECT kvs.export_bundle('HEAD', 'nothing');
SELECT kvs.import_bundle(NULL);
SELECT kvs.import_bundle(ARRAY[NULL]::bytea[]);
BEGIN READ ONLY;
SELECT kvs.import_bundle('{}');
ROLLBACK;

-- A chunk that is damaged is not exported.
BEGIN;
UPDATE _kvs.chunk SET body = set_byte(body, length(body) - 1, get_byte(body, length(body) - 1) # 1) WHERE length(body) > 100000;
\set VERBOSITY sqlstate
SELECT count(*) FROM kvs.export_bundle('bundles');
ROLLBACK;
\set VERBOSITY default

-- Readers may export, writers import.
CREATE ROLE regress_kvs_bundles;
SET ROLE regress_kvs_bundles;
SELECT kvs.export_bundle('bundles');
SELECT kvs.import_bundle('{}');
RESET ROLE;
GRANT SELECT ON kvs.entries TO regress_kvs_bundles;
SET ROLE regress_kvs_bundles;
SELECT count(*) FROM kvs.export_bundle('bundles', 'bundles-1');
SELECT kvs.import_bundle('{}');
RESET ROLE;
REVOKE SELECT ON kvs.entries FROM regress_kvs_bundles;
DROP ROLE regress_kvs_bundles;

DROP TABLE whole, increment;
RESET kvs.branch;
DELETE FROM _kvs.remote_ref;
SELECT severity, type, detail FROM kvs.check() WHERE severity = 'error';

-- What was packed is exported like what was not: what a commit compressed in haste is compressed anew.
SELECT kvs.create_branch('bundles-packed', encode(_kvs.initial_commit(), 'hex')) IS NOT NULL AS made;
SET kvs.branch = 'bundles-packed';
DO $$ BEGIN
    FOR c IN 1 .. 6 LOOP
        PERFORM count(kvs.put('packed:' || i, jsonb_build_object('n', i, 'c', c))) FROM generate_series(c, 300, 7) AS i;
        PERFORM kvs.put('packed:large', to_jsonb(repeat('large ' || c || ' ', 2000)));
        PERFORM kvs.commit('p ' || c);
    END LOOP;
END $$;
CREATE TEMP TABLE unpacked AS SELECT n, part FROM kvs.export_bundle('bundles-packed~1') WITH ORDINALITY AS b(part, n);
BEGIN;
SELECT chunks_rewritten > 0 AS packed FROM kvs.repack();
CREATE TEMP TABLE packed AS SELECT n, part FROM kvs.export_bundle('bundles-packed~1') WITH ORDINALITY AS b(part, n);
SELECT (SELECT sum(length(part)) FROM packed) = (SELECT sum(length(part)) FROM unpacked) AS same_size;
-- Here is all of it, in packs.
SELECT kvs.import_bundle(array_agg(part ORDER BY n)) = kvs.rev_parse('bundles-packed~1') AS same FROM unpacked;
SELECT count(*) FROM kvs.check() WHERE severity = 'error';
SELECT root AS root FROM kvs.log('bundles-packed~1') LIMIT 1 \gset
DELETE FROM _kvs.remote_ref WHERE remote = 'bundle';
DELETE FROM _kvs.commit WHERE message ~ '^p [1-6]$';
DELETE FROM _kvs.branch WHERE name = 'bundles-packed';
DELETE FROM _kvs.chunk;
DELETE FROM _kvs.pack;
SELECT kvs.switch_branch('main') IS NOT NULL AS switched;
SELECT kvs.import_bundle(array_agg(part ORDER BY n)) IS NOT NULL AS imported FROM packed;
SELECT name AS imported FROM kvs.remote_branches WHERE remote = 'bundle' \gset
SELECT root = :'root' AS same_root, count(*) OVER () AS commits FROM kvs.log(:'imported') LIMIT 1;
SELECT count(*) FROM kvs.scan(as_of => :'imported' || '~2');
ROLLBACK;
SET kvs.branch = 'bundles';
SELECT kvs.delete_branch('bundles-packed', force => true) IS NOT NULL AS gone;

-- Dictionaries and deltas: chunks are stored in other ways, and nothing that can be read changes.
CREATE FUNCTION pg_temp.codec(address bytea) RETURNS int LANGUAGE sql AS $$
    SELECT get_byte(body, 0) FROM _kvs.chunk WHERE hash = address;
$$;
CREATE FUNCTION pg_temp.root(ref text, tree text DEFAULT 'data_root') RETURNS bytea LANGUAGE sql AS $$
    SELECT decode(kvs.inspect_commit(ref)->>tree, 'hex');
$$;
-- The address of the blob under comp:blob in a commit, found past every cache.
CREATE FUNCTION pg_temp.blob(ref text) RETURNS bytea LANGUAGE sql AS $$
    WITH RECURSIVE below AS (
        SELECT kvs.dump_object(kvs.inspect_commit(ref)->>'data_root') AS node
        UNION ALL
        SELECT kvs.dump_object(child.hash)
        FROM below, LATERAL (SELECT i->>'child' AS hash FROM jsonb_array_elements(node->'items') WITH ORDINALITY AS e(i, n)
                             WHERE i ? 'child' AND i->>'last_key' >= 'comp:blob' COLLATE "C" ORDER BY n LIMIT 1) AS child
    )
    SELECT decode(i->>'blob', 'hex') FROM below, jsonb_array_elements(node->'items') AS i WHERE i->>'key' = 'comp:blob';
$$;
-- How many nodes of the trees of a commit are deltas.
CREATE FUNCTION pg_temp.deltas_in(ref text) RETURNS bigint LANGUAGE sql AS $$
    WITH RECURSIVE below(hash) AS (
        SELECT c->>tree FROM kvs.inspect_commit(ref) AS c, unnest(ARRAY['data_root', 'meta_root']) AS tree
        UNION
        SELECT i->>'child' FROM below, kvs.dump_object(below.hash) AS o, jsonb_array_elements(o->'items') AS i WHERE i ? 'child'
    )
    SELECT count(*) FROM below WHERE pg_temp.codec(decode(hash, 'hex')) = 3;
$$;
-- The SQLSTATE and the message, without addresses.
CREATE FUNCTION pg_temp.error_of(query text) RETURNS text LANGUAGE plpgsql AS $$
BEGIN
    EXECUTE query;
    RETURN 'no error';
EXCEPTION WHEN OTHERS THEN
    RETURN SQLSTATE || ' ' || regexp_replace(SQLERRM, '[0-9a-f]{64}', 'HASH', 'g');
END
$$;
CREATE FUNCTION pg_temp.errors() RETURNS TABLE (type text, detail text, count bigint) LANGUAGE sql AS $$
    SELECT type, regexp_replace(detail, '[0-9a-f]{64}', 'HASH', 'g'), count(*)
    FROM kvs.check() WHERE severity = 'error' GROUP BY 1, 2 ORDER BY 1, 2;
$$;
-- Deltas: what they stand on, and their depths.
CREATE FUNCTION pg_temp.deltas() RETURNS TABLE (hash bytea, base bytea, depth int) LANGUAGE sql AS $$
    SELECT hash, substring(body FROM 2 FOR 32), get_byte(body, 33) FROM _kvs.chunk WHERE get_byte(body, 0) = 3;
$$;
-- How many deltas break the rule that depths descend from 32 to what is whole.
CREATE FUNCTION pg_temp.wrong_depths() RETURNS bigint LANGUAGE sql AS $$
    SELECT count(*) FROM pg_temp.deltas() AS d LEFT JOIN _kvs.chunk AS b ON b.hash = d.base
    WHERE b.hash IS NULL OR d.depth NOT BETWEEN 1 AND 32
       OR CASE WHEN get_byte(b.body, 0) = 3 THEN get_byte(b.body, 33) ELSE 0 END >= d.depth;
$$;
-- Everything that can be read at each commit of the branch.
CREATE FUNCTION pg_temp.contents() RETURNS TABLE (commit text, root text, contents text) LANGUAGE sql AS $$
    SELECT l.hash, l.root, (SELECT md5(string_agg(concat_ws(' ', s.key, s.version, s.value, s.updated_at), ',' ORDER BY s.key))
                            FROM kvs.scan(as_of => l.hash) AS s)
    FROM kvs.log('comp') AS l;
$$;
-- Commits one in twenty of the documents anew, and a large document with a small change.
CREATE PROCEDURE pg_temp.work(first int, last int) LANGUAGE plpgsql AS $$
BEGIN
    FOR c IN first .. last LOOP
        PERFORM kvs.mput(array_agg('comp:' || lpad(i::text, 5, '0')), array_agg(jsonb_build_object('n', i, 'token', md5(c || ' ' || i), 'kind', 'changed document')))
        FROM generate_series(1 + c % 20, 4000, 20) AS i;
        PERFORM kvs.put('comp:blob', to_jsonb((SELECT string_agg(md5(CASE WHEN i = c THEN -c ELSE i END::text), ' ') FROM generate_series(1, 300) AS i)));
        PERFORM kvs.commit('c ' || c);
    END LOOP;
END
$$;

SELECT kvs.create_branch('comp', encode(_kvs.initial_commit(), 'hex'));
SET kvs.branch = 'comp';
SET kvs.bulk_log_threshold = 1;
SELECT kvs.import($$SELECT 'comp:' || lpad(i::text, 5, '0'), jsonb_build_object('n', i, 'token', md5(i::text), 'kind', 'first document') FROM generate_series(1, 4000) AS i$$, message => 'base');
RESET kvs.bulk_log_threshold;
CALL pg_temp.work(1, 5);

-- Training. What is stored stays as it is; new chunks use the dictionary, since it pays.
SELECT chunk_class, samples > 48 AS samples, bytes_with < bytes_without * 0.9 AS pays, dictionary_id IS NOT NULL AS in_use
FROM kvs.train_dictionaries() WHERE chunk_class = 'leaf';
SELECT bool_and((bytes_with <= bytes_without * 0.9) = (dictionary_id IS NOT NULL)) AS used_where_it_pays,
       count(*) FILTER (WHERE chunk_class = 'leaf' AND dictionary_id IS NOT NULL) AS leaf_again
FROM kvs.train_dictionaries();
SELECT count(*) FROM _kvs.chunk WHERE get_byte(body, 0) IN (2, 3);
CALL pg_temp.work(6, 12);
SELECT count(*) > 100 AS with_dictionary FROM _kvs.chunk WHERE get_byte(body, 0) = 2;
SELECT count(*) AS unknown_dictionary FROM _kvs.chunk
WHERE get_byte(body, 0) = 2 AND get_byte(body, 1) + (get_byte(body, 2) << 8) NOT IN (SELECT id FROM _kvs.dictionary);
-- Level 0 still stores chunks raw.
BEGIN;
SET LOCAL kvs.compression_level = 0;
CREATE TEMP TABLE before ON COMMIT DROP AS SELECT hash FROM _kvs.chunk;
CALL pg_temp.work(13, 13);
SELECT DISTINCT get_byte(body, 0) FROM _kvs.chunk WHERE hash NOT IN (SELECT hash FROM before);
ROLLBACK;

SELECT kvs.create_tag('comp-tag', 'comp~6') IS NOT NULL AS tagged;
CREATE TEMP TABLE expected AS SELECT * FROM pg_temp.contents();
CREATE TEMP TABLE sizes AS SELECT sum(octet_length(body)) AS bytes, count(*) AS chunks FROM _kvs.chunk;

-- Repacking, in steps.
SELECT * FROM kvs.repack(0);
SELECT chunks_rewritten, bytes_after < bytes_before * 0.6 AS smaller FROM kvs.repack(5);
SELECT count(*) FROM pg_temp.deltas();
SELECT chunks_rewritten > 200 AS rewritten, bytes_after < bytes_before / 3 AS smaller FROM kvs.repack();
SELECT * FROM kvs.repack();
SELECT sum(octet_length(body)) < s.bytes * 0.9 AS smaller, count(*) = s.chunks AS as_many FROM _kvs.chunk, sizes AS s GROUP BY s.bytes, s.chunks;
SELECT pg_temp.wrong_depths();
-- What history alone needs is a delta, also blobs; what a branch or a tag has is whole.
SELECT ref, pg_temp.deltas_in(ref) > 0 AS nodes, pg_temp.codec(pg_temp.blob(ref)) = 3 AS blob
FROM unnest(ARRAY['comp', 'comp~1', 'comp~5', 'comp-tag', 'comp~10']) WITH ORDINALITY AS r(ref, n) ORDER BY n;
SELECT * FROM pg_temp.errors();

-- Read by this session, and by one that has nothing cached.
SELECT count(*), count(*) FILTER (WHERE c IS DISTINCT FROM e) AS different
FROM pg_temp.contents() AS c FULL JOIN expected AS e USING (commit);
CREATE TABLE public.kvs_comp_expected AS SELECT * FROM expected;
SELECT kvs.get('comp:blob', as_of => 'comp~11')->>0 = kvs.get('comp:blob', as_of => 'comp~10')->>0 AS same;

-- The next run goes on at the near end of the chains, and rewrites no delta.
CREATE TEMP TABLE deltas AS SELECT hash, body FROM _kvs.chunk WHERE get_byte(body, 0) = 3;
CALL pg_temp.work(13, 16);
SELECT chunks_rewritten > 100 AS rewritten FROM kvs.repack();
SELECT count(*) FROM deltas AS d JOIN _kvs.chunk AS c USING (hash) WHERE c.body <> d.body;
SELECT pg_temp.wrong_depths();
SELECT pg_temp.codec(pg_temp.blob('comp~4')) = 3 AS head_of_before;
SELECT * FROM pg_temp.errors();
SELECT count(*), count(*) FILTER (WHERE c.contents IS DISTINCT FROM e.contents OR c.root <> e.root) AS different
FROM pg_temp.contents() AS c JOIN expected AS e USING (commit);
-- The old contents again: the tree is the same one, whose chunks are there.
BEGIN;
SELECT sum(v) > 0 AS written FROM (SELECT kvs.put(key, value) AS v FROM kvs.scan(as_of => 'comp~3')) AS w;
SELECT kvs.commit('as it was') IS NOT NULL AS made;
SELECT root = encode(pg_temp.root('comp~4'), 'hex') AS same_root FROM kvs.log('comp') LIMIT 1;
SELECT count(*) FROM kvs.repack();
SELECT pg_temp.wrong_depths();
SELECT * FROM pg_temp.errors();
ROLLBACK;
-- A repacking that is rolled back has not been.
SELECT kvs.put('comp:00001', '"one more"') > 0 AS written, kvs.commit('one more') IS NOT NULL AS made;
SELECT count(*) AS deltas FROM pg_temp.deltas() \gset
BEGIN;
SELECT chunks_rewritten > 0 AS rewritten FROM kvs.repack();
ROLLBACK;
SELECT count(*) - :deltas AS more FROM pg_temp.deltas();
BEGIN ISOLATION LEVEL SERIALIZABLE;
SELECT chunks_rewritten > 0 AS rewritten FROM kvs.repack();
COMMIT;
SELECT count(*) > :deltas AS more FROM pg_temp.deltas();

-- A history longer than a chain may be: a chunk in between stays whole, and a new chain begins.
DO $$ BEGIN
    FOR c IN 1 .. 40 LOOP
        PERFORM kvs.put('comp:blob', to_jsonb((SELECT string_agg(md5(CASE WHEN i = c THEN 1000 + c ELSE i END::text), ' ') FROM generate_series(1, 300) AS i)));
        PERFORM kvs.commit('long ' || c);
    END LOOP;
END $$;
CREATE TEMP TABLE long AS
SELECT n, pg_temp.blob('comp~' || n) AS hash, md5(kvs.get('comp:blob', as_of => 'comp~' || n)::text) AS contents FROM generate_series(0, 39) AS n;
SELECT chunks_rewritten > 40 AS rewritten FROM kvs.repack();
SELECT max(depth) AS deepest, count(depth) BETWEEN 36 AND 38 AS deltas, count(*) - count(depth) BETWEEN 2 AND 4 AS whole,
       count(*) FILTER (WHERE md5(kvs.get('comp:blob', as_of => 'comp~' || n)::text) <> contents) AS different
FROM long LEFT JOIN pg_temp.deltas() AS d USING (hash);
SELECT pg_temp.wrong_depths();
SELECT * FROM pg_temp.errors();

-- What is said of it.
SELECT bool_and((c.value->>'raw_bytes')::bigint >= (c.value->>'stored_bytes')::bigint - (c.value->>'objects')::bigint) AS smaller,
       count(*) FILTER (WHERE c.key IN ('delta', 'dictionary', 'zstd')) AS codecs,
       sum((c.value->>'objects')::bigint) = (s->'compression'->>'objects')::bigint AS objects,
       sum((c.value->>'raw_bytes')::bigint) = (s->'compression'->>'raw_bytes')::bigint AS raw_bytes,
       sum((c.value->>'stored_bytes')::bigint) = (s->'compression'->>'stored_bytes')::bigint AS stored_bytes
FROM kvs.stats() AS s, jsonb_each(s->'compression'->'codecs') AS c GROUP BY s;
SELECT d->>'class' AS class, (d->>'bytes')::int > 1000 AS bytes, (d->>'saving')::numeric >= 0.1 AS saving, d->'in_use' AS in_use
FROM kvs.stats() AS s, jsonb_array_elements(s->'compression'->'dictionaries') AS d WHERE d->>'class' = 'leaf';

-- Damage: a base that is gone. It is told once, and by whoever needs it.
BEGIN;
DELETE FROM _kvs.chunk WHERE hash = (SELECT base FROM pg_temp.deltas() WHERE hash = pg_temp.blob('comp~9'));
SELECT pg_temp.error_of($$SELECT kvs.get('comp:blob', as_of => 'comp~9')$$);
SELECT type, count(*) FROM pg_temp.errors() GROUP BY 1;
ROLLBACK;
BEGIN;
CREATE TEMP TABLE leaf ON COMMIT DROP AS
SELECT d.hash, d.base FROM pg_temp.deltas() AS d, kvs.dump_object(encode(d.hash, 'hex')) AS o
WHERE o->>'object' = 'data leaf' ORDER BY d.depth DESC, d.hash LIMIT 1;
DELETE FROM _kvs.chunk WHERE hash = (SELECT base FROM leaf);
SELECT type, count(*) FROM pg_temp.errors() GROUP BY 1;
SELECT pg_temp.error_of(format('SELECT kvs.dump_object(%L)', encode(hash, 'hex'))) FROM leaf;
ROLLBACK;
-- A chain that comes back to itself, one that does not descend, one that is too deep.
BEGIN;
UPDATE _kvs.chunk SET body = overlay(body PLACING hash FROM 2 FOR 32) WHERE hash = pg_temp.blob('comp~9');
SELECT pg_temp.error_of($$SELECT kvs.get('comp:blob', as_of => 'comp~9')$$);
SELECT type, count > 0 AS found FROM pg_temp.errors() WHERE detail ~ 'do not descend';
ROLLBACK;
BEGIN;
UPDATE _kvs.chunk SET body = set_byte(body, 33, 1) WHERE hash = pg_temp.blob('comp~9');
SELECT pg_temp.error_of($$SELECT kvs.get('comp:blob', as_of => 'comp~9')$$);
UPDATE _kvs.chunk SET body = set_byte(body, 33, 33) WHERE hash = pg_temp.blob('comp~9');
SELECT pg_temp.error_of($$SELECT kvs.get('comp:blob', as_of => 'comp~9')$$);
UPDATE _kvs.chunk SET body = set_byte(body, 33, 0) WHERE hash = pg_temp.blob('comp~9');
SELECT pg_temp.error_of($$SELECT kvs.get('comp:blob', as_of => 'comp~9')$$);
ROLLBACK;
-- A base that is another chunk.
BEGIN;
UPDATE _kvs.chunk SET body = overlay(body PLACING pg_temp.root('comp') FROM 2 FOR 32) WHERE hash = pg_temp.blob('comp~9');
SELECT pg_temp.error_of($$SELECT kvs.get('comp:blob', as_of => 'comp~9')$$) ~ '^XX001 chunk HASH (is damaged|does not hash)' AS found;
SELECT type, count > 0 AS found FROM pg_temp.errors() WHERE type = 'corrupt_object' LIMIT 1;
ROLLBACK;
-- A dictionary that nobody trained, and one that is garbage.
BEGIN;
CREATE TEMP TABLE with_dictionary ON COMMIT DROP AS
SELECT hash FROM _kvs.chunk WHERE get_byte(body, 0) = 2 ORDER BY hash LIMIT 1;
UPDATE _kvs.chunk SET body = overlay(body PLACING '\xffffff7f'::bytea FROM 2 FOR 4) WHERE hash = (SELECT hash FROM with_dictionary);
SELECT pg_temp.error_of(format('SELECT kvs.dump_object(%L)', encode(hash, 'hex'))) FROM with_dictionary;
SELECT DISTINCT type, substring(detail FROM 'dictionary \d+ is missing') AS detail FROM pg_temp.errors() WHERE detail ~ 'dictionary';
UPDATE _kvs.chunk SET body = overlay(body PLACING '\xffffffff'::bytea FROM 2 FOR 4) WHERE hash = (SELECT hash FROM with_dictionary);
SELECT pg_temp.error_of(format('SELECT kvs.dump_object(%L)', encode(hash, 'hex'))) FROM with_dictionary;
ROLLBACK;
-- What a delta stands on is no orphan, though nothing else refers to it: a delta by hand, which holds all of its chunk.
BEGIN;
CREATE TEMP TABLE planted ON COMMIT DROP AS
SELECT sha256('kvs chunk'::bytea || raw) AS hash, raw FROM (VALUES ('\x01ff62617365'::bytea), ('\x01ff64656c7461'::bytea)) AS v(raw);
INSERT INTO _kvs.chunk SELECT hash, '\x00'::bytea || raw FROM planted WHERE raw = '\x01ff62617365';
SELECT count(*) FROM kvs.check() AS c JOIN planted AS p ON c.object = encode(p.hash, 'hex') WHERE c.type = 'orphaned_object';
INSERT INTO _kvs.chunk
SELECT d.hash, '\x03'::bytea || b.hash || '\x0107000000'::bytea || '\x2007390000'::bytea || d.raw
FROM planted AS d, planted AS b WHERE d.raw = '\x01ff64656c7461' AND b.raw = '\x01ff62617365';
SELECT c.type, p.raw FROM kvs.check() AS c JOIN planted AS p ON c.object = encode(p.hash, 'hex');
ROLLBACK;

-- Arguments and privileges.
SELECT pg_temp.error_of('SELECT kvs.repack(-1)');
BEGIN READ ONLY;
SELECT pg_temp.error_of('SELECT kvs.repack()');
SELECT pg_temp.error_of('SELECT kvs.train_dictionaries()');
ROLLBACK;
SET kvs.as_of = 'comp~1';
SELECT pg_temp.error_of('SELECT kvs.repack()');
RESET kvs.as_of;
CREATE ROLE regress_kvs_comp;
GRANT SELECT, INSERT ON kvs.entries TO regress_kvs_comp;
SET ROLE regress_kvs_comp;
SELECT * FROM kvs.repack();
SELECT * FROM kvs.train_dictionaries();
RESET ROLE;
GRANT UPDATE, DELETE ON kvs.entries TO regress_kvs_comp;
SET ROLE regress_kvs_comp;
SELECT chunks_rewritten FROM kvs.repack();
SELECT count(*) > 0 AS trained FROM kvs.train_dictionaries();
RESET ROLE;
REVOKE ALL ON kvs.entries FROM regress_kvs_comp;
DROP ROLE regress_kvs_comp;

-- A new session: every chunk is decoded anew.
\c -
SELECT count(*), count(*) FILTER (WHERE e.contents IS DISTINCT FROM
    (SELECT md5(string_agg(concat_ws(' ', s.key, s.version, s.value, s.updated_at), ',' ORDER BY s.key)) FROM kvs.scan(as_of => e.commit) AS s)) AS different
FROM public.kvs_comp_expected AS e;
SELECT severity, type, detail FROM kvs.check() WHERE severity = 'error';
DROP TABLE public.kvs_comp_expected;

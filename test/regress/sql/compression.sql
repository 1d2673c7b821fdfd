-- Dictionaries and packs: chunks are stored in other ways, and nothing that can be read changes.
-- What a pack has of an address.
CREATE FUNCTION pg_temp.prefix(address bytea) RETURNS bigint LANGUAGE sql AS $$
    SELECT ('x' || encode(substring(address FROM 1 FOR 8), 'hex'))::bit(64)::bigint;
$$;
CREATE FUNCTION pg_temp.pack_of(address bytea) RETURNS bigint LANGUAGE sql AS $$
    SELECT id FROM _kvs.pack WHERE addresses @> ARRAY[pg_temp.prefix(address)];
$$;
CREATE FUNCTION pg_temp.is_packed(address bytea) RETURNS boolean LANGUAGE sql AS $$
    SELECT pg_temp.pack_of(address) IS NOT NULL AND NOT EXISTS (SELECT FROM _kvs.chunk WHERE hash = address);
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
-- How many nodes of the trees of a commit are in packs, and nowhere else.
CREATE FUNCTION pg_temp.packed_in(ref text) RETURNS bigint LANGUAGE sql AS $$
    WITH RECURSIVE below(hash) AS (
        SELECT c->>tree FROM kvs.inspect_commit(ref) AS c, unnest(ARRAY['data_root', 'meta_root']) AS tree
        UNION
        SELECT i->>'child' FROM below, kvs.dump_object(below.hash) AS o, jsonb_array_elements(o->'items') AS i WHERE i ? 'child'
    )
    SELECT count(*) FROM below WHERE pg_temp.is_packed(decode(hash, 'hex'));
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
SELECT count(*) FROM _kvs.chunk WHERE get_byte(body, 0) = 2;
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
SELECT chunks_rewritten FROM kvs.repack(5);
SELECT sum(cardinality(addresses)) FROM _kvs.pack;
SELECT chunks_rewritten > 200 AS rewritten, bytes_after < bytes_before / 3 AS smaller FROM kvs.repack();
SELECT * FROM kvs.repack();
SELECT is_complete, cardinality(frontier) > 0 AS taken FROM _kvs.repacking ORDER BY at DESC LIMIT 1;
SELECT c.bytes + p.bytes < s.bytes * 0.9 AS smaller, c.chunks + p.chunks = s.chunks AS as_many
FROM (SELECT sum(octet_length(body)) AS bytes, count(*) AS chunks FROM _kvs.chunk) AS c,
     (SELECT sum(octet_length(body)) AS bytes, sum(cardinality(addresses)) AS chunks FROM _kvs.pack) AS p, sizes AS s;
-- What history alone needs is packed, also blobs; what a branch or a tag has is not.
SELECT ref, pg_temp.packed_in(ref) > 0 AS nodes, pg_temp.is_packed(pg_temp.blob(ref)) AS blob
FROM unnest(ARRAY['comp', 'comp~1', 'comp~5', 'comp-tag', 'comp~10']) WITH ORDINALITY AS r(ref, n) ORDER BY n;
SELECT count(DISTINCT pg_temp.pack_of(pg_temp.blob('comp~' || n))) AS packs_of_a_blob FROM generate_series(1, 11) AS n WHERE n <> 6;
SELECT * FROM pg_temp.errors();

-- Read by this session, and by one that has nothing cached.
SELECT count(*), count(*) FILTER (WHERE c IS DISTINCT FROM e) AS different
FROM pg_temp.contents() AS c FULL JOIN expected AS e USING (commit);
CREATE TABLE public.kvs_comp_expected AS SELECT * FROM expected;
SELECT kvs.get('comp:blob', as_of => 'comp~11')->>0 = kvs.get('comp:blob', as_of => 'comp~10')->>0 AS same;

-- The next run puts new versions behind those that are there, as long as there is room.
CREATE TEMP TABLE packs AS SELECT id, addresses FROM _kvs.pack;
CALL pg_temp.work(13, 16);
SELECT chunks_rewritten > 100 AS rewritten FROM kvs.repack();
SELECT count(*) FILTER (WHERE p.id IS NULL OR p.addresses[:cardinality(b.addresses)] <> b.addresses) AS lost,
       count(*) FILTER (WHERE cardinality(p.addresses) > cardinality(b.addresses)) > 50 AS grown
FROM packs AS b LEFT JOIN _kvs.pack AS p USING (id);
SELECT pg_temp.is_packed(pg_temp.blob('comp~4')) AS head_of_before,
       pg_temp.pack_of(pg_temp.blob('comp~4')) = pg_temp.pack_of(pg_temp.blob('comp~5')) AS behind_the_others;
SELECT * FROM pg_temp.errors();
SELECT count(*), count(*) FILTER (WHERE c.contents IS DISTINCT FROM e.contents OR c.root <> e.root) AS different
FROM pg_temp.contents() AS c JOIN expected AS e USING (commit);
-- The old contents again: the tree is the same one, and its chunks are stored once more, because they are needed.
CREATE FUNCTION pg_temp.twice() RETURNS bigint LANGUAGE sql AS $$
    SELECT count(*) FROM _kvs.chunk AS c JOIN (SELECT unnest(addresses) AS prefix FROM _kvs.pack) AS p ON p.prefix = pg_temp.prefix(c.hash);
$$;
SELECT pg_temp.twice();
SELECT sum(v) > 0 AS written FROM (SELECT kvs.put(key, value) AS v FROM kvs.scan(as_of => 'comp~3')) AS w;
SELECT kvs.commit('as it was') IS NOT NULL AS made;
SELECT root = encode(pg_temp.root('comp~4'), 'hex') AS same_root FROM kvs.log('comp') LIMIT 1;
SELECT pg_temp.twice() > 20 AS needed_again;
SELECT count(*) FROM kvs.repack();
SELECT pg_temp.twice() > 20 AS still_needed;
SELECT * FROM pg_temp.errors();
CALL pg_temp.work(17, 18);
CREATE TEMP TABLE again AS SELECT * FROM pg_temp.contents();
-- Cold again: the copies that are rows go.
SELECT pg_temp.twice() AS twice \gset
SELECT chunks_rewritten > 100 AS rewritten FROM kvs.repack();
SELECT pg_temp.twice() < :twice AS fewer;
SELECT * FROM pg_temp.errors();
SELECT count(*), count(*) FILTER (WHERE c IS DISTINCT FROM e) AS different FROM pg_temp.contents() AS c FULL JOIN again AS e USING (commit);
-- A repacking that is rolled back has not been.
SELECT kvs.put('comp:00001', '"one more"') > 0 AS written, kvs.commit('one more') IS NOT NULL AS made;
SELECT sum(cardinality(addresses)) AS members FROM _kvs.pack \gset
BEGIN;
SELECT chunks_rewritten > 0 AS rewritten FROM kvs.repack();
ROLLBACK;
SELECT sum(cardinality(addresses)) - :members AS more FROM _kvs.pack;
BEGIN ISOLATION LEVEL SERIALIZABLE;
SELECT chunks_rewritten > 0 AS rewritten FROM kvs.repack();
COMMIT;
SELECT sum(cardinality(addresses)) > :members AS more FROM _kvs.pack;
-- Reading packs takes no predicate locks.
BEGIN ISOLATION LEVEL SERIALIZABLE;
SELECT count(*) > 0 AS read FROM kvs.scan(as_of => 'comp~9');
SELECT length(kvs.get('comp:blob', as_of => 'comp~9')::text) > 1000 AS read;
SELECT DISTINCT relation::regclass FROM pg_locks WHERE mode = 'SIReadLock' AND relation::regclass::text ~ 'pack|chunk';
COMMIT;

-- A history longer than a pack: another one is begun.
DO $$ BEGIN
    FOR c IN 1 .. 40 LOOP
        PERFORM kvs.put('comp:blob', to_jsonb((SELECT string_agg(md5(CASE WHEN i = c THEN 1000 + c ELSE i END::text), ' ') FROM generate_series(1, 300) AS i)));
        PERFORM kvs.commit('long ' || c);
    END LOOP;
END $$;
CREATE TEMP TABLE long AS
SELECT n, pg_temp.blob('comp~' || n) AS hash, md5(kvs.get('comp:blob', as_of => 'comp~' || n)::text) AS contents FROM generate_series(0, 39) AS n;
SELECT chunks_rewritten > 40 AS rewritten FROM kvs.repack();
SELECT count(DISTINCT pg_temp.pack_of(hash)) AS packs, count(*) FILTER (WHERE pg_temp.is_packed(hash)) AS packed,
       count(*) FILTER (WHERE md5(kvs.get('comp:blob', as_of => 'comp~' || n)::text) <> contents) AS different
FROM long;
SELECT max(cardinality(addresses)) <= 256 AS members FROM _kvs.pack;
SELECT * FROM pg_temp.errors();

-- What a branch still has of a blob stays as it is, though another branch has replaced it.
SELECT kvs.create_branch('comp-side', 'comp') IS NOT NULL AS made;
SELECT encode(pg_temp.blob('comp-side'), 'hex') AS side_blob \gset
SET kvs.branch = 'comp-side';
SELECT kvs.put('comp:blob~', '"side"') > 0 AS written, kvs.commit('side') IS NOT NULL AS made;
SET kvs.branch = 'comp';
CALL pg_temp.work(19, 19);
SELECT chunks_rewritten > 0 AS rewritten FROM kvs.repack();
SELECT pg_temp.is_packed(decode(:'side_blob', 'hex')) AS packed;

-- What is said of it.
SELECT bool_and((c.value->>'raw_bytes')::bigint >= (c.value->>'stored_bytes')::bigint - (c.value->>'objects')::bigint) AS smaller,
       count(*) FILTER (WHERE c.key IN ('pack', 'dictionary', 'fast')) AS codecs,
       sum((c.value->>'objects')::bigint) = (s->'compression'->>'objects')::bigint AS objects,
       sum((c.value->>'raw_bytes')::bigint) = (s->'compression'->>'raw_bytes')::bigint AS raw_bytes,
       sum((c.value->>'stored_bytes')::bigint) = (s->'compression'->>'stored_bytes')::bigint AS stored_bytes,
       (s->>'object_count')::bigint = (s->'compression'->>'objects')::bigint AS object_count
FROM kvs.stats() AS s, jsonb_each(s->'compression'->'codecs') AS c GROUP BY s;
SELECT (p->>'objects')::bigint = (SELECT sum(cardinality(addresses)) FROM _kvs.pack) AS objects,
       (p->>'stored_bytes')::bigint = (SELECT sum(octet_length(body)) FROM _kvs.pack) AS stored_bytes,
       (p->>'raw_bytes')::numeric / (p->>'stored_bytes')::numeric > 10 AS gain
FROM kvs.stats() AS s, LATERAL (SELECT s->'compression'->'codecs'->'pack' AS p) AS x;
SELECT d->>'class' AS class, (d->>'bytes')::int > 1000 AS bytes, (d->>'saving')::numeric >= 0.1 AS saving, d->'in_use' AS in_use
FROM kvs.stats() AS s, jsonb_array_elements(s->'compression'->'dictionaries') AS d WHERE d->>'class' = 'leaf';
SELECT (o->>'stored_bytes')::int BETWEEN 1 AND (o->>'bytes')::int / 5 AS share FROM kvs.dump_object(encode(pg_temp.blob('comp~20'), 'hex')) AS o;

-- Damage: a pack that is gone.
BEGIN;
DELETE FROM _kvs.pack WHERE id = pg_temp.pack_of(pg_temp.blob('comp~20'));
SELECT pg_temp.error_of($$SELECT kvs.get('comp:blob', as_of => 'comp~20')$$);
SELECT type, count(*) > 3 AS found, bool_and(detail ~ 'the blob is missing') AS blobs FROM kvs.check() WHERE severity = 'error' GROUP BY type;
ROLLBACK;
BEGIN;
SELECT encode(pg_temp.root('comp~20'), 'hex') AS root \gset
DELETE FROM _kvs.pack WHERE id = pg_temp.pack_of(decode(:'root', 'hex'));
SELECT pg_temp.error_of(format('SELECT kvs.dump_object(%L)', :'root'));
SELECT type, count(*) > 3 AS found FROM kvs.check() WHERE severity = 'error' GROUP BY type;
ROLLBACK;
-- A byte that flipped, wherever it is.
CREATE TEMP TABLE victim AS SELECT p.id, p.body, p.addresses FROM _kvs.pack AS p WHERE id = pg_temp.pack_of(pg_temp.blob('comp~20'));
CREATE FUNCTION pg_temp.damage(change text) RETURNS TABLE (errors bigint, of_the_pack bigint, of_other_types bigint) LANGUAGE plpgsql AS $$
BEGIN
    EXECUTE 'UPDATE _kvs.pack AS p SET ' || change || ' FROM victim AS v WHERE p.id = v.id';
    RETURN QUERY SELECT count(*), count(*) FILTER (WHERE c.object = 'pack ' || v.id), count(*) FILTER (WHERE c.type <> 'corrupt_object')
    FROM kvs.check() AS c, victim AS v WHERE c.severity = 'error';
    UPDATE _kvs.pack AS p SET body = v.body, addresses = v.addresses FROM victim AS v WHERE p.id = v.id;
END
$$;
SELECT v.at, d.errors > 0 AS found, d.of_the_pack > 0 AS pack_named, d.of_other_types
FROM victim, (VALUES (1, 'codec', 0), (2, 'size', 1), (3, 'dictionary or count', 5), (4, 'size of a member', 11), (5, 'middle', -2), (6, 'end', -1)) AS v(n, at, byte),
    LATERAL pg_temp.damage(format('body = set_byte(p.body, %1$s, get_byte(p.body, %1$s) # 64)',
        CASE v.byte WHEN -1 THEN octet_length(body) - 1 WHEN -2 THEN octet_length(body) / 2 ELSE v.byte END)) AS d ORDER BY v.n;
-- Cut off, empty; with the addresses of another, in another order, too few, too many, none.
SELECT v.change, d.errors > 0 AS found, d.of_the_pack > 0 AS pack_named, d.of_other_types
FROM (VALUES (1, $$body = substring(p.body FROM 1 FOR octet_length(p.body) - 1)$$), (2, $$body = ''$$), (3, $$addresses = (SELECT o.addresses FROM _kvs.pack AS o WHERE o.id <> p.id ORDER BY o.id LIMIT 1)$$),
             (4, $$addresses[1:2] = ARRAY[p.addresses[2], p.addresses[1]]$$), (5, $$addresses = p.addresses[2:]$$), (6, $$addresses = p.addresses || 1::bigint$$), (7, $$addresses = '{}'$$)) AS v(n, change),
    LATERAL pg_temp.damage(v.change) AS d ORDER BY v.n;
SELECT * FROM pg_temp.errors();
BEGIN;
UPDATE _kvs.pack AS p SET body = set_byte(p.body, octet_length(p.body) - 9, get_byte(p.body, octet_length(p.body) - 9) # 64) FROM victim AS v WHERE p.id = v.id;
SELECT count(*) > 0 AS refused FROM generate_series(10, 30) AS n, LATERAL pg_temp.error_of(format('SELECT kvs.get(''comp:blob'', as_of => %L)', 'comp~' || n)) AS e
WHERE e ~ '^XX001 chunk HASH is damaged';
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
-- A member that nothing refers to: a pack by hand.
BEGIN;
CREATE TEMP TABLE planted ON COMMIT DROP AS SELECT sha256('kvs chunk'::bytea || raw) AS hash, raw FROM (VALUES ('\x01ff64656c7461'::bytea)) AS v(raw);
INSERT INTO _kvs.pack SELECT 0, NULL, ARRAY[pg_temp.prefix(hash)], '\x01'::bytea || '\x07000000'::bytea || '\x0107'::bytea || '\x2007390000'::bytea || raw FROM planted;
SELECT c.severity, c.type, c.detail FROM kvs.check() AS c JOIN planted AS p ON c.object = encode(p.hash, 'hex');
SELECT kvs.dump_object(encode(hash, 'hex')) - 'hash' AS planted FROM planted;
-- Stored as a row as well, it is told once.
INSERT INTO _kvs.chunk SELECT hash, '\x00'::bytea || raw FROM planted;
SELECT c.severity, c.type, c.detail FROM kvs.check() AS c JOIN planted AS p ON c.object = encode(p.hash, 'hex');
UPDATE _kvs.pack SET body = '' WHERE id = 0;
SELECT c.severity, c.type, c.object, c.detail FROM kvs.check() AS c WHERE c.object = 'pack 0';
ROLLBACK;

-- Collection takes members out of packs, and packs away.
SELECT kvs.delete_branch('comp-side', force => true) IS NOT NULL AS gone;
SELECT kvs.create_branch('comp-gone', 'comp~12') IS NOT NULL AS made;
SET kvs.branch = 'comp-gone';
CALL pg_temp.work(100, 106);
SELECT chunks_rewritten > 100 AS rewritten FROM kvs.repack();
SET kvs.branch = 'comp';
CREATE TEMP TABLE kept AS SELECT * FROM pg_temp.contents();
SELECT kvs.delete_branch('comp-gone', force => true) IS NOT NULL AS gone;
BEGIN;
SET LOCAL kvs.reflog_retention = 0;
SELECT sum(cardinality(addresses)) AS members, sum(octet_length(body)) AS bytes FROM _kvs.pack \gset
CREATE TEMP TABLE announced ON COMMIT DROP AS SELECT * FROM kvs.gc(dry_run => true);
CREATE TEMP TABLE done ON COMMIT DROP AS SELECT * FROM kvs.gc();
SELECT a = d AS as_announced, a.objects_removed > 100 AS removed FROM announced AS a, done AS d;
SELECT d.objects_live = c.count + p.members + k.count AS objects, d.bytes_live = c.bytes + p.bytes + k.bytes AS bytes,
       p.members < :members AS fewer, p.bytes < :bytes AS smaller
FROM done AS d, (SELECT count(*), sum(octet_length(body)) AS bytes FROM _kvs.chunk) AS c,
     (SELECT sum(cardinality(addresses)) AS members, sum(octet_length(body)) AS bytes FROM _kvs.pack) AS p,
     (SELECT count(*), sum(octet_length(body)) AS bytes FROM _kvs.commit) AS k;
SELECT * FROM kvs.check();
SELECT count(*), count(*) FILTER (WHERE c IS DISTINCT FROM e) AS different FROM pg_temp.contents() AS c FULL JOIN kept AS e USING (commit);
-- A second collection finds nothing, and a repacking goes on with what is left.
SELECT objects_removed, bytes_reclaimed FROM kvs.gc();
CALL pg_temp.work(20, 21);
SELECT chunks_rewritten > 0 AS rewritten FROM kvs.repack();
SELECT * FROM pg_temp.errors();
ROLLBACK;
-- A damaged pack stops it.
BEGIN;
UPDATE _kvs.pack SET body = substring(body FROM 1 FOR octet_length(body) - 1) WHERE id = pg_temp.pack_of(pg_temp.root('comp~20'));
SELECT left(pg_temp.error_of('SELECT kvs.gc()'), 5) AS stopped;
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

-- kvs.repair derives what follows from what is whole, says what does not, and guesses nothing.
CREATE FUNCTION pg_temp.root(ref text, tree text DEFAULT 'data_root') RETURNS bytea LANGUAGE sql AS $$
    SELECT decode(kvs.inspect_commit(ref)->>tree, 'hex');
$$;
-- What a repair does; addresses and numbers taken out. Afterwards a check finds what it says, and nothing else.
CREATE FUNCTION pg_temp.repair(OUT damage bigint, OUT orphans bigint, OUT errors text[], OUT left_over bigint)
LANGUAGE plpgsql AS $$
BEGIN
    damage := (SELECT count(*) FROM kvs.check() WHERE severity = 'error');
    SELECT r.orphaned_objects_removed,
           ARRAY(SELECT regexp_replace(regexp_replace(e, '[0-9a-f]{64}', 'HASH', 'g'), '(change|move|branch) \d+', '\1 N', 'g')
                 FROM unnest(r.errors) AS e)
    INTO orphans, errors
    FROM kvs.repair() AS r;
    left_over := (SELECT count(*) FROM kvs.check());
END
$$;

SELECT kvs.create_branch('repair', encode(_kvs.initial_commit(), 'hex'));
SET kvs.branch = 'repair';
SELECT kvs.put('repair:1', '1'), kvs.put('repair:2', '2'), kvs.put('repair:4', to_jsonb(repeat('bulky ', 1000)));
SELECT kvs.commit('r one') AS one \gset
SELECT kvs.mput(array_agg('repair:' || i), array_agg(jsonb_build_object('n', i, 'text', md5(i::text)))) FROM generate_series(1, 3000) AS i;
SELECT kvs.put('repair:1', '11'), kvs.delete('repair:2');
SELECT kvs.commit('r two') AS two \gset
SELECT kvs.create_tag('repair-tag') = :'two' AS tagged;
SELECT kvs.put('repair:1', '111'), kvs.put('repair:3', '3');
SELECT kvs.put('repair:1', '1111');

-- What the other tests have left, without damage: what nothing refers to goes.
SELECT errors, left_over FROM pg_temp.repair();
SELECT * FROM pg_temp.repair();
SELECT projections_rebuilt FROM kvs.repair();

-- Orphans: a chunk, a damaged chunk that nobody needs, one whose address is none, a commit.
BEGIN;
INSERT INTO _kvs.chunk
SELECT sha256(convert_to('kvs chunk', 'UTF8') || raw), '\x00' || raw FROM (SELECT '\x01ff706c616e746564'::bytea AS raw) AS blob;
INSERT INTO _kvs.chunk VALUES (sha256('planted'), '\x00010203'), ('\x01', '\x00010203');
SELECT * FROM pg_temp.repair();
ROLLBACK;
-- The moves of a branch keep what they name, whatever the retention.
BEGIN;
SET LOCAL kvs.reflog_retention = 0;
SELECT kvs.create_branch('repair-gone', :'one'), kvs.put('repair:1', '"gone"', branch => 'repair-gone');
SELECT kvs.commit('r gone', branch => 'repair-gone') AS gone \gset
SELECT kvs.delete_branch('repair-gone', force => true);
SELECT errors, left_over FROM pg_temp.repair();
SELECT kvs.get('repair:1', as_of => :'gone');
DELETE FROM _kvs.reflog WHERE branch = 'repair-gone';
SELECT * FROM pg_temp.repair();
ROLLBACK;

-- Uncommitted rows where no reader looks: they come back out of the log.
BEGIN;
SELECT kvs.put('repair:1', '"newer"') > 0 AS written;
UPDATE _kvs.working SET epoch = epoch + 1000 WHERE key = 'repair:1';
SELECT kvs.get('repair:1') AS without;
SELECT * FROM pg_temp.repair();
SELECT kvs.get('repair:1') AS back;
ROLLBACK;

-- Uncommitted rows of a branch that does not exist.
BEGIN;
INSERT INTO _kvs.working SELECT 2147483647::bigint << 32, change_seq, version, key, meta, item FROM _kvs.working WHERE key = 'repair:1';
SELECT * FROM pg_temp.repair();
SELECT count(*) FROM _kvs.working WHERE epoch >> 32 = 2147483647;
SELECT kvs.get('repair:1');
ROLLBACK;

-- A commit's row: the columns from the commit, the commit from the columns.
BEGIN;
UPDATE _kvs.commit SET author = 'mallory', parents = '{}', committed_at = committed_at + interval '1 microsecond',
                       log_id = gen_random_uuid(), generation = 77
WHERE hash = decode(:'two', 'hex');
SELECT * FROM pg_temp.repair();
SELECT generation, parents = ARRAY[decode(:'one', 'hex')] AS parents FROM _kvs.commit WHERE hash = decode(:'two', 'hex');
UPDATE _kvs.commit SET body = set_byte(body, 40, get_byte(body, 40) # 1) WHERE hash = decode(:'two', 'hex');
SELECT * FROM pg_temp.repair();
SELECT message FROM kvs.log();
-- Both at once is too much.
UPDATE _kvs.commit SET body = '\x00', message = 'another', generation = -1, parents = parents || parents WHERE hash = decode(:'two', 'hex');
SELECT damage, orphans, left_over > 0 AS left_over, errors[1] FROM pg_temp.repair();
ROLLBACK;
BEGIN;
DELETE FROM _kvs.commit WHERE hash = decode(:'one', 'hex');
SELECT orphans, array_length(errors, 1) - left_over AS explained, errors[array_length(errors, 1)] AS last FROM pg_temp.repair();
ROLLBACK;

-- The head of a branch, from the reflog; not a tag, of which there is no other record.
BEGIN;
UPDATE _kvs.branch SET head = sha256('nowhere') WHERE name = 'repair';
SELECT * FROM pg_temp.repair();
UPDATE _kvs.branch SET head = '\x00' WHERE name = 'repair';
SELECT * FROM pg_temp.repair();
SELECT kvs.rev_parse('repair') = :'two' AS is_two;
UPDATE _kvs.tag SET commit_hash = sha256('nowhere') WHERE name = 'repair-tag';
SELECT * FROM pg_temp.repair();
ROLLBACK;

-- A branch whose working trees are gone though its head is whole: its uncommitted work may be more than the head has.
BEGIN;
UPDATE _kvs.branch SET working_data_root = sha256('nowhere') WHERE name = 'repair';
SELECT * FROM pg_temp.repair();
ROLLBACK;
BEGIN;
UPDATE _kvs.branch SET working_data_root = pg_temp.root(:'one') WHERE name = 'repair';
SELECT damage, orphans, left_over FROM pg_temp.repair();
ROLLBACK;

-- Nodes that a cache holds: all that this session has read.
SELECT count(*) FROM kvs.scan('repair:', as_of => :'two');
BEGIN;
UPDATE _kvs.chunk SET body = set_byte(body, octet_length(body) / 2, get_byte(body, octet_length(body) / 2) # 1)
WHERE hash = pg_temp.root(:'two', 'meta_root');
SELECT * FROM pg_temp.repair();
DELETE FROM _kvs.chunk WHERE hash = pg_temp.root(:'two');
SELECT * FROM pg_temp.repair();
UPDATE _kvs.chunk SET body = (SELECT body FROM _kvs.chunk WHERE hash = pg_temp.root(:'one')) WHERE hash = pg_temp.root(:'two');
SELECT * FROM pg_temp.repair();
SELECT count(*) FROM kvs.scan('repair:', as_of => :'two');
ROLLBACK;

-- Uncommitted work that a branch has lost, from the log: rows that are gone, working trees of an earlier commit.
BEGIN;
DELETE FROM _kvs.working WHERE key IN ('repair:1', 'repair:3');
SELECT damage, errors, left_over FROM pg_temp.repair();
SELECT kvs.get('repair:1'), kvs.get('repair:3'), kvs.put('repair:1', '11111');
UPDATE _kvs.branch SET working_data_root = pg_temp.root(:'one'), working_meta_root = pg_temp.root(:'one', 'meta_root') WHERE name = 'repair';
SELECT damage > 2900 AS much, errors, left_over FROM pg_temp.repair();
SELECT kvs.get('repair:1'), kvs.get('repair:2'), count(*) FROM kvs.scan('repair:');
ROLLBACK;
-- The link of a change that says that it follows nothing. Not a change: nothing else knows its operation.
BEGIN;
UPDATE _kvs.change SET prev_seq = 0 WHERE key = 'repair:1' AND version > 1;
SELECT damage, errors, left_over FROM pg_temp.repair();
DELETE FROM _kvs.change WHERE key = 'repair:3';
SELECT damage > 0 AS damage, errors[1] FROM pg_temp.repair();
ROLLBACK;

-- A large value, from the change log; not without it.
SELECT decode(item->>'blob', 'hex') AS blob
FROM jsonb_array_elements(kvs.dump_object(encode(pg_temp.root(:'one'), 'hex'))->'items') AS item WHERE item ? 'blob' \gset
BEGIN;
DELETE FROM _kvs.chunk WHERE hash = :'blob';
SELECT * FROM pg_temp.repair();
UPDATE _kvs.chunk SET body = set_byte(body, 20, get_byte(body, 20) # 1) WHERE hash = :'blob';
SELECT * FROM pg_temp.repair();
SELECT kvs.get('repair:4', as_of => :'one') = to_jsonb(repeat('bulky ', 1000)) AS is_there;
DELETE FROM _kvs.chunk WHERE hash = :'blob';
UPDATE _kvs.change SET item = '\x00' WHERE octet_length(item) > 3000;
SELECT count(*) > 0 AS told FROM kvs.repair() AS r, unnest(r.errors) AS e WHERE e = 'missing_object ' || encode(:'blob', 'hex')
    || ': the blob is missing (value of key "repair:4")';
ROLLBACK;

-- Packs. What is derived of a damaged one stands in rows, and no longer in the pack; the rest is left as it is.
CREATE FUNCTION pg_temp.prefix(address bytea) RETURNS bigint LANGUAGE sql AS $$
    SELECT ('x' || encode(substring(address FROM 1 FOR 8), 'hex'))::bit(64)::bigint;
$$;
SELECT kvs.create_branch('repair-packs', encode(_kvs.initial_commit(), 'hex')) IS NOT NULL AS made;
SET kvs.branch = 'repair-packs';
DO $$ BEGIN
    FOR c IN 1 .. 5 LOOP
        PERFORM kvs.put('packs:1', to_jsonb(c)), kvs.put('packs:2', to_jsonb((SELECT string_agg(md5(CASE WHEN i = c THEN -c ELSE i END::text), '') FROM generate_series(1, 200) AS i)));
        PERFORM kvs.commit('v ' || c);
    END LOOP;
END $$;
BEGIN;
SELECT count(DISTINCT kvs.get('packs:1', as_of => 'repair-packs~' || n)) AS read FROM generate_series(1, 4) AS n;
SELECT chunks_rewritten > 10 AS packed FROM kvs.repack();
-- Nodes, which this session has cached.
UPDATE _kvs.pack SET body = substring(body FROM 1 FOR octet_length(body) - 1) WHERE addresses @> ARRAY[pg_temp.prefix(pg_temp.root('repair-packs~2'))];
SELECT damage > 1 AS damage, orphans, errors, left_over FROM pg_temp.repair();
SELECT count(*) FROM _kvs.pack WHERE addresses @> ARRAY[pg_temp.prefix(pg_temp.root('repair-packs~2'))];
SELECT count(DISTINCT kvs.get('packs:1', as_of => 'repair-packs~' || n)) AS read FROM generate_series(1, 4) AS n;
-- Large values, from the change log.
SELECT id AS blobs, cardinality(addresses) AS members FROM _kvs.pack
WHERE addresses @> ARRAY[pg_temp.prefix((SELECT decode(i->>'blob', 'hex') FROM jsonb_array_elements(kvs.dump_object(encode(pg_temp.root('repair-packs~2'), 'hex'))->'items') AS i WHERE i ? 'blob'))] \gset
UPDATE _kvs.pack SET body = set_byte(body, octet_length(body) - 6, get_byte(body, octet_length(body) - 6) # 1) WHERE id = :blobs;
SELECT damage > 1 AS damage, orphans, errors, left_over FROM pg_temp.repair();
SELECT coalesce((SELECT cardinality(addresses) FROM _kvs.pack WHERE id = :blobs), 0) < :members AS fewer;
SELECT count(DISTINCT kvs.get('packs:2', as_of => 'repair-packs~' || n)) AS read FROM generate_series(0, 4) AS n;
ROLLBACK;
-- Addresses, from the members: in another order, of another pack, too few, too many, none.
CREATE FUNCTION pg_temp.repaired(change text) RETURNS TABLE (is_damage boolean, orphans bigint, errors text[], left_over bigint, as_it_was boolean) LANGUAGE plpgsql AS $$
DECLARE
    victim _kvs.pack;
    r record;
BEGIN
    SELECT * INTO victim FROM _kvs.pack AS p WHERE addresses @> ARRAY[pg_temp.prefix(pg_temp.root('repair-packs~2'))];
    EXECUTE format('UPDATE _kvs.pack AS p SET addresses = %s WHERE id = %s', change, victim.id);
    SELECT * INTO r FROM pg_temp.repair();
    RETURN QUERY SELECT r.damage > 0, r.orphans, r.errors, r.left_over, (SELECT p.addresses = victim.addresses FROM _kvs.pack AS p WHERE p.id = victim.id);
END
$$;
BEGIN;
SELECT chunks_rewritten > 10 AS packed FROM kvs.repack();
SELECT * FROM pg_temp.repaired('ARRAY[p.addresses[2], p.addresses[1]] || p.addresses[3:]');
SELECT * FROM pg_temp.repaired('(SELECT o.addresses FROM _kvs.pack AS o WHERE o.id <> p.id ORDER BY o.id LIMIT 1)');
SELECT * FROM pg_temp.repaired('p.addresses[2:]');
SELECT * FROM pg_temp.repaired('p.addresses || 1::bigint');
SELECT * FROM pg_temp.repaired('ARRAY[NULL::bigint]');
SELECT * FROM pg_temp.repaired($$'{}'$$);
ROLLBACK;
-- A member that nothing refers to goes, and a damaged one that nothing needs.
BEGIN;
INSERT INTO _kvs.pack SELECT 0, NULL, ARRAY[pg_temp.prefix(sha256('kvs chunk'::bytea || '\x01ff64656c7461'::bytea))], '\x010700000001072007390000'::bytea || '\x01ff64656c7461'::bytea;
INSERT INTO _kvs.pack SELECT -1, NULL, ARRAY[1], '\x01';
INSERT INTO _kvs.pack SELECT -2, NULL, '{}', '\x01';
SELECT * FROM pg_temp.repair();
SELECT count(*) FROM _kvs.pack WHERE id <= 0;
ROLLBACK;
SET kvs.branch = 'repair';
SELECT kvs.delete_branch('repair-packs', force => true) IS NOT NULL AS gone;

-- The change log: a link to the change before, where there is one; not what a change that is missing was.
SELECT seq AS seq, prev_seq AS prev FROM _kvs.change WHERE key = 'repair:1' AND version = 5
    AND branch_id = (SELECT id FROM _kvs.branch WHERE name = 'repair') \gset
BEGIN;
UPDATE _kvs.change SET prev_seq = 1000000000 WHERE seq = :seq;
SELECT * FROM pg_temp.repair();
UPDATE _kvs.change SET prev_seq = :seq WHERE seq = :seq;
SELECT * FROM pg_temp.repair();
UPDATE _kvs.change SET prev_seq = (SELECT max(seq) FROM _kvs.change WHERE key = 'repair:4' AND version = 1) WHERE seq = :seq;
SELECT * FROM pg_temp.repair();
SELECT prev_seq = :prev AS is_right FROM _kvs.change WHERE seq = :seq;
SELECT count(*) FROM kvs.history('repair:1');
DELETE FROM _kvs.change WHERE seq = :prev;
SELECT * FROM pg_temp.repair();
ROLLBACK;
BEGIN;
UPDATE _kvs.working SET version = version + 1 WHERE key = 'repair:1';
SELECT * FROM pg_temp.repair();
ROLLBACK;

-- All that is a matter of READ COMMITTED, and of who may.
BEGIN ISOLATION LEVEL REPEATABLE READ;
SELECT * FROM kvs.repair();
ROLLBACK;
BEGIN READ ONLY;
SELECT * FROM kvs.repair();
ROLLBACK;
CREATE ROLE regress_kvs_repair;
GRANT SELECT, INSERT, UPDATE, DELETE ON kvs.entries TO regress_kvs_repair;
SET ROLE regress_kvs_repair;
SELECT * FROM kvs.repair();
RESET ROLE;
REVOKE DELETE ON kvs.entries FROM regress_kvs_repair;
GRANT EXECUTE ON FUNCTION kvs.repair TO regress_kvs_repair;
SET ROLE regress_kvs_repair;
SELECT * FROM kvs.repair();
RESET ROLE;
GRANT DELETE ON kvs.entries TO regress_kvs_repair;
SET ROLE regress_kvs_repair;
SELECT * FROM kvs.repair();
SELECT current_user, current_setting('search_path');
RESET ROLE;
REVOKE ALL ON kvs.entries FROM regress_kvs_repair;
REVOKE ALL ON FUNCTION kvs.repair FROM regress_kvs_repair;
DROP ROLE regress_kvs_repair;
-- After all that the store is as it was.
SELECT * FROM pg_temp.repair();
SELECT kvs.delete_tag('repair-tag');
RESET kvs.branch;
SELECT kvs.delete_branch('repair', force => true);

-- Garbage collection removes what nothing reaches, and nothing else.
CREATE FUNCTION pg_temp.root(ref text, tree text DEFAULT 'data_root') RETURNS bytea LANGUAGE sql AS $$
    SELECT decode(kvs.inspect_commit(ref)->>tree, 'hex');
$$;
CREATE FUNCTION pg_temp.is_stored(address bytea) RETURNS boolean LANGUAGE sql AS $$
    SELECT EXISTS (SELECT FROM _kvs.chunk WHERE hash = address);
$$;
-- What a collection says it does is what it does; nothing that is reached goes, nothing else stays.
CREATE FUNCTION pg_temp.collect(OUT removed boolean, OUT as_announced boolean, OUT counts_fit boolean, OUT findings bigint)
LANGUAGE plpgsql AS $$
DECLARE
    announced record;
    done record;
    stored bigint;
BEGIN
    SELECT * INTO announced FROM kvs.gc(dry_run => true);
    SELECT * INTO done FROM kvs.gc();
    stored := (SELECT count(*) FROM _kvs.chunk) + (SELECT count(*) FROM _kvs.commit) + (SELECT coalesce(sum(cardinality(addresses)), 0) FROM _kvs.pack);
    removed := done.objects_removed > 0;
    as_announced := done = announced;
    counts_fit := done.objects_live = stored
        AND done.bytes_live = (SELECT sum(octet_length(body)) FROM _kvs.chunk) + (SELECT sum(octet_length(body)) FROM _kvs.commit)
            + (SELECT coalesce(sum(octet_length(body)), 0) FROM _kvs.pack);
    findings := (SELECT count(*) FROM kvs.check());
END
$$;

-- What the other tests have left.
SET kvs.reflog_retention = -1;
SELECT kvs.create_branch('gc', encode(_kvs.initial_commit(), 'hex'));
SET kvs.branch = 'gc';
SELECT kvs.put('gc:1', '1');
SELECT kvs.commit('g zero') IS NOT NULL AS committed;
SELECT as_announced, counts_fit, findings FROM pg_temp.collect();

-- A second collection finds nothing.
SELECT * FROM pg_temp.collect();

-- A flush after the other leaves nodes that nothing needs; a dry run removes nothing.
SELECT kvs.mput(array_agg('gc:' || i), array_agg(to_jsonb(i))) FROM generate_series(1, 2000) AS i;
SELECT kvs.flush();
SELECT root AS first_root FROM kvs.snapshots WHERE branch = 'gc' \gset
SELECT kvs.put('gc:1000', '"changed"');
SELECT kvs.flush();
SELECT objects_removed > 0 AS found FROM kvs.gc(dry_run => true);
SELECT pg_temp.is_stored(decode(:'first_root', 'hex'));
SELECT * FROM pg_temp.collect();
SELECT pg_temp.is_stored(decode(:'first_root', 'hex'));
SELECT count(*), kvs.get('gc:1000') FROM kvs.scan('gc:');

-- A large value: while a commit has it, and when none does any more.
SELECT kvs.put('gc:large', to_jsonb(repeat('large ', 2000)));
SELECT kvs.commit('g large') AS large \gset
SELECT decode(item->>'blob', 'hex') AS blob FROM kvs.dump_object(encode(pg_temp.root(:'large'), 'hex')) AS o,
    LATERAL (WITH RECURSIVE path(object) AS (
        SELECT o
        UNION ALL
        SELECT kvs.dump_object(object->'items'->-1->>'child') FROM path WHERE object->'items'->0 ? 'child')
    SELECT object->'items'->-1 FROM path WHERE NOT object->'items'->0 ? 'child') AS leaf(item) \gset
SELECT kvs.delete('gc:large');
SELECT kvs.commit('g no large') IS NOT NULL AS committed;
SELECT removed, as_announced, findings FROM pg_temp.collect();
SELECT pg_temp.is_stored(:'blob'), kvs.get('gc:large', as_of => :'large') = to_jsonb(repeat('large ', 2000)) AS is_there;

-- A branch that is gone: the reflog keeps its commits for as long as it is told to.
SELECT kvs.create_branch('gc-side', :'large');
SELECT kvs.put('gc:side', '"side"', branch => 'gc-side');
SELECT kvs.commit('g side', branch => 'gc-side') AS side \gset
SELECT pg_temp.root(:'side') AS side_root \gset
SELECT kvs.delete_branch('gc-side', force => true);
SELECT * FROM pg_temp.collect();
SELECT kvs.get('gc:side', as_of => :'side');
SET kvs.reflog_retention = '1d';
SELECT objects_removed FROM kvs.gc();
-- A tag keeps it too.
SELECT kvs.create_tag('gc-tag', :'side') = :'side' AS tagged;
SET kvs.reflog_retention = 0;
SELECT findings FROM pg_temp.collect();
SELECT kvs.get('gc:side', as_of => 'gc-tag');
SELECT kvs.delete_tag('gc-tag');
SELECT * FROM pg_temp.collect();
SELECT pg_temp.is_stored(:'side_root');
\set VERBOSITY sqlstate
SELECT kvs.get('gc:side', as_of => :'side');
\set VERBOSITY default
SELECT count(*) FROM kvs.reflog WHERE branch = 'gc-side' AND (from_commit = :'side' OR to_commit = :'side');
-- What is in use elsewhere has stayed.
SELECT kvs.get('gc:large', as_of => :'large') IS NOT NULL AS is_there;

-- Uncommitted work that was thrown away with its branch.
SET kvs.reflog_retention = -1;
SELECT kvs.create_branch('gc-work', :'large');
SELECT kvs.put('gc:work', '"work"', branch => 'gc-work');
SELECT kvs.delete_branch('gc-work', force => true);
SELECT decode(discarded_root, 'hex') AS discarded FROM kvs.reflog WHERE branch = 'gc-work' AND operation = 'delete' \gset
SELECT removed, findings FROM pg_temp.collect();
SELECT pg_temp.is_stored(:'discarded');
SET kvs.reflog_retention = 0;
SELECT * FROM pg_temp.collect();
SELECT pg_temp.is_stored(:'discarded');
SELECT operation, discarded_root FROM kvs.reflog WHERE branch = 'gc-work' ORDER BY n;

-- A branch that left what is collected: its last move stays, so that the reflog tells where it stands, or that it is gone.
SELECT kvs.create_branch('gc-moved', :'large');
SELECT kvs.put('gc:moved', '"moved"', branch => 'gc-moved');
SELECT kvs.commit('g moved', branch => 'gc-moved') IS NOT NULL AS committed;
SELECT kvs.reset('gc', 'hard', 'gc-moved') = kvs.rev_parse('gc') AS at_gc;
SELECT removed, findings FROM pg_temp.collect();
SELECT operation, from_commit, to_commit = kvs.rev_parse('gc') AS to_gc FROM kvs.reflog WHERE branch = 'gc-moved' ORDER BY n;
SELECT kvs.rev_parse('gc-moved@{0 seconds ago}') = kvs.rev_parse('gc') AS at_gc;
SELECT kvs.put('gc:moved', '"gone"', branch => 'gc-moved');
SELECT kvs.commit('g gone', branch => 'gc-moved') IS NOT NULL AS committed;
SELECT kvs.delete_branch('gc-moved', force => true);
SELECT removed, findings FROM pg_temp.collect();
SELECT operation, from_commit, to_commit = kvs.rev_parse('gc') AS to_gc FROM kvs.reflog WHERE branch = 'gc-moved' ORDER BY n;

-- An import's record in the log holds the states before and after it.
SET kvs.bulk_log_threshold = 1;
SELECT kvs.import($$SELECT 'gc:' || i, to_jsonb(-i) FROM generate_series(1, 50) AS i$$);
SELECT kvs.import($$SELECT 'gc:' || i, to_jsonb(i * 10) FROM generate_series(1, 50) AS i$$);
RESET kvs.bulk_log_threshold;
SELECT kvs.put('gc:1', '"now"');
SELECT kvs.commit('g imports') IS NOT NULL AS committed;
SELECT * FROM pg_temp.collect();
SELECT version, op, value FROM kvs.history('gc:1');

-- In a transaction with other work, and rolled back.
BEGIN;
SELECT kvs.put('gc:2', '"in the same transaction"');
SELECT kvs.commit('g same') IS NOT NULL AS committed;
SELECT kvs.put('gc:2', '"and again"');
SELECT kvs.flush();
SELECT * FROM pg_temp.collect();
COMMIT;
SELECT kvs.get('gc:2'), kvs.get('gc:2', as_of => 'HEAD');
-- What the same transaction has made and left is garbage like any other.
BEGIN;
SELECT kvs.create_branch('gc-own', 'gc'), kvs.put('gc:own', '"own"', branch => 'gc-own');
SELECT kvs.commit('g own', branch => 'gc-own') AS own \gset
SELECT kvs.delete_branch('gc-own', force => true);
DELETE FROM _kvs.reflog WHERE branch = 'gc-own';
SELECT * FROM pg_temp.collect();
SELECT count(*) FROM _kvs.commit WHERE hash = decode(:'own', 'hex');
ROLLBACK;
SELECT kvs.put('gc:3', '"flushed"');
SELECT kvs.flush();
BEGIN;
SELECT removed FROM pg_temp.collect();
ROLLBACK;
SELECT * FROM pg_temp.collect();
-- The stricter levels see what is committed, too.
SELECT kvs.put('gc:3', '"flushed again"');
SELECT kvs.flush();
BEGIN ISOLATION LEVEL REPEATABLE READ;
SELECT kvs.get('gc:3');
SELECT removed, as_announced, findings FROM pg_temp.collect();
COMMIT;
SELECT kvs.put('gc:3', '"flushed once more"');
SELECT kvs.flush();
BEGIN ISOLATION LEVEL SERIALIZABLE;
SELECT removed, as_announced, findings FROM pg_temp.collect();
COMMIT;

-- Little memory: on disk, with the same result.
SELECT kvs.create_branch('gc-many', encode(_kvs.initial_commit(), 'hex'));
SELECT kvs.import($$SELECT 'gc:' || i, jsonb_build_object('n', i, 'text', repeat(md5(i::text), 40)) FROM generate_series(1, 20000) AS i$$,
                  branch => 'gc-many', message => 'g many');
SET maintenance_work_mem = '1MB';
SELECT removed, as_announced, counts_fit, findings FROM pg_temp.collect();
SELECT kvs.delete_branch('gc-many', force => true);
-- The record of the import goes on holding it.
SELECT removed, findings FROM pg_temp.collect();
DELETE FROM _kvs.change WHERE branch_id NOT IN (SELECT id FROM _kvs.branch) AND key IS NULL
    AND substr(item, 65, 32) = (SELECT substr(item, 65, 32) FROM _kvs.change WHERE key IS NULL ORDER BY seq DESC LIMIT 1);
SELECT * FROM pg_temp.collect();
RESET maintenance_work_mem;

-- Nothing is collected from a damaged store: behind damage it is not known what is in use.
SELECT kvs.put('gc:4', '4');
SELECT kvs.flush();
SELECT kvs.put('gc:4', '44');
SELECT kvs.flush();
\set VERBOSITY sqlstate
BEGIN;
DELETE FROM _kvs.chunk WHERE hash = pg_temp.root(:'large');
SELECT * FROM kvs.gc(dry_run => true);
ROLLBACK;
BEGIN;
UPDATE _kvs.chunk SET body = (SELECT body FROM _kvs.chunk WHERE hash = pg_temp.root('HEAD')) WHERE hash = pg_temp.root(:'large');
SELECT * FROM kvs.gc();
ROLLBACK;
BEGIN;
DELETE FROM _kvs.commit WHERE hash = decode(:'large', 'hex');
SELECT * FROM kvs.gc();
ROLLBACK;
BEGIN;
UPDATE _kvs.branch SET head = sha256('nowhere') WHERE name = 'gc';
SELECT * FROM kvs.gc();
ROLLBACK;
BEGIN;
UPDATE _kvs.commit SET generation = 1000000 WHERE message = 'g zero';
SELECT * FROM kvs.gc();
ROLLBACK;
BEGIN;
UPDATE _kvs.branch SET working_data_root = '\x00' WHERE name = 'gc';
SELECT * FROM kvs.gc();
ROLLBACK;
BEGIN READ ONLY;
SELECT objects_removed > 0 AS found FROM kvs.gc(dry_run => true);
SELECT * FROM kvs.gc();
ROLLBACK;
\set VERBOSITY default
SELECT removed, as_announced, counts_fit, findings FROM pg_temp.collect();

-- Who may: whoever it is granted to and may delete.
CREATE ROLE regress_kvs_gc;
GRANT SELECT, INSERT, UPDATE ON kvs.entries TO regress_kvs_gc;
SET ROLE regress_kvs_gc;
SELECT * FROM kvs.gc();
RESET ROLE;
GRANT EXECUTE ON FUNCTION kvs.gc TO regress_kvs_gc;
SET ROLE regress_kvs_gc;
SELECT * FROM kvs.gc();
SELECT objects_removed FROM kvs.gc(dry_run => true);
SET kvs.reflog_retention = 0;
SELECT count(*) FROM kvs.gc_progress;
RESET ROLE;
GRANT DELETE ON kvs.entries TO regress_kvs_gc;
SET ROLE regress_kvs_gc;
SELECT objects_removed FROM kvs.gc();
SELECT current_user, current_setting('search_path');
RESET ROLE;
REVOKE ALL ON kvs.entries FROM regress_kvs_gc;
SET ROLE regress_kvs_gc;
SELECT * FROM kvs.gc(dry_run => true);
SELECT count(*) FROM kvs.gc_progress;
RESET ROLE;
REVOKE ALL ON FUNCTION kvs.gc FROM regress_kvs_gc;
DROP ROLE regress_kvs_gc;
SELECT count(*) > 0 AS noted, max(objects_removed) > 0 AS removed FROM _kvs.collection;
SELECT * FROM kvs.gc_progress;
RESET kvs.branch;
SELECT kvs.delete_branch('gc', force => true);
RESET kvs.reflog_retention;

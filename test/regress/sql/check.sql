-- kvs.check finds what is planted, and nothing else.
CREATE FUNCTION pg_temp.root(ref text, tree text DEFAULT 'data_root') RETURNS bytea LANGUAGE sql AS $$
    SELECT decode(kvs.inspect_commit(ref)->>tree, 'hex');
$$;
-- Errors, with addresses and numbers taken out.
CREATE FUNCTION pg_temp.errors() RETURNS TABLE (type text, object text, detail text) LANGUAGE sql AS $$
    SELECT type, regexp_replace(regexp_replace(object, '[0-9a-f]{64}', 'HASH'), '(change|move) \d+', '\1 N'),
           regexp_replace(regexp_replace(detail, '[0-9a-f]{64}', 'HASH', 'g'), '(change|move) \d+', '\1 N', 'g')
    FROM kvs.check() WHERE severity = 'error' ORDER BY 1, 2, 3;
$$;

-- What the other tests have left is sound.
SELECT * FROM pg_temp.errors();

-- Documents of all kinds, two branches, a range record, a tag, uncommitted work.
SELECT kvs.create_branch('check', encode(_kvs.initial_commit(), 'hex'));
SET kvs.branch = 'check';
SELECT kvs.put('check:1', '1'), kvs.put('check:2', '2'), kvs.put_bytes('check:3', '\x00'), kvs.put('check:4', to_jsonb(repeat('large ', 1000)));
SELECT kvs.commit('c one') AS one \gset
SET kvs.bulk_log_threshold = 1;
SELECT kvs.import($$SELECT 'check:' || i, jsonb_build_object('n', i, 'text', md5(i::text)) FROM generate_series(1, 3000) AS i$$);
RESET kvs.bulk_log_threshold;
SELECT kvs.put('check:1', '11'), kvs.delete('check:2');
SELECT kvs.commit('c two') AS two \gset
SELECT kvs.create_tag('check-tag') = :'two' AS tagged, kvs.create_branch('check-other', 'HEAD~1');
SELECT kvs.put('check:5', '5', branch => 'check-other');
SELECT kvs.commit('c other', branch => 'check-other') IS NOT NULL AS committed;
SELECT kvs.put('check:1', '111'), kvs.delete('check:3');
SELECT kvs.put('check:1', '1111');
SELECT * FROM pg_temp.errors();

-- A chunk is gone: a root, a leaf, a blob.
BEGIN;
DELETE FROM _kvs.chunk WHERE hash = pg_temp.root(:'two');
SELECT DISTINCT type, object FROM pg_temp.errors() ORDER BY 1, 2;
-- What lies behind damage may well be in use, so nothing is called an orphan.
SELECT count(*) FROM kvs.check() WHERE severity = 'info';
ROLLBACK;
BEGIN;
WITH RECURSIVE path(hash) AS (
    SELECT encode(pg_temp.root(:'two'), 'hex')
    UNION ALL
    SELECT o->'items'->0->>'child' FROM path, kvs.dump_object(path.hash) AS o WHERE o->'items'->0 ? 'child'
)
DELETE FROM _kvs.chunk WHERE encode(hash, 'hex') = (SELECT hash FROM path OFFSET 1 LIMIT 1);
SELECT type, object, regexp_replace(detail, '"check:\d+"', 'KEY', 'g') AS detail FROM pg_temp.errors();
ROLLBACK;
BEGIN;
DELETE FROM _kvs.chunk WHERE encode(hash, 'hex') IN (
    SELECT item->>'blob' FROM jsonb_array_elements(kvs.dump_object(encode(pg_temp.root(:'one'), 'hex'))->'items') AS item);
SELECT * FROM pg_temp.errors();
ROLLBACK;

-- A byte of a chunk is another: of a node, also one that a cache holds, of a blob, of an object that nobody needs.
BEGIN;
SELECT count(*) FROM kvs.scan('check:', as_of => :'two');
UPDATE _kvs.chunk SET body = set_byte(body, octet_length(body) / 2, get_byte(body, octet_length(body) / 2) # 1)
WHERE hash = pg_temp.root(:'two', 'meta_root');
SELECT type, object, detail ~ '\((metadata tree) of' AS detail FROM pg_temp.errors();
ROLLBACK;
BEGIN;
UPDATE _kvs.chunk SET body = '\x00' || body WHERE hash = pg_temp.root(:'two');
SELECT type, object FROM pg_temp.errors();
UPDATE _kvs.chunk SET body = '' WHERE hash = pg_temp.root(:'two');
SELECT type, object FROM pg_temp.errors();
ROLLBACK;
BEGIN;
UPDATE _kvs.chunk SET body = set_byte(body, 20, get_byte(body, 20) # 1) WHERE encode(hash, 'hex') IN (
    SELECT item->>'blob' FROM jsonb_array_elements(kvs.dump_object(encode(pg_temp.root(:'one'), 'hex'))->'items') AS item);
SELECT type, object, detail ~ '\(value of key "check:4"\)$' AS detail FROM pg_temp.errors();
ROLLBACK;
BEGIN;
INSERT INTO _kvs.chunk VALUES (sha256('planted'), '\x00010203');
INSERT INTO _kvs.chunk VALUES ('\x01', '\x00010203');
SELECT * FROM pg_temp.errors();
ROLLBACK;

-- An inner node that counts wrong: one entry too many below its first child, one too few below the second.
BEGIN;
SET LOCAL kvs.compression_level = 0;
SELECT kvs.put('check:1', '12') IS NOT NULL AS put;
SELECT kvs.flush() > 0 AS flushed;
WITH root AS (
    SELECT substring(c.body FROM 2) AS raw, 16 + 2 * get_byte(c.body, 3) AS counts
    FROM _kvs.branch AS b JOIN _kvs.chunk AS c ON c.hash = b.working_data_root WHERE b.name = 'check'
), planted AS (
    INSERT INTO _kvs.chunk
    SELECT sha256('kvs chunk'::bytea || raw), '\x00'::bytea || raw
    FROM (SELECT set_byte(set_byte(raw, counts, get_byte(raw, counts) + 1), counts + 8, get_byte(raw, counts + 8) - 1) AS raw
          FROM root) AS r
    RETURNING hash)
UPDATE _kvs.branch SET working_data_root = planted.hash FROM planted WHERE name = 'check';
SELECT type, object, regexp_replace(detail, '"check:\d+"', 'KEY', 'g') AS detail FROM pg_temp.errors();
ROLLBACK;

-- An inner node that names its first two children by each other's addresses.
BEGIN;
SET LOCAL kvs.compression_level = 0;
SELECT kvs.put('check:1', '12') IS NOT NULL AS put;
SELECT kvs.flush() > 0 AS flushed;
WITH root AS (
    SELECT substring(c.body FROM 2) AS raw, 16 + 10 * get_byte(c.body, 3) AS hashes
    FROM _kvs.branch AS b JOIN _kvs.chunk AS c ON c.hash = b.working_data_root WHERE b.name = 'check'
), planted AS (
    INSERT INTO _kvs.chunk
    SELECT sha256('kvs chunk'::bytea || raw), '\x00'::bytea || raw
    FROM (SELECT overlay(raw PLACING substring(raw FROM hashes + 33 FOR 32) || substring(raw FROM hashes + 1 FOR 32) FROM hashes + 1) AS raw
          FROM root) AS r
    RETURNING hash)
UPDATE _kvs.branch SET working_data_root = planted.hash FROM planted WHERE name = 'check';
SELECT DISTINCT type, regexp_replace(detail, ' \(.*', '') AS detail FROM pg_temp.errors() ORDER BY 1, 2;
ROLLBACK;

-- A chunk under the address of another: a whole one, but not the one that was asked for.
BEGIN;
UPDATE _kvs.chunk SET body = (SELECT body FROM _kvs.chunk WHERE hash = pg_temp.root(:'one')) WHERE hash = pg_temp.root(:'two');
SELECT type, object, detail ~ '^it does not hash to its address' AS detail FROM pg_temp.errors();
ROLLBACK;

-- Nothing refers to a chunk, and to a commit: for information.
BEGIN;
SELECT count(*) AS orphans FROM kvs.check() WHERE type = 'orphaned_object' \gset
INSERT INTO _kvs.chunk
SELECT sha256(convert_to('kvs chunk', 'UTF8') || raw), '\x00' || raw FROM (SELECT '\x01ff706c616e746564'::bytea AS raw) AS blob;
SELECT severity, type, object = encode(sha256(convert_to('kvs chunk', 'UTF8') || '\x01ff706c616e746564'), 'hex') AS planted, detail
FROM kvs.check() WHERE object = encode(sha256(convert_to('kvs chunk', 'UTF8') || '\x01ff706c616e746564'), 'hex');
DELETE FROM _kvs.tag WHERE name = 'check-tag';
DELETE FROM _kvs.reflog WHERE branch LIKE 'check%';
UPDATE _kvs.branch SET head = decode(:'one', 'hex') WHERE name = 'check';
SELECT severity, type, object = :'two' AS is_two, detail FROM kvs.check() WHERE object = :'two';
SELECT count(*) > :orphans AS more_orphans FROM kvs.check() WHERE type = 'orphaned_object';
SELECT * FROM pg_temp.errors();
ROLLBACK;

-- Refs to nowhere.
BEGIN;
UPDATE _kvs.branch SET head = sha256('nowhere') WHERE name = 'check';
UPDATE _kvs.tag SET commit_hash = sha256('nowhere') WHERE name = 'check-tag';
UPDATE _kvs.reflog SET to_commit = sha256('nowhere') WHERE branch = 'check' AND operation = 'commit';
SELECT DISTINCT * FROM pg_temp.errors() ORDER BY 1, 2, 3;
UPDATE _kvs.reflog SET discarded_root = '\x00' WHERE branch = 'check';
SELECT * FROM pg_temp.errors() WHERE detail LIKE '%discarded%';
UPDATE _kvs.branch SET head = '\x00', working_meta_root = '\x00' WHERE name = 'check';
SELECT * FROM pg_temp.errors() WHERE object = 'branch "check"';
ROLLBACK;
BEGIN;
UPDATE _kvs.branch SET working_data_root = sha256('nowhere') WHERE name = 'check';
SELECT * FROM pg_temp.errors();
ROLLBACK;
BEGIN;
INSERT INTO _kvs.working SELECT 2147483647::bigint << 32, change_seq, version, key, meta, item FROM _kvs.working WHERE key = 'check:1';
SELECT * FROM pg_temp.errors();
ROLLBACK;

-- Stashes and staged merges lead to commits too: nothing of theirs is an orphan.
BEGIN;
SELECT count(*) AS orphans FROM kvs.check() WHERE type = 'orphaned_object' \gset
SELECT kvs.put('check:6', '6') IS NOT NULL AS put;
SELECT kvs.stash() AS stash \gset
SELECT count(*) = :orphans AS no_more_orphans FROM kvs.check() WHERE type = 'orphaned_object';
DELETE FROM _kvs.chunk WHERE hash = (SELECT pg_temp.root(encode(commit_hash, 'hex')) FROM _kvs.stash WHERE id = :stash);
SELECT * FROM pg_temp.errors();
UPDATE _kvs.stash SET commit_hash = sha256('nowhere'), head = '\x00' WHERE id = :stash;
INSERT INTO _kvs.merge SELECT id, NULL, 'nowhere', sha256('nowhere'), '', '', now() FROM _kvs.branch WHERE name = 'check';
SELECT type, regexp_replace(object, '\d+', 'N') AS object, detail FROM pg_temp.errors();
ROLLBACK;

-- Commits.
BEGIN;
DELETE FROM _kvs.commit WHERE hash = decode(:'one', 'hex');
SELECT type, object, detail FROM pg_temp.errors() WHERE type = 'missing_object';
ROLLBACK;
BEGIN;
UPDATE _kvs.commit SET author = 'mallory', parents = '{}', committed_at = committed_at + interval '1 microsecond',
                       log_id = gen_random_uuid(), generation = 77
WHERE hash = decode(:'two', 'hex');
SELECT * FROM pg_temp.errors();
ROLLBACK;
BEGIN;
UPDATE _kvs.commit SET body = set_byte(body, 40, get_byte(body, 40) # 1) WHERE hash = decode(:'two', 'hex');
SELECT * FROM pg_temp.errors();
-- The columns lead on to its parents and trees.
SELECT count(*) = :orphans AS no_more_orphans FROM kvs.check() WHERE type = 'orphaned_object';
ROLLBACK;
-- A commit that says a generation that its parents do not give it.
BEGIN;
INSERT INTO _kvs.commit
SELECT sha256(convert_to('kvs commit', 'UTF8') || b.body), 9, parents, data_root, meta_root, author, committer, message,
       committed_at, log_id, consumed_snapshot, b.body
FROM _kvs.commit AS c, set_byte(c.body, 1, 9) AS b(body) WHERE hash = decode(:'two', 'hex');
UPDATE _kvs.branch SET head = (SELECT hash FROM _kvs.commit WHERE generation = 9 AND message = 'c two') WHERE name = 'check';
SELECT * FROM pg_temp.errors();
ROLLBACK;

-- Data and metadata that do not belong together.
BEGIN;
UPDATE _kvs.branch SET working_data_root = pg_temp.root(:'one') WHERE name = 'check';
SELECT * FROM pg_temp.errors();
UPDATE _kvs.branch SET working_data_root = pg_temp.root(:'two'), working_meta_root = pg_temp.root(:'one', 'meta_root') WHERE name = 'check';
SELECT * FROM pg_temp.errors();
-- The tree of metadata in the place of data.
UPDATE _kvs.branch SET working_data_root = pg_temp.root(:'two', 'meta_root') WHERE name = 'check';
SELECT DISTINCT type FROM pg_temp.errors() ORDER BY type;
ROLLBACK;

-- The change log. It leaves out of a metadata item what the change has besides.
CREATE FUNCTION pg_temp.varint(n bigint) RETURNS bytea LANGUAGE sql AS $$
    SELECT CASE WHEN n < 128 THEN set_byte('\x00', 0, n::int)
                ELSE set_byte('\x00', 0, (n & 127 | 128)::int) || pg_temp.varint(n >> 7) END
$$;
CREATE FUNCTION pg_temp.meta(c _kvs.change) RETURNS bytea LANGUAGE plpgsql AS $$
DECLARE
    times int := 9;
BEGIN
    WHILE get_byte(c.meta, times + 1) > 127 LOOP
        times := times + 1;
    END LOOP;
    RETURN '\x01'::bytea || substr(c.meta, 2, 1) || pg_temp.varint(c.version) || substr(c.meta, 3, times)
        || (SELECT uuid_send(log_id) FROM _kvs.store WHERE first_seq <= c.seq ORDER BY epoch DESC LIMIT 1)
        || pg_temp.varint(c.seq) || substr(c.meta, times + 3);
END
$$;
SELECT seq AS seq, prev_seq AS prev FROM _kvs.change WHERE key = 'check:1' AND version = 4
    AND branch_id = (SELECT id FROM _kvs.branch WHERE name = 'check') \gset
BEGIN;
UPDATE _kvs.change SET prev_seq = 1000000000 WHERE seq = :seq;
SELECT type, object, regexp_replace(detail, '\d{9,}', 'M') AS detail FROM pg_temp.errors();
UPDATE _kvs.change SET prev_seq = :seq WHERE seq = :seq;
SELECT * FROM pg_temp.errors();
UPDATE _kvs.change SET prev_seq = (SELECT max(seq) FROM _kvs.change WHERE key = 'check:4') WHERE seq = :seq;
SELECT * FROM pg_temp.errors();
UPDATE _kvs.change SET prev_seq = (SELECT seq FROM _kvs.change WHERE key = 'check:1' AND seq < :prev ORDER BY seq DESC LIMIT 1) WHERE seq = :seq;
SELECT * FROM pg_temp.errors();
ROLLBACK;
-- A change behind a range record.
BEGIN;
UPDATE _kvs.change SET prev_seq = (SELECT max(seq) FROM _kvs.change WHERE key IS NULL AND seq < :seq) WHERE seq = :seq;
SELECT * FROM pg_temp.errors();
UPDATE _kvs.change SET prev_seq = :prev, key = 'check:none' WHERE seq = :prev;
SELECT DISTINCT type, object FROM pg_temp.errors() ORDER BY 1, 2;
ROLLBACK;
BEGIN;
DELETE FROM _kvs.change WHERE seq = :prev;
SELECT DISTINCT type, object FROM pg_temp.errors();
ROLLBACK;
-- A version that was made twice, as a lost update would.
BEGIN;
INSERT INTO _kvs.change SELECT nextval('_kvs.change_seq'), prev_seq, xid, version, branch_id, op, key, meta, item FROM _kvs.change WHERE seq = :seq;
SELECT type, object, regexp_replace(detail, 'branch \d+', 'branch N') AS detail FROM pg_temp.errors();
ROLLBACK;
-- Rows that contradict themselves.
BEGIN;
UPDATE _kvs.change SET item = NULL WHERE seq = :seq;
SELECT * FROM pg_temp.errors();
UPDATE _kvs.change SET item = '\x7f', meta = '\x00' WHERE seq = :seq;
SELECT type, object FROM pg_temp.errors();
ROLLBACK;
-- A range record between states that are not there, or that it did not make.
BEGIN;
UPDATE _kvs.change SET item = overlay(item PLACING sha256('nowhere') FROM 97) WHERE key IS NULL;
SELECT DISTINCT * FROM pg_temp.errors() ORDER BY 1, 2, 3;
UPDATE _kvs.change SET item = substr(item, 1, 96) WHERE key IS NULL;
SELECT DISTINCT * FROM pg_temp.errors() ORDER BY 1, 2, 3;
UPDATE _kvs.change SET item = substr(item, 1, 64) || pg_temp.root(:'two') || pg_temp.root(:'two', 'meta_root') WHERE key IS NULL;
SELECT DISTINCT type, object FROM pg_temp.errors() WHERE object = 'check:1';
ROLLBACK;

-- Uncommitted work.
BEGIN;
UPDATE _kvs.working SET version = version + 1 WHERE key = 'check:1';
SELECT * FROM pg_temp.errors();
ROLLBACK;
BEGIN;
UPDATE _kvs.working SET change_seq = 1000000000 WHERE key = 'check:1';
SELECT type, object, regexp_replace(detail, '\d{9,}|(change) \d+', '\1 N') AS detail FROM pg_temp.errors();
UPDATE _kvs.working AS w SET change_seq = c.seq, meta = pg_temp.meta(c), version = c.version
FROM _kvs.change AS c WHERE w.key = 'check:1' AND c.seq = (SELECT prev_seq FROM _kvs.change WHERE seq = w.change_seq);
SELECT count(*) FROM pg_temp.errors();
ROLLBACK;
BEGIN;
UPDATE _kvs.working SET item = set_byte(item, 9, get_byte(item, 9) # 1) WHERE key = 'check:1';
SELECT * FROM pg_temp.errors();
UPDATE _kvs.working SET item = NULL WHERE key = 'check:1';
SELECT * FROM pg_temp.errors();
ROLLBACK;
BEGIN;
DELETE FROM _kvs.change WHERE seq = (SELECT change_seq FROM _kvs.working WHERE key = 'check:3');
SELECT * FROM pg_temp.errors();
ROLLBACK;

-- A working row that refers to a blob, as only trees may: nothing would keep the blob from being collected.
BEGIN;
UPDATE _kvs.working SET item = set_byte('\x00'::bytea, 0, get_byte(item, 0) | 32) || sha256('nowhere') || '\x00100000' WHERE key = 'check:1';
SELECT * FROM pg_temp.errors();
ROLLBACK;

-- One whose metadata says that it has an end, which it has not.
BEGIN;
UPDATE _kvs.working SET meta = set_byte(meta, 1, get_byte(meta, 1) | 32) WHERE key = 'check:1';
SELECT * FROM pg_temp.errors();
ROLLBACK;

-- The other direction: what the log, or the reflog, or a tree knows, and the rest has lost.
-- Which of several findings there is depends on whether the store has ever taken something from another one.
CREATE FUNCTION pg_temp.found() RETURNS TABLE (type text, object text) LANGUAGE sql AS $$
    SELECT DISTINCT type, object FROM pg_temp.errors() ORDER BY 1, 2;
$$;
SELECT id AS branch FROM _kvs.branch WHERE name = 'check' \gset
SELECT id AS other FROM _kvs.branch WHERE name = 'check-other' \gset
SELECT max(seq) AS newest FROM _kvs.change WHERE key = 'check:2' AND branch_id = :branch \gset
SELECT seq AS alone FROM _kvs.change WHERE key = 'check:5' AND branch_id = :other \gset
SELECT seq AS import FROM _kvs.change WHERE key IS NULL AND branch_id = :branch \gset

-- Uncommitted rows are gone: of a key that was committed, and of one that was deleted.
BEGIN;
DELETE FROM _kvs.working WHERE epoch >> 32 = :branch AND key = 'check:1';
SELECT * FROM pg_temp.errors();
DELETE FROM _kvs.working WHERE epoch >> 32 = :branch;
SELECT * FROM pg_temp.errors();
ROLLBACK;
-- Uncommitted rows lie in an epoch that the branch does not name; and a key has two.
BEGIN;
UPDATE _kvs.working SET epoch = epoch + 1000 WHERE epoch >> 32 = :branch AND key = 'check:1';
SELECT type, regexp_replace(object, '\d+', 'N'), regexp_replace(detail, '\d{3,}', 'N', 'g') FROM pg_temp.errors();
ROLLBACK;
BEGIN;
INSERT INTO _kvs.working SELECT epoch + 1000, change_seq, version, key, meta, item FROM _kvs.working WHERE epoch >> 32 = :branch AND key = 'check:1';
UPDATE _kvs.branch SET older_epochs = ARRAY[epoch + 1000] WHERE id = :branch;
SELECT type, object, regexp_replace(detail, '\d{3,}', 'N', 'g') FROM pg_temp.errors();
ROLLBACK;
-- An uncommitted row is that of an earlier change.
BEGIN;
UPDATE _kvs.working AS w SET change_seq = c.seq, version = c.version, meta = pg_temp.meta(c), item = c.item
FROM _kvs.change AS c WHERE w.epoch >> 32 = :branch AND w.key = 'check:1' AND c.seq = :prev;
SELECT * FROM pg_temp.errors();
ROLLBACK;

-- Changes are gone: the newest of a key, its only one, an import.
BEGIN;
DELETE FROM _kvs.change WHERE seq = :newest;
SELECT * FROM pg_temp.found();
ROLLBACK;
BEGIN;
DELETE FROM _kvs.change WHERE seq = :alone;
SELECT * FROM pg_temp.found() WHERE object NOT LIKE 'branch%';
ROLLBACK;
BEGIN;
DELETE FROM _kvs.change WHERE seq = :import;
SELECT type, count(*) > 1 AS many FROM pg_temp.found() GROUP BY type ORDER BY type;
ROLLBACK;
-- Changes of another branch, or of another key.
BEGIN;
UPDATE _kvs.change SET branch_id = 2147483647 WHERE seq = :newest;
SELECT * FROM pg_temp.found();
UPDATE _kvs.change SET branch_id = :other WHERE seq = :newest;
SELECT type, object, regexp_replace(detail, '(change|version) \d+', '\1 N', 'g') AS detail FROM pg_temp.errors() ORDER BY detail;
ROLLBACK;
BEGIN;
UPDATE _kvs.change SET branch_id = :other WHERE seq = :prev;
SELECT * FROM pg_temp.found();
ROLLBACK;
BEGIN;
UPDATE _kvs.change SET key = 'check:none' WHERE seq = :alone;
SELECT * FROM pg_temp.found() WHERE object NOT LIKE 'branch%';
ROLLBACK;
-- The first change of a key, and the first one behind an import, that say they follow nothing, or something.
BEGIN;
UPDATE _kvs.change SET prev_seq = 0 WHERE seq IN (:seq, :newest);
SELECT * FROM pg_temp.errors();
ROLLBACK;
-- Operations that are none, or not of this change; transactions to come; another log.
BEGIN;
UPDATE _kvs.change SET op = 99 WHERE seq = :seq;
UPDATE _kvs.change SET op = 1 WHERE seq = :newest;
UPDATE _kvs.change SET op = -1 WHERE seq = :import;
SELECT * FROM pg_temp.errors();
UPDATE _kvs.change SET op = 3 WHERE seq = :seq;
SELECT * FROM pg_temp.errors() WHERE object = 'check:1';
ROLLBACK;
BEGIN;
UPDATE _kvs.change SET xid = '4611686018427387904' WHERE seq IN (:seq, :import);
SELECT * FROM pg_temp.errors();
ROLLBACK;
BEGIN;
UPDATE _kvs.store SET log_id = gen_random_uuid();
SELECT count(*) > 3 AS many, min(type) AS type, min(regexp_replace(detail, '\d+', 'N', 'g')) AS detail FROM pg_temp.errors() WHERE object LIKE 'check:%';
ROLLBACK;
BEGIN;
UPDATE _kvs.store SET first_seq = :seq WHERE epoch = (SELECT max(epoch) FROM _kvs.store);
SELECT count(*) > 3 AS many, min(type) AS type, min(regexp_replace(detail, '\d+', 'N', 'g')) AS detail FROM pg_temp.errors() WHERE object LIKE 'check:%';
ROLLBACK;
-- One bit of a change that was committed: of its metadata, of its value.
BEGIN;
UPDATE _kvs.change SET meta = set_byte(meta, 3, get_byte(meta, 3) # 1) WHERE seq = :alone;
SELECT DISTINCT type, object, regexp_replace(detail, '\d+', 'N', 'g') AS detail FROM pg_temp.errors() ORDER BY 3;
ROLLBACK;
BEGIN;
UPDATE _kvs.change SET item = set_byte(item, octet_length(item) - 2, get_byte(item, octet_length(item) - 2) # 1) WHERE seq = :alone;
SELECT DISTINCT type, object, regexp_replace(detail, '\d+', 'N', 'g') AS detail FROM pg_temp.errors() ORDER BY 3;
ROLLBACK;

-- Leaves of a branch with all hashes made anew: a version is another, a value is another.
CREATE FUNCTION pg_temp.plant(tree text, was bytea, becomes bytea) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
    raw bytea;
BEGIN
    SELECT substring(c.body FROM 2) INTO STRICT raw FROM _kvs.branch AS b JOIN _kvs.chunk AS c
    ON c.hash = CASE tree WHEN 'data' THEN b.working_data_root ELSE b.working_meta_root END WHERE b.name = 'check-other';
    raw := overlay(raw PLACING becomes FROM position(was IN raw));
    INSERT INTO _kvs.chunk VALUES (sha256('kvs chunk'::bytea || raw), '\x00'::bytea || raw);
    UPDATE _kvs.branch SET working_data_root = CASE tree WHEN 'data' THEN sha256('kvs chunk'::bytea || raw) ELSE working_data_root END,
                           working_meta_root = CASE tree WHEN 'data' THEN working_meta_root ELSE sha256('kvs chunk'::bytea || raw) END
    WHERE name = 'check-other';
END
$$;
BEGIN;
SET LOCAL kvs.compression_level = 0;
SELECT kvs.put('check:6', '"six"', branch => 'check-other'), kvs.flush('check-other');
SELECT seq AS six FROM _kvs.change WHERE key = 'check:6' AND branch_id = :other \gset
SAVEPOINT flushed;
SELECT pg_temp.plant('meta', pg_temp.meta(c), set_byte(pg_temp.meta(c), 2, 7)) FROM _kvs.change AS c WHERE seq = :six;
SELECT * FROM pg_temp.errors();
ROLLBACK TO flushed;
SELECT pg_temp.plant('data', convert_to('six', 'UTF8'), convert_to('sax', 'UTF8')) FROM _kvs.change WHERE seq = :six;
SELECT * FROM pg_temp.errors();
ROLLBACK;

-- The working roots of another commit; a head, a last move to another commit; a name, an id; no branch.
BEGIN;
UPDATE _kvs.branch SET working_data_root = pg_temp.root(:'one'), working_meta_root = pg_temp.root(:'one', 'meta_root') WHERE name = 'check';
SELECT object, count(*) > 90 AS many FROM (SELECT CASE WHEN object LIKE 'check:%' THEN 'KEY' ELSE object END FROM pg_temp.errors()) AS e (object) GROUP BY object ORDER BY object;
ROLLBACK;
BEGIN;
UPDATE _kvs.branch SET head = decode(:'one', 'hex') WHERE name = 'check';
SELECT * FROM pg_temp.errors();
ROLLBACK;
BEGIN;
UPDATE _kvs.reflog SET to_commit = decode(:'one', 'hex') WHERE id = (SELECT max(id) FROM _kvs.reflog WHERE branch_id = :branch);
SELECT * FROM pg_temp.errors();
DELETE FROM _kvs.reflog WHERE branch_id = :branch;
SELECT * FROM pg_temp.errors();
ROLLBACK;
BEGIN;
UPDATE _kvs.branch SET name = 'check-another' WHERE name = 'check-other';
SELECT * FROM pg_temp.errors();
UPDATE _kvs.branch SET id = 2147483647, epoch = 2147483647::bigint << 32 WHERE name = 'check-another';
SELECT * FROM pg_temp.errors();
DELETE FROM _kvs.branch WHERE name = 'check-another';
SELECT * FROM pg_temp.errors();
ROLLBACK;
BEGIN;
SELECT kvs.delete_branch('check-other', force => true);
SELECT * FROM pg_temp.errors();
INSERT INTO _kvs.branch SELECT :other::bigint << 32, :other::bigint << 32, :other, 'check-other', head, working_data_root, working_meta_root, now() FROM _kvs.branch WHERE name = 'check';
SELECT * FROM pg_temp.errors() WHERE type = 'dangling_ref';
ROLLBACK;
BEGIN;
UPDATE _kvs.branch SET flushed_seq = :seq WHERE name = 'check-other';
SELECT type, object, regexp_replace(detail, '\d+', 'N') FROM pg_temp.errors();
ROLLBACK;

-- A staged merge without conflicts, conflicts without one.
BEGIN;
SELECT kvs.put('check:1', '"other"', branch => 'check-other'), kvs.commit('c conflict', branch => 'check-other') IS NOT NULL AS committed;
SELECT conflicts FROM kvs.merge('check-other', strategy => 'manual');
SELECT * FROM pg_temp.errors();
SAVEPOINT staged;
DELETE FROM _kvs.conflict WHERE branch_id = :branch;
SELECT * FROM pg_temp.errors();
ROLLBACK TO staged;
DELETE FROM _kvs.merge WHERE branch_id = :branch;
SELECT * FROM pg_temp.errors();
ROLLBACK TO staged;
UPDATE _kvs.merge SET branch_id = 2147483647;
UPDATE _kvs.conflict SET branch_id = 2147483647;
SELECT * FROM pg_temp.errors();
ROLLBACK;

-- A dictionary that this session has used.
BEGIN;
SELECT count(*) > 0 AS trained FROM kvs.train_dictionaries() WHERE dictionary_id IS NOT NULL;
SELECT count(kvs.put('check:' || i, jsonb_build_object('n', -i, 'text', md5((-i)::text)))) FROM generate_series(1, 500) AS i;
SELECT kvs.commit('c dictionary') IS NOT NULL AS committed;
SELECT * FROM pg_temp.errors();
UPDATE _kvs.dictionary SET body = substr(body, 1, octet_length(body) - 2000) || decode(repeat('5a', 2000), 'hex');
SELECT DISTINCT type, regexp_replace(detail, ' \(.*', '') ~ 'hash to its address|zstd|compress' AS of_bytes FROM pg_temp.errors() WHERE type = 'corrupt_object';
DELETE FROM _kvs.dictionary;
SELECT DISTINCT type FROM pg_temp.errors() WHERE type = 'corrupt_object';
ROLLBACK;

-- After all that the store is as it was.
SELECT * FROM pg_temp.errors();
-- Whoever may read may check; nothing of the extension's rights is left behind.
CREATE ROLE regress_kvs_check;
SET ROLE regress_kvs_check;
SELECT * FROM kvs.check();
RESET ROLE;
GRANT SELECT ON kvs.entries TO regress_kvs_check;
SET ROLE regress_kvs_check;
SELECT count(*) FROM kvs.check() WHERE severity = 'error';
SELECT current_user, current_setting('search_path');
SELECT count(*) FROM _kvs.chunk;
RESET ROLE;
REVOKE SELECT ON kvs.entries FROM regress_kvs_check;
DROP ROLE regress_kvs_check;
-- In a target list, under a limit, and where memory is short.
SET maintenance_work_mem = '1MB';
SET work_mem = '64kB';
SELECT count(*) FROM (SELECT (kvs.check()).* LIMIT 1) AS c WHERE severity = 'error';
SELECT count(*) FROM pg_temp.errors();

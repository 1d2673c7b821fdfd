-- Merging: fast-forward, three ways, conflicts as data, policies, and what was uncommitted meanwhile.
CREATE FUNCTION pg_temp.error_of(statement text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
    hint text;
BEGIN
    EXECUTE statement;
    RETURN 'no error';
EXCEPTION WHEN OTHERS THEN
    GET STACKED DIAGNOSTICS hint = PG_EXCEPTION_HINT;
    RETURN SQLSTATE || ': ' || regexp_replace(SQLERRM, '[0-9a-f]{12,64}', 'HASH', 'g') || CASE WHEN hint <> '' THEN ' (' || hint || ')' ELSE '' END;
END
$$;
-- A result without its hash.
CREATE FUNCTION pg_temp.outcome(result kvs.merge_result) RETURNS text LANGUAGE sql AS $$
    SELECT format('%s, fast_forward %s, merged %s, conflicts %s',
                  CASE WHEN result.commit IS NULL THEN 'no commit'
                       ELSE 'a commit' END,
                  result.fast_forward, result.merged, result.conflicts)
$$;
SET kvs.author = 'tester';
SELECT kvs.create_branch('m') AS branch, kvs.switch_branch('m') AS switched;
SELECT kvs.mput(ARRAY['m:a', 'm:b', 'm:c', 'm:d'],
                ARRAY['{"n": 1, "name": "ann", "address": {"city": "Rome", "zip": 1}}', '[1, 2, 3]', '"c"', '4']::jsonb[]);
SELECT kvs.commit('base') IS NOT NULL AS committed;
SELECT kvs.create_branch('f') AS branch;

-- Nothing to do, and moving forward.
SELECT pg_temp.outcome(r) FROM kvs.merge('f') AS r;
SELECT kvs.put('m:a', '{"n": 2, "name": "ann", "address": {"city": "Rome", "zip": 1}}', branch => 'f');
SELECT kvs.delete('m:d', branch => 'f');
SELECT kvs.put('m:e', '"new"', branch => 'f');
SELECT kvs.commit('on f', branch => 'f') IS NOT NULL AS committed;
SELECT pg_temp.outcome(r) FROM kvs.merge('f') AS r;
SELECT kvs.rev_parse('m') = kvs.rev_parse('f') AS same_commit;
SELECT key, value, version FROM kvs.scan('m:');
SELECT count(*) AS uncommitted FROM kvs.status();
SELECT op, version, value FROM kvs.history('m:a');

-- Both sides, different keys and different members of one document: no conflict.
SELECT kvs.put('m:a', '{"n": 2, "name": "bob", "address": {"city": "Rome", "zip": 2}}');
SELECT kvs.put('m:c', '"ours"');
SELECT kvs.commit('ours') IS NOT NULL AS committed;
SELECT kvs.put('m:a', '{"n": 2.50, "name": "ann", "address": {"city": "Oslo", "zip": 1}}', branch => 'f');
SELECT kvs.put('m:e', '"theirs"', branch => 'f');
SELECT kvs.commit('theirs', branch => 'f') IS NOT NULL AS committed;
SELECT * FROM kvs.preview_merge('f');
SELECT pg_temp.outcome(r) FROM kvs.merge('f', message => 'both') AS r;
SELECT key, value, version, modified_by FROM kvs.scan('m:');
SELECT message, cardinality(parents) AS parents, author FROM kvs.log(max_rows => 1);
SELECT op, version, value FROM kvs.history('m:a');
SELECT op, version, value FROM kvs.history('m:e');
SELECT count(*) AS uncommitted FROM kvs.status();
-- The other way it is a fast-forward, and all are equal.
SELECT (r).fast_forward FROM (SELECT kvs.merge('m', target => 'f') AS r) AS q;
SELECT count(*) AS differences FROM kvs.diff('m', 'f');

-- Conflicts are staged; nothing is applied, and others go on.
SELECT kvs.put('m:a', '{"n": 3, "name": "carl", "address": {"city": "Oslo", "zip": 2}}');
SELECT kvs.put('m:b', '[1, 2, 3, 4]'), kvs.delete('m:c'), kvs.put('m:new', '"o"'), kvs.put('m:kind', '1');
SELECT kvs.commit('ours') IS NOT NULL AS committed;
SELECT kvs.put('m:a', '{"n": 4, "name": "carl", "address": {"city": "Oslo"}}', branch => 'f');
SELECT kvs.put('m:b', '[0, 1, 2, 3]', branch => 'f'), kvs.put('m:c', '"t"', branch => 'f'), kvs.put('m:new', '"t"', branch => 'f'),
       kvs.put('m:fine', 'true', branch => 'f');
SELECT kvs.commit('theirs', branch => 'f') IS NOT NULL AS committed;
SELECT key, path, base, ours, theirs, reason FROM kvs.preview_merge('f');
SELECT count(*) AS staged FROM kvs.conflicts;
SELECT pg_temp.outcome(r) FROM kvs.merge('f') AS r;
SELECT kvs.get('m:a'), kvs.get('m:fine') IS NULL AS untouched;
SELECT branch, key, path, base, ours, theirs, reason, resolution, value FROM kvs.conflicts ORDER BY key, path;
SELECT pg_temp.error_of($$SELECT kvs.merge('f')$$);
SELECT pg_temp.outcome(r) FROM kvs.merge_continue() AS r;
SELECT kvs.resolve('m:a', 'value', '33', path => '/n'), kvs.resolve('m:b', 'theirs'), kvs.resolve('m:nothing', 'ours');
UPDATE kvs.conflicts SET resolution = 'ours' WHERE key = 'm:c';
UPDATE kvs.conflicts SET value = '"both"' WHERE key = 'm:new';
SELECT key, path, resolution, value FROM kvs.conflicts ORDER BY key, path;
SELECT pg_temp.error_of($$SELECT kvs.resolve('m:a', 'value')$$);
SELECT pg_temp.error_of($$SELECT kvs.resolve('m:a', 'mine')$$);
SELECT pg_temp.error_of($$SELECT kvs.resolve('m:a', 'ours', '1')$$);
SELECT pg_temp.error_of($$UPDATE kvs.conflicts SET ours = '1'$$);
SELECT pg_temp.error_of($$UPDATE kvs.conflicts SET resolution = NULL$$);
-- A key moves on meanwhile: its decision was for another value. A new conflict comes up too.
SELECT kvs.put('m:b', '[7]'), kvs.put('m:fine', 'false');
SELECT kvs.commit('meanwhile') IS NOT NULL AS committed;
SELECT pg_temp.outcome(r) FROM kvs.merge_continue() AS r;
SELECT key, path, ours, theirs, reason, resolution FROM kvs.conflicts ORDER BY key, path;
UPDATE kvs.conflicts SET resolution = 'theirs' WHERE resolution IS NULL;
SELECT pg_temp.outcome(r) FROM kvs.merge_continue('resolved') AS r;
SELECT count(*) AS staged FROM kvs.conflicts;
SELECT key, value, version FROM kvs.scan('m:');
SELECT message FROM kvs.log(max_rows => 1);
SELECT pg_temp.error_of($$SELECT kvs.merge_continue()$$);
SELECT kvs.merge_abort() AS aborted;

-- Abort forgets it.
SELECT kvs.put('m:x', '1'), kvs.put('m:x', '2', branch => 'f');
SELECT kvs.commit('ours') IS NOT NULL, kvs.commit('theirs', branch => 'f') IS NOT NULL;
SELECT pg_temp.outcome(r) FROM kvs.merge('f') AS r;
SELECT kvs.merge_abort() AS aborted;
SELECT count(*) AS staged FROM kvs.conflicts;
-- The strategies decide all conflicts.
SELECT kvs.create_branch('s') AS branch;
SELECT (r).merged, (r).conflicts FROM (SELECT kvs.merge('f', target => 's', strategy => 'theirs') AS r) AS q;
SELECT kvs.get('m:x', branch => 's') AS theirs;
SELECT pg_temp.outcome(r) FROM kvs.merge('f', strategy => 'ours') AS r;
SELECT kvs.get('m:x') AS ours;
SELECT pg_temp.error_of($$SELECT kvs.merge('f', strategy => 'mine')$$);

-- Policies.
SELECT kvs.set_merge_policy('m:list*', 'append'), kvs.set_merge_policy('m:cart*', 'by:sku'), kvs.register_crdt('m:likes', 'counter'),
       kvs.register_crdt('m:best', 'max'), kvs.register_crdt('m:tags', 'set');
SELECT * FROM kvs.merge_policies ORDER BY pattern;
SELECT pg_temp.error_of($$SELECT kvs.set_merge_policy('m:list*', 'merge')$$);
SELECT pg_temp.error_of($$SELECT kvs.register_crdt('m:list*', 'append')$$);
SELECT kvs.mput(ARRAY['m:list', 'm:cart', 'm:likes', 'm:best', 'm:tags'],
    ARRAY['[1]', '[{"sku": "a", "n": 1}, {"sku": "b", "n": 1}]', '{"count": 10.5}', '{"score": 7}', '["x", "y"]']::jsonb[]);
SELECT kvs.commit('policies') IS NOT NULL;
SELECT kvs.create_branch('p') AS branch;
SELECT kvs.mput(ARRAY['m:list', 'm:cart', 'm:likes', 'm:best', 'm:tags'],
    ARRAY['[1, 2]', '[{"sku": "a", "n": 2}, {"sku": "b", "n": 1}]', '{"count": 12.5}', '{"score": 9}', '["x", "y", "z"]']::jsonb[]);
SELECT kvs.mput(ARRAY['m:list', 'm:cart', 'm:likes', 'm:best', 'm:tags'],
    ARRAY['[1, 3]', '[{"sku": "a", "n": 1}, {"sku": "b", "n": 5}, {"sku": "c", "n": 1}]', '{"count": 11.25}', '{"score": 8}', '["y"]']::jsonb[], branch => 'p');
SELECT kvs.commit('ours') IS NOT NULL, kvs.commit('theirs', branch => 'p') IS NOT NULL;
SELECT pg_temp.outcome(r) FROM kvs.merge('p') AS r;
SELECT key, value FROM kvs.mget(ARRAY['m:list', 'm:cart', 'm:likes', 'm:best', 'm:tags']);
SELECT bool_and(kvs.set_merge_policy(pattern, 'conflict')) FROM kvs.merge_policies;
SELECT count(*) AS policies FROM kvs.merge_policies;

-- Uncommitted work stays uncommitted, unless it is in the way.
SELECT kvs.create_branch('u') AS branch;
SELECT kvs.put('m:theirs', '1', branch => 'u');
SELECT kvs.commit('theirs', branch => 'u') IS NOT NULL;
SELECT kvs.put('m:mine', '1');
SELECT pg_temp.outcome(r) FROM kvs.merge('u') AS r;
SELECT key, diff_type FROM kvs.status();
SELECT kvs.get('m:theirs'), kvs.get('m:theirs', as_of => 'HEAD'), kvs.get('m:mine', as_of => 'HEAD') IS NULL AS uncommitted;
SELECT kvs.put('m:theirs', '2', branch => 'u');
SELECT kvs.commit('theirs again', branch => 'u') IS NOT NULL;
SELECT kvs.put('m:theirs', '3');
SELECT pg_temp.error_of($$SELECT kvs.merge('u')$$);
SELECT kvs.commit('mine') IS NOT NULL;
SELECT pg_temp.outcome(r) FROM kvs.merge('u') AS r;
SELECT kvs.merge_abort();

-- Expiry, tags and bytes merge too.
SELECT kvs.put('m:tagged', '1', tags => ARRAY['a', 'b']), kvs.put_bytes('m:bytes', '\x01');
SELECT kvs.commit('tagged') IS NOT NULL;
SELECT kvs.create_branch('t') AS branch;
SELECT kvs.put('m:tagged', '1', tags => ARRAY['a', 'b', 'c']), kvs.put_bytes('m:bytes', '\x02');
SELECT kvs.put('m:tagged', '2', tags => ARRAY['a'], branch => 't'), kvs.put_bytes('m:bytes', '\x03', branch => 't');
SELECT kvs.commit('ours') IS NOT NULL, kvs.commit('theirs', branch => 't') IS NOT NULL;
SELECT key, path, base, ours, theirs, reason FROM kvs.preview_merge('t');
SELECT pg_temp.outcome(r) FROM kvs.merge('t', strategy => 'theirs') AS r;
SELECT value, tags FROM kvs.get_entry('m:tagged');
SELECT kvs.get_bytes('m:bytes');

-- Criss-cross: each side has merged the other, so that there are two merge bases.
SELECT kvs.create_branch('x1'), kvs.create_branch('x2');
SELECT kvs.put('m:p', '1', branch => 'x1'), kvs.put('m:q', '1', branch => 'x2');
SELECT kvs.commit('1', branch => 'x1') IS NOT NULL, kvs.commit('2', branch => 'x2') IS NOT NULL;
SELECT kvs.create_tag('x1-before', 'x1') IS NOT NULL AS tagged;
SELECT (r).conflicts FROM (SELECT kvs.merge('x2', target => 'x1') AS r) AS q;
SELECT (r).conflicts FROM (SELECT kvs.merge('x1-before', target => 'x2') AS r) AS q;
SELECT kvs.put('m:p', '2', branch => 'x1'), kvs.put('m:q', '2', branch => 'x2');
SELECT kvs.commit('3', branch => 'x1') IS NOT NULL, kvs.commit('4', branch => 'x2') IS NOT NULL;
SELECT (r).merged, (r).conflicts FROM (SELECT kvs.merge('x2', target => 'x1') AS r) AS q;
SELECT key, value FROM kvs.mget(ARRAY['m:p', 'm:q'], branch => 'x1');
SELECT kvs.delete_tag('x1-before') AS deleted;

-- A merge may decide for the side with the lower version. The other side, when it moves forward to that, goes on
-- from its own: versions never rewind.
SELECT kvs.create_branch('w1') AS branch, kvs.put('m:w', '"base"', branch => 'w1'), kvs.put('m:same', '"base"', branch => 'w1');
SELECT kvs.commit('w', branch => 'w1') IS NOT NULL, kvs.create_branch('w2', 'w1') AS branch;
SELECT kvs.put('m:w', '"ours"', branch => 'w1'), kvs.put('m:same', '"x"', branch => 'w1');
SELECT kvs.put('m:w', '"t1"', branch => 'w2'), kvs.put('m:w', '"t2"', branch => 'w2'), kvs.put('m:same', '"y"', branch => 'w2'),
       kvs.put('m:same', '"x"', branch => 'w2');
SELECT kvs.commit('w1', branch => 'w1') IS NOT NULL, kvs.commit('w2', branch => 'w2') IS NOT NULL;
SELECT pg_temp.outcome(r) FROM kvs.merge('w2', target => 'w1', strategy => 'ours') AS r;
SELECT pg_temp.outcome(r) FROM kvs.merge('w1', target => 'w2') AS r;
SELECT key, version, value FROM kvs.mget(ARRAY['m:w', 'm:same'], branch => 'w1');
SELECT key, version, value FROM kvs.mget(ARRAY['m:w', 'm:same'], branch => 'w2');
SELECT version, op, value FROM kvs.history('m:w', branch => 'w2');
SELECT kvs.cas('m:w', 2, '"stale"', branch => 'w2') AS stale, kvs.cas('m:w', 3, '"stale"', branch => 'w2') AS stale;
SELECT count(*) AS uncommitted FROM kvs.status('w2');

-- Many keys: one range record in the log, and history goes through it.
SET kvs.bulk_log_threshold = 10;
SELECT kvs.create_branch('big') AS branch;
SELECT sum(kvs.put('m:big:' || i, to_jsonb(i), branch => 'big')) FROM generate_series(1, 50) AS i;
SELECT kvs.put('m:big', '"ours"');
SELECT kvs.commit('big', branch => 'big') IS NOT NULL, kvs.commit('ours') IS NOT NULL;
SELECT pg_temp.outcome(r) FROM kvs.merge('big') AS r;
SELECT op, version, value FROM kvs.history('m:big:7');
SELECT kvs.put('m:big:7', '70');
SELECT op, version, value FROM kvs.history('m:big:7');
RESET kvs.bulk_log_threshold;

-- Whole ranges that theirs alone changed are taken over. The same merge with a row per key makes the same entries, and
-- neither goes below a version that one of the two sides had.
CREATE FUNCTION pg_temp.versions(branch text) RETURNS TABLE (key text, version bigint) LANGUAGE sql AS $$
    SELECT k, h.version FROM generate_series(1, 900) AS i, LATERAL (SELECT 'm:r:' || lpad(i::text, 4, '0')) AS a (k),
           LATERAL kvs.history(k, 1, branch => versions.branch) AS h
$$;
SELECT kvs.create_branch('ours') AS branch;
SELECT kvs.import($$SELECT 'm:r:' || lpad(i::text, 4, '0'), jsonb_build_object('n', i, 'ours', 0, 'theirs', 0) FROM generate_series(1, 600) AS i$$,
                  branch => 'ours', message => 'base');
SELECT kvs.create_branch('theirs', 'ours') AS branch;
-- Theirs: long ranges, deletions and new keys among them. Ours: a key in the middle of each, and a range of its own.
SELECT count(kvs.patch('m:r:' || lpad(i::text, 4, '0'), '{"theirs": 1}', branch => 'theirs')) FROM generate_series(1, 400) AS i;
SELECT count(kvs.put('m:r:' || lpad(i::text, 4, '0'), '{"new": true}', branch => 'theirs')) FROM generate_series(700, 900) AS i;
SELECT count(*) FILTER (WHERE kvs.delete('m:r:' || lpad(i::text, 4, '0'), branch => 'theirs')) FROM generate_series(250, 290) AS i;
SELECT count(kvs.patch('m:r:' || lpad(i::text, 4, '0'), '{"ours": 1}', branch => 'ours')) FROM generate_series(500, 600) AS i;
SELECT kvs.patch('m:r:' || i, '{"ours": 1}', branch => 'ours') FROM unnest(ARRAY['0001', '0050', '0200', '0201', '0240']) AS i;
SELECT kvs.commit('theirs', branch => 'theirs') IS NOT NULL, kvs.commit('ours', branch => 'ours') IS NOT NULL;
SELECT kvs.create_branch('rows', 'ours') AS branch, kvs.create_branch('before', 'ours') AS branch;
SELECT pg_temp.outcome(r) FROM kvs.merge('theirs', target => 'rows') AS r;
SET kvs.bulk_log_threshold = 10;
SELECT pg_temp.outcome(r) FROM kvs.merge('theirs', target => 'ours') AS r;
RESET kvs.bulk_log_threshold;
SELECT count(*) AS different FROM kvs.diff('rows', 'ours');
SELECT count(*), sum((value->>'ours')::int) AS ours, sum((value->>'theirs')::int) AS theirs FROM kvs.scan('m:r:', branch => 'ours');
SELECT side, count(*) AS keys, count(*) FILTER (WHERE m.version < v.version OR m.version IS NULL) AS rewound
FROM unnest(ARRAY['theirs', 'before']) AS side, LATERAL pg_temp.versions(side) AS v LEFT JOIN pg_temp.versions('ours') AS m USING (key)
GROUP BY side ORDER BY side;
SELECT key, version, op, value, modified_by FROM unnest(ARRAY['m:r:0001', 'm:r:0100', 'm:r:0270', 'm:r:0800']) AS key,
    LATERAL (SELECT * FROM kvs.history(key, branch => 'ours')) AS h ORDER BY key, version DESC;
SELECT count(*) AS problems FROM kvs.check() WHERE severity = 'error';

-- What both sides made of a document may together be too large for a value: a conflict, which preview sees and a
-- strategy decides, as it decides any other.
SELECT kvs.put('m:size', '{}') AS put, kvs.commit('size') IS NOT NULL AS committed, kvs.create_branch('z') AS branch;
SELECT kvs.patch('m:size', jsonb_build_object('ours', repeat('o', 9000000))) AS ours,
       kvs.patch('m:size', jsonb_build_object('theirs', repeat('t', 9000000)), branch => 'z') AS theirs;
SELECT kvs.commit('ours') IS NOT NULL AS ours, kvs.commit('theirs', branch => 'z') IS NOT NULL AS theirs;
SELECT key, path, reason FROM kvs.preview_merge('z');
BEGIN;
SELECT pg_temp.outcome(r) FROM kvs.merge('z', strategy => 'ours') AS r;
SELECT array_agg(k) FROM jsonb_object_keys(kvs.get('m:size')) AS k;
ROLLBACK;
BEGIN;
SELECT pg_temp.outcome(r) FROM kvs.merge('z', strategy => 'theirs') AS r;
SELECT array_agg(k) FROM jsonb_object_keys(kvs.get('m:size')) AS k;
ROLLBACK;
BEGIN;
SELECT kvs.set_merge_policy('m:size', 'lww');
SELECT count(*) FROM kvs.preview_merge('z');
SELECT pg_temp.outcome(r) FROM kvs.merge('z') AS r;
SELECT array_agg(k) FROM jsonb_object_keys(kvs.get('m:size')) AS k;
ROLLBACK;
SELECT pg_temp.outcome(r) FROM kvs.merge('z') AS r;
SELECT key, path, reason, octet_length(ours::text) > 9000000 AS ours, octet_length(theirs::text) > 9000000 AS theirs FROM kvs.conflicts;
SELECT kvs.resolve('m:size', 'value', '{"both": true}');
SELECT pg_temp.outcome(r) FROM kvs.merge_continue() AS r;
SELECT kvs.get('m:size'), kvs.delete_branch('z', force => true);

-- Errors, privileges, time travel.
SELECT pg_temp.error_of($$SELECT kvs.merge('nothing')$$);
SELECT pg_temp.error_of($$SELECT kvs.merge('f', target => 'nothing')$$);
SELECT pg_temp.error_of($$SELECT kvs.merge('WORKING')$$);
SELECT pg_temp.error_of($$SELECT kvs.merge(NULL)$$);
SET kvs.as_of = 'HEAD';
SELECT pg_temp.error_of($$SELECT kvs.merge('f')$$);
RESET kvs.as_of;
CREATE ROLE regress_merge_stranger;
SET ROLE regress_merge_stranger;
SELECT pg_temp.error_of($$SELECT kvs.merge('f')$$);
SELECT pg_temp.error_of($$SELECT * FROM kvs.conflicts$$);
SELECT pg_temp.error_of($$SELECT * FROM kvs.preview_merge('f')$$);
SELECT pg_temp.error_of($$SELECT kvs.resolve('m:a', 'ours')$$);
RESET ROLE;
DROP ROLE regress_merge_stranger;

SELECT count(*) AS problems FROM kvs.check() WHERE severity = 'error';
SELECT kvs.switch_branch('main') AS switched;
SELECT bool_and(kvs.delete_branch(name, force => true)) FROM unnest(ARRAY['m', 'f', 's', 'p', 'u', 't', 'x1', 'x2', 'w1', 'w2', 'big', 'ours', 'theirs', 'rows', 'before']) AS name;
RESET kvs.author;

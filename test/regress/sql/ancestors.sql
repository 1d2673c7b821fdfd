-- Ancestors along first parents: ref~n against a walk over _kvs.commit.
\set SHOW_CONTEXT never
CREATE FUNCTION ancestors_error_of(query text) RETURNS text LANGUAGE plpgsql AS $$
BEGIN
    EXECUTE query;
    RETURN 'none';
EXCEPTION WHEN OTHERS THEN
    RETURN SQLSTATE || ' ' || regexp_replace(SQLERRM, '[0-9a-f]{64}', 'HASH');
END
$$;

SELECT kvs.create_branch('ancestors', encode(_kvs.initial_commit(), 'hex'));
SET kvs.branch = 'ancestors';
-- A line of 300 commits with a branch off each fortieth, merged three commits later.
DO $$
BEGIN
    FOR i IN 1 .. 300 LOOP
        PERFORM kvs.put('a:' || i % 50, to_jsonb(i));
        PERFORM kvs.commit('a ' || i);
        IF i % 40 = 0 THEN
            PERFORM kvs.create_branch('ancestors-' || i);
            PERFORM kvs.put('side:' || i || ':' || n, to_jsonb(n), branch => 'ancestors-' || i), kvs.commit('side', branch => 'ancestors-' || i)
            FROM generate_series(1, 5) AS n;
        ELSIF i % 40 = 3 AND i > 40 THEN
            PERFORM kvs.merge('ancestors-' || i - 3);
        END IF;
    END LOOP;
END
$$;
SELECT count(*) AS merges FROM _kvs.commit AS c WHERE cardinality(parents) = 2 AND encode(hash, 'hex') IN (SELECT hash FROM kvs.log());

-- The n-th first parent by the parents alone.
CREATE FUNCTION pg_temp.line(ref text) RETURNS TABLE (n int, hash bytea) LANGUAGE sql AS $$
    WITH RECURSIVE line(n, hash) AS (
        SELECT 0, decode(kvs.rev_parse(ref), 'hex')
        UNION ALL
        SELECT line.n + 1, c.parents[1] FROM line JOIN _kvs.commit AS c ON c.hash = line.hash
    )
    SELECT * FROM line;
$$;
-- How many refs~n there are, and how many of them mean something else than the walk finds.
CREATE FUNCTION pg_temp.compare(ref text, OUT ancestors bigint, OUT wrong bigint) LANGUAGE sql AS $$
    SELECT count(*), count(*) FILTER (WHERE encode(hash, 'hex') <> kvs.rev_parse(ref || '~' || n)) FROM pg_temp.line(ref);
$$;
SELECT * FROM pg_temp.compare('HEAD');
SELECT * FROM pg_temp.compare('HEAD~37');
SELECT * FROM pg_temp.compare('ancestors-280');
SELECT * FROM pg_temp.compare((SELECT encode(hash, 'hex') FROM pg_temp.line('HEAD') WHERE n = 63));
-- Another step behind it, and merges between.
SELECT bool_and(kvs.rev_parse('HEAD~' || n || '^~' || n % 7) = kvs.rev_parse('HEAD~' || n + 1 + n % 7)) AS fits FROM generate_series(0, 290, 13) AS n;
SELECT kvs.get('a:0', as_of => 'HEAD~1'), kvs.get('a:0', as_of => 'HEAD~200'), kvs.get('a:0', as_of => 'HEAD~306'), kvs.get('a:0', as_of => 'HEAD~307');
SELECT ancestors_error_of($$SELECT kvs.rev_parse('HEAD~308')$$), ancestors_error_of($$SELECT kvs.rev_parse('HEAD~1000000000')$$),
       ancestors_error_of($$SELECT kvs.rev_parse('HEAD^3')$$);
-- Every commit has its ancestry.
SELECT count(*) AS unknown FROM _kvs.commit WHERE ancestry IS NULL AND encode(hash, 'hex') IN (SELECT hash FROM kvs.log());
SELECT count(*) FROM kvs.check() WHERE detail ~ 'ancestry';

-- A commit that was rolled back is not found by what the session remembers.
BEGIN;
SELECT kvs.put('a:1', '"gone"') > 0 AS written;
SELECT kvs.commit('gone') AS gone \gset
SAVEPOINT s;
SELECT kvs.put('a:1', '"gone, too"') > 0 AS written;
SELECT kvs.commit('gone, too') AS gone_too \gset
SELECT kvs.rev_parse(:'gone_too' || '~1') = :'gone' AS found, kvs.rev_parse('HEAD~2') = encode(hash, 'hex') AS same FROM pg_temp.line('HEAD') WHERE n = 2;
ROLLBACK TO s;
SELECT ancestors_error_of(format('SELECT kvs.rev_parse(%L)', :'gone_too')), ancestors_error_of(format('SELECT kvs.inspect_commit(%L)', :'gone_too')),
       kvs.rev_parse(:'gone') = kvs.rev_parse('HEAD') AS found;
ROLLBACK;
SELECT ancestors_error_of(format('SELECT kvs.rev_parse(%L)', :'gone')), ancestors_error_of(format('SELECT kvs.get(%L, as_of => %L)', 'a:1', :'gone' || '~1')),
       ancestors_error_of(format('SELECT kvs.merge_base(%L, %L)', :'gone', 'HEAD')), ancestors_error_of(format('SELECT count(*) FROM kvs.log(%L)', :'gone')),
       ancestors_error_of(format('SELECT kvs.create_tag(%L, %L)', 'ancestors-gone', :'gone'));

-- Nor is one that was collected, nor its parent.
SELECT kvs.create_branch('ancestors-short');
SELECT kvs.put('short:1', '1', branch => 'ancestors-short') > 0 AS written;
SELECT kvs.commit('short 1', branch => 'ancestors-short') AS short_1 \gset
SELECT kvs.put('short:1', '2', branch => 'ancestors-short') > 0 AS written;
SELECT kvs.commit('short 2', branch => 'ancestors-short') AS short_2 \gset
SELECT kvs.rev_parse('ancestors-short~1') = :'short_1' AS found;
BEGIN;
SET LOCAL kvs.reflog_retention = 0;
SELECT kvs.delete_branch('ancestors-short', force => true) AS deleted;
SELECT objects_removed > 0 AS removed FROM kvs.gc();
SELECT ancestors_error_of(format('SELECT kvs.rev_parse(%L)', :'short_1')), ancestors_error_of(format('SELECT kvs.rev_parse(%L)', :'short_2' || '~1'));
SELECT * FROM pg_temp.compare('HEAD');
ROLLBACK;
SELECT kvs.rev_parse('ancestors-short~1') = :'short_1' AS found;

-- By a bundle into a store that has nothing of it: the same ancestries.
CREATE TEMP TABLE bundle AS SELECT n, part FROM kvs.export_bundle('ancestors') WITH ORDINALITY AS b(part, n);
CREATE TEMP TABLE line AS SELECT l.n, l.hash, c.ancestry FROM pg_temp.line('HEAD') AS l LEFT JOIN _kvs.commit AS c USING (hash);
BEGIN;
DELETE FROM _kvs.commit WHERE encode(hash, 'hex') IN (SELECT hash FROM kvs.log());
DELETE FROM _kvs.branch WHERE name LIKE 'ancestors%';
RESET kvs.branch;
SELECT ancestors_error_of(format('SELECT kvs.rev_parse(%L)', encode(hash, 'hex'))) FROM line WHERE n = 1;
SELECT kvs.import_bundle(array_agg(part ORDER BY n)) = (SELECT encode(hash, 'hex') FROM line WHERE n = 0) AS imported FROM bundle;
SELECT count(*) AS commits, count(*) FILTER (WHERE encode(l.hash, 'hex') <> kvs.rev_parse('bundle/ancestors~' || l.n)) AS wrong,
       count(*) FILTER (WHERE l.ancestry IS DISTINCT FROM c.ancestry) AS different
FROM line AS l LEFT JOIN _kvs.commit AS c USING (hash);
ROLLBACK;

-- A damaged ancestry is told, and mended; until then nothing but time is lost.
\c -
SET kvs.branch = 'ancestors';
CREATE FUNCTION pg_temp.check() RETURNS TABLE (n bigint, detail text) LANGUAGE sql AS $$
    SELECT count(*), detail FROM kvs.check() WHERE severity = 'error' GROUP BY 2 ORDER BY 2;
$$;
BEGIN;
CREATE TEMP TABLE line ON COMMIT DROP AS
    WITH RECURSIVE line(n, hash) AS (
        SELECT 0, head FROM _kvs.branch WHERE name = 'ancestors'
        UNION ALL
        SELECT line.n + 1, c.parents[1] FROM line JOIN _kvs.commit AS c ON c.hash = line.hash
    )
    SELECT n, hash, (SELECT ancestry FROM _kvs.commit AS c WHERE c.hash = line.hash) FROM line;
UPDATE _kvs.commit AS c SET ancestry = CASE line.n % 5
    WHEN 0 THEN set_byte(c.ancestry, 12, get_byte(c.ancestry, 12) # 1)                -- points elsewhere
    WHEN 1 THEN set_byte(c.ancestry, 1, get_byte(c.ancestry, 1) # 1)                  -- another depth
    WHEN 2 THEN (SELECT l.ancestry FROM line AS l WHERE l.n = line.n + 1)             -- of another commit
    WHEN 3 THEN substring(c.ancestry FROM 1 FOR 20)
    END
FROM line WHERE c.hash = line.hash AND (line.n BETWEEN 0 AND 19 OR line.n BETWEEN 200 AND 209);
SELECT * FROM pg_temp.check();
SELECT count(*) AS ancestors, count(*) FILTER (WHERE encode(hash, 'hex') <> kvs.rev_parse('HEAD~' || n)) AS wrong FROM line;
-- What is committed upon it does not know its ancestry, either.
SELECT kvs.put('a:1', '"new"') > 0 AS written;
SELECT kvs.commit('new') IS NOT NULL AS committed;
SELECT ancestry IS NULL AS unknown FROM _kvs.commit WHERE encode(hash, 'hex') = kvs.rev_parse('HEAD');
SELECT count(*) FILTER (WHERE encode(hash, 'hex') <> kvs.rev_parse('HEAD~' || n + 1)) AS wrong FROM line;
SELECT * FROM pg_temp.check();
SELECT errors FROM kvs.repair();
SELECT * FROM pg_temp.check();
SELECT count(*) FILTER (WHERE line.ancestry IS DISTINCT FROM c.ancestry) AS different, count(*) FILTER (WHERE encode(hash, 'hex') <> kvs.rev_parse('HEAD~' || n + 1)) AS wrong
FROM line LEFT JOIN _kvs.commit AS c USING (hash);
SELECT ancestry IS NULL AS unknown FROM _kvs.commit WHERE encode(hash, 'hex') = kvs.rev_parse('HEAD');
SELECT kvs.put('a:1', '"newer"') > 0 AS written;
SELECT kvs.commit('newer') IS NOT NULL AS committed;
SELECT ancestry IS NULL AS unknown FROM _kvs.commit WHERE encode(hash, 'hex') = kvs.rev_parse('HEAD');
ROLLBACK;

-- Commits on the way are not read: one that is damaged is met by who asks for it.
\c -
BEGIN;
CREATE TEMP TABLE line ON COMMIT DROP AS
    WITH RECURSIVE line(n, hash) AS (
        SELECT 0, head FROM _kvs.branch WHERE name = 'ancestors'
        UNION ALL
        SELECT line.n + 1, c.parents[1] FROM line JOIN _kvs.commit AS c ON c.hash = line.hash
    )
    SELECT * FROM line;
UPDATE _kvs.commit AS c SET body = set_byte(body, 40, get_byte(body, 40) # 1) FROM line WHERE c.hash = line.hash AND line.n BETWEEN 1 AND 199;
SELECT kvs.rev_parse('ancestors~200') = encode(hash, 'hex') AS found FROM line WHERE n = 200;
SELECT ancestors_error_of($$SELECT kvs.rev_parse('ancestors~150')$$);
ROLLBACK;

-- All of it goes, since whoever checks the store walks it.
RESET kvs.branch;
SELECT count(kvs.delete_branch(name, force => true)) AS deleted FROM kvs.branches WHERE name LIKE 'ancestors%';
DELETE FROM _kvs.remote_ref WHERE remote = 'bundle';
BEGIN;
SET LOCAL kvs.reflog_retention = 0;
SELECT objects_removed > 300 AS removed FROM kvs.gc();
COMMIT;
DROP FUNCTION ancestors_error_of;

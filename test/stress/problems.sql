-- What the stress test writes down, and the checker of what the store made of it. Every write carries a number of its
-- own and is written down in the transaction that makes it, so that exactly the committed ones are known.
CREATE SCHEMA stress;

CREATE SEQUENCE stress.n;

CREATE TABLE stress.written (
    key     text NOT NULL,
    op      text NOT NULL,      -- set, patch, delete, import, add
    n       bigint,             -- the write's number; null for delete and add
    version bigint,             -- what the write returned, where it returns a version
    delta   jsonb,              -- of a patch; of add the sum that was returned
    xid     xid8 NOT NULL DEFAULT pg_current_xact_id()
);

-- One row for each thing that is wrong.
CREATE FUNCTION stress.problems() RETURNS TABLE (problem text, detail text)
LANGUAGE sql SET jit = off SET enable_nestloop = off AS $$
    WITH change AS MATERIALIZED (
        SELECT seq, prev_seq, version, branch_id, op, convert_from(key, 'UTF8') AS key
        FROM _kvs.change WHERE key IS NOT NULL
    ), history AS MATERIALIZED (
        SELECT k.key, h.version, h.op, h.value, h.seq, (h.value->>'n')::bigint AS n
        FROM (SELECT key FROM change UNION SELECT key FROM kvs.scan()) AS k, LATERAL kvs.history(k.key) AS h
    ), step AS (
        SELECT key, version, op, value, seq, n, lag(version, 1, 0::bigint) OVER older AS old_version,
               lag(seq, 1, 0::bigint) OVER older AS old_seq, lag(value) OVER older AS old_value
        FROM history
        WINDOW older AS (PARTITION BY key ORDER BY version)
    ), last AS (
        SELECT DISTINCT ON (key) key, value FROM history ORDER BY key, version DESC
    ), head AS (
        SELECT key, value FROM kvs.scan(as_of => 'HEAD')
    ), working AS (
        SELECT key, value FROM kvs.scan()
    ), difference AS (
        SELECT key, diff_type, to_value FROM kvs.diff('HEAD', 'WORKING')
    ), sum AS (
        SELECT key, delta::numeric AS reached,
               row_number() OVER (PARTITION BY key ORDER BY delta::numeric) AS expected
        FROM stress.written WHERE op = 'add'
    )
    -- The log itself.
    SELECT 'duplicate version', format('%s version %s: %s changes', key, version, count(*))
    FROM change GROUP BY branch_id, key, version HAVING count(*) > 1
    UNION ALL
    SELECT 'rewound version', format('%s: version %s after %s at seq %s', key, version, before, seq)
    FROM (SELECT *, lag(version) OVER (PARTITION BY branch_id, key ORDER BY seq) AS before FROM change) AS c
    WHERE version < before
    UNION ALL
    -- The history, newest to oldest, has every version once.
    SELECT 'missing version', format('%s: version %s follows %s', key, version, old_version)
    FROM step WHERE version <> old_version + 1
    UNION ALL
    SELECT 'history out of order', format('%s: version %s has seq %s, the one before %s', key, version, seq, old_seq)
    FROM step WHERE seq <= old_seq
    UNION ALL
    -- The history and the log tell the same.
    SELECT 'broken chain', format('%s version %s: prev_seq is %s, not %s', c.key, c.version, c.prev_seq, s.old_seq)
    FROM change AS c JOIN step AS s USING (key, version, seq) WHERE c.prev_seq <> s.old_seq
    UNION ALL
    SELECT 'change without history', format('%s version %s, seq %s', key, version, seq)
    FROM change AS c WHERE NOT EXISTS (SELECT FROM history AS h
                                       WHERE h.key = c.key AND h.version = c.version AND h.seq = c.seq)
    UNION ALL
    SELECT 'history without change', format('%s version %s, seq %s', key, version, seq)
    FROM history AS h WHERE NOT EXISTS (SELECT FROM _kvs.change AS c WHERE c.seq = h.seq)
    UNION ALL
    -- The history is what was written.
    SELECT 'lost write', format('%s %s number %s, version %s', w.op, w.key, w.n, w.version)
    FROM stress.written AS w
    WHERE w.n IS NOT NULL
          AND NOT EXISTS (SELECT FROM history AS h
                          WHERE h.key = w.key AND h.n = w.n AND h.op = w.op
                                AND h.version = coalesce(w.version, h.version))
    UNION ALL
    SELECT 'write from nowhere', format('%s %s number %s, version %s', h.op, h.key, h.n, h.version)
    FROM history AS h
    WHERE h.n IS NOT NULL AND NOT EXISTS (SELECT FROM stress.written AS w WHERE w.key = h.key AND w.n = h.n)
    UNION ALL
    SELECT 'number of deletions', format('%s: %s written, %s in the history', key, written, found)
    FROM (SELECT key, count(*) AS written FROM stress.written WHERE op = 'delete' GROUP BY key) AS w
         FULL JOIN (SELECT key, count(*) AS found FROM history WHERE op = 'delete' GROUP BY key) AS h USING (key)
    WHERE written IS DISTINCT FROM found
    UNION ALL
    SELECT 'lost patch', format('%s version %s', s.key, s.version)
    FROM step AS s JOIN stress.written AS w USING (key, n)
    WHERE w.op = 'patch' AND s.value <> coalesce(s.old_value, '{}') || w.delta
    UNION ALL
    SELECT 'lost increment', format('%s: %s returned as number %s', key, reached, expected)
    FROM sum WHERE reached <> expected
    UNION ALL
    SELECT 'wrong sum', format('%s: %s instead of %s', key, kvs.get(key), count(*))
    FROM sum GROUP BY key HAVING kvs.get(key)::numeric IS DISTINCT FROM count(*)
    UNION ALL
    -- What is read is the last change.
    SELECT 'get is not the last change',
           format('%s: %s instead of %s', key, left(kvs.get(key)::text, 40), left(value::text, 40))
    FROM last WHERE kvs.get(key) IS DISTINCT FROM value
    UNION ALL
    SELECT 'scan is not the last changes', key
    FROM (SELECT key, value FROM last WHERE value IS NOT NULL) AS l FULL JOIN working AS w USING (key)
    WHERE l.value IS DISTINCT FROM w.value
    UNION ALL
    SELECT 'HEAD and diff are not WORKING', key
    FROM (SELECT key, value FROM head WHERE key NOT IN (SELECT key FROM difference)
          UNION ALL
          SELECT key, to_value FROM difference WHERE diff_type <> 'removed') AS d
         FULL JOIN working AS w USING (key)
    WHERE d.value IS DISTINCT FROM w.value
    UNION ALL
    SELECT 'check: ' || type, object || ' ' || detail FROM kvs.check() WHERE severity = 'error'
$$;

-- What writers note down of what they write, in the transaction that writes it, and the checker of what the stream made
-- of it.
CREATE SCHEMA stream;

CREATE SEQUENCE stream.n;

CREATE TABLE stream.written (
    key     text NOT NULL,
    version bigint,             -- that the write returned; null for one that returns none
    n       bigint NOT NULL DEFAULT nextval('stream.n'),
    client  int NOT NULL DEFAULT pg_backend_pid(),
    xid     xid8 NOT NULL DEFAULT pg_current_xact_id()
);

CREATE FUNCTION stream.put(key text) RETURNS void LANGUAGE sql AS $$
    INSERT INTO stream.written (key, version, n)
    SELECT w.key, kvs.put(w.key, to_jsonb(n)), n FROM (SELECT put.key, nextval('stream.n') AS n OFFSET 0) AS w;
$$;

CREATE FUNCTION stream.delete(key text) RETURNS void LANGUAGE sql AS $$
    INSERT INTO stream.written (key) SELECT w.key FROM (SELECT delete.key OFFSET 0) AS w WHERE kvs.delete(w.key);
$$;

-- The stream as it was read; the checker looks at this copy, so that errors can be planted in it.
CREATE TABLE stream.event (LIKE kvs.change_event);

-- Reads it from the beginning, so many events at a time.
CREATE FUNCTION stream.read(batch bigint) RETURNS bigint LANGUAGE plpgsql AS $$
DECLARE
    reached bigint := 0;
    next bigint;
BEGIN
    TRUNCATE stream.event;
    LOOP
        INSERT INTO stream.event SELECT * FROM kvs.events(reached, max_rows => batch, branch => '*');
        SELECT max(pos) INTO next FROM stream.event;
        EXIT WHEN next IS NULL OR next = reached;
        reached := next;
    END LOOP;
    RETURN (SELECT count(*) FROM stream.event);
END
$$;

-- One row for each thing that is wrong.
CREATE FUNCTION stream.problems() RETURNS TABLE (problem text, detail text)
LANGUAGE sql SET jit = off SET enable_nestloop = off AS $$
    WITH event AS MATERIALIZED (
        SELECT e.*, lag(e.version) OVER older AS old_version, lag(coalesce(e.new_value, 'null')) OVER older AS before,
               lag(true) OVER older AS has_older
        FROM stream.event AS e
        WINDOW older AS (PARTITION BY e.branch, e.key ORDER BY e.pos)
    ), last AS (
        SELECT DISTINCT ON (key) key, new_value FROM event WHERE branch = 'main' ORDER BY key, pos DESC
    ), state AS (
        SELECT key, value FROM kvs.scan(branch => 'main')
    ), told AS (
        SELECT w.*, e.pos
        FROM stream.written AS w LEFT JOIN stream.event AS e
             ON e.xid = w.xid AND e.key = w.key AND e.branch = 'main' AND (w.version IS NULL OR e.version = w.version)
    ), transaction AS (
        SELECT xid, client, min(pos) AS first_pos, lag(max(pos)) OVER (PARTITION BY client ORDER BY min(n)) AS pos_before
        FROM told GROUP BY client, xid
    )
    SELECT 'position missing or twice', format('%s events between %s and %s', count(*), min(pos), max(pos))
    FROM event GROUP BY pos >> 48 HAVING count(DISTINCT pos) <> count(*) OR max(pos) - min(pos) + 1 <> count(*)
        OR min(pos) & ((1::bigint << 48) - 1) <> 1
    UNION ALL
    SELECT 'torn transaction', xid::text FROM event GROUP BY xid HAVING max(pos) - min(pos) + 1 <> count(*)
    UNION ALL
    SELECT 'versions out of order', format('%s on %s: %s behind %s', key, branch, version, old_version)
    FROM event WHERE CASE WHEN op = 'merge' THEN version <= old_version ELSE version <> old_version + 1 END
    UNION ALL
    SELECT 'change twice', format('%s version %s', key, version) FROM event GROUP BY branch, key, version HAVING count(*) > 1
    UNION ALL
    SELECT 'change missing', format('%s version %s of transaction %s', key, version, xid) FROM told WHERE pos IS NULL
    UNION ALL
    SELECT 'change from nowhere', format('%s version %s of transaction %s', e.key, e.version, e.xid)
    FROM event AS e
    WHERE e.op NOT IN ('import', 'merge') AND e.branch = 'main'
        AND NOT EXISTS (SELECT FROM stream.written AS w WHERE w.xid = e.xid AND w.key = e.key)
    UNION ALL
    SELECT 'client out of order', format('%s: %s behind %s', client, first_pos, pos_before)
    FROM transaction WHERE first_pos < pos_before
    UNION ALL
    SELECT 'old value', format('%s at %s: %s instead of %s', key, pos, old_value, before)
    FROM event WHERE has_older AND coalesce(old_value, 'null') <> before
    UNION ALL
    SELECT 'state', coalesce(l.key, s.key) FROM last AS l FULL JOIN state AS s USING (key)
    WHERE l.new_value IS DISTINCT FROM s.value
    UNION ALL
    SELECT 'lag', lag::text FROM kvs.workers WHERE name = 'sequencer' AND lag > 0;
$$;

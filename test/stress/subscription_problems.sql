-- What members of a durable subscription note down of what they get and acknowledge, in the transaction that does it, and
-- the checker of it. An acknowledgement stands for the effect of an event.
CREATE SCHEMA subs;

CREATE TABLE subs.delivered (
    pos        bigint NOT NULL,
    key        text NOT NULL,
    version    bigint NOT NULL,
    n          bigint NOT NULL,
    member     text NOT NULL,
    deliveries int NOT NULL,
    granted    timestamptz NOT NULL,    -- when it was handed out
    until      timestamptz NOT NULL,
    done       boolean NOT NULL DEFAULT false
);
CREATE INDEX ON subs.delivered (member) WHERE NOT done;
CREATE TABLE subs.acked (pos bigint NOT NULL, member text NOT NULL, at timestamptz NOT NULL DEFAULT clock_timestamp());
CREATE TABLE subs.given_back (pos bigint NOT NULL, key text NOT NULL, member text NOT NULL, at timestamptz NOT NULL DEFAULT clock_timestamp());
CREATE TABLE subs.refused (pos bigint NOT NULL, member text NOT NULL);
CREATE TABLE subs.settings (poison boolean NOT NULL);
INSERT INTO subs.settings VALUES (true);

CREATE FUNCTION subs.take(member text, max_rows bigint, lease interval) RETURNS bigint LANGUAGE plpgsql AS $$
DECLARE
    taken bigint;
BEGIN
    INSERT INTO subs.delivered
    SELECT p.pos, p.key, p.version, (p.new_value)::bigint, take.member, p.delivery_count, p.lease_until - take.lease, p.lease_until
    FROM kvs.poll('subs', take.member, take.max_rows, take.lease) AS p;
    GET DIAGNOSTICS taken = ROW_COUNT;
    RETURN taken;
END
$$;

-- Does what is to be done for what was taken, in its order: events whose number can be divided by 97 fail. What is refused is rolled
-- back alone.
CREATE FUNCTION subs.finish(member text) RETURNS bigint LANGUAGE plpgsql AS $$
DECLARE
    event record;
    refused bigint := 0;
BEGIN
    FOR event IN SELECT d.pos, d.key, d.n FROM subs.delivered AS d WHERE d.member = finish.member AND NOT d.done ORDER BY d.pos LOOP
        BEGIN
            IF event.n % 97 = 0 AND (SELECT poison FROM subs.settings) THEN
                INSERT INTO subs.given_back (pos, key, member) VALUES (event.pos, event.key, finish.member);
                PERFORM kvs.nack('subs', event.pos, random() * interval '20 ms', finish.member);
            ELSE
                INSERT INTO subs.acked (pos, member) VALUES (event.pos, finish.member);
                PERFORM kvs.ack('subs', event.pos, finish.member);
            END IF;
        EXCEPTION WHEN object_not_in_prerequisite_state THEN
            refused := refused + 1;
            INSERT INTO subs.refused VALUES (event.pos, finish.member);
        END;
    END LOOP;
    UPDATE subs.delivered AS d SET done = true WHERE d.member = finish.member AND NOT done;
    RETURN refused;
END
$$;

-- The stream as it was; the checker looks at this copy, so that errors can be planted in it.
CREATE TABLE subs.event (pos bigint, key text, version bigint, n bigint);

CREATE FUNCTION subs.read(start bigint) RETURNS bigint LANGUAGE sql AS $$
    INSERT INTO subs.event SELECT pos, key, version, (new_value)::bigint FROM kvs.events(start, 'key:+', NULL);
    SELECT count(*) FROM subs.event;
$$;

-- One row for each thing that is wrong.
CREATE FUNCTION subs.problems() RETURNS TABLE (problem text, detail text)
LANGUAGE sql SET jit = off AS $$
    WITH hold AS MATERIALIZED (  -- how long an event was in a member's hands: until it was done with it, or the lease ran out
        SELECT d.*, least(coalesce(a.at, 'infinity'), coalesce(g.at, 'infinity'), d.until) AS released
        FROM subs.delivered AS d
        LEFT JOIN LATERAL (SELECT min(a.at) AS at FROM subs.acked AS a
                           WHERE a.pos = d.pos AND a.member = d.member AND a.at >= d.granted) AS a ON true
        LEFT JOIN LATERAL (SELECT min(g.at) AS at FROM subs.given_back AS g
                           WHERE g.key = d.key AND g.pos <= d.pos AND g.member = d.member AND g.at >= d.granted) AS g ON true
    )
    SELECT 'lost', format('position %s, key %s version %s', e.pos, e.key, e.version)
    FROM subs.event AS e WHERE NOT EXISTS (SELECT FROM subs.acked AS a WHERE a.pos = e.pos)
    UNION ALL
    SELECT 'acknowledged twice', format('position %s', pos) FROM subs.acked GROUP BY pos HAVING count(*) > 1
    UNION ALL
    SELECT 'from nowhere', format('position %s', d.pos) FROM subs.delivered AS d
    WHERE NOT EXISTS (SELECT FROM subs.event AS e WHERE e.pos = d.pos AND e.key = d.key AND e.version = d.version AND e.n = d.n)
    UNION ALL
    SELECT 'acknowledged without a delivery', format('position %s by %s', a.pos, a.member) FROM subs.acked AS a
    WHERE NOT EXISTS (SELECT FROM subs.delivered AS d WHERE d.pos = a.pos AND d.member = a.member AND d.granted <= a.at)
    UNION ALL
    SELECT 'handed out after its acknowledgement', format('position %s to %s', d.pos, d.member)
    FROM subs.delivered AS d JOIN subs.acked AS a USING (pos) WHERE d.granted > a.at
    UNION ALL
    -- A member that was late had lost it to the next one.
    SELECT 'acknowledged when another had it', format('position %s by %s', a.pos, a.member)
    FROM subs.acked AS a JOIN subs.delivered AS d ON d.pos = a.pos AND d.member <> a.member
    WHERE d.granted <= a.at AND d.granted >= (SELECT max(o.granted) FROM subs.delivered AS o
                                              WHERE o.pos = a.pos AND o.member = a.member AND o.granted <= a.at)
    UNION ALL
    SELECT 'two members have a key', format('key %s: position %s to %s, %s to %s', a.key, a.pos, a.member, b.pos, b.member)
    FROM hold AS a JOIN hold AS b ON b.key = a.key AND b.member <> a.member
    WHERE b.granted > a.granted AND b.granted < a.released
    UNION ALL
    SELECT 'later event of a key first', format('key %s: position %s to %s before %s', later.key, later.pos, later.member, earlier.pos)
    FROM subs.delivered AS later JOIN subs.event AS earlier ON earlier.key = later.key AND earlier.version < later.version
    WHERE NOT EXISTS (SELECT FROM subs.acked AS a WHERE a.pos = earlier.pos AND a.at <= later.granted)
      AND later.member IS DISTINCT FROM (SELECT d.member FROM subs.delivered AS d WHERE d.pos = earlier.pos AND d.granted <= later.granted
                                         ORDER BY d.granted DESC, d.deliveries DESC LIMIT 1)
    UNION ALL
    SELECT 'effects of a key out of order', format('key %s: position %s', key, pos)
    FROM (SELECT e.key, e.pos, e.version, lag(e.version) OVER (PARTITION BY e.key ORDER BY a.at, a.pos) AS before
          FROM subs.acked AS a JOIN subs.event AS e USING (pos)) AS effects
    WHERE before > version;
$$;
CREATE INDEX ON subs.acked (pos);
CREATE INDEX ON subs.delivered (pos);
CREATE INDEX ON subs.given_back (key, member);
CREATE INDEX ON subs.event (key, version);
CREATE INDEX ON subs.event (pos);

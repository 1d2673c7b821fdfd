-- What readers of the stress test look for while it runs: an answer that cannot be is an error of theirs.

-- All hot keys, one by one and by a scan, and again a moment later.
CREATE FUNCTION stress.same_twice() RETURNS void LANGUAGE plpgsql AS $$
DECLARE
    first text;
    again text;
BEGIN
    SELECT string_agg(key || ' ' || (e).version || ' ' || md5((e).value::text), ', ' ORDER BY key) INTO first
    FROM (SELECT key, kvs.get_entry(key) AS e FROM (SELECT 'hot:' || generate_series(1, 20)) AS k(key)) AS g
    WHERE (e).version IS NOT NULL;
    PERFORM pg_sleep(0.003);
    SELECT string_agg(key || ' ' || version || ' ' || md5(value::text), ', ' ORDER BY key) INTO again
    FROM kvs.entries WHERE key >= 'hot:' AND key < 'hot;' AND key ~ '^hot:(1?[0-9]|20)$' AND key <> 'hot:0';
    IF first IS DISTINCT FROM again THEN
        RAISE 'one snapshot shows two states: % and %', first, again;
    END IF;
END
$$;

-- Turns a key on, or if both are on, off.
CREATE FUNCTION stress.turn(mine text, other text) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
    my_state    text := coalesce(kvs.get(mine) #>> '{}', 'on');
    other_state text := coalesce(kvs.get(other) #>> '{}', 'on');
BEGIN
    IF my_state = 'off' AND other_state = 'off' THEN
        RAISE 'both % and % are off, which no order of serializable transactions explains', mine, other;
    END IF;
    PERFORM pg_sleep(0.001);
    PERFORM kvs.put(mine, to_jsonb(CASE WHEN my_state = 'on' AND other_state = 'on' THEN 'off' ELSE 'on' END));
END
$$;

-- What this transaction has written to the key last is there.
CREATE FUNCTION stress.must_be_mine(mine text) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
    wrote bigint := (SELECT max(n) FROM stress.written WHERE key = mine AND xid = pg_current_xact_id());
    reads bigint := (kvs.get(mine) ->> 'n')::bigint;
BEGIN
    IF wrote IS DISTINCT FROM reads THEN
        RAISE 'wrote % to %, and reads %', wrote, mine, reads;
    END IF;
END
$$;

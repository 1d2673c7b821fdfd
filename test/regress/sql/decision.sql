-- The decision of a write: the cases of test/cases/decision.json, which also run against the core and the in-memory
-- store (test/unit/write_cases.h says how they read). Each runs twice: what is given stands in working rows, and in
-- the trees.
\getenv srcdir PG_ABS_SRCDIR
\set file :srcdir '/../cases/decision.json'
\set cases `cat :'file'`

SELECT kvs.create_branch('decision', encode(_kvs.initial_commit(), 'hex'));
SET kvs.branch = 'decision';
SET kvs.author = 'tester';
SET client_min_messages = warning;

CREATE FUNCTION pg_temp.write(k text, w jsonb) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
    expected bigint := w->>'expected_version';
    ttl interval := (w->>'ttl')::bigint * interval '1 microsecond';
    tags text[] := CASE WHEN w ? 'tags' THEN ARRAY(SELECT jsonb_array_elements_text(w->'tags')) END;
BEGIN
    PERFORM set_config('kvs.origin', coalesce(w->>'origin', ''), true);
    CASE w->>'op'
        WHEN 'put' THEN
            PERFORM kvs.put(k, '{}', expected, ttl, tags, w->>'comment', w->>'modified_by', w->>'schema_hash');
        WHEN 'patch' THEN
            PERFORM kvs.patch(k, '{"patched": true}', expected, w->>'comment', w->>'modified_by');
        WHEN 'cas' THEN
            PERFORM kvs.cas(k, expected, '{"swapped": true}');
        WHEN 'touch' THEN
            PERFORM kvs.touch(k, ttl);
        WHEN 'delete' THEN
            PERFORM kvs.delete(k, expected, w->>'comment', w->>'modified_by');
    END CASE;
END
$$;

-- The newest version, be it a tombstone, and what readers see of it.
CREATE FUNCTION pg_temp.newest(k text) RETURNS jsonb LANGUAGE sql AS $$
    SELECT to_jsonb(r) || coalesce((SELECT to_jsonb(e) FROM kvs.get_entry(k) AS e), '{}') FROM kvs.history(k, 1) AS r
$$;

-- What differs from the case's "then"; NULL: nothing.
CREATE FUNCTION pg_temp.difference(k text, c jsonb, before jsonb, began timestamptz) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
    after jsonb := pg_temp.newest(k);
    t jsonb := c->'then';
    ttl interval := (c->'when'->>'ttl')::bigint * interval '1 microsecond';
    expires timestamptz := after->>'expires_at';
    wanted jsonb;
    got jsonb;
BEGIN
    IF t ? 'nothing' OR t ? 'error' THEN
        RETURN CASE WHEN after IS DISTINCT FROM before THEN 'changed: ' || after::text END;
    END IF;
    wanted := jsonb_build_object('version', t->'version', 'deleted', t ? 'deleted', 'comment', t->'comment',
        'modified_by', coalesce(t->>'modified_by', 'tester'), 'tags', coalesce(t->'tags', '[]'),
        'schema_hash', t->'schema_hash', 'origin', t->'origin', 'expires', coalesce(t->>'expires', 'never'), 'created', t->>'created');
    got := jsonb_build_object('version', after->'version', 'deleted', after->>'op' = 'delete',
        'comment', nullif(after->'comment', 'null'), 'modified_by', after->>'modified_by',
        'tags', coalesce(nullif(after->'tags', 'null'), '[]'), 'schema_hash', nullif(after->'schema_hash', 'null'),
        'origin', nullif(after->'origin', 'null'),
        'expires', CASE WHEN expires IS NULL THEN 'never'
                        WHEN expires = (before->>'expires_at')::timestamptz THEN 'kept'
                        WHEN expires BETWEEN began + ttl AND clock_timestamp() + ttl THEN 'given' END,
        'created', CASE WHEN after->>'op' = 'delete' THEN 'kept'  -- SQL does not show it
                        WHEN after->>'created_at' = before->>'created_at' THEN 'kept'
                        WHEN after->>'created_at' = after->>'updated_at' THEN 'new' END);
    RETURN CASE WHEN wanted IS DISTINCT FROM got THEN format('expected %s, got %s', wanted, got) END;
END
$$;

-- NULL: as it should be.
CREATE FUNCTION pg_temp.run(k text, c jsonb, in_trees boolean) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
    before jsonb;
    began timestamptz;
    message text;
    code text := (c->'then'->>'error');
BEGIN
    PERFORM pg_temp.write(k, w) FROM jsonb_array_elements(c->'given') AS w;
    IF in_trees THEN
        PERFORM kvs.commit('given');
    END IF;
    before := pg_temp.newest(k);
    began := clock_timestamp();
    BEGIN
        PERFORM pg_temp.write(k, c->'when');
        IF code IS NOT NULL THEN
            RETURN 'no error';
        END IF;
    EXCEPTION WHEN SQLSTATE 'KV001' OR invalid_parameter_value THEN
        GET STACKED DIAGNOSTICS message = MESSAGE_TEXT;
        IF code IS DISTINCT FROM (CASE SQLSTATE WHEN 'KV001' THEN 'stale_version' ELSE 'invalid_argument' END)
            OR message <> replace(c->'then'->>'message', '{key}', k) THEN
            RETURN format('%s: %s', SQLSTATE, message);
        END IF;
    END;
    RETURN pg_temp.difference(k, c, before, began);
END
$$;

-- Nothing here ends the life of an entry by an operation of its own; the case file has that for the other stores.
CREATE TEMP TABLE result AS
    SELECT c->>'name' AS name, c->'when'->>'op' AS op, in_trees,
           pg_temp.run(format('case:%s:%s', n, in_trees), c, in_trees) AS fault
    FROM jsonb_array_elements(:'cases') WITH ORDINALITY AS cases(c, n), (VALUES (false), (true)) AS v(in_trees)
    WHERE NOT c @? '$.**.op ? (@ == "expire")';
SELECT name, in_trees, fault FROM result WHERE fault IS NOT NULL;
SELECT op, count(*) > 4 AS enough FROM result GROUP BY op ORDER BY op;

#!/usr/bin/env bash
# Stress test of native tables that are bound both ways, one for each strategy: entries and rows of few keys are written,
# moved, deleted, held and rolled back at random, by triggers of the table, too, while the worker is killed. At rest both
# sides must be equal, nothing may be left to do, and nothing may go on. At last errors are planted, and must be found.
#
#   test/stress/bindings.sh [SECONDS]      default 4
#
# Runs on the server of the PG* environment, as a superuser, in a database kvs_bindings of its own.

set -euo pipefail

seconds=${1:-4}
here=$(cd "$(dirname "$0")" && pwd)
work=$(mktemp -d /tmp/kvs-bindings.XXXXXX)
trap 'rm -rf "$work"' EXIT
export PGDATABASE=kvs_bindings
failures=0

name=bindings schema=bound pgbench_options=(--max-tries=1000)
source "$here/checker.bash"
policies=(last_write_wins store_wins table_wins error)

write_scripts() {
    cat >"$work/store" <<'SCRIPT'
\set a random(1, 12)
\set b random(1, 12)
\set fate random(1, 8)
BEGIN;
\if :fate = 1
SELECT kvs.delete(:policy || ':' || :a);
\else
SELECT kvs.put(:policy || ':' || least(:a, :b), jsonb_build_object('n', :b, 'note', 'Store ' || :fate, 'rest', :a));
\if :a <> :b
SELECT kvs.patch(:policy || ':' || greatest(:a, :b), jsonb_build_object('n', :b, 'tags', '["a", null]'::jsonb));
\endif
\endif
\if :fate = 2
\sleep 5 ms
\endif
\if :fate = 3
ROLLBACK;
\else
COMMIT;
\endif
SCRIPT
    cat >"$work/table" <<'SCRIPT'
\set a random(1, 12)
\set b random(1, 12)
\set fate random(1, 10)
BEGIN;
\if :fate = 1
DELETE FROM bound.item WHERE policy = :policy AND id = :a;
\elif :fate = 2
SELECT bound.move(:policy, :a, :b);
\else
INSERT INTO bound.item VALUES (:policy, least(:a, :b), :b, 'Table ' || :fate, '{x}')
ON CONFLICT (id, policy) DO UPDATE SET n = excluded.n, note = excluded.note;
SAVEPOINT s;
UPDATE bound.item SET n = n + 1, tags = NULL WHERE policy = :policy AND id = greatest(:a, :b);
\endif
\if :fate = 3
ROLLBACK TO s;
\endif
\set held random(1, 50)
\if :held = 1
\sleep 150 ms
\endif
\if :fate = 5
ROLLBACK;
\else
COMMIT;
\endif
SCRIPT
}

write_counters() {
    # What no column shows is counted in the entry, while the row changes: none of it may be lost.
    cat >"$work/count" <<'SCRIPT'
\set id random(201, 204)
BEGIN;
SELECT kvs.increment(:policy || ':' || :id, 1, '/hits');
INSERT INTO bound.hit VALUES (:policy || ':' || :id);
COMMIT;
SCRIPT
    cat >"$work/change" <<'SCRIPT'
\set id random(201, 204)
\set n random(1, 20)
UPDATE bound.item SET n = :n WHERE policy = :policy AND id = :id;
SCRIPT
}

sql -d postgres -c 'DROP DATABASE IF EXISTS kvs_bindings WITH (FORCE)' -c 'CREATE DATABASE kvs_bindings' 2>/dev/null
sql >/dev/null <<'SQL'
CREATE EXTENSION kvs;
SELECT kvs.start_workers();
CREATE SCHEMA bound;
CREATE TABLE bound.item (policy text, id int, n int, note text, tags text[], PRIMARY KEY (id, policy)) PARTITION BY LIST (policy);
CREATE TABLE bound.some PARTITION OF bound.item FOR VALUES IN ('last_write_wins', 'store_wins');
CREATE TABLE bound.others PARTITION OF bound.item DEFAULT;
-- What is written is changed before, and changes its neighbour after.
CREATE FUNCTION bound.tidy() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN NEW.note := lower(NEW.note); NEW.n := NEW.n % 25; RETURN NEW; END $$;
CREATE TRIGGER tidy BEFORE INSERT OR UPDATE ON bound.item FOR EACH ROW EXECUTE FUNCTION bound.tidy();
CREATE FUNCTION bound.follow() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    UPDATE bound.item SET tags = array[NEW.n::text] WHERE policy = NEW.policy AND id = NEW.id + 100 AND tags IS DISTINCT FROM array[NEW.n::text];
    RETURN NULL;
END $$;
CREATE TABLE bound.hit (key text);
CREATE TRIGGER follow AFTER UPDATE ON bound.item FOR EACH ROW WHEN (NEW.id % 5 = 0 AND NEW.id < 100) EXECUTE FUNCTION bound.follow();
CREATE FUNCTION bound.move(which text, a int, b int) RETURNS void LANGUAGE plpgsql AS $$
BEGIN UPDATE bound.item SET id = b WHERE id = a AND policy = which; EXCEPTION WHEN unique_violation THEN NULL; END $$;

-- A binding reads the rows of one strategy: the constant column tells which.
DO $$
DECLARE which text;
BEGIN
    FOREACH which IN ARRAY '{last_write_wins,store_wins,table_wins,error}'::text[] LOOP
        PERFORM kvs.put(which || ':' || i, '{"n": 1}') FROM generate_series(105, 130, 5) AS i;
        PERFORM kvs.put(which || ':' || i, '{"n": 1, "hits": 0}') FROM generate_series(201, 204) AS i;
    END LOOP;
    PERFORM kvs.bind_table('items', '{policy}:{id}', 'bound.item', '{"policy": "{policy}", "id": "{id}", "n": "/n", "note": "/note", "tags": "/tags"}',
                           direction => 'both', initial_load => 'to_table');
END $$;
CREATE FUNCTION bound.problems() RETURNS TABLE (problem text) LANGUAGE sql AS $$
    SELECT format('%s: the entry is %s, the row is %s', key, e.value, to_jsonb(t))
    FROM kvs.entries AS e FULL JOIN (SELECT policy || ':' || id AS key, n, note, tags FROM bound.item) AS t USING (key)
    WHERE key NOT IN (SELECT key FROM kvs.parked)
          AND (e.value IS NULL OR t.key IS NULL OR t.n IS DISTINCT FROM (e.value ->> 'n')::int OR t.note IS DISTINCT FROM (e.value ->> 'note')
               OR coalesce(to_jsonb(t.tags), 'null') IS DISTINCT FROM coalesce(e.value -> 'tags', 'null'))
    UNION ALL
    SELECT format('%s: the entry has counted %s of %s', key, e.value -> 'hits', (SELECT count(*) FROM bound.hit AS h WHERE h.key = e.key))
    FROM kvs.entries AS e WHERE (e.value ->> 'hits')::int <> (SELECT count(*) FROM bound.hit AS h WHERE h.key = e.key)
    UNION ALL
    SELECT format('%s: %s marks are left, %s events', state, marks, lag_events) FROM kvs.bindings WHERE state <> 'active' OR marks > 0 OR lag_events > 0
    UNION ALL
    SELECT format('%s is parked: %s', key, reason) FROM kvs.parked WHERE (SELECT conflict FROM kvs.bindings) <> 'error';
$$;
SQL

# settle: until nothing is left to do.
settle() {
    sql -c "SELECT kvs.wait_for(timeout => '60s')" >/dev/null
    for _ in $(seq 600); do
        [ "$(sql -c "SELECT state = 'active' AND lag_events = 0 AND marks = 0 FROM kvs.bindings")" != t ] || return 0
        sleep 0.1
    done
    echo "bindings: it does not come to rest: $(sql -c 'SELECT state, reason, lag_events, marks FROM kvs.bindings')"
    failures=$((failures + 1))
}

# report WHAT: of problems().
report() {
    local found
    found=$(sql -c 'SELECT problem FROM bound.problems() LIMIT 10')
    [ -z "$found" ] || { echo "bindings: $1: $found"; failures=$((failures + 1)); }
}

write_scripts
write_counters
total=$seconds
seconds=$(((total + 3) / 4))
for policy in "${policies[@]}"; do
    sql -c "UPDATE _kvs.binding SET conflict = '$policy'"
    background "store-$policy" 2 --define="policy='$policy'" --file="$work/store"
    background "table-$policy" 2 --define="policy='$policy'" --file="$work/table"
    background "count-$policy" 1 --define="policy='$policy'" --file="$work/count"
    background "change-$policy" 1 --define="policy='$policy'" --file="$work/change"
    end=$((SECONDS + seconds))
    # It takes a second until there is another worker.
    while sleep "$((RANDOM % 3 + 1)).$((RANDOM % 10))" && [ $SECONDS -lt $end ]; do
        sql -c "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE backend_type = 'kvs bindings' AND datname = current_database()" >/dev/null
    done
    wait
    settle
    report "$policy"
    # What both have changed is decided by hand.
    if [ "$policy" = error ]; then
        sql -c "UPDATE _kvs.binding SET conflict = 'store_wins'" -c "SELECT kvs.resume_binding('items')" >/dev/null
        settle
        report "$policy, resumed"
    fi
done
figures=$(sql -c 'SELECT written, returned, conflicts FROM kvs.bindings')
sleep 0.5
if [ "$(sql -c 'SELECT written, returned, conflicts FROM kvs.bindings')" != "$figures" ]; then
    echo "bindings: it goes on by itself: $figures"
    failures=$((failures + 1))
fi
if compgen -G "$work/failed.*" >/dev/null; then
    tail -n 5 "$work"/*.log
    failures=$((failures + 1))
fi

planted=0 caught=0
sql -c "SELECT kvs.put('store_wins:1', '{\"n\": 1}')" >/dev/null
settle
plant 'the row is' "ALTER TABLE bound.some DISABLE TRIGGER ALL; UPDATE bound.item SET n = n + 1 WHERE (policy, id) = ('store_wins', 1)"
plant 'the row is $' "ALTER TABLE bound.some DISABLE TRIGGER ALL; DELETE FROM bound.item WHERE (policy, id) = ('store_wins', 1)"
plant 'the entry is ,' "SELECT kvs.delete('store_wins:1')"
plant 'has counted' "SELECT kvs.increment('store_wins:201', -1, '/hits')"
plant 'marks are left' "UPDATE bound.item SET n = n WHERE (policy, id) = ('store_wins', 1)"
plant 'is parked' "INSERT INTO _kvs.binding_parked VALUES (1, 'store_wins:1', NULL, 'x', '22000', NULL, 1, now())"
echo "bindings: $failures problems; $caught of $planted planted errors found; written, returned, conflicts $figures"
[ "$failures" -eq 0 ]

#!/usr/bin/env bash
# Stress test of a durable subscription: members that take events, acknowledge them in the same transaction or later, too
# late, or never; that give events back, roll back, and die; and events that always fail, so that they are parked and hold
# their keys; while others write. Then all is replayed and finished, and what the members have noted must say: each event
# acknowledged once, by whom it was given to; no key in two hands; the events of a key in their order. At last errors are
# planted in what was noted, and must be found.
#
#   test/stress/subscriptions.sh [SECONDS]      default 4
#
# Runs on the server of the PG* environment, as a superuser, in a database kvs_subscriptions of its own.

set -euo pipefail

seconds=${1:-4}
here=$(cd "$(dirname "$0")" && pwd)
work=$(mktemp -d /tmp/kvs-subscriptions.XXXXXX)
trap 'rm -rf "$work"' EXIT
export PGDATABASE=kvs_subscriptions
failures=0

name=subscriptions schema=subs pgbench_options=()
source "$here/checker.bash"

write_scripts() {
    cat >"$work/put" <<'SCRIPT'
\set key random(1, 40)
\set fate random(1, 10)
BEGIN;
SELECT kvs.put('key:' || :key, to_jsonb(nextval('subs.n')));
SELECT kvs.put('other:' || :key, '1');
\if :fate = 1
ROLLBACK;
\else
COMMIT;
\endif
SCRIPT
    # Takes and finishes in one transaction, which may be long, and may be rolled back.
    cat >"$work/whole" <<'SCRIPT'
\set rows random(1, 20)
\set fate random(1, 10)
\set pause random(1, 5)
BEGIN;
SELECT subs.take('whole' || :client_id, :rows, '200ms');
\if :fate < 3
\sleep :pause ms
\endif
SELECT subs.finish('whole' || :client_id);
\if :fate = 1
ROLLBACK;
\else
COMMIT;
\endif
SCRIPT
    # Finishes later, sometimes when the lease has run out, sometimes never.
    cat >"$work/parts" <<'SCRIPT'
\set rows random(1, 20)
\set fate random(1, 20)
SELECT subs.take('parts' || :client_id, :rows, '100ms');
\if :fate = 1
\sleep 150 ms
\endif
\if :fate > 2
SELECT subs.finish('parts' || :client_id);
\endif
SCRIPT
    cat >"$work/dies" <<'SCRIPT'
\set name random(1, 1000000)
\set pause random(1, 50)
SELECT subs.take('dies' || :name, 5, '50ms');
\sleep :pause ms
SCRIPT
}

run() {
    local log start
    sql -d postgres -c 'DROP DATABASE IF EXISTS kvs_subscriptions WITH (FORCE)' 2>/dev/null
    sql -d postgres -c "CREATE DATABASE kvs_subscriptions TEMPLATE template0 ENCODING 'UTF8'"
    sql -c 'CREATE EXTENSION kvs' -f "$here/subscription_problems.sql" -c 'CREATE SEQUENCE subs.n' -c 'SELECT kvs.start_workers()' >/dev/null
    start=$(sql -c "SELECT kvs.create_subscription('subs', 'key:+', max_deliveries => 4)")
    write_scripts
    background put 2 -f "$work/put" --rate=1500
    background whole 3 -f "$work/whole"
    background parts 3 -f "$work/parts"
    background dies 1 -f "$work/dies"
    wait
    for log in "$work"/failed.*; do
        [ -e "$log" ] || continue
        echo "subscriptions: the ${log##*.} clients failed"
        grep -v '^$' "$work/${log##*.}.log" | head -n 20
        failures=$((failures + 1))
    done
    echo "subscriptions: $(sql -c "SELECT format('%s parked, %s held behind them', parked, held) FROM kvs.subscriptions")"
    # The rest, by one member, once what was in others' hands is free; then what was parked.
    drain
    # What was handed out often enough before is parked when its turn comes, so more than once.
    sql -c 'UPDATE subs.settings SET poison = false'
    for _ in $(seq 20); do
        [ "$(sql -c "SELECT kvs.replay_parked('subs')")" -gt 0 ] || break
        drain
    done
    check "$start"
}

drain() {
    sql -c "SELECT kvs.wait_for(timeout => '60s')" -c 'SELECT pg_sleep(0.3)' >/dev/null
    local idle=0
    while [ "$idle" -lt 3 ]; do
        if [ "$(sql -c "SELECT subs.take('drain', 500, '1h')")" -eq 0 ]; then
            idle=$((idle + 1))
            sleep 0.05
        else
            idle=0
        fi
        sql -c "SELECT subs.finish('drain')" >/dev/null
    done
}

check() {
    local events problems
    events=$(sql -c "SELECT subs.read($1)")
    sql -c 'ANALYZE' -c 'SELECT * FROM subs.problems()' >"$work/problems"
    problems=$(grep -c . "$work/problems" || true)
    head -n 20 "$work/problems"
    sql -c "SELECT format('subscriptions: %s deliveries, %s acknowledgements refused, %s given back', (SELECT count(*) FROM subs.delivered),
                          (SELECT count(*) FROM subs.refused), (SELECT count(*) FROM subs.given_back))" \
        -c "SELECT 'left: ' || s::text FROM kvs.subscriptions AS s WHERE lag_events > 0 OR in_flight > 0 OR parked > 0 OR held > 0" | tee "$work/left"
    echo "subscriptions: $events events, $problems problems"
    if [ "$problems" -ne 0 ] || [ "$events" -lt 100 ] || grep -q '^left' "$work/left"; then
        failures=$((failures + 1))
    fi
}

plant_errors() {
    local planted=0 caught=0
    # An event that was handed out once, and the next of its key.
    local one="(SELECT d.pos FROM subs.delivered AS d JOIN subs.event AS e ON e.key = d.key AND e.version = d.version + 1 JOIN subs.acked AS a ON a.pos = d.pos
                GROUP BY d.pos, d.until, a.at HAVING count(*) = 1 AND a.at < d.until ORDER BY d.pos LIMIT 1)"
    plant '^lost$' "DELETE FROM subs.acked WHERE pos = $one"
    plant '^lost$' "INSERT INTO subs.event SELECT max(pos) + 1, 'key:x', 1, 1 FROM subs.event"
    plant '^acknowledged twice$' "INSERT INTO subs.acked SELECT * FROM subs.acked WHERE pos = $one"
    plant '^from nowhere$' "UPDATE subs.delivered SET n = n + 1 WHERE pos = $one"
    plant '^acknowledged without a delivery$' "UPDATE subs.acked SET member = 'nobody' WHERE pos = $one"
    plant '^handed out after its acknowledgement$' "INSERT INTO subs.delivered
        SELECT pos, key, version, n, 'late', 2, now(), now() FROM subs.delivered WHERE pos = $one"
    plant '^acknowledged when another had it$' "INSERT INTO subs.delivered SELECT d.pos, d.key, d.version, d.n, 'other', 2, a.at, a.at
        FROM subs.delivered AS d JOIN subs.acked AS a USING (pos) WHERE pos = $one"
    plant '^two members have a key$' "INSERT INTO subs.delivered SELECT d.pos, d.key, d.version, d.n, 'other', 2, (d.granted + (a.at - d.granted) / 2), d.until
        FROM subs.delivered AS d JOIN subs.acked AS a USING (pos) WHERE pos = $one"
    plant '^later event of a key first$' "INSERT INTO subs.delivered
        SELECT e.pos, e.key, e.version, e.n, 'hasty', 1, d.granted - interval '1 ms', d.granted - interval '1 ms'
        FROM subs.delivered AS d JOIN subs.event AS e ON e.key = d.key AND e.version = d.version + 1 WHERE d.pos = $one"
    plant '^effects of a key out of order$' "UPDATE subs.acked SET at = (SELECT max(at) + interval '1 s' FROM subs.acked) WHERE pos = $one"
    echo "subscriptions: $caught of $planted planted errors found"
}

run
plant_errors
[ -n "${KEEP:-}" ] || sql -d postgres -c 'DROP DATABASE kvs_subscriptions WITH (FORCE)'
[ "$failures" -eq 0 ]

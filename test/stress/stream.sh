#!/usr/bin/env bash
# Stress test of the stream's order: many writers at each isolation level, with several keys in a transaction,
# savepoints, roll-backs, long and prepared transactions, imports that are logged as one record, and merges, while the
# sequencer gives positions. Then the stream is read, in batches, and must tell of each committed write once, of each
# transaction as a whole, of each key's versions in their order, and of what each client did in the order in which it
# did it; played back, it gives the state. At last a loss, a double, a swap, a tear and others are planted in what was
# read, and must be found.
#
#   test/stress/stream.sh [SECONDS]      per isolation level, default 3
#
# test/planted/stream.sh breaks the rules of the sequencer themselves, one after the other, and runs this.
#
# Runs on the server of the PG* environment, as a superuser, in a database kvs_stream of its own.
# KVS_STRESS_LEVELS   which levels, separated by commas

set -euo pipefail

seconds=${1:-3}
IFS=, read -ra levels <<<"${KVS_STRESS_LEVELS:-read committed,repeatable read,serializable}"
here=$(cd "$(dirname "$0")" && pwd)
work=$(mktemp -d /tmp/kvs-stream.XXXXXX)
tidy() {
    rm -rf "$work"
    psql -XAtq -d postgres -c "LOAD 'kvs'" -c 'ALTER SYSTEM RESET kvs.tick_interval' -c 'SELECT pg_reload_conf()' >/dev/null
}
trap tidy EXIT
export PGDATABASE=kvs_stream
failures=0

name=stream schema=stream pgbench_options=(--max-tries=10000)
source "$here/checker.bash"

write_scripts() {
    local begin="
\\set a random(1, 30)
\\set b random(1, 30)
\\set pause random(1, 40)
\\set fate random(1, 4)
BEGIN ISOLATION LEVEL $1;"
    cat >"$work/put" <<SCRIPT
$begin
SELECT stream.put('key:' || least(:a, :b));
SAVEPOINT s;
SELECT stream.put('key:' || greatest(:a, :b));
\\if :fate = 1
ROLLBACK TO SAVEPOINT s;
\\endif
COMMIT;
SCRIPT
    cat >"$work/lone" <<SCRIPT
\\set a random(1, 1000000)
SELECT stream.put('lone:' || :a % 5000);
SCRIPT
    cat >"$work/delete" <<SCRIPT
$begin
SELECT stream.delete('key:' || :a);
COMMIT;
SCRIPT
    cat >"$work/many" <<SCRIPT
$begin
SELECT count(stream.put('many:' || k)) FROM generate_series(:a, :a + 20) AS k;
\\if :fate = 1
ROLLBACK;
\\else
COMMIT;
\\endif
SCRIPT
    cat >"$work/long" <<SCRIPT
$begin
SELECT stream.put('long:' || :client_id || ':' || :a);
\\sleep :pause ms
SELECT stream.put('key:' || :b);
\\sleep :pause ms
\\if :fate = 1
ROLLBACK;
\\else
COMMIT;
\\endif
SCRIPT
    cat >"$work/prepared" <<SCRIPT
$begin
SELECT stream.put('key:' || :a);
SELECT stream.put('prepared:' || :b);
PREPARE TRANSACTION 'stream_:client_id';
\\sleep :pause ms
\\if :fate = 1
ROLLBACK PREPARED 'stream_:client_id';
\\else
COMMIT PREPARED 'stream_:client_id';
\\endif
SCRIPT
    cat >"$work/import" <<SCRIPT
BEGIN;
INSERT INTO stream.written (key) SELECT 'import:' || k FROM generate_series(1, 30) AS k;
SELECT kvs.import('SELECT key, to_jsonb(n) FROM stream.written WHERE xid = pg_current_xact_id()');
COMMIT;
SCRIPT
    cat >"$work/merge" <<SCRIPT
SELECT kvs.create_branch('side_:client_id') WHERE NOT EXISTS (SELECT FROM kvs.branches WHERE name = 'side_:client_id');
SELECT count(kvs.put('side:' || :client_id || ':' || k, to_jsonb(random()), branch => 'side_:client_id')) FROM generate_series(1, 10) AS k;
SELECT kvs.commit('side', branch => 'side_:client_id');
SELECT kvs.merge('side_:client_id', message => 'merged');
SCRIPT
    printf "SELECT kvs.commit('stress');\n" >"$work/commit"
}

# Prints what is wrong, if anything, and the line that sums up.
check() {
    local problems events
    events=$(sql -c "SELECT stream.read($2)")
    sql -c 'SELECT * FROM stream.problems()' >"$work/problems"
    problems=$(grep -c . "$work/problems" || true)
    head -n 20 "$work/problems"
    echo "stream $1: $events events, $problems problems"
    if [ "$problems" -ne 0 ] || [ "$events" -lt 100 ]; then
        failures=$((failures + 1))
    fi
}

# Many transactions in a step, or few. The setting is the server's, and known where the library is loaded.
tick_interval() { sql -d postgres -c "LOAD 'kvs'" -c "ALTER SYSTEM SET kvs.tick_interval = '$1'" -c 'SELECT pg_reload_conf()' >/dev/null; }

# run_level LEVEL INTERVAL
run_level() {
    local log
    sql -d postgres -c 'DROP DATABASE IF EXISTS kvs_stream WITH (FORCE)' 2>/dev/null
    sql -d postgres -c "CREATE DATABASE kvs_stream TEMPLATE template0 ENCODING 'UTF8'"
    tick_interval "$2"
    sql -c 'CREATE EXTENSION kvs' -f "$here/stream_problems.sql" -c 'SELECT kvs.start_workers()' >/dev/null
    write_scripts "$1"
    rm -f "$work"/failed.*
    background write 6 -f "$work/put@6" -f "$work/lone@6" -f "$work/delete@2" -f "$work/many@2"
    background long 2 -f "$work/long"
    PGOPTIONS='-c kvs.bulk_log_threshold=2 -c kvs.branch_lock_timeout=0' background import 1 -f "$work/import" --rate=20
    PGOPTIONS='-c kvs.bulk_log_threshold=2 -c kvs.branch_lock_timeout=0' background merge 1 -f "$work/merge" --rate=5
    background commit 1 -f "$work/commit" --rate=20
    if [ "$(sql -c 'SHOW max_prepared_transactions')" -gt 0 ]; then
        background prepared 1 -f "$work/prepared"
    fi
    wait
    sql -c "SELECT format('ROLLBACK PREPARED %L', gid) FROM pg_prepared_xacts WHERE database = current_database()" | sql
    for log in "$work"/failed.*; do
        [ -e "$log" ] || continue
        echo "stream $1: the ${log##*.} clients failed"
        grep -v '^$' "$work/${log##*.}.log" | head -n 20
        failures=$((failures + 1))
    done
    if [ "$(sql -c "SELECT kvs.wait_for(timeout => '60s')")" != t ]; then
        echo "stream $1: the sequencer does not catch up"
        failures=$((failures + 1))
    fi
    check "$1" 1000
}

plant_errors() {
    local planted=0 caught=0
    # Two changes of one key.
    local key="(SELECT key FROM stream.event WHERE key LIKE 'key:%' AND branch = 'main' GROUP BY key ORDER BY count(*) DESC, key LIMIT 1)"
    local one="(SELECT pos FROM stream.event WHERE key = $key AND branch = 'main' ORDER BY pos OFFSET 2 LIMIT 1)"
    local two="(SELECT pos FROM stream.event WHERE key = $key AND branch = 'main' ORDER BY pos OFFSET 3 LIMIT 1)"
    local swap="UPDATE stream.event SET pos = CASE pos WHEN $one THEN $two ELSE $one END WHERE pos IN ($one, $two)"
    plant 'position missing or twice' "DELETE FROM stream.event WHERE pos = $one"
    plant 'change missing' "DELETE FROM stream.event WHERE pos = $one"
    plant 'change missing' "UPDATE stream.event SET pos = pos - 1 WHERE pos > $one; DELETE FROM stream.event
        WHERE key = 'lone:' || (SELECT min(substr(key, 6)::int) FROM stream.event WHERE key LIKE 'lone:%')"
    plant 'position missing or twice' "INSERT INTO stream.event SELECT * FROM stream.event WHERE pos = $one"
    plant 'change twice' "INSERT INTO stream.event SELECT * FROM stream.event WHERE pos = $one"
    plant 'versions out of order' "$swap"
    plant 'torn transaction' "UPDATE stream.event SET pos = CASE pos WHEN t.last THEN t.last + 1 ELSE t.last END
        FROM (SELECT max(pos) AS last FROM stream.event WHERE key LIKE 'many:%' GROUP BY xid ORDER BY 1 LIMIT 1) AS t
        WHERE pos IN (t.last, t.last + 1)"
    plant 'client out of order' "UPDATE stream.event SET pos = CASE pos WHEN t.a THEN t.b ELSE t.a END
        FROM (SELECT e.pos AS a, lead(e.pos) OVER (PARTITION BY w.client ORDER BY e.pos) AS b
              FROM stream.event AS e JOIN stream.written AS w ON w.xid = e.xid AND w.key = e.key
              WHERE e.key LIKE 'lone:%' ORDER BY b LIMIT 1) AS t
        WHERE pos IN (t.a, t.b)"
    plant 'change from nowhere' "INSERT INTO stream.event
        SELECT (jsonb_populate_record(e, jsonb_build_object('key', 'key:x', 'pos', (SELECT max(pos) + 1 FROM stream.event)))).*
        FROM stream.event AS e WHERE pos = $one"
    plant 'old value' "UPDATE stream.event SET old_value = '0' WHERE pos = $two"
    plant 'state' "UPDATE stream.event SET new_value = '0' WHERE pos = (SELECT max(pos) FROM stream.event WHERE key LIKE 'lone:%')"
    echo "stream: $caught of $planted planted errors found"
}

interval=100ms
for level in "${levels[@]}"; do
    run_level "$level" "$interval"
    interval=2ms
done
plant_errors
# However it is read.
check "in batches of 7" 7
sql -d postgres -c 'DROP DATABASE kvs_stream WITH (FORCE)'
[ "$failures" -eq 0 ]

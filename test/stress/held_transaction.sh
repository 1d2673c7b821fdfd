#!/usr/bin/env bash
# Stress test of what somebody costs the others who holds a transaction open: 800 events a second are written, members of a
# durable subscription take and acknowledge them all the time, and a bystander reads keys; and at the end the members work
# off a backlog as fast as they can. Once with nobody beside, once beside a snapshot of the same database that was taken
# before it began, and once more with nobody beside. Every event must be acknowledged, and what the bystander waits, how
# fast the backlog goes and what the members leave behind must be what it is without the snapshot.
#
#   test/stress/held_transaction.sh [SECONDS]      of each of the three, default 2, at most 180
#
# Runs on the server of the PG* environment, as a superuser, in a database kvs_held of its own. A few seconds tell only
# whether it works: speed is judged from 30 s on.

set -euo pipefail

seconds=${1:-2}
[ "$seconds" -le 180 ] || seconds=180
here=$(cd "$(dirname "$0")" && pwd)
work=$(mktemp -d /tmp/kvs-held.XXXXXX)
holder=
tidy() {
    release
    rm -rf "$work"
}
trap tidy EXIT
export PGDATABASE=kvs_held
failures=0

name=held schema=held pgbench_options=()
source "$here/checker.bash"

keys=5000
members=4
backlog=40000
drains=5
limit=1.05
[ "$seconds" -ge 30 ] || limit=3

fail() {
    echo "held: $*"
    failures=$((failures + 1))
}

write_scripts() {
    cat >"$work/put" <<SCRIPT
\\set i random(1, $keys)
SELECT kvs.put('key:' || :i, jsonb_build_object('id', :i, 'token', md5(random()::text)));
SCRIPT
    cat >"$work/get" <<SCRIPT
\\set i random(1, $keys)
SELECT kvs.get('key:' || :i);
SCRIPT
    cat >"$work/consume" <<'SCRIPT'
SELECT held.consume('member' || :client_id, '500ms');
SCRIPT
}

# Waits for what was put into the background, but not for who holds the snapshot.
finish() { wait $(jobs -p); }

# The snapshot, of a session that then waits.
hold() {
    exec {holder}> >(PGAPPNAME=kvs_holder psql -XAtq >/dev/null)
    echo 'BEGIN ISOLATION LEVEL REPEATABLE READ; SELECT 1;' >&"$holder"
    until [ "$(sql -c "SELECT count(*) FROM pg_stat_activity WHERE application_name = 'kvs_holder' AND state = 'idle in transaction'")" = 1 ]; do sleep 0.05; done
}

release() {
    [ -n "$holder" ] || return 0
    exec {holder}>&-
    holder=
    until [ "$(psql -XAtq -d postgres -c "SELECT count(*) FROM pg_stat_activity WHERE application_name = 'kvs_holder'")" = 0 ]; do sleep 0.05; done
}

# drain POSITION: works off what lies behind it with all members at once; prints the events a second.
drain() {
    local begin member
    sql -c "SELECT kvs.seek('held', '$1')" >/dev/null
    begin=$(date +%s%N)
    for ((member = 0; member < members; member++)); do
        sql -c "CALL held.drain('member$member')" &
    done
    finish
    awk -v n="$backlog" -v a="$begin" -v b="$(date +%s%N)" 'BEGIN { printf "%.0f\n", n / (b - a) * 1e9 }'
}

# run PHASE: leaves in PHASE.* of $work what was measured.
run() {
    local log start
    sql -c 'VACUUM' -c 'SELECT pg_stat_reset()' >/dev/null
    background put 2 -f "$work/put" --rate=800
    background get 1 -f "$work/get" --rate=200 --log --log-prefix="$work/get.$1"
    background consume "$members" -f "$work/consume"
    finish
    for log in "$work"/failed.*; do
        [ -e "$log" ] || continue
        fail "the ${log##*.} clients failed: $(grep -v '^$' "$work/${log##*.}.log" | head -n 5)"
        rm -f "$log"
    done
    # What a get takes, without the time that its client was late, in us: the median.
    cat "$work/get.$1".* | awk '{ print $3 - $7 }' | sort -n | awk '{ v[NR] = $1 } END { print v[int((NR + 1) / 2)] }' >"$work/$1.latency"
    awk '/transactions actually processed/ { print $NF }' "$work/consume.log" >"$work/$1.calls"
    start=$(sql -c "SELECT kvs.wait_for(timeout => '60s')" -c 'SELECT kvs.position()' | tail -n 1)
    sql -c "SELECT count(kvs.mput(ks, vs)) FROM (SELECT array_agg('key:' || i % $keys) AS ks, array_agg(to_jsonb(i)) AS vs
                                                 FROM generate_series(1, $backlog) AS i GROUP BY i / 100) AS x" >/dev/null
    sql -c "SELECT kvs.wait_for(timeout => '60s')" >/dev/null
    for _ in $(seq $drains); do drain "$start"; done | sort -n | sed -n "$(((drains + 1) / 2))p" >"$work/$1.speed"
    sql -c 'SELECT pg_stat_force_next_flush()' >/dev/null 2>&1 || sleep 1
    sql -c "SELECT n_dead_tup FROM pg_stat_user_tables WHERE relid = '_kvs.subscription_member'::regclass" >"$work/$1.dead"
    sql -c "SELECT pg_relation_size('_kvs.subscription_member') / 1024" >"$work/$1.size"
    [ "$(sql -c "SELECT lag_events = 0 AND in_flight = 0 FROM kvs.subscriptions WHERE name = 'held'")" = t ] || fail "$1: events are left over"
    printf 'held: %-8s get %s us, backlog %s events/s, %s calls, %s dead rows of members in %s kB\n' "$1" "$(<"$work/$1.latency")" "$(<"$work/$1.speed")" \
        "$(<"$work/$1.calls")" "$(<"$work/$1.dead")" "$(<"$work/$1.size")"
}

# compare WHAT FIGURE SIGN: beside the snapshot against the worse of the two without; SIGN 1: less is better.
compare() {
    local ratio
    ratio=$(awk -v a="$(<"$work/before.$2")" -v h="$(<"$work/beside.$2")" -v b="$(<"$work/after.$2")" -v s="$3" \
        'BEGIN { printf "%.3f", (s > 0 ? h / (a > b ? a : b) : (a < b ? a : b) / h) }')
    echo "held: $1: $ratio of what it is with nobody beside, at most $limit"
    awk -v r="$ratio" -v l="$limit" 'BEGIN { exit !(r <= l) }' || fail "$1 suffers"
}

sql -d postgres -c 'DROP DATABASE IF EXISTS kvs_held WITH (FORCE)' 2>/dev/null
sql -d postgres -c "CREATE DATABASE kvs_held TEMPLATE template0 ENCODING 'UTF8'"
sql >/dev/null <<SQL
CREATE EXTENSION kvs;
CREATE SCHEMA held;
-- What a member takes it acknowledges at once. Returns how much that was.
CREATE FUNCTION held.consume(member text, wait interval) RETURNS bigint LANGUAGE plpgsql AS \$\$
BEGIN
    RETURN kvs.ack_many('held', (SELECT array_agg(pos) FROM kvs.poll('held', member, 100, wait => wait)), member);
END \$\$;
CREATE PROCEDURE held.drain(member text) LANGUAGE plpgsql AS \$\$
BEGIN
    LOOP
        EXIT WHEN held.consume(member, NULL) = 0 AND (SELECT lag_events = 0 FROM kvs.subscriptions WHERE name = 'held');
        COMMIT;
    END LOOP;
END \$\$;
SELECT kvs.start_workers();
SELECT kvs.import('SELECT ''key:'' || i, to_jsonb(i) FROM generate_series(1, $keys) AS i');
SELECT kvs.wait_for(timeout => '60s');
SELECT kvs.create_subscription('held', 'key:+');
SQL
write_scripts
run before
hold
run beside
release
run after
compare 'the time of a get' latency 1
compare 'the time of the backlog' speed -1
# Each call that hands out or takes back leaves a version of its member behind, and nothing else.
most=$(awk -v calls="$(<"$work/beside.calls")" -v backlog="$backlog" -v members="$members" -v drains="$drains" 'BEGIN { print int(2 * (calls + drains * backlog / 50) + 100 * members) }')
[ "$(<"$work/beside.dead")" -le "$most" ] || fail "members leave $(<"$work/beside.dead") dead rows, $most at most"
sql -d postgres -c 'DROP DATABASE kvs_held WITH (FORCE)'
[ "$failures" -eq 0 ]

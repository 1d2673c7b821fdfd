# shellcheck shell=bash
# B23: how fast events are read, by kvs.events and by the members of a durable subscription that acknowledge them: from 100
# events behind the end, and from far; and beside a snapshot that is held.
#
# KVS_BENCH_EVENTS    events to read from far, default 200000
# KVS_BENCH_HELD      seconds that the snapshot has been held when it is measured, default 180

b23_events=${KVS_BENCH_EVENTS:-200000}
b23_held=${KVS_BENCH_HELD:-180}
b23_members=4

# All events, by all members at once, 100 a call; prints how many a second.
b23_drain() {
    local member pids=() ms
    sql -c "SELECT kvs.seek('b23', 'start')" >/dev/null
    ms=$(date +%s%N)
    for ((member = 0; member < b23_members; member++)); do
        sql -c "CALL drain('member$member')" &
        pids+=($!)
    done
    wait "${pids[@]}"
    awk -v n="$b23_events" -v a="$ms" -v b="$(date +%s%N)" 'BEGIN { print n / (b - a) * 1e9 }'
}

b23() {
    local outer=${PGDATABASE:-} holder begin
    make_database bench_b23
    export PGDATABASE=bench_b23
    make_timed
    sql >/dev/null <<SQL
CREATE FUNCTION consume(member text) RETURNS bigint LANGUAGE sql AS
    \$\$ SELECT kvs.ack_many('b23', (SELECT array_agg(pos) FROM kvs.poll('b23', member, 100)), member) \$\$;
CREATE PROCEDURE drain(member text) LANGUAGE plpgsql AS \$\$
BEGIN
    LOOP
        EXIT WHEN consume(member) = 0 AND (SELECT lag_events = 0 FROM kvs.subscriptions WHERE name = 'b23');
        COMMIT;
    END LOOP;
END \$\$;
SELECT kvs.create_subscription('b23', 'user:+');
SELECT count(kvs.mput(ks, vs)) FROM (SELECT array_agg('user:' || lpad((i % 100000)::text, 8, '0')) AS ks, array_agg($document_sql) AS vs
                                     FROM generate_series(1, $b23_events) AS i GROUP BY i / 100) AS x;
SELECT kvs.wait_for(timeout => '10min');
VACUUM;
DO \$\$
BEGIN
    FOR i IN 1 .. 200 LOOP
        CALL timed('events', 'SELECT count(*) FROM kvs.events(kvs.position() - 100)');
    END LOOP;
END \$\$;
SQL
    per() { awk -v n="$1" -v ms="$2" 'BEGIN { print n / ms * 1000 }'; }
    report "B23 events, the last 100" "1/s" "$(per 100 "$(median_time events)")" "" "" "" "kvs.events"
    far() { per "$b23_events" "$(sql_ms <<<"SELECT count(*) FROM kvs.events(max_rows => NULL)")"; }
    report "B23 events, from far" "1/s" "$(measure far)" "" "" "" "kvs.events, $b23_events"
    b23_drain >/dev/null
    # The member that stands at the end, 100 events later.
    sql >/dev/null <<SQL
DO \$\$
BEGIN
    FOR i IN 1 .. 100 LOOP
        PERFORM kvs.mput(array_agg('user:' || n), array_agg(to_jsonb(n))) FROM generate_series(1, 100) AS n;
        COMMIT;
        PERFORM kvs.wait_for(timeout => '60s');
        COMMIT;
        CALL timed('poll', 'SELECT consume(''member0'')');
    END LOOP;
END \$\$;
SQL
    report "B23 poll and ack, 100 behind" "1/s" "$(per 100 "$(median_time poll)")" "" "" "" "one member, sync"
    b23_events=$((b23_events + 10000))
    report "B23 poll and ack, from far, sync" "1/s" "$(measure b23_drain)" "" "" "" "$b23_members members, batches of 100"
    b23_async() { async b23_drain; }
    reference_value=$(measure b23_async)
    report "B23 poll and ack, from far, async" "1/s" "$reference_value" "" "" ">= 50000" "$b23_members members, batches of 100"
    exec {holder}> >(PGAPPNAME=b23 psql -XAtq >/dev/null)
    echo 'BEGIN ISOLATION LEVEL REPEATABLE READ; SELECT 1;' >&"$holder"
    begin=$SECONDS
    while [ $((SECONDS - begin)) -lt "$b23_held" ]; do b23_async >/dev/null; done
    kvs_value=$(measure b23_async)
    exec {holder}>&-
    report "B23 beside a snapshot" "1/s" "$kvs_value" "$reference_value" "$(divide "$kvs_value" "$reference_value")" ">= 0.95" "held for $b23_held s"
    until [ "$(sql -c "SELECT count(*) FROM pg_stat_activity WHERE application_name = 'b23'")" = 0 ]; do sleep 0.05; done
    export PGDATABASE=$outer
    drop_database bench_b23
}

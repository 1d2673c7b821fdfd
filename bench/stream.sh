# shellcheck shell=bash
# B3, B15, FANOUT: what it costs that somebody listens, and how soon he hears. The listeners are examples/listener.c.
#
# KVS_BENCH_LISTENERS     sessions of FANOUT, default 1000; the server must take so many connections

listeners=${KVS_BENCH_LISTENERS:-1000}
listening=()

build_listener() {
    [ -x "$work/listener" ] || cc -O2 -I"$("${PG_CONFIG:-pg_config}" --includedir)" "$bench_dir/../examples/listener.c" \
        -L"$("${PG_CONFIG:-pg_config}" --libdir)" -lpq -o "$work/listener"
}

# listen N PATTERN...: starts the N-th listener, and waits until it is live.
listen() {
    local n=$1
    shift
    : >"$work/live$n"
    "$work/listener" "$@" >"$work/heard$n" 2>"$work/live$n" &
    listening+=($!)
    until [ -s "$work/live$n" ]; do sleep 0.05; done
}

stop_listening() {
    [ ${#listening[@]} -eq 0 ] || kill "${listening[@]}" 2>/dev/null || true
    wait "${listening[@]}" 2>/dev/null || true
    listening=()
}

# delays PERCENT: of the milliseconds from writing to hearing, over all listeners.
delays() {
    cat "$work"/heard* | sed -n 's/.* after \([0-9.]*\) ms .*/\1/p' | sort -g | awk -v p="$1" '{ v[NR] = $1 } END { print v[int((NR - 1) * p / 100) + 1] }'
}

# What people write by hand: an audit trigger for the history, and a notification in the writing transaction.
make_hand_built() {
    reset_hot
    sql >/dev/null <<SQL
DROP TABLE IF EXISTS history;
DROP FUNCTION IF EXISTS audit, notify;
${audit_sql//ON plain/ON hot}
CREATE FUNCTION notify() RETURNS trigger LANGUAGE plpgsql AS \$\$
BEGIN
    PERFORM pg_notify('changes', json_build_object('key', NEW.key, 'op', TG_OP, 'version', NEW.version, 'old', OLD.value, 'new', NEW.value)::text);
    RETURN NULL;
END \$\$;
CREATE TRIGGER notify AFTER INSERT OR UPDATE ON hot FOR EACH ROW EXECUTE FUNCTION notify();
SQL
}

b3() {
    fill_large
    write_point_scripts
    build_listener
    make_hand_built
    listen 0 'hot:#'
    { echo 'LISTEN changes;'; while sleep 0.2; do echo 'SELECT 1 WHERE false;'; done; } | psql -XAtq >/dev/null 2>&1 &
    local hand=$!
    put_kvs() { pgbench_tps 32 "$work/put_kvs"; }
    put_hand() { pgbench_tps 32 "$work/put_plain"; }
    async_kvs() { async put_kvs; }
    async_hand() { async put_hand; }
    measure_pair async_kvs async_hand
    report "B3 put, 32 clients, heard, async" tps "$kvs_value" "$reference_value" "$(divide "$kvs_value" "$reference_value")" ">= 3" "against triggers by hand"
    measure_pair put_kvs put_hand
    report "B3 put, 32 clients, heard, sync" tps "$kvs_value" "$reference_value" "$(divide "$kvs_value" "$reference_value")" ">= 3.5" "against triggers by hand"
    kill "$hand" 2>/dev/null || true
    stop_listening
    # What the sequencer costs where nobody listens.
    off_kvs() { sql -c "SELECT kvs.stop_workers()" >/dev/null; async put_kvs; }
    on_kvs() { sql -c "SELECT kvs.start_workers()" >/dev/null; sql -c "SELECT kvs.wait_for(timeout => '60s')" >/dev/null; async put_kvs; }
    measure_pair on_kvs off_kvs
    sql -c "SELECT kvs.start_workers()" >/dev/null
    report "B3 sequencer on, 32 clients, async" tps "$kvs_value" "$reference_value" "$(divide "$kvs_value" "$reference_value")" "" "against none"
}

# latency RATE: the mean of a put in ms, with 8 clients at this rate.
put_latency() {
    PGOPTIONS="-c synchronous_commit=off -c kvs.durability=async" pgbench -n -M prepared -c 8 -j 2 -f "$work/put_kvs" -T "$seconds" -R "$1" \
        2>"$work/pgbench.err" | awk '/^latency average/ { print $4 }'
}

b15() {
    fill_large
    write_point_scripts
    reset_hot
    build_listener
    local rate subscriptions sessions i j patterns
    rate=$(awk -v tps="$(async pgbench_tps 8 "$work/put_kvs")" 'BEGIN { print int(tps / 2) }')
    quiet() { put_latency "$rate"; }
    for subscriptions in 1 1000; do
        sessions=$((subscriptions > 10 ? 10 : 1))
        reference_value=$(measure quiet)
        for ((i = 0; i < sessions; i++)); do
            patterns=('hot:#')
            for ((j = 1; j < subscriptions / sessions; j++)); do
                patterns+=("other:$i:$j:#")
            done
            listen "$i" "${patterns[@]}"
        done
        kvs_value=$(measure quiet)
        report "B15 put, $subscriptions subscriptions" ms "$kvs_value" "$reference_value" "$(divide "$kvs_value" "$reference_value")" "<= 1.05" "$rate a second, $sessions sessions"
        sql -c "SELECT kvs.wait_for(timeout => '60s')" >/dev/null
        report "B15 delivery, median" ms "$(delays 50)" "" "" "<= 5" "$subscriptions subscriptions"
        report "B15 delivery, 99 of 100" ms "$(delays 99)" "" "" "<= 30" "$subscriptions subscriptions"
        stop_listening
        rm -f "$work"/heard*
    done
}

# One event for many sessions, each with a subscription of other keys beside.
fanout() {
    build_listener
    make_database bench_fanout
    local outer=${PGDATABASE:-} i
    export PGDATABASE=bench_fanout
    for ((i = 0; i < listeners; i++)); do
        "$work/listener" 'news' "quiet:$i:#" >"$work/heard$i" 2>/dev/null &
        listening+=($!)
    done
    until [ "$(sql -c "SELECT count(*) FROM _kvs.listener")" -ge $((2 * listeners)) ]; do sleep 0.2; done
    one() { sql -c "SELECT kvs.put('news', to_jsonb(clock_timestamp()))" >/dev/null; sql -c "SELECT kvs.wait_for(timeout => '60s')" >/dev/null; sleep 1; }
    for ((i = 0; i < 10; i++)); do one; done
    report "FANOUT heard by" sessions "$(grep -lc news "$work"/heard* | wc -l)" "" "" ">= $listeners" "of $listeners"
    report "FANOUT delivery, median" ms "$(delays 50)" "" "" "" "$listeners listeners"
    report "FANOUT delivery, 99 of 100" ms "$(delays 99)" "" "" "" "$listeners listeners"
    stop_listening
    rm -f "$work"/heard*
    export PGDATABASE=$outer
    drop_database bench_fanout
}

# An import of many documents while somebody listens to all of it.
importing() {
    build_listener
    make_database bench_import
    local outer=${PGDATABASE:-}
    load_large
    export PGDATABASE=bench_import
    listen 0 '#'
    command="SELECT kvs.import('SELECT ''doc:'' || i, to_jsonb(i) FROM generate_series(1, $rows) AS i', message => 'bench')"
    kvs_value=$(command_ms sql -c "$command")
    local ordered
    ordered=$(command_ms sql -c "SELECT kvs.wait_for(timeout => '10min')")
    report "IMPORT heard" ms "$kvs_value" "" "" "" "$rows documents"
    report "IMPORT until it is in the stream" ms "$ordered" "" "" "" "$(sql -c "SELECT kvs.position() & ((1::bigint << 48) - 1)") events"
    report "IMPORT events read, a second" "1/s" "$(awk -v n="$rows" -v ms="$(command_ms sql -c "SELECT count(*) FROM kvs.events(max_rows => NULL)")" 'BEGIN { print n / ms * 1000 }')" "" "" "" ""
    stop_listening
    export PGDATABASE=$outer
    drop_database bench_import
}

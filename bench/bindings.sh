# shellcheck shell=bash
# BINDINGS: what a bound table costs who writes, how fast it follows, and how fast what is changed in it becomes entries. The
# reference is a trigger written by hand, which upserts the same columns.
#
# KVS_BENCH_BOUND     keys of a backlog, default 200000

bound_rows=${KVS_BENCH_BOUND:-200000}
bound_mapping='{"id": "{id}", "name": "/name", "email": "/email", "role": "/role", "token": "/token"}'

make_bound() {
    make_timed
    sql >/dev/null <<SQL
CREATE TABLE target (id int PRIMARY KEY, name text, email text, role text, token text);
CREATE TABLE kv (key text COLLATE "C" PRIMARY KEY, value jsonb);
CREATE TABLE mirror (LIKE target INCLUDING ALL);
CREATE FUNCTION reflect() RETURNS trigger LANGUAGE plpgsql AS \$\$
BEGIN
    INSERT INTO mirror VALUES (substr(NEW.key, 7)::int, NEW.value ->> 'name', NEW.value ->> 'email', NEW.value ->> 'role', NEW.value ->> 'token')
    ON CONFLICT (id) DO UPDATE SET name = excluded.name, email = excluded.email, role = excluded.role, token = excluded.token;
    RETURN NULL;
END \$\$;
CREATE TRIGGER reflect AFTER INSERT OR UPDATE ON kv FOR EACH ROW EXECUTE FUNCTION reflect();
-- Each a transaction.
CREATE PROCEDURE put_all(n int) LANGUAGE plpgsql AS \$\$
BEGIN
    FOR i IN 1 .. n LOOP
        PERFORM kvs.put('bound:' || i, $document_sql);
        COMMIT;
    END LOOP;
END \$\$;
CREATE PROCEDURE upsert_all(n int) LANGUAGE plpgsql AS \$\$
BEGIN
    FOR i IN 1 .. n LOOP
        INSERT INTO kv VALUES ('bound:' || i, $document_sql) ON CONFLICT (key) DO UPDATE SET value = excluded.value;
        COMMIT;
    END LOOP;
END \$\$;
CREATE PROCEDURE settle() LANGUAGE plpgsql AS \$\$
BEGIN
    PERFORM kvs.wait_for(timeout => '10min');
    LOOP
        PERFORM FROM kvs.bindings WHERE state = 'active' AND lag_events = 0 AND marks = 0;
        EXIT WHEN FOUND;
        PERFORM pg_sleep(0.02);
        COMMIT;
    END LOOP;
END \$\$;
-- Looks each millisecond or so which rows have come, until the last one has.
CREATE TABLE delays (ms float8);
CREATE PROCEDURE watch(n int) LANGUAGE plpgsql AS \$\$
DECLARE seen int := 0;
BEGIN
    WHILE seen < n LOOP
        INSERT INTO delays SELECT 1000 * extract(epoch FROM clock_timestamp() - name::timestamptz) FROM target WHERE id > seen;
        SELECT coalesce(max(id), seen) INTO seen FROM target;
        COMMIT;
        PERFORM pg_sleep(0.001);
    END LOOP;
END \$\$;
SELECT kvs.start_workers();
SQL
}

# bind_target [DIRECTION]
bind_target() { sql -c "SELECT kvs.bind_table('bench', 'bound:{id}', 'target', '$bound_mapping', direction => '${1:-to_table}')" >/dev/null; }
unbind_target() { sql -c "SELECT kvs.unbind_table('bench')" >/dev/null; }
a_second() { awk -v n="$1" -v ms="$2" 'BEGIN { print n / ms * 1000 }'; }

# Rows a second that a backlog of single puts, an import, and the trigger bring into the table.
follow_backlog() {
    sql -c "TRUNCATE target" -c "SELECT kvs.pause_binding('bench')" >/dev/null
    async sql -c "CALL put_all($bound_rows)" -c "SELECT kvs.wait_for(timeout => '10min')" >/dev/null
    sql -c "SELECT kvs.resume_binding('bench')" >/dev/null
    a_second "$bound_rows" "$(command_ms sql -c "CALL settle()")"
}
follow_import() {
    sql -c "TRUNCATE target" >/dev/null
    sql -c "SELECT kvs.import('SELECT ''bound:'' || i AS key, ${document_sql//\'/\'\'} || jsonb_build_object(''run'', random()) AS value FROM generate_series(1, $bound_rows) AS i', message => 'bench')" >/dev/null
    a_second "$bound_rows" "$(command_ms sql -c "CALL settle()")"
}
follow_trigger() {
    sql -c "TRUNCATE mirror, kv" >/dev/null
    a_second "$bound_rows" "$(async command_ms sql -c "CALL upsert_all($bound_rows)")"
}

bindings() {
    local outer=${PGDATABASE:-}
    make_database bench_bindings
    export PGDATABASE=bench_bindings
    make_bound
    # Processor time of the writer, which others on the machine disturb least.
    put_alone() {
        async psql -XAtq -c "SET client_min_messages = log" -c "SET kvs.flush_rows = 0" -c "SET log_statement_stats = on" -c "CALL put_all(20000)" 2>&1 |
            awk '/ s user, .* s system/ { for (i = 2; i <= NF; i++) if ($i == "s" && $(i + 1) ~ /^(user|system),/) t += $(i - 1); print t * 1e6 / 20000; exit }'
    }
    put_followed() { bind_target; put_alone; unbind_target; }
    put_alone >/dev/null
    measure_pair put_followed put_alone
    report "BINDINGS put, processor time" us "$kvs_value" "$reference_value" "$(divide "$kvs_value" "$reference_value")" "<= 1.02" "bound, against not"

    bind_target
    measure_pair follow_backlog follow_trigger
    report "BINDINGS from a backlog" "1/s" "$kvs_value" "$reference_value" "$(divide "$kvs_value" "$reference_value")" ">= 0.5" "$bound_rows puts, against a trigger"
    kvs_value=$(measure follow_import)
    report "BINDINGS from an import" "1/s" "$kvs_value" "$reference_value" "$(divide "$kvs_value" "$reference_value")" ">= 0.5" "$bound_rows, against the trigger"

    # From the put, which is earlier than the commit, to the row seen.
    local puts=$((500 * seconds)) watcher
    sql -c "CALL settle()" -c "TRUNCATE target" -c "CREATE SEQUENCE numbers" >/dev/null
    sql -c "CALL watch($puts)" &
    watcher=$!
    echo "SELECT kvs.put('bound:' || nextval('numbers'), jsonb_build_object('name', clock_timestamp()));" >"$work/put_time"
    pgbench -n -M prepared -f "$work/put_time" -t "$puts" -R 500 >/dev/null 2>"$work/pgbench.err"
    wait "$watcher"
    delay() { sql -c "SELECT percentile_cont($1) WITHIN GROUP (ORDER BY ms) FROM delays"; }
    report "BINDINGS put to row, median" ms "$(delay 0.5)" "" "" "" "500 puts a second, sync"
    report "BINDINGS put to row, 99 of 100" ms "$(delay 0.99)" "" "" "" "500 puts a second, sync"
    unbind_target

    # The trigger of the table by itself: the binding is paused.
    sql -c "TRUNCATE target" -c "INSERT INTO target SELECT i, 'name' FROM generate_series(1, 50000) AS i" -c "VACUUM ANALYZE target" >/dev/null
    cat >"$work/update_row" <<SQL
\\set i random(1, 50000)
UPDATE target SET name = md5(random()::text) WHERE id = :i;
SQL
    update_rows() { async pgbench_tps 8 "$work/update_row"; }
    update_marked() { bind_target both; sql -c "SELECT kvs.pause_binding('bench')" >/dev/null; update_rows; unbind_target; }
    measure_pair update_marked update_rows
    report "BINDINGS update of a row, async" tps "$kvs_value" "$reference_value" "$(divide "$kvs_value" "$reference_value")" "" "8 clients, marked, against not"
    bind_target both
    return_rows() {
        sql -c "UPDATE target SET name = md5(random()::text)" >/dev/null
        a_second 50000 "$(command_ms sql -c "CALL settle()")"
    }
    report "BINDINGS rows into entries" "1/s" "$(measure return_rows)" "" "" "" "50000 rows, both ways"
    unbind_target
    export PGDATABASE=$outer
    drop_database bench_bindings
}

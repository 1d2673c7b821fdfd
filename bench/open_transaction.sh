# shellcheck shell=bash
# B24: what a transaction that somebody holds open costs the others. Bursts of KVS_BENCH_BURST puts (4 clients, 100,000
# keys), a commit behind each; then the time of a commit of one change, of status, of a scan of 100 rows, of 200 gets and
# of 200 puts: with nobody beside, with a transaction of another database that has an identifier of its own, and with a
# snapshot open in the same database. Autovacuum is off: the second of them it might help by chance, the third never.
# In a database of its own.

burst_puts=${KVS_BENCH_BURST:-250000}
b24_keys=100000
b24_key="'user:' || lpad((1 + floor(random() * $b24_keys))::bigint::text, 8, '0')"

b24_burst() {
    cat >"$work/burst" <<SQL
\\set i random(1, $b24_keys)
SELECT kvs.put('user:' || lpad((:i)::int::text, 8, '0'), jsonb_build_object('id', (:i)::int, 'name', 'user number ' || (:i)::int, 'token', md5((:i)::int::text || random()::text)));
SQL
    async pgbench_tps 4 "$work/burst" -t $((burst_puts / 4)) >/dev/null
    sql -c "SELECT kvs.commit('burst')" >/dev/null
}

# b24_measure STATE: its times, in a warm session.
b24_measure() {
    sql >/dev/null <<SQL
DO \$\$
BEGIN
    FOR i IN 0 .. 10 LOOP
        -- The first two warm the session.
        IF i = 2 THEN
            DELETE FROM times WHERE step LIKE '% $1';
        END IF;
        PERFORM kvs.put($b24_key, to_jsonb(random()));
        COMMIT;
        CALL timed('commit of 1 $1', 'SELECT kvs.commit(''one'')');
        CALL timed('status $1', 'SELECT * FROM kvs.status()');
        CALL timed('scan of 100 $1', 'SELECT * FROM kvs.scan(''user:0005'', max_rows => 100)');
        CALL timed('200 gets $1', 'SELECT count(kvs.get($(sed "s/'/''/g" <<<"$b24_key"))) FROM generate_series(1, 200)');
    END LOOP;
    -- Apart from the others, which it would give more to do.
    FOR i IN 1 .. 10 LOOP
        CALL timed('200 puts $1', 'SELECT count(kvs.put($(sed "s/'/''/g" <<<"$b24_key"), ''{"n": 1}'')) FROM generate_series(1, 200)');
    END LOOP;
END \$\$;
SELECT kvs.commit('measured');
SQL
}

# b24_hold DATABASE STATEMENTS: a session that begins a transaction by them and then waits, until b24_release.
b24_hold() {
    exec {b24_session}> >(PGAPPNAME=b24 psql -XAtq -d "$1" >/dev/null)
    echo "$2" >&"$b24_session"
    until [ "$(sql -c "SELECT count(*) FROM pg_stat_activity WHERE application_name = 'b24' AND state = 'idle in transaction'")" = 1 ]; do sleep 0.05; done
}

b24_release() {
    exec {b24_session}>&-
    until [ "$(sql -c "SELECT count(*) FROM pg_stat_activity WHERE application_name = 'b24'")" = 0 ]; do sleep 0.05; done
    sql -c "VACUUM _kvs.working"
}

# b24_bursts STATE: measures after each of two.
b24_bursts() {
    local burst
    for burst in 1 2; do
        b24_burst
        b24_measure "$1, burst $burst"
    done
}

b24() {
    local outer=${PGDATABASE:-} step burst state reference
    psql -Xq -c "ALTER SYSTEM SET autovacuum = off" -c "ALTER SYSTEM SET kvs.autogc = off" -c "ALTER SYSTEM SET kvs.autorepack = off" -c "SELECT pg_reload_conf()" >/dev/null
    make_database bench_b24
    export PGDATABASE=bench_b24
    make_timed
    sql >/dev/null <<SQL
SELECT kvs.import(\$\$SELECT 'user:' || lpad(i::text, 8, '0'), $document_sql FROM generate_series(1, $b24_keys) AS i\$\$, message => 'base');
VACUUM (ANALYZE);
SQL
    b24_bursts alone
    sql -c "VACUUM _kvs.working"
    b24_hold "${outer:-postgres}" "BEGIN; SELECT pg_current_xact_id();"
    b24_bursts "other database"
    b24_release
    b24_hold bench_b24 "BEGIN ISOLATION LEVEL REPEATABLE READ; SELECT 1;"
    b24_bursts "snapshot"
    b24_release
    for state in "other database" "snapshot"; do
        for burst in 1 2; do
            for step in "commit of 1" status "scan of 100" "200 gets" "200 puts"; do
                kvs_value=$(median_time "$step $state, burst $burst")
                reference=$(median_time "$step alone, burst $burst")
                report "B24 $step, $state" ms "$kvs_value" "$reference" "$(divide "$kvs_value" "$reference")" "<= 1.5" "after burst $burst of $burst_puts puts, against nobody beside"
            done
        done
    done
    export PGDATABASE=$outer
    drop_database bench_b24
    psql -Xq -c "ALTER SYSTEM RESET autovacuum" -c "ALTER SYSTEM RESET kvs.autogc" -c "ALTER SYSTEM RESET kvs.autorepack" -c "SELECT pg_reload_conf()" >/dev/null
}

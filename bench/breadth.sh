# shellcheck shell=bash
# BREADTH: what branches cost where there are many. In a database of its own, with 10 branches and then with
# KVS_BENCH_BRANCHES; each step a transaction of one warm session.

breadth_branches=${KVS_BENCH_BRANCHES:-20000}

# Branches up to COUNT off main, every tenth with a commit of its own.
breadth_fill() {
    sql >/dev/null <<SQL
DO \$\$
BEGIN
    FOR i IN (SELECT count(*) FROM _kvs.branch) .. $1 - 1 LOOP
        PERFORM kvs.create_branch('broad-' || lpad(i::text, 8, '0'), 'main');
        IF i % 10 = 0 THEN
            PERFORM kvs.put('user:' || lpad((1 + i % 10000)::text, 8, '0'), to_jsonb(i), branch => 'broad-' || lpad(i::text, 8, '0'));
            PERFORM kvs.commit('own ' || i, branch => 'broad-' || lpad(i::text, 8, '0'));
        END IF;
        COMMIT;
    END LOOP;
END \$\$;
VACUUM (ANALYZE);
SQL
}

# Milliseconds of each step, at COUNT branches, into breadth_times. Leaves as many branches as there were.
breadth_round() {
    sql >/dev/null <<SQL
CREATE PROCEDURE pg_temp.timed(of_branches int, step text, statement text) LANGUAGE plpgsql AS \$\$
DECLARE began timestamptz := clock_timestamp();
BEGIN
    EXECUTE statement;
    COMMIT;
    INSERT INTO breadth_times VALUES (of_branches, step, 1000 * extract(epoch FROM clock_timestamp() - began));
    COMMIT;
END \$\$;
DO \$\$
BEGIN
    FOR i IN 0 .. 110 LOOP
        -- The first ten warm the session.
        IF i = 10 THEN
            DELETE FROM breadth_times WHERE branches = $1;
            COMMIT;
        END IF;
        CALL pg_temp.timed($1, 'create', format('SELECT kvs.create_branch(%L, %L)', 'x-' || i, 'main'));
        CALL pg_temp.timed($1, 'create from another', format('SELECT kvs.create_branch(%L, %L)', 'y-' || i, 'broad-00000009'));
        CALL pg_temp.timed($1, 'switch, write, read', format('SELECT kvs.switch_branch(%L), kvs.put(%L, %L), kvs.get(%L)', 'x-' || i, 'broad', '1', 'broad'));
        CALL pg_temp.timed($1, 'commit', format('SELECT kvs.commit(%L)', 'broad'));
        CALL pg_temp.timed($1, 'list one by name', format('SELECT * FROM kvs.branches WHERE name = %L', 'x-' || i));
        CALL pg_temp.timed($1, 'list the first 20', 'SELECT * FROM kvs.branches ORDER BY name LIMIT 20');
        CALL pg_temp.timed($1, 'list the next 20', 'SELECT * FROM kvs.branches WHERE name > ''broad-00000005'' ORDER BY name LIMIT 20');
        CALL pg_temp.timed($1, 'list names and heads', 'SELECT name, head FROM kvs.branches');
        CALL pg_temp.timed($1, 'list all columns', 'SELECT * FROM kvs.branches');
        CALL pg_temp.timed($1, 'switch back', 'SELECT kvs.switch_branch(''main'')');
        CALL pg_temp.timed($1, 'rename', format('SELECT kvs.rename_branch(%L, %L)', 'x-' || i, 'z-' || i));
        CALL pg_temp.timed($1, 'delete, forced', format('SELECT kvs.delete_branch(%L, force => true)', 'z-' || i));
        CALL pg_temp.timed($1, 'delete', format('SELECT kvs.delete_branch(%L)', 'y-' || i));
    END LOOP;
END \$\$;
SQL
}

breadth_median() { sql -c "SELECT percentile_cont(0.5) WITHIN GROUP (ORDER BY ms) FROM breadth_times WHERE branches = $1 AND step = '$2'"; }

breadth() {
    local outer=${PGDATABASE:-} step target
    make_database bench_breadth
    export PGDATABASE=bench_breadth
    sql >/dev/null <<SQL
SELECT kvs.import('SELECT ''user:'' || lpad(i::text, 8, ''0''), $(sed "s/'/''/g" <<<"$document_sql") FROM generate_series(1, 10000) AS i', message => 'base');
CREATE TABLE breadth_times (branches int, step text, ms float8);
SQL
    breadth_fill 10
    breadth_round 10
    breadth_fill "$breadth_branches"
    breadth_round "$breadth_branches"
    for step in create "create from another" "switch, write, read" commit "list one by name" "list the first 20" "list the next 20" rename delete "delete, forced"; do
        target="<= 1.1"
        kvs_value=$(breadth_median "$breadth_branches" "$step")
        reference_value=$(breadth_median 10 "$step")
        report "B10 $step" ms "$kvs_value" "$reference_value" "$(divide "$kvs_value" "$reference_value")" "$target" "$breadth_branches branches against 10"
    done
    for step in "list names and heads" "list all columns"; do
        kvs_value=$(breadth_median "$breadth_branches" "$step")
        report "B10 $step" "us/branch" "$(awk -v ms="$kvs_value" -v n="$breadth_branches" 'BEGIN { print ms * 1000 / n }')" "" "" "" "$breadth_branches branches in $(show "$kvs_value") ms"
    done
    export PGDATABASE=$outer
    drop_database bench_breadth
}

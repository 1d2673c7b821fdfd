# shellcheck shell=bash
# BREADTH: what branches cost where there are many. Two databases of its own, one with 10 branches and one with
# KVS_BENCH_BRANCHES, in turn; each step is a transaction of one warm session, without waiting for the disk.

breadth_branches=${KVS_BENCH_BRANCHES:-20000}

# breadth_make DATABASE COUNT: branches off main, every tenth with a commit of its own.
breadth_make() {
    make_database "$1"
    PGDATABASE=$1 make_timed
    sql -d "$1" >/dev/null <<SQL
CREATE TABLE source AS SELECT 'user:' || lpad(i::text, 8, '0') AS key, $document_sql AS value FROM generate_series(1, 10000) AS i;
SELECT kvs.import('SELECT key, value FROM source', message => 'base');
SET synchronous_commit = off;
DO \$\$
DECLARE name text;
BEGIN
    FOR i IN 1 .. $2 - 1 LOOP
        name := 'broad-' || lpad(i::text, 8, '0');
        PERFORM kvs.create_branch(name, 'main');
        IF i % 10 = 0 THEN
            PERFORM kvs.put('user:' || lpad((1 + i % 10000)::text, 8, '0'), to_jsonb(i), branch => name);
            PERFORM kvs.commit('own ' || i, branch => name);
        END IF;
        COMMIT;
    END LOOP;
END \$\$;
VACUUM (ANALYZE);
SQL
}

# breadth_round DATABASE: milliseconds of each step into its times. Leaves as many branches as there were.
breadth_round() {
    sql -d "$1" >/dev/null <<SQL
SET synchronous_commit = off;
CREATE TEMP TABLE before AS TABLE times;
DO \$\$
BEGIN
    FOR i IN 0 .. 50 LOOP
        -- The first ten warm the session.
        IF i = 10 THEN
            DELETE FROM times;
            INSERT INTO times TABLE before;
            COMMIT;
        END IF;
        CALL timed('create', format('SELECT kvs.create_branch(%L, %L)', 'x-' || i, 'main'));
        CALL timed('create from another', format('SELECT kvs.create_branch(%L, %L)', 'y-' || i, 'broad-00000009'));
        CALL timed('switch, write, read', format('SELECT kvs.switch_branch(%L), kvs.put(%L, %L), kvs.get(%L)', 'x-' || i, 'broad', i, 'broad'));
        CALL timed('commit', format('SELECT kvs.commit(%L)', 'broad'));
        CALL timed('switch back', 'SELECT kvs.switch_branch(''main'')');
        CALL timed('rename', format('SELECT kvs.rename_branch(%L, %L)', 'x-' || i, 'z-' || i));
        CALL timed('delete, forced', format('SELECT kvs.delete_branch(%L, force => true)', 'z-' || i));
        CALL timed('delete', format('SELECT kvs.delete_branch(%L)', 'y-' || i));
        CALL timed('list one by name', 'SELECT * FROM kvs.branches WHERE name = ''broad-00000007''');
        CALL timed('list the first 5', 'SELECT * FROM kvs.branches ORDER BY name LIMIT 5');
        CALL timed('list the next 5', 'SELECT * FROM kvs.branches WHERE name > ''broad-00000003'' ORDER BY name LIMIT 5');
    END LOOP;
    -- Apart from the others, whose caches these empty.
    FOR i IN 1 .. 5 LOOP
        CALL timed('list names and heads', 'SELECT name, head FROM kvs.branches');
        CALL timed('list all columns', 'SELECT * FROM kvs.branches');
    END LOOP;
END \$\$;
SQL
}

breadth() {
    local step i
    breadth_make bench_breadth_few 10
    breadth_make bench_breadth_many "$breadth_branches"
    for ((i = 0; i < runs; i++)); do
        breadth_round bench_breadth_many
        breadth_round bench_breadth_few
    done
    for step in create "create from another" "switch, write, read" commit "list one by name" "list the first 5" "list the next 5" rename delete "delete, forced"; do
        kvs_value=$(PGDATABASE=bench_breadth_many median_time "$step")
        reference_value=$(PGDATABASE=bench_breadth_few median_time "$step")
        report "B10 $step" ms "$kvs_value" "$reference_value" "$(divide "$kvs_value" "$reference_value")" "<= 1.1" "$breadth_branches branches against 10"
    done
    for step in "list names and heads" "list all columns"; do
        kvs_value=$(PGDATABASE=bench_breadth_many median_time "$step")
        report "B10 $step" "us/branch" "$(awk -v ms="$kvs_value" -v n="$breadth_branches" 'BEGIN { print ms * 1000 / n }')" "" "" "" "$breadth_branches branches in $(show "$kvs_value") ms"
    done
    drop_database bench_breadth_few
    drop_database bench_breadth_many
}

# shellcheck shell=bash
# B7, B8, B10: commits, differences, branches.

# COUNT random keys of the large store, each with a new value.
change_sql() {
    cat <<SQL
SELECT kvs.mput(array_agg(key), array_agg(value)) FROM (
    SELECT DISTINCT 'user:' || lpad((1 + floor(random() * $rows))::bigint::text, 8, '0') AS key, jsonb_build_object('changed', random(), 'by', 'bench') AS value
    FROM generate_series(1, $1)) AS t;
SQL
}

# Milliseconds of a commit of COUNT changes, in a session that has committed before, as the reference's has.
commit_after() {
    sql_ms <<SQL
$(change_sql 1)
SELECT kvs.commit('bench');
$(change_sql "$1")
SELECT kvs.commit('bench');
SQL
}

plain_upserts() {
    # Milliseconds of COUNT single upsert transactions, by one client.
    cat >"$work/upsert" <<SQL
\\set i random(1, $rows)
INSERT INTO plain VALUES ('user:' || lpad((:i)::int::text, 8, '0'), jsonb_build_object('changed', (:i)::int, 'by', 'bench'), 1, now())
ON CONFLICT (key) DO UPDATE SET value = excluded.value, version = plain.version + 1, updated_at = now();
SQL
    pgbench -n -M prepared -c 1 -t "$1" -f "$work/upsert" 2>/dev/null |
        awk -v n="$1" '/^tps/ { printf "%.4f\n", n * 1000 / $3 }'
}

b7_round() {
    commit_one() { commit_after 1; }
    upsert_one() { awk -v ms="$(plain_upserts 200)" 'BEGIN { print ms / 200 }'; }
    measure_pair commit_one upsert_one
    report "B7 commit of 1 change$1" ms "$kvs_value" "$reference_value" "$(divide "$kvs_value" "$reference_value")" "<= 10" "one plain upsert transaction"
    commit_many() { commit_after 10000; }
    upsert_many() { plain_upserts 10000; }
    measure_pair commit_many upsert_many
    report "B7 commit of 10,000 changes$1" ms "$kvs_value" "$reference_value" "$(divide "$kvs_value" "$reference_value")" "<= 1" "10,000 plain upserts"
}

b7() {
    fill_large
    b7_round ""
    sql -c "SELECT kvs.import('SELECT key, jsonb_build_object(''all'', key) FROM bench_source', message => 'all of them')" >/dev/null
    b7_round ", after 1M"
}

b8() {
    fill_large
    local size first=""
    for size in 10000 100000 "$rows"; do
        [ "$(sql -c "SELECT kvs.get_tag('b8-$size') IS NULL")" = f ] || sql >/dev/null <<SQL
SELECT kvs.create_branch('b8-branch-$size', (SELECT encode(_kvs.initial_commit(), 'hex')));
SELECT kvs.import('SELECT key, value FROM bench_source ORDER BY key LIMIT $size', branch => 'b8-branch-$size', message => 'base');
SELECT kvs.create_tag('b8-$size', 'b8-branch-$size');
SELECT kvs.mput(array_agg(key), array_agg(value), 'b8-branch-$size') FROM (
    SELECT key, jsonb_build_object('changed', true) AS value FROM bench_source WHERE key <= 'user:' || lpad($size::text, 8, '0') ORDER BY md5(key) LIMIT 100) AS t;
SELECT kvs.commit('100 changes', branch => 'b8-branch-$size');
SQL
        diff_ms() {
            sql_ms <<SQL
SELECT count(*) FROM kvs.diff('b8-$size', 'b8-branch-$size');
SELECT count(*) FROM kvs.diff('b8-$size', 'b8-branch-$size');
SQL
        }
        kvs_value=$(measure diff_ms)
        if [ "$size" = "$rows" ]; then
            report "B8 diff of 100 changes in $size" ms "$kvs_value" "" "" "<= 5" "warm"
            report "B8 diff at $rows / at 10,000" ms "$kvs_value" "$first" "$(divide "$kvs_value" "$first")" "<= 3" "warm"
        else
            report "B8 diff of 100 changes in $size" ms "$kvs_value" "" "" "" "warm"
        fi
        [ -n "$first" ] || first=$kvs_value
    done
}

# Milliseconds of: create a branch from another, switch to it, write a key, read it; in one session that is warm.
branch_cycle() {
    local name=$1 from=$2
    { echo "SELECT kvs.get('user:00000001'); SELECT kvs.create_branch('$name-warm', '$from'); SELECT kvs.put('warm', '1', branch => '$name-warm');"
      echo '\timing on'
      echo "SELECT kvs.create_branch('$name', '$from'); SELECT kvs.switch_branch('$name'); SELECT kvs.put('branch:$name', '{\"a\": 1}'); SELECT kvs.get('branch:$name');" | tr ';' '\n' | sed '/./s/$/;/'
    } | psql -XAtq -v ON_ERROR_STOP=1 | awk '/^Time: /{ ms += $2 } END { print ms }'
}

b10() {
    fill_large
    local count=0
    first_cycle() { count=$((RANDOM * 32768 + RANDOM)); branch_cycle "b10-first-$count" main; }
    upsert_read() {
        { echo "SELECT value FROM plain WHERE key = 'user:00000001';"
          echo '\timing on'
          echo "INSERT INTO plain VALUES ('b10-$RANDOM', '{}', 1, now()) ON CONFLICT (key) DO UPDATE SET version = plain.version + 1;"
          echo "SELECT value FROM plain WHERE key = 'user:00000001';"; } | psql -XAtq | awk '/^Time: /{ ms += $2 } END { print ms }'
    }
    measure_pair first_cycle upsert_read
    local first=$kvs_value
    report "B10 branch, switch, write, read" ms "$kvs_value" "$reference_value" "$(awk -v a="$kvs_value" -v b="$reference_value" 'BEGIN { print a - b }')" "<= 1" "ratio column: ms added to a plain upsert and select"
    # A chain: each branch from the last, with a commit of its own.
    sql >/dev/null <<'SQL'
DO $$
BEGIN
    PERFORM kvs.create_branch('b10-chain-0', 'main');
    FOR i IN 1 .. 1000 LOOP
        PERFORM kvs.create_branch('b10-chain-' || i, 'b10-chain-' || (i - 1));
        PERFORM kvs.put('chain', to_jsonb(i), branch => 'b10-chain-' || i);
        PERFORM kvs.commit('link ' || i, branch => 'b10-chain-' || i);
    END LOOP;
END $$;
SQL
    deep_cycle() { count=$((RANDOM * 32768 + RANDOM)); branch_cycle "b10-deep-$count" b10-chain-1000; }
    kvs_value=$(measure deep_cycle)
    report "B10 the same at depth 1,000" ms "$kvs_value" "$first" "$(divide "$kvs_value" "$first")" "<= 1.1" "against the first"
    sql >/dev/null <<'SQL'
DO $$ BEGIN FOR i IN 1 .. 20000 LOOP PERFORM kvs.create_branch('b10-broad-' || i, 'main'); END LOOP; END $$;
SQL
    broad_cycle() { count=$((RANDOM * 32768 + RANDOM)); branch_cycle "b10-broad-x$count" main; }
    kvs_value=$(measure broad_cycle)
    report "B10 the same with 20,000 branches" ms "$kvs_value" "$first" "$(divide "$kvs_value" "$first")" "<= 1.1" "against the first"
    cat >"$work/get_deep" <<SQL
\\set i random(1, $rows)
SELECT kvs.get('user:' || lpad((:i)::int::text, 8, '0'), branch => 'b10-chain-1000');
SQL
    cat >"$work/get_first" <<SQL
\\set i random(1, $rows)
SELECT kvs.get('user:' || lpad((:i)::int::text, 8, '0'), branch => 'main');
SQL
    get_deep() { pgbench_tps 2 "$work/get_deep"; }
    get_first() { pgbench_tps 2 "$work/get_first"; }
    measure_pair get_deep get_first
    report "B10 get at depth 1,000" tps "$kvs_value" "$reference_value" "$(divide "$kvs_value" "$reference_value")" ">= 0.9" "20,000 branches"
}

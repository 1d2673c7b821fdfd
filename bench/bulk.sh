# shellcheck shell=bash
# B4, B5, B6: many keys at once.

b4() {
    fill_large
    reset_hot
    cat >"$work/mput_kvs" <<SQL
\\set i random(1, 999)
SELECT kvs.mput(array_agg('hot:' || lpad(((:i)::int * 100 + j)::text, 8, '0')), array_agg(jsonb_build_object('id', j, 'name', 'user number', 'email', 'user@example.org', 'role', 'editor', 'n', (:i)::int, 'token', 'c4ca4238a0b923820dcc509a6f75849b'))) FROM generate_series(0, 99) AS j;
SQL
    cat >"$work/mput_plain" <<SQL
\\set i random(1, 999)
INSERT INTO hot SELECT 'hot:' || lpad(((:i)::int * 100 + j)::text, 8, '0'), jsonb_build_object('id', j, 'name', 'user number', 'email', 'user@example.org', 'role', 'editor', 'n', (:i)::int, 'token', 'c4ca4238a0b923820dcc509a6f75849b'), 1, now() FROM generate_series(0, 99) AS j
ON CONFLICT (key) DO UPDATE SET value = excluded.value, version = hot.version + 1, updated_at = now();
SQL
    mput_kvs() { async pgbench_tps 8 "$work/mput_kvs"; }
    mput_plain() { async pgbench_tps 8 "$work/mput_plain"; }
    measure_pair mput_kvs mput_plain
    report "B4 mput of 100, 8 clients" tps "$kvs_value" "$reference_value" "$(divide "$kvs_value" "$reference_value")" ">= 0.9" "async"
}

b5() {
    load_large
    sql -c "\\copy (SELECT key, value, 1, now() FROM bench_source) TO '$work/source.tsv'"
    local i way copied_table
    copied_table='CREATE TABLE copied (key text COLLATE "C" PRIMARY KEY, value jsonb, version bigint, updated_at timestamptz)'
    copy_plain() {
        sql_ms <<SQL
DROP TABLE IF EXISTS copied;
$copied_table;
\\copy copied FROM '$work/source.tsv'
SQL
    }
    # The same from table to table, as an import is: through a file's format, and within the server.
    copy_table() { sql -c "COPY (SELECT key, value, 1, now() FROM bench_source) TO STDOUT" | sql -c "COPY copied FROM STDIN"; }
    insert_table() { sql -c "INSERT INTO copied SELECT key, value, 1, now() FROM bench_source"; }
    # The store is filled anew each time: equal chunks would not be written twice.
    : >"$work/kvs"
    : >"$work/reference"
    : >"$work/copy_table"
    : >"$work/insert_table"
    for ((i = 0; i < runs; i++)); do
        sql -c "DROP EXTENSION IF EXISTS kvs CASCADE" -c "CREATE EXTENSION kvs" -c CHECKPOINT 2>/dev/null
        sql_ms <<<"SELECT kvs.import('SELECT key, value FROM bench_source', message => 'import');" >>"$work/kvs"
        sql -c CHECKPOINT
        copy_plain >>"$work/reference"
        for way in copy_table insert_table; do
            sql -c "DROP TABLE copied" -c "$copied_table" -c CHECKPOINT
            command_ms "$way" >>"$work/$way"
        done
    done
    kvs_value=$(median <"$work/kvs")
    reference_value=$(median <"$work/reference")
    report "B5 import of $rows" ms "$kvs_value" "$reference_value" "$(divide "$reference_value" "$kvs_value")" ">= 0.7" "COPY time / import time"
    reference_value=$(median <"$work/copy_table")
    report "B5 import, COPY from a table" ms "$kvs_value" "$reference_value" "$(divide "$reference_value" "$kvs_value")" ">= 1.0" "COPY TO | COPY FROM time / import time"
    reference_value=$(median <"$work/insert_table")
    report "B5 import, INSERT from a table" ms "$kvs_value" "$reference_value" "$(divide "$reference_value" "$kvs_value")" "" "INSERT ... SELECT time / import time"
    local kvs_bytes plain_bytes
    kvs_bytes=$(sql -c "SELECT sum(pg_total_relation_size(c)) FROM unnest(ARRAY['_kvs.chunk', '_kvs.commit', '_kvs.change', '_kvs.working']::regclass[]) AS c")
    plain_bytes=$(sql -c "SELECT pg_total_relation_size('copied')")
    report "B5 size on disk" bytes "$kvs_bytes" "$plain_bytes" "$(divide "$kvs_bytes" "$plain_bytes")" "<= 0.5" "data, metadata and log"
    sql -c "DROP TABLE copied"
}

b6() {
    fill_large
    scan_kvs() { timed psql -XAtq -o /dev/null -v FETCH_COUNT=10000 -c "SELECT key, value FROM kvs.entries"; }
    scan_plain() { PGOPTIONS="-c max_parallel_workers_per_gather=0" timed psql -XAtq -o /dev/null -v FETCH_COUNT=10000 -c "SELECT key, value FROM plain"; }
    measure_pair scan_kvs scan_plain
    report "B6 full scan to the client" ms "$kvs_value" "$reference_value" "$(divide "$reference_value" "$kvs_value")" ">= 1.0" "$rows rows"
    cat >"$work/range_kvs" <<SQL
\\set i random(1, $rows)
SELECT key, value FROM kvs.scan(start_key => 'user:' || lpad((:i)::int::text, 8, '0'), max_rows => 1000);
SQL
    cat >"$work/range_entries" <<SQL
\\set i random(1, $rows)
SELECT key, value FROM kvs.entries WHERE key >= 'user:' || lpad((:i)::int::text, 8, '0') ORDER BY key LIMIT 1000;
SQL
    cat >"$work/range_plain" <<SQL
\\set i random(1, $rows)
SELECT key, value FROM plain WHERE key >= 'user:' || lpad((:i)::int::text, 8, '0') ORDER BY key LIMIT 1000;
SQL
    range_kvs() { pgbench_tps 2 "$work/range_kvs"; }
    range_entries() { pgbench_tps 2 "$work/range_entries"; }
    range_plain() { pgbench_tps 2 "$work/range_plain"; }
    measure_pair range_kvs range_plain
    report "B6 range of 1000, kvs.scan" tps "$kvs_value" "$reference_value" "$(divide "$kvs_value" "$reference_value")" ">= 0.9" "2 clients, all columns are formed"
    measure_pair range_entries range_plain
    report "B6 range of 1000, kvs.entries" tps "$kvs_value" "$reference_value" "$(divide "$kvs_value" "$reference_value")" ">= 0.9" "2 clients"
}

# Milliseconds that a command takes.
timed() {
    local begin end
    begin=$(date +%s%N)
    "$@"
    end=$(date +%s%N)
    awk -v b="$begin" -v e="$end" 'BEGIN { printf "%.1f\n", (e - b) / 1e6 }'
}

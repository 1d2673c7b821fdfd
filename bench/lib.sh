# shellcheck shell=bash
# Measuring and reporting for the benchmarks of this directory; source it. The server is that of the PG* environment.
#
# KVS_BENCH_ROWS      documents in the large store, default 1000000
# KVS_BENCH_RUNS      alternating runs of each pair, default 5
# KVS_BENCH_SECONDS   length of one pgbench run, default 5
# KVS_BENCH_RESTART   a command that restarts the server; without it nothing is measured cold
# KVS_BENCH_OUT       the JSON file, default bench/results/latest.json
# KVS_BENCH_BRANCHES  branches of BREADTH, default 20000
# KVS_BENCH_CHUNKS    chunks of GC, default 1000000
# KVS_BENCH_BURST     puts of one burst of B24, default 250000

set -euo pipefail

bench_dir=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
rows=${KVS_BENCH_ROWS:-1000000}
runs=${KVS_BENCH_RUNS:-5}
seconds=${KVS_BENCH_SECONDS:-5}
out=${KVS_BENCH_OUT:-$bench_dir/results/latest.json}
work=$(mktemp -d)
trap '[ $? -eq 0 ] || cat "$work/pgbench.err" >&2; rm -rf "$work"' EXIT
touch "$work/pgbench.err"
mkdir -p "$(dirname "$out")"

sql() { psql -XAtq -v ON_ERROR_STOP=1 "$@"; }

# Milliseconds that the last statement of a psql script (standard input) takes.
sql_ms() { { echo '\timing on'; cat; } | psql -XAtq -v ON_ERROR_STOP=1 | awk '/^Time: /{ ms = $2 } END { print ms }'; }

# pgbench_tps CLIENTS SCRIPT [ARGUMENT ...]: transactions per second; for $seconds, unless an argument limits the run.
pgbench_tps() {
    local clients=$1 script=$2
    shift 2
    [ $# -gt 0 ] || set -- -T "$seconds"
    pgbench -n -M prepared -c "$clients" -j 2 -f "$script" "$@" 2>"$work/pgbench.err" | awk '/^tps/ { print $3 }'
}

# Restarts the server and, where one may, drops what the system has cached of its files.
make_cold() {
    sql -c CHECKPOINT
    $KVS_BENCH_RESTART >/dev/null
    sync
    { echo 3 >/proc/sys/vm/drop_caches; } 2>/dev/null || cold_note="files in the system's cache"
}

# make_database NAME: made anew, with the extension.
make_database() {
    psql -Xq -c "SET client_min_messages = warning" -c "DROP DATABASE IF EXISTS $1 WITH (FORCE)" -c "CREATE DATABASE $1 TEMPLATE template0 ENCODING 'UTF8'"
    sql -d "$1" -c "CREATE EXTENSION kvs"
}

drop_database() { psql -Xq -c "DROP DATABASE $1 WITH (FORCE)"; }

# make_timed: for steps of one session. CALL timed(STEP, STATEMENT) leaves the milliseconds of a transaction in the table
# times; median_time STEP is their median.
make_timed() {
    sql <<'SQL'
CREATE TABLE times (step text, ms float8);
CREATE PROCEDURE timed(step text, statement text) LANGUAGE plpgsql AS $$
DECLARE began timestamptz := clock_timestamp();
BEGIN
    EXECUTE statement;
    COMMIT;
    INSERT INTO times VALUES (step, 1000 * extract(epoch FROM clock_timestamp() - began));
    COMMIT;
END $$;
SQL
}

median_time() { sql -c "SELECT percentile_cont(0.5) WITHIN GROUP (ORDER BY ms) FROM times WHERE step = '$1'"; }

# Milliseconds that a command takes.
command_ms() {
    local began
    began=$(date +%s%N)
    "$@" >/dev/null
    awk -v a="$began" -v b="$(date +%s%N)" 'BEGIN { printf "%.3f\n", (b - a) / 1e6 }'
}

median() { sort -g | awk '{ v[NR] = $1 } END { print (NR % 2) ? v[(NR + 1) / 2] : (v[NR / 2] + v[NR / 2 + 1]) / 2 }'; }

# measure_pair KVS_FUNCTION REFERENCE_FUNCTION: alternates them; leaves the medians in kvs_value and reference_value.
measure_pair() {
    local i
    : >"$work/kvs"
    : >"$work/reference"
    for ((i = 0; i < runs; i++)); do
        "$1" >>"$work/kvs"
        "$2" >>"$work/reference"
    done
    kvs_value=$(median <"$work/kvs")
    reference_value=$(median <"$work/reference")
}

# measure FUNCTION: the median of its runs.
measure() {
    local i
    : >"$work/one"
    for ((i = 0; i < runs; i++)); do
        "$1" >>"$work/one"
    done
    median <"$work/one"
}

# report NAME UNIT KVS REFERENCE RATIO TARGET NOTE: one row of the table and of the JSON. An empty reference or ratio
# stays empty. TARGET is an expression such as ">= 0.9", judged against the ratio, or the value where there is none.
report() {
    local name=$1 unit=$2 kvs=$3 reference=$4 ratio=$5 target=$6 note=$7 judged verdict
    judged=${ratio:-$kvs}
    verdict=$(awk -v v="$judged" -v t="$target" 'BEGIN {
        split(t, a, " "); if (t == "") print "-"; else if (a[1] == ">=") print (v >= a[2]) ? "met" : "missed";
        else print (v <= a[2]) ? "met" : "missed" }')
    printf '%-34s %14s %14s %-8s %8s  %-9s %-7s %s\n' "$name" "$(show "$kvs")" "$(show "$reference")" "$unit" \
        "$(show "$ratio")" "$target" "$verdict" "$note"
    printf '{"name": "%s", "unit": "%s", "kvs": %s, "reference": %s, "ratio": %s, "target": "%s", "verdict": "%s", "note": "%s"}\n' \
        "$name" "$unit" "$kvs" "${reference:-null}" "${ratio:-null}" "$target" "$verdict" "$note" >>"$work/rows.json"
}

show() { [ -z "$1" ] || awk -v v="$1" 'BEGIN { printf (v >= 1000) ? "%.0f" : (v >= 10) ? "%.1f" : "%.3f", v }'; }

divide() { awk -v a="$1" -v b="$2" 'BEGIN { printf "%.4f", a / b }'; }

# What people write by hand beside the table plain, for its history.
audit_sql='CREATE TABLE history (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, key text COLLATE "C" NOT NULL, op text NOT NULL,
                      version bigint, value jsonb, changed_by text NOT NULL, changed_at timestamptz NOT NULL);
CREATE INDEX ON history (key, id);
CREATE FUNCTION audit() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO history (key, op, version, value, changed_by, changed_at)
    VALUES (NEW.key, TG_OP, NEW.version, NEW.value, current_user, now());
    RETURN NULL;
END $$;
CREATE TRIGGER audit AFTER INSERT OR UPDATE ON plain FOR EACH ROW EXECUTE FUNCTION audit();'

# The plain table and the store, each with the same documents: rows x about 150 bytes, keys user:00000001 and on.
document_sql="jsonb_build_object('id', i, 'name', 'user number ' || i, 'email', 'user' || i || '@example.org', 'role', (ARRAY['admin','editor','viewer'])[1 + i % 3], 'token', md5(i::text))"
load_large() {
    [ "$(sql -c "SELECT to_regclass('bench_source') IS NOT NULL")" = f ] || return 0
    sql <<SQL
SET client_min_messages = warning;
CREATE EXTENSION IF NOT EXISTS kvs;
CREATE TABLE bench_source AS
    SELECT 'user:' || lpad(i::text, 8, '0') AS key, $document_sql AS value FROM generate_series(1, $rows) AS i;
CREATE TABLE plain (key text COLLATE "C" PRIMARY KEY, value jsonb, version bigint, updated_at timestamptz);
SQL
}

# Both filled, committed, vacuumed and read once.
fill_large() {
    load_large
    [ "$(sql -c "SELECT NOT EXISTS (SELECT FROM plain)")" = f ] || sql <<SQL
INSERT INTO plain SELECT key, value, 1, now() FROM bench_source ORDER BY key;
VACUUM (ANALYZE, FREEZE) plain;
SQL
    [ "$(sql -c "SELECT kvs.count_keys('user:') < $rows")" = f ] ||
        sql -c "SELECT kvs.import('SELECT key, value FROM bench_source', message => 'bench')" >/dev/null
    sql -c "VACUUM (ANALYZE, FREEZE) _kvs.chunk" -c "SELECT count(value) FROM plain" \
        -c "SELECT count(*) FROM kvs.scan()" -c "CHECKPOINT" >/dev/null
}

#!/usr/bin/env bash
# Stress test of garbage collection and repacking: writers, flushes, commits, imports, branches that come and go, and
# readers of old commits, beside collections without a pause that keep nothing of the reflog, and repackings. Then the store must be whole, without a branch that lost
# what it had, and a last collection must leave no orphan.
#
#   test/stress/gc.sh [SECONDS]      default 5
#
# Runs on the server of the PG* environment, as a superuser, in a database kvs_stress_gc of its own.

set -euo pipefail

seconds=${1:-5}
work=$(mktemp -d /tmp/kvs-stress.XXXXXX)
trap 'rm -rf "$work"' EXIT
export PGDATABASE=kvs_stress_gc
failures=0

sql() { psql -XAtq -v ON_ERROR_STOP=1 "$@"; }

expect() {
    local name=$1 expected=$2 found=$3
    if [ "$found" = "$expected" ]; then
        echo "ok - $name"
    else
        echo "not ok - $name: $found, not $expected"
        failures=$((failures + 1))
    fi
}

# Few values, so that chunks come again that are garbage.
cat >"$work/put" <<'SQL'
\set k random(1, 300)
\set v random(1, 5)
\set b random(1, 3)
SELECT kvs.put('k:' || :k, to_jsonb(repeat('v' || :v, 700 * :v)), branch => 'b' || :b);
SQL
echo "\\set b random(1, 3)
SELECT kvs.commit('commit', branch => 'b' || :b);" >"$work/commit"
echo "\\set b random(1, 3)
SELECT kvs.flush('b' || :b);" >"$work/flush"
cat >"$work/branch" <<'SQL'
\set n random(1, 1000000000)
\set b random(1, 3)
BEGIN;
SELECT kvs.create_branch('t' || :n, 'b' || :b || '~1');
SELECT kvs.put('k:1', to_jsonb(:n), branch => 't' || :n);
SELECT kvs.commit('side', branch => 't' || :n);
SELECT kvs.create_tag('tag' || :n, 't' || :n);
COMMIT;
SELECT kvs.count_keys(branch => 't' || :n);
SELECT kvs.delete_tag('tag' || :n);
SELECT kvs.delete_branch('t' || :n, force => true);
SQL
cat >"$work/import" <<'SQL'
\set v random(1, 5)
SELECT kvs.import('SELECT ''k:'' || i, to_jsonb(i * ' || :v || ') FROM generate_series(1, 300) AS i', branch => 'b2');
SQL
cat >"$work/gc" <<'SQL'
SELECT * FROM kvs.gc();
SQL

cat >"$work/repack" <<'SQL'
\set n random(1, 300)
SELECT * FROM kvs.repack(:n);
SQL
cat >"$work/history" <<'SQL'
\set b random(1, 3)
-- Every commit has all keys; an error if one has not.
SELECT CASE WHEN count(s) = 300 THEN 'all' ELSE (1 / (count(s) - count(s)))::text END
FROM (SELECT hash FROM kvs.log('b' || :b) WHERE parents <> '{}' ORDER BY random() LIMIT 1) AS l, LATERAL kvs.scan(as_of => l.hash) AS s;
SQL

psql -XAtq -d postgres -c 'DROP DATABASE IF EXISTS kvs_stress_gc' \
    -c "CREATE DATABASE kvs_stress_gc TEMPLATE template0 ENCODING 'UTF8'" 2>/dev/null
sql <<'SQL'
CREATE EXTENSION kvs;
ALTER DATABASE kvs_stress_gc SET kvs.reflog_retention = 0;
ALTER DATABASE kvs_stress_gc SET kvs.bulk_log_threshold = 10;
ALTER DATABASE kvs_stress_gc SET kvs.gc_lock_timeout = 0;
ALTER DATABASE kvs_stress_gc SET kvs.branch_lock_timeout = 0;
ALTER DATABASE kvs_stress_gc SET client_min_messages = error;
SQL
sql -o /dev/null <<'SQL'
SELECT kvs.create_branch('b' || i) FROM generate_series(1, 3) AS i;
SELECT kvs.put('k:' || k, to_jsonb(k), branch => 'b' || b) FROM generate_series(1, 3) AS b, generate_series(1, 300) AS k;
SELECT kvs.commit('first', branch => 'b' || b) FROM generate_series(1, 3) AS b;
SELECT kvs.put('k:1', '0', branch => 'b' || b) FROM generate_series(1, 3) AS b;
SELECT kvs.commit('second', branch => 'b' || b) FROM generate_series(1, 3) AS b;
SQL

pids=()
for script in put put put commit flush branch branch import gc repack history; do
    pgbench -n -c 1 -T "$seconds" -f "$work/$script" >"$work/$script.${#pids[@]}.log" 2>&1 &
    pids+=($!)
done
status=0
for pid in "${pids[@]}"; do wait "$pid" || status=1; done
expect "no error" "" "$(grep -hE 'ERROR|FATAL|aborted' "$work"/*.log | head -5)"
expect "all ran to their end" 0 "$status"
expect "the store is whole" "" "$(sql -c "SELECT * FROM kvs.check() WHERE severity = 'error' LIMIT 10")"
expect "every key is there" "300|300|300" \
    "$(sql -c "SELECT string_agg(kvs.count_keys(branch => 'b' || b)::text, '|') FROM generate_series(1, 3) AS b")"
expect "something was packed" t "$(sql -c 'SELECT sum(chunks_rewritten) > 0 FROM _kvs.repacking')"
expect "something was collected" t "$(sql -c 'SELECT sum(objects_removed) > 0 FROM _kvs.collection')"
sql -o /dev/null -c 'SELECT kvs.gc()'
expect "nothing is left over" 0 "$(sql -c 'SELECT count(*) FROM kvs.check()')"
sql -c "SELECT '# ' || sum(chunks_rewritten) || ' chunks were packed, ' || (SELECT sum(cardinality(addresses)) FROM _kvs.pack) || ' are left in packs' FROM _kvs.repacking"
sql -c "SELECT '# ' || count(*) || ' collections removed ' || sum(objects_removed) || ' objects' FROM _kvs.collection"
psql -XAtq -d postgres -c 'DROP DATABASE kvs_stress_gc'
[ "$failures" -eq 0 ]

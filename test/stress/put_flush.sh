#!/usr/bin/env bash
# Stress test of the put and flush protocols: writers on a few hot keys, with savepoints, deletions, cas, patch and
# increment, some that take their time, some that prepare, some that flush themselves, beside several sessions that
# flush, commit and import without a pause, at each isolation level; and readers of one snapshot. Then every committed
# write must be found, once, in order. At last errors are planted, which the checker must find.
#
# planted.sh beside it breaks the protocols themselves, one rule after the other, and runs this.
#
#   test/stress/put_flush.sh [SECONDS]      per isolation level, default 5
#
# Runs on the server of the PG* environment, as a superuser, in a database kvs_stress of its own.
# KVS_STRESS_LEVELS   which levels, separated by commas
# KVS_STRESS_CLIENTS  how many writers, default 6

set -euo pipefail

seconds=${1:-5}
clients=${KVS_STRESS_CLIENTS:-6}
IFS=, read -ra levels <<<"${KVS_STRESS_LEVELS:-read committed,repeatable read,serializable}"
here=$(cd "$(dirname "$0")" && pwd)
work=$(mktemp -d /tmp/kvs-stress.XXXXXX)
trap 'rm -rf "$work"' EXIT
export PGDATABASE=kvs_stress
failures=0

name=put_flush schema=stress pgbench_options=(--max-tries=10000)
source "$here/checker.bash"

# The statement that makes a write and writes it down: put KEY [OPERATION]
put() {
    echo "INSERT INTO stress.written (key, op, n, version)
          SELECT key, 'set', n, kvs.put(key, jsonb_build_object('n', n, 'pad', repeat('x', :pad)))
          FROM (SELECT 'hot:' || $1 AS key, nextval('stress.n') AS n) AS w;"
}

# The scripts of the writers, at one isolation level. Keys are taken in their order.
write_scripts() {
    local hot="
\\set a random(1, 20)
\\set b random(1, 20)
\\set pad 6000 * (random(1, 20) / 20)
BEGIN ISOLATION LEVEL $1;"
    cat >"$work/put" <<SCRIPT
$hot
$(put 'least(:a, :b)')
SAVEPOINT s;
SELECT kvs.put('hot:' || greatest(:a, :b), '"rolled back"');
ROLLBACK TO SAVEPOINT s;
$(put 'greatest(:a, :b)')
COMMIT;
SCRIPT
    cat >"$work/patch" <<SCRIPT
$hot
INSERT INTO stress.written (key, op, n, version, delta)
SELECT key, 'patch', n, kvs.patch(key, delta), delta
FROM (SELECT 'hot:' || :a AS key, n, jsonb_build_object('n', n, 'member' || :b % 3, n) AS delta
      FROM (SELECT nextval('stress.n') AS n) AS number) AS w;
SAVEPOINT s;
INSERT INTO stress.written (key, op, delta) SELECT 'sum', 'add', to_jsonb(kvs.increment('sum'));
RELEASE SAVEPOINT s;
COMMIT;
SCRIPT
    cat >"$work/cas" <<SCRIPT
$hot
INSERT INTO stress.written (key, op, n, version)
SELECT key, 'set', n, version + 1
FROM (SELECT e.key, e.version, nextval('stress.n') AS n FROM kvs.get_entry('hot:' || :a) AS e) AS w
WHERE kvs.cas(key, version, jsonb_build_object('n', n));
COMMIT;
SCRIPT
    cat >"$work/mput" <<SCRIPT
$hot
WITH w AS (SELECT 'hot:' || k AS key, nextval('stress.n') AS n FROM generate_series(:a, :a + 3) AS k),
     written AS (INSERT INTO stress.written (key, op, n) SELECT key, 'set', n FROM w)
SELECT kvs.mput(array_agg(key), array_agg(jsonb_build_object('n', n))) FROM w;
COMMIT;
SCRIPT
    cat >"$work/delete" <<SCRIPT
$hot
INSERT INTO stress.written (key, op)
SELECT key, 'delete' FROM (SELECT 'hot:' || :a AS key OFFSET 0) AS w WHERE kvs.delete(key);
SAVEPOINT s;
INSERT INTO stress.written (key, op, delta)
SELECT 'sum:' || :b % 2, 'add', to_jsonb(kvs.increment('sum:' || :b % 2));
ROLLBACK TO SAVEPOINT s;
COMMIT;
SCRIPT
    # Their rows stay in epochs that flushes have left behind, or come to nothing there.
    cat >"$work/slow" <<SCRIPT
$hot
\\set pause random(1, 20)
\\set fate random(1, 3)
$(put 'least(:a, :b)')
\\sleep :pause ms
SELECT stress.must_be_mine('hot:' || least(:a, :b));
SAVEPOINT s;
$(put 'greatest(:a, :b)')
\\sleep :pause ms
\\if :fate = 1
ROLLBACK TO SAVEPOINT s;
\\endif
$(put 'greatest(:a, :b)')
\\if :fate = 2
ROLLBACK;
\\else
COMMIT;
\\endif
SCRIPT
    # What others write between a flush and its end stays uncommitted work. Above READ COMMITTED it never gets that far.
    cat >"$work/flusher" <<SCRIPT
${hot/BEGIN*/BEGIN;}
\\set fate random(1, 4)
$(put 'least(:a, :b)')
SAVEPOINT s;
SELECT kvs.flush();
$(put 'greatest(:a, :b)')
\\if :fate = 1
ROLLBACK TO SAVEPOINT s;
\\endif
SELECT kvs.commit('stress');
$(put 'greatest(:a, :b)')
\\sleep 5 ms
\\if :fate = 2
ROLLBACK;
\\else
COMMIT;
\\endif
SCRIPT
    cat >"$work/prepared" <<SCRIPT
$hot
\\set pause random(1, 10)
\\set fate random(1, 3)
$(put 'least(:a, :b)')
PREPARE TRANSACTION 'stress_:client_id';
\\sleep :pause ms
\\if :fate = 1
ROLLBACK PREPARED 'stress_:client_id';
\\else
COMMIT PREPARED 'stress_:client_id';
\\endif
SCRIPT
    # One snapshot sees one state, whatever is folded meanwhile; by key and by scan.
    cat >"$work/read" <<SCRIPT
\\set level random(1, 2)
\\if :level = 1
BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY;
\\else
BEGIN ISOLATION LEVEL SERIALIZABLE READ ONLY;
\\endif
SELECT stress.same_twice();
COMMIT;
SCRIPT
    # Of two keys one is always on, if it is as if one came after the other. Nothing else holds at the lower levels.
    echo "SELECT stress.turn('skew:' || :client_id % 2, 'skew:' || 1 - :client_id % 2);" >"$work/skew"
    echo "SELECT kvs.flush();" >"$work/flush"
    printf 'BEGIN ISOLATION LEVEL %s;\nSELECT kvs.commit(%s);\nCOMMIT;\n' "$1" "'stress'" >"$work/commit"
    cat >"$work/import" <<SCRIPT
\\set a random(1, 16)
BEGIN;
INSERT INTO stress.written (key, op, n)
SELECT 'hot:' || k, 'import', nextval('stress.n') FROM generate_series(:a, :a + 4) AS k;
SELECT kvs.import('SELECT key, jsonb_build_object(''n'', n) FROM stress.written WHERE xid = pg_current_xact_id()');
COMMIT;
SCRIPT
}

run_level() {
    local log
    sql -d postgres -c 'DROP DATABASE IF EXISTS kvs_stress' 2>/dev/null
    sql -d postgres -c "CREATE DATABASE kvs_stress TEMPLATE template0 ENCODING 'UTF8'"
    sql -c 'CREATE EXTENSION kvs' -f "$here/problems.sql" -f "$here/readers.sql"
    write_scripts "$1"
    rm -f "$work"/failed.*
    background flush 2 -f "$work/flush"
    background commit 1 -f "$work/commit"
    PGOPTIONS='-c kvs.bulk_log_threshold=2 -c kvs.branch_lock_timeout=0' \
        background import 1 -f "$work/import" --rate=20
    PGOPTIONS='-c kvs.flush_rows=50' \
        background write "$clients" -f "$work/put@8" -f "$work/patch@4" -f "$work/cas@3" -f "$work/mput@2" \
        -f "$work/delete@2"
    background slow 1 -f "$work/slow"
    background flusher 1 -f "$work/flusher"
    background read 1 -f "$work/read"
    PGOPTIONS='-c default_transaction_isolation=serializable' background skew 2 -f "$work/skew"
    if [ "$(sql -c 'SHOW max_prepared_transactions')" -gt 0 ]; then
        background prepared 1 -f "$work/prepared"
    fi
    wait
    sql -c "SELECT format('ROLLBACK PREPARED %L', gid) FROM pg_prepared_xacts WHERE database = current_database()" | sql
    for log in "$work"/failed.*; do
        [ -e "$log" ] || continue
        echo "put_flush $1: the ${log##*.} clients failed"
        grep -v '^$' "$work/${log##*.}.log" | head -n 20
        failures=$((failures + 1))
    done
    check "$1"
    # The same once more, with all of it in the trees.
    sql -c 'SELECT kvs.flush()' -c "SELECT kvs.commit('the rest')" >/dev/null 2>&1
    check "$1, committed"
    if [ "$(sql -c 'SELECT count(*) FROM kvs.status()')" -ne 0 ]; then
        echo "put_flush $1: uncommitted work after a commit"
        failures=$((failures + 1))
    fi
}

# Prints what is wrong, if anything, and the line that sums up.
check() {
    local changes problems
    if ! sql -c 'SELECT * FROM stress.problems()' >"$work/problems" 2>&1; then
        echo "put_flush $1: the checker failed" && head -n 20 "$work/problems"
        failures=$((failures + 1))
        return
    fi
    changes=$(sql -c 'SELECT count(*) FROM _kvs.change')
    problems=$(grep -c . "$work/problems" || true)
    head -n 20 "$work/problems"
    echo "put_flush $1: $changes changes, $problems problems"
    # Where nothing was written nothing was tested.
    if [ "$problems" -ne 0 ] || [ "$changes" -lt 20 ]; then
        failures=$((failures + 1))
    fi
}

plant_errors() {
    local planted=0 caught=0
    local newest="(SELECT max(seq) FROM _kvs.change WHERE key = 'hot:1')"
    # Two versions that only the log has, and a working row.
    sql -c "SELECT kvs.put('hot:1', '1')" -c "SELECT kvs.put('hot:1', '2')" >/dev/null
    plant 'duplicate version' "INSERT INTO _kvs.change SELECT nextval('_kvs.change_seq'), prev_seq, xid, version,
        branch_id, op, key, meta, item FROM _kvs.change WHERE seq = $newest"
    plant 'rewound version' "UPDATE _kvs.change SET version = 1 WHERE seq = $newest"
    plant 'missing version' "DELETE FROM _kvs.change
        WHERE seq = (SELECT prev_seq FROM _kvs.change WHERE seq = $newest)"
    plant 'broken chain' "UPDATE _kvs.change SET prev_seq = 0 WHERE seq = $newest"
    plant 'change without history' "INSERT INTO _kvs.change SELECT nextval('_kvs.change_seq'), seq, xid, version + 1,
        branch_id, op, key, meta, item FROM _kvs.change WHERE seq = $newest"
    plant 'lost write' "INSERT INTO stress.written (key, op, n) VALUES ('hot:1', 'set', 0)"
    plant 'write from nowhere' "SELECT kvs.put('hot:2', '{\"n\": 0}')"
    plant 'number of deletions' "INSERT INTO stress.written (key, op) VALUES ('hot:1', 'delete')"
    plant 'lost increment' "INSERT INTO stress.written (key, op, delta) VALUES ('sum', 'add', '1')"
    plant 'wrong sum' "SELECT kvs.increment('sum')"
    plant 'get is not the last change' "UPDATE _kvs.working SET item = (SELECT item FROM _kvs.change
        WHERE seq = (SELECT prev_seq FROM _kvs.change WHERE seq = $newest)) WHERE key = 'hot:1'"
    # Where no shared cache holds the node, a reader comes upon it before kvs.check() is asked.
    plant 'check: \|XX001\|is damaged' "UPDATE _kvs.chunk
        SET body = set_byte(body, length(body) - 1, get_byte(body, length(body) - 1) # 1)
        WHERE hash = (SELECT working_data_root FROM _kvs.branch WHERE name = 'main')"
    echo "put_flush: $caught of $planted planted errors found"
}

for level in "${levels[@]}"; do
    run_level "$level"
done
plant_errors
sql -d postgres -c 'DROP DATABASE kvs_stress'
[ "$failures" -eq 0 ]

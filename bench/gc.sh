# shellcheck shell=bash
# GC: a collection in a store of KVS_BENCH_CHUNKS chunks of which every other generation is garbage: whole imports into
# branches that are dropped. In a database of its own. The reference is the bare deletion of the same rows from a copy
# of the chunk table.

gc_chunks=${KVS_BENCH_CHUNKS:-1000000}

gc_count() { sql -c "SELECT count(*) FROM _kvs.chunk"; }

# Generations until there are enough chunks, as branches gc-1 and on, of which the odd ones stay. What the change log has
# of the dropped ones goes too, since it would keep them.
gc_fill() {
    local generation=0
    load_large
    while [ "$(gc_count)" -lt "$gc_chunks" ]; do
        generation=$((generation + 1))
        sql >/dev/null <<SQL
SELECT kvs.create_branch('gc-$generation', (SELECT encode(_kvs.initial_commit(), 'hex')));
SELECT kvs.import('SELECT key, value || ''{"generation": $generation}'' FROM bench_source', branch => 'gc-$generation', message => 'generation');
SQL
        [ $((generation % 2)) = 1 ] || sql -c "SELECT kvs.delete_branch('gc-$generation', force => true)" >/dev/null
    done
    sql -c "DELETE FROM _kvs.change WHERE branch_id NOT IN (SELECT id FROM _kvs.branch)" -c "VACUUM (ANALYZE, FREEZE)" -c CHECKPOINT
}

gc_per_million() { awk -v ms="$1" -v n="$2" 'BEGIN { printf "%.3f\n", ms * 1e6 / n }'; }

# gc_memory STATEMENT: kB that it adds to the anonymous memory of its backend at its peak; its output into $work/gc.
gc_memory() {
    sql >"$work/gc" <<SQL
SET kvs.reflog_retention = 0;
SELECT 1 FROM kvs.get('user:00000001') \\g /dev/null
SELECT pg_backend_pid() AS pid \\gset
\\setenv PID :pid
\\! while awk '/RssAnon/ { print \$2 }' /proc/\$PID/status 2>/dev/null; do sleep 0.02; done >'$work/gc_rss' &
\\! sleep 0.2
\\timing on
$1
SQL
    awk 'NR == 1 { first = $1 } $1 > peak { peak = $1 } END { print peak - first }' "$work/gc_rss"
}

gc_statement_ms() { awk '/^Time: /{ ms = $2 } END { print ms }' "$work/gc"; }

gc() {
    local outer=${PGDATABASE:-} chunks mark removed memory total deletion
    make_database bench_gc
    export PGDATABASE=bench_gc
    psql -Xq -c "ALTER SYSTEM SET kvs.autogc = off" -c "SELECT pg_reload_conf()" >/dev/null
    gc_fill
    chunks=$(gc_count)
    sql -c "CREATE TABLE chunk_copy (LIKE _kvs.chunk INCLUDING ALL)" -c "INSERT INTO chunk_copy TABLE _kvs.chunk" -c "VACUUM (ANALYZE, FREEZE) chunk_copy"
    mark_only() { sql_ms <<<"SET kvs.reflog_retention = 0; SELECT * FROM kvs.gc(dry_run => true);"; }
    mark=$(measure mark_only)
    report "GC mark, per 1M chunks" ms "$(gc_per_million "$mark" "$chunks")" "" "" "" "$chunks chunks; dry run"
    memory=$(gc_memory "SELECT * FROM kvs.gc();")
    total=$(gc_statement_ms)
    removed=$((chunks - $(gc_count)))
    deletion=$(sql_ms <<<"DELETE FROM chunk_copy AS c WHERE NOT EXISTS (SELECT FROM _kvs.chunk AS l WHERE l.hash = c.hash);")
    report "GC mark and sweep, per 1M chunks" ms "$(gc_per_million "$total" "$chunks")" "" "" "" "$removed removed"
    report "GC sweep of $removed chunks" ms "$(awk -v a="$total" -v b="$mark" 'BEGIN { print a - b }')" "$deletion" "$(awk -v a="$total" -v b="$mark" -v c="$deletion" 'BEGIN { print (a - b) / c }')" "" "reference: DELETE of the same rows"
    report "B16 memory of a collection" kB "$memory" "" "" "<= 65536" "peak; maintenance_work_mem $(sql -c "SHOW maintenance_work_mem")"
    psql -Xq -c "ALTER SYSTEM RESET kvs.autogc" -c "SELECT pg_reload_conf()" >/dev/null
    [ "$(sql -c "SELECT count(*) FROM kvs.check() WHERE severity = 'error'")" = 0 ] || { echo "kvs.check() finds damage after the collection" >&2; return 1; }
    export PGDATABASE=$outer
    drop_database bench_gc
}

# shellcheck shell=bash
# B16: what a backend's memory grows by.

# rss_growth SETUP STATEMENT: kB of anonymous memory that the statement adds to its backend, at its peak.
rss_growth() {
    sql >"$work/rss" <<SQL
$1
SELECT pg_backend_pid() AS pid \\gset
\\setenv PID :pid
\\! awk '/RssAnon/ { print \$2 }' /proc/\$PID/status
$2
\\! awk '/RssAnon/ { print \$2 }' /proc/\$PID/status
SQL
    awk '/^[0-9]+$/ { v[++n] = $1 } END { print v[n] - v[1] }' "$work/rss"
}

b16() {
    fill_large
    local limit=65536 growth
    growth=$(rss_growth "SELECT 1 FROM kvs.get('user:00000001');" "SELECT count(*) FROM kvs.scan() \\g /dev/null")
    report "B16 memory of a scan of $rows" kB "$growth" "" "" "<= $limit" "shared node cache apart"
    growth=$(rss_growth "SELECT 1 FROM kvs.get('user:00000001');" "SELECT count(*) FROM kvs.diff((SELECT encode(_kvs.initial_commit(), 'hex')), 'HEAD') \\g /dev/null")
    report "B16 memory of a diff of $rows" kB "$growth" "" "" "<= $limit" "everything added"
    growth=$(rss_growth "SELECT kvs.create_branch('b16', (SELECT encode(_kvs.initial_commit(), 'hex')));" "SELECT kvs.import('SELECT key, value FROM bench_source', branch => 'b16', message => 'b16') \\g /dev/null")
    report "B16 memory of an import of $rows" kB "$growth" "" "" "<= $((limit + 65536))" "maintenance_work_mem (64 MB) of it sorts"
}

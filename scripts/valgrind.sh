#!/usr/bin/env bash
# The regression suite on a server that runs under valgrind's memcheck: no error may have a frame of kvs in it. The
# server is many times slower that way. Ends with the line "N passed, N failed".
#
#   scripts/valgrind.sh [TEST ...]      make valgrind; the tests of test/regress/sql to run, all by default
#
# KVS_RESULTS     when set, results are appended there, and the caller adds them up
# KVS_SETUP=no    installs no packages
# PG_CONFIG       a PostgreSQL built with -DUSE_VALGRIND tells memcheck about its memory contexts, so that more is seen

source "$(dirname "$0")/cluster.sh"
source "$KVS_ROOT/scripts/results.sh"

own_results=
if [ -z "${KVS_RESULTS:-}" ]; then
    own_results=$(mktemp /tmp/kvs-results.XXXXXX)
    KVS_RESULTS=$own_results
fi

[ "${KVS_SETUP:-}" = no ] || "$KVS_ROOT/scripts/setup.sh" --valgrind
need_pg_config

dir=$(make_server_dir valgrind)
cleanup() {
    [ ! -f "$dir/data/postmaster.pid" ] || cluster_stop "$dir" || true
    rm -rf "$dir"
    [ -z "$own_results" ] || rm -f "$own_results"
}
trap cleanup EXIT

# The server's user may not be able to read this tree.
install -m 644 "$KVS_ROOT/scripts/valgrind.supp" "$dir/"
# What pg_ctl starts in place of the server. Every process of the server writes a log of its own.
cat >"$dir/postgres" <<EOF
#!/bin/sh
exec valgrind --quiet --leak-check=no --track-origins=yes --num-callers=40 --fullpath-after= --trace-children=yes \
    --error-markers=VALGRIND-BEGIN,VALGRIND-END --suppressions="$dir/valgrind.supp" \
    --log-file="$dir/valgrind-%p.log" "$PG_BINDIR/postgres" "\$@"
EOF
chmod 755 "$dir/postgres"

# Prints memcheck's errors that have a frame of kvs in them; fails where there is one. The server itself has some: it
# writes padding that nothing has set.
errors_of_ours() {
    ls "$dir"/valgrind-*.log >/dev/null || return
    cat "$dir"/valgrind-*.log | awk -v root="$KVS_ROOT/" '
        /VALGRIND-BEGIN/ { inside = 1; block = ""; ours = 0 }
        inside { block = block $0 "\n"; if (index($0, root) || index($0, "/kvs.so")) ours = 1 }
        /VALGRIND-END/ { inside = 0; total++; if (ours) { found++; printf "%s\n", block } }
        END { printf "%d errors, %d of them with a frame of kvs\n", total, found; exit found > 0 }'
}

count=$#
[ "$count" -gt 0 ] || count=$(count_files test/regress/sql '*.sql')
stage build build_and_install
[ "$stage_status" -eq 0 ] || { record valgrind 0 1; [ -z "$own_results" ] || summarise; exit 1; }
# Without compiled expressions: LLVM's library is read past its strings as it is loaded, below whoever runs a large query.
if KVS_POSTGRES=$dir/postgres cluster_start "$dir" fsync=off jit=off max_prepared_transactions=10 \
    shared_preload_libraries=kvs "${quiet_workers[@]}"; then
    cluster_env "$dir"
    run_regress valgrind-regress ISOLATION "$count" ${1:+"REGRESS=$*"}
    cluster_stop "$dir"
    stage valgrind-errors errors_of_ours
else
    record valgrind 0 1
fi

[ -z "$own_results" ] || summarise

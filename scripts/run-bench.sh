#!/usr/bin/env bash
# make bench: packages, build, installation, a cluster of its own, then bench/run.sh on it (all benchmarks, or those
# given: make bench NAME="B1 B2"). The settings are those of a small machine; bench/run.sh reports them.

source "$(dirname "$0")/cluster.sh"

# PGXS has a NAME of its own, and make hands down what it was called with.
names=${NAME:-}
unset NAME MAKEFLAGS

[ "${KVS_SETUP:-}" = no ] || "$KVS_ROOT/scripts/setup.sh"
need_pg_config
build_and_install

dir=$(make_server_dir bench)
trap '[ ! -f "$dir/data/postmaster.pid" ] || cluster_stop "$dir"; rm -rf "$dir"' EXIT
cluster_start "$dir" shared_preload_libraries=kvs shared_buffers=1GB max_wal_size=8GB checkpoint_timeout=30min \
    max_connections=1200 autovacuum_naptime=10s
cluster_env "$dir"
createdb bench
export PGDATABASE=bench KVS_BENCH_DATA=$dir/data KVS_BENCH_RESTART="$KVS_ROOT/scripts/cluster.sh restart $dir"
"$KVS_ROOT/bench/run.sh" $names

#!/usr/bin/env bash
# make demo: packages, build, installation, a cluster of its own, then the guided tour of scripts/demo.sh on it.
# The cluster stays up for psql; the next run begins with a new one.
#
# KVS_DEMO_DIR    where the cluster lives, default /tmp/kvs-demo-USER
# KVS_DEMO_STOP   when set, the cluster is stopped and removed at the end
# KVS_SETUP=no    installs no packages

source "$(dirname "$0")/cluster.sh"

[ "${KVS_SETUP:-}" = no ] || "$KVS_ROOT/scripts/setup.sh"
need_pg_config
say "building and installing kvs"
build_and_install

dir=${KVS_DEMO_DIR:-/tmp/kvs-demo-$(server_user)}
if [ -d "$dir" ]; then
    [ ! -f "$dir/data/postmaster.pid" ] || cluster_stop "$dir"
    [ -d "$dir/data" ] || [ -z "$(ls -A "$dir")" ] || die "$dir is not a cluster of this demo"
    rm -rf "$dir"
fi
install -d -m 700 "$dir"
[ "$(id -u)" -ne 0 ] || chown "$(server_user)" "$dir"

say "starting PostgreSQL in $dir"
cluster_start "$dir" shared_preload_libraries=kvs shared_buffers=256MB max_wal_size=2GB
cluster_env "$dir"
createdb demo
export PGDATABASE=demo
[ -z "${KVS_DEMO_STOP:-}" ] || trap 'cluster_stop "$dir"; rm -rf "$dir"' EXIT

"$KVS_ROOT/scripts/demo.sh"

if [ -z "${KVS_DEMO_STOP:-}" ]; then
    printf '\nThe store is still there:\n  open it   psql -h %s -U postgres demo\n  stop it   %s/scripts/cluster.sh stop %s\n' \
        "$dir" "$KVS_ROOT" "$dir"
fi

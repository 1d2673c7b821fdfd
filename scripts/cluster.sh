#!/usr/bin/env bash
# Private PostgreSQL clusters, each in a directory of its own and reachable only through the socket in it.
#
#   scripts/cluster.sh start DIR [OPTION=VALUE ...]     makes DIR/data when it is not there; settings are remembered
#   scripts/cluster.sh restart DIR
#   scripts/cluster.sh stop DIR
#   scripts/cluster.sh psql DIR [ARGUMENT ...]
#
# DIR must belong to the user that the server runs as (make_server_dir in lib.sh makes one). As functions, after
# sourcing: cluster_start, cluster_stop, and cluster_env, which points psql and the like at the cluster and puts those
# of its version first in the path. KVS_POSTGRES names a program to start in place of the server's.

source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

# Settings for tests that count what is stored: nothing is collected, trained, packed or flushed behind their backs, however
# long they take, and entries that have expired stay as they were written. The tests of test/t look at the workers.
quiet_workers=(kvs.autogc=off kvs.autotrain=off kvs.autorepack=off kvs.maintenance=off)

cluster_env() {
    export PGHOST=$1 PGPORT=5432 PGUSER=postgres PATH=$PG_BINDIR:$PATH
    unset PGDATABASE PGPASSWORD PGSERVICE PGOPTIONS PGSSLMODE
}

cluster_start() {
    local dir=$1 setting
    shift
    if [ ! -d "$dir/data" ]; then
        as_server "$PG_BINDIR/initdb" --pgdata="$dir/data" --username=postgres --auth=trust --encoding=UTF8 \
            --locale=C.UTF-8 --no-sync >/dev/null || return
        # The directory is the access control, and another cluster's port is nobody's concern.
        printf "%s = '%s'\n" listen_addresses '' unix_socket_directories "$dir" port 5432 |
            as_server tee -a "$dir/data/postgresql.conf" >/dev/null
    fi
    for setting in "$@"; do
        printf "%s = '%s'\n" "${setting%%=*}" "${setting#*=}"
    done | as_server tee "$dir/data/postgresql.auto.conf" >/dev/null
    if ! as_server "$PG_BINDIR/pg_ctl" start --pgdata="$dir/data" --log="$dir/server.log" --wait --timeout=120 --silent \
        ${KVS_POSTGRES:+-p "$KVS_POSTGRES"}; then
        as_server tail -n 20 "$dir/server.log" >&2
        return 1
    fi
}

cluster_restart() {
    as_server "$PG_BINDIR/pg_ctl" restart --pgdata="$1/data" --log="$1/server.log" --mode=fast --wait --timeout=120 --silent
}

cluster_stop() {
    as_server "$PG_BINDIR/pg_ctl" stop --pgdata="$1/data" --mode=fast --wait --timeout=120 --silent
}

if [ "${BASH_SOURCE[0]}" = "$0" ]; then
    [ $# -ge 2 ] || die "usage: scripts/cluster.sh start|restart|stop|psql DIR ..."
    need_pg_config
    verb=$1 dir=$2
    shift 2
    case $verb in
        start) cluster_start "$dir" "$@" ;;
        restart) cluster_restart "$dir" ;;
        stop) cluster_stop "$dir" ;;
        psql) cluster_env "$dir"; exec "$PG_BINDIR/psql" "$@" ;;
        *) die "unknown verb $verb" ;;
    esac
fi

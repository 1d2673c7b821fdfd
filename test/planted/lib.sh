# shellcheck shell=bash
# Errors planted in copies of the sources; source it with the arguments [SECONDS [RULE]]. The caller has set `stress`, the
# script of test/stress that is to find them, if one is.
#
# Installs each copy into the PostgreSQL of PG_CONFIG, and what is in this tree again at the end.

set -euo pipefail
source "$(dirname "${BASH_SOURCE[0]}")/../../scripts/cluster.sh"
need_pg_config
seconds=${1:-20}
only=${2:-}
work=$(make_server_dir planted)
trap '[ ! -f "$work/data/postmaster.pid" ] || cluster_stop "$work"; install_tree "$KVS_ROOT"; rm -rf "$work"' EXIT
cluster_env "$work"
missed=0

install_tree() {
    make -s -C "$1" -j"$KVS_JOBS" PG_CONFIG="$PG_CONFIG" KVS_CXXFLAGS=-Wno-error install >"$work/build.log" 2>&1 ||
        { tail -n 20 "$work/build.log"; die "$1 does not build"; }
}

# survives TEST: on a server with what is installed. TEST is isolation levels, for the stress test, spec:NAME, or regress:NAME.
survives() {
    [ ! -f "$work/data/postmaster.pid" ] || cluster_stop "$work"
    cluster_start "$work" fsync=off max_prepared_transactions=10 max_worker_processes=16 shared_preload_libraries=kvs
    if [[ $1 == spec:* ]]; then
        make -s -C "$KVS_ROOT" PG_CONFIG="$PG_CONFIG" REGRESS= ISOLATION="${1#spec:}" installcheck >"$work/log" 2>&1
        return
    fi
    if [[ $1 == regress:* ]]; then
        make -s -C "$KVS_ROOT" PG_CONFIG="$PG_CONFIG" REGRESS="${1#regress:}" ISOLATION= installcheck >"$work/log" 2>&1
        return
    fi
    KVS_STRESS_LEVELS=$1 timeout $((120 + 6 * seconds)) "$KVS_ROOT/test/stress/$stress.sh" "$seconds" >"$work/log" 2>&1
}

# plant RULE TEST FILE SED: without the rule the test fails.
plant() {
    local rule=$1 test=$2 file=$3 change=$4
    [[ $rule == *"$only"* ]] || return 0
    rm -rf "$work/tree"
    mkdir "$work/tree"
    cp -a "$KVS_ROOT"/{Makefile,kvs.control,include,src,sql,build} "$work/tree/"
    sed -i -E "$change" "$work/tree/$file"
    if cmp -s "$KVS_ROOT/$file" "$work/tree/$file"; then
        echo "planted: there is nothing to change for: $rule"
        missed=$((missed + 1))
        return
    fi
    install_tree "$work/tree"
    if survives "$test"; then
        echo "planted: not found: $rule"
        missed=$((missed + 1))
    else
        echo "planted: found: $rule: $(grep -vE 'problems$|clients failed|^ |^pgbench \(' "$work/log" | cut -c 1-160 | head -n 1)"
    fi
}

# begin_planting [TEST...]: the tests, by default the stress test, must pass on the sources as they are.
begin_planting() {
    local test
    [ $# -gt 0 ] || set -- 'read committed,repeatable read,serializable'
    install_tree "$KVS_ROOT"
    for test in "$@"; do
        survives "$test" || { cat "$work/log"; die "the test fails without a planted error ($test)"; }
    done
}

#!/usr/bin/env bash
# The whole set-up and every test: core (ctest); pg_regress, isolation, the stress tests of test/stress and the
# documentation on private clusters with and without shared_preload_libraries, pg_regress once more with parallel queries
# wherever they may be; TAP. Ends with the line "N passed,
# N failed".
#
#   scripts/check.sh             make check
#   scripts/check.sh --stress    make stress: the same with KVS_STRESS=1, which asks every test for its long form
#
# KVS_RESULTS     when set, results are appended there, and the caller adds them up
# KVS_SETUP=no    installs no packages
# KVS_COVERAGE=ON builds the core with counters, for gcovr on build/core
# KVS_STAGES      which to run, default "core preload plain tap"

source "$(dirname "$0")/cluster.sh"
source "$KVS_ROOT/scripts/results.sh"

[ "${1:-}" != --stress ] || export KVS_STRESS=1

own_results=
if [ -z "${KVS_RESULTS:-}" ]; then
    own_results=$(mktemp /tmp/kvs-results.XXXXXX)
    KVS_RESULTS=$own_results
fi

dirs=()
cleanup() {
    local dir
    for dir in "${dirs[@]}"; do
        [ ! -f "$dir/data/postmaster.pid" ] || cluster_stop "$dir" || true
        rm -rf "$dir"
    done
    [ -z "$own_results" ] || rm -f "$own_results"
}
trap cleanup EXIT

# ctest; every GoogleTest case is one result.
check_core() {
    say "core: unit tests, examples"
    run_ctest core "$KVS_ROOT/build/core" "-DKVS_COVERAGE=${KVS_COVERAGE:-OFF}"
}

# What no run may leave in a server's log, whether a test looked at it or not. The crash tests kill servers, so
# theirs are only searched for leaks.
leaks='leak: |leaked|resource was not closed|still referenced'
crashes='PANIC|terminated by signal|TRAP:'

# No log at all is not a clean one.
clean_log() {
    [ -n "$(as_server find "$1" -name '*.log' -print -quit)" ] && ! as_server grep -rE "$2" "$1" --include='*.log'
}

# Every query that may be parallel is, as far as the labels of functions allow it: a wrong label is an error then.
parallel_settings() {
    psql -d postgres -qAt -c "SELECT string_agg('-c ' || name || '=' || CASE vartype WHEN 'enum' THEN 'regress' ELSE '0' END, ' ')
        FROM pg_settings
        WHERE name IN ('force_parallel_mode', 'debug_parallel_query', 'parallel_setup_cost', 'parallel_tuple_cost',
                       'min_parallel_table_scan_size', 'min_parallel_index_scan_size')"
}

clean_indexes() {
    pg_amcheck --install-missing --heapallindexed --database=contrib_regression
}

# check_cluster NAME [OPTION=VALUE ...]
check_cluster() {
    local name=$1 dir script parallel
    shift
    dir=$(make_server_dir "$name")
    dirs+=("$dir")
    if ! cluster_start "$dir" fsync=off max_prepared_transactions=10 max_worker_processes=16 "$@"; then
        record "$name-cluster" 0 1
        return
    fi
    cluster_env "$dir"
    run_regress "$name-regress" ISOLATION "$(count_files test/regress/sql '*.sql')"
    if [ "$name" = preload ]; then
        parallel=$(parallel_settings)
        PGOPTIONS=$parallel run_regress "$name-parallel" ISOLATION "$(count_files test/regress/sql '*.sql')"
    fi
    stage "$name-amcheck" clean_indexes
    run_regress "$name-isolation" REGRESS "$(count_files test/isolation/specs '*.spec')"
    for script in "$KVS_ROOT"/test/stress/*.sh; do
        stage "$name-$(basename "$script" .sh)-stress" "$script" ${KVS_STRESS:+300}
    done
    stage "$name-docs" "$KVS_ROOT/test/docs/run.sh"
    stage "$name-server-log" clean_log "$dir" "$leaks|$crashes"
    cluster_stop "$dir"
}

# The oracle of a TAP test, which is a program of the core's build.
build_oracle() {
    cmake -S "$KVS_ROOT" -B "$KVS_ROOT/build/core" -DKVS_BENCH=OFF "-DKVS_COVERAGE=${KVS_COVERAGE:-OFF}" >/dev/null &&
        cmake --build "$KVS_ROOT/build/core" -j"$KVS_JOBS" --target versioned_store_script
}

# The program with which a TAP test listens.
build_listener() {
    cc -O2 -Wall -Wextra -Werror -I"$("$PG_CONFIG" --includedir)" "$KVS_ROOT/examples/listener.c" -L"$("$PG_CONFIG" --libdir)" -lpq \
        -o "$1"
}

# TAP: each ok of each script is one result. The tests run as the server's user, who may not be able to read this
# tree, so they run on a copy.
check_tap() {
    local dir log status=0
    say "tap"
    dir=$(make_server_dir tap)
    dirs+=("$dir")
    log=$dir/prove.log
    cp -R "$KVS_ROOT/test" "$dir/test"
    stage tap-oracle build_oracle
    cp "$KVS_ROOT/build/core/versioned_store_script" "$dir/" || true
    stage tap-listener build_listener "$dir/listener"
    [ "$(id -u)" -ne 0 ] || chown -R "$(server_user)" "$dir"
    # PostgreSQL 15 takes TESTDIR, later ones the other two.
    as_server env -C "$dir/test" TESTDIR="$dir" TESTDATADIR="$dir/tmp_check" TESTLOGDIR="$dir/tmp_check/log" \
        KVS_VERSIONED_STORE_SCRIPT="$dir/versioned_store_script" KVS_LISTENER="$dir/listener" PATH="$PG_BINDIR:$PATH" \
        PG_REGRESS="$PG_TESTDIR/regress/pg_regress" \
        KVS_STRESS="${KVS_STRESS:-}" PG_TEST_TIMEOUT_DEFAULT="${PG_TEST_TIMEOUT_DEFAULT:-180}" TMPDIR="$dir" HOME="$dir" \
        prove --verbose --timer --ext=.pl -I "$PG_TESTDIR/perl" -I "$dir/test/t/lib" ${PROVE_FLAGS:-} t/ >"$log" 2>&1 || status=$?
    record_tap tap "$log" "$status"
    stage tap-server-log clean_log "$dir/tmp_check/log" "$leaks"
    if [ "$status" -ne 0 ]; then
        grep -vE '^ *ok ' "$log" | tail -n 100
        find "$dir/tmp_check/log" -name 'regress_log_*' -exec sh -c 'echo "--- $1"; tail -n 40 "$1"' _ {} \;
        find "$dir/tmp_check/log" -name '*.log' -exec sh -c 'echo "--- $1"; tail -n 15 "$1"' _ {} \;
    fi
}

[ "${KVS_SETUP:-}" = no ] || "$KVS_ROOT/scripts/setup.sh"
need_pg_config
stages=" ${KVS_STAGES:-core preload plain tap} "

if [[ $stages == *" core "* ]]; then
    check_core
fi
if [[ $stages == *" preload "* || $stages == *" plain "* || $stages == *" tap "* ]]; then
    stage build build_and_install
    if [ "$stage_status" -ne 0 ]; then
        # What is installed is not what is to be tested.
        for name in preload plain tap; do
            record "$name" 0 1
        done
        stages=" "
    fi
fi
if [[ $stages == *" preload "* ]]; then
    check_cluster preload shared_preload_libraries=kvs "${quiet_workers[@]}"
fi
if [[ $stages == *" plain "* ]]; then
    check_cluster plain "${quiet_workers[@]}"
fi
if [[ $stages == *" tap "* ]]; then
    check_tap
fi

# Errors in the sources, which the stress tests must find. They install what they break, so they come last.
if [ -n "${KVS_STRESS:-}" ]; then
    for script in "$KVS_ROOT"/test/planted/{put_flush,stream,autocommit,bindings}.sh; do
        stage "planted-$(basename "$script" .sh)" "$script"
    done
fi

[ -z "$own_results" ] || summarise

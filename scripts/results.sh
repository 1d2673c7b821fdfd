# shellcheck shell=bash
# Reads the counts out of what test runners write; source it after lib.sh. A run that ended without a verdict, or
# in which nothing ran, counts as a failure.

# record_junit STAGE FILE: the report of ctest --output-junit
record_junit() {
    local total passed skipped
    if [ ! -s "$2" ]; then
        record "$1" 0 1
        return
    fi
    total=$(grep -c '<testcase ' "$2" || true)
    passed=$(grep -cE '<testcase .*status="run"' "$2" || true)
    # Only a test that skips itself does not count; one that could not be run has failed.
    skipped=$(grep -c 'SKIP_REGULAR_EXPRESSION_MATCHED' "$2" || true)
    record "$1" "$passed" "$((total > 0 ? total - passed - skipped : 1))"
}

# run_ctest STAGE BUILD-DIRECTORY [CMAKE-OPTION ...]: configures, builds and runs the tests of CMakeLists.txt. With
# KVS_CTEST set, only the tests whose names match that regular expression; with KVS_TARGETS set, only those are built.
run_ctest() {
    local name=$1 build=$2 log
    shift 2
    log=$(mktemp /tmp/kvs-ctest.XXXXXX)
    rm -f "$build/ctest.xml"
    if cmake -S "$KVS_ROOT" -B "$build" -DKVS_BENCH=OFF "$@" >"$log" 2>&1 &&
        cmake --build "$build" -j"$KVS_JOBS" ${KVS_TARGETS:+--target $KVS_TARGETS} >"$log" 2>&1; then
        ctest --test-dir "$build" -j"$KVS_JOBS" -R "${KVS_CTEST:-.}" --output-on-failure --no-tests=error \
            --output-junit "$build/ctest.xml" >"$log" 2>&1 || tail -n 200 "$log"
    else
        tail -n 100 "$log"
    fi
    rm -f "$log"
    record_junit "$name" "$build/ctest.xml"
}

# record_regress STAGE LOG EXPECTED-NUMBER: the output of pg_regress or pg_isolation_regress
record_regress() {
    local all some
    all=$(sed -nE 's/.*All ([0-9]+) tests passed.*/\1/p' "$2" | tail -n 1)
    some=$(sed -nE 's/.* ([0-9]+) of ([0-9]+) tests failed.*/\1 \2/p' "$2" | tail -n 1)
    if [ -n "$all" ] && [ "$all" -eq "$3" ] && [ "$all" -gt 0 ]; then
        record "$1" "$all" 0
    elif [ -n "$some" ]; then
        set -- "$1" $some
        record "$1" $(($3 - $2)) "$2"
    else
        record "$1" 0 "$(($3 > 0 ? $3 : 1))"
    fi
}

# pg_regress or isolation, by what `make installcheck` ran: run_regress NAME MAKE-VARIABLE-TO-EMPTY COUNT
# [MAKE-VARIABLE=VALUE]
run_regress() {
    local name=$1 other=$2 count=$3 log
    shift 3
    log=$(mktemp /tmp/kvs-regress.XXXXXX)
    say "$name"
    make -C "$KVS_ROOT" PG_CONFIG="$PG_CONFIG" "$other=" "$@" installcheck 2>&1 | tee "$log" || true
    record_regress "$name" "$log" "$count"
    rm -f "$log"
    if [ -s "$KVS_ROOT/build/regression.diffs" ]; then
        head -n 300 "$KVS_ROOT/build/regression.diffs"
    fi
    if [ -s "$KVS_ROOT/build/isolation/regression.diffs" ]; then
        head -n 300 "$KVS_ROOT/build/isolation/regression.diffs"
    fi
    rm -f "$KVS_ROOT/build/regression.diffs" "$KVS_ROOT/build/isolation/regression.diffs"
}

# count_files DIRECTORY PATTERN: how many test files a directory of the source tree has
count_files() { find "$KVS_ROOT/$1" -maxdepth 1 -name "$2" 2>/dev/null | wc -l; }

# record_tap STAGE LOG STATUS: the output of prove --verbose, and its exit status
record_tap() {
    local passed failed
    passed=$(grep -cE '^ok [0-9]' "$2" || true)
    failed=$(grep -E '^not ok [0-9]' "$2" | grep -vc '# TODO' || true)
    # A script that dies or breaks its plan fails without a "not ok".
    if [ "$failed" -eq 0 ] && { [ "$3" -ne 0 ] || [ "$passed" -eq 0 ]; }; then
        failed=1
    fi
    record "$1" "$passed" "$failed"
}

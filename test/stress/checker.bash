# shellcheck shell=bash
# What the stress tests have in common: clients in the background, and errors planted for the checker. Source it with `name`,
# that of the test, `schema`, where problems() is, and `pgbench_options` set; `work`, `seconds` and `failures` are the caller's.

sql() { psql -XAtq -v ON_ERROR_STOP=1 "$@"; }

# background NAME CLIENTS PGBENCH-ARGUMENTS...: leaves $work/failed.NAME where they fail.
background() {
    local clients_name=$1 count=$2
    shift 2
    pgbench --no-vacuum --client="$count" --jobs=1 --time="$seconds" "${pgbench_options[@]}" "$@" \
        >"$work/$clients_name.log" 2>&1 || touch "$work/failed.$clients_name" &
}

# plant PROBLEM STATEMENT: the checker must find the problem, a regular expression, that the statement makes. The caller
# counts in `planted` and `caught`.
plant() {
    local found
    planted=$((planted + 1))
    found=$(sql -c "BEGIN" -c "$2" -c "SELECT problem FROM $schema.problems()" -c "ROLLBACK" 2>&1 | sort -u || true)
    if grep -q -e "$1" <<<"$found"; then
        caught=$((caught + 1))
    else
        echo "$name: the checker does not find a planted error ($1), but: ${found:-nothing}"
        failures=$((failures + 1))
    fi
}

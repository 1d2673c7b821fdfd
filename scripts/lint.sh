#!/usr/bin/env bash
# The static checks of CI; each is one result.
#
#   scripts/lint.sh            make lint
#   scripts/lint.sh --format   make format: clang-format in place
#
#   format       clang-format 14 would change nothing
#   layers       the core includes nothing of PostgreSQL; sqlapi, fdw and worker include nothing of one another
#   size         no source file is longer than 800 lines
#   clang        all sources compile with clang, warnings as errors, no global object has a constructor; and
#                clang-tidy with the checks of .clang-tidy, in the same pass

source "$(dirname "$0")/lib.sh"
cd "$KVS_ROOT" || exit

sources() { find "$@" \( -name '*.cpp' -o -name '*.h' \) 2>/dev/null | sort; }
mapfile -t all < <(sources include src test bench examples)

if [ "${1:-}" = --format ]; then
    clang-format -i "${all[@]}"
    exit
fi

need_pg_config
own_results=
if [ -z "${KVS_RESULTS:-}" ]; then
    own_results=$(mktemp /tmp/kvs-results.XXXXXX)
    KVS_RESULTS=$own_results
    trap 'rm -f "$own_results"' EXIT
fi

server_flags=(-isystem "$("$PG_CONFIG" --includedir-server)" -isystem "$("$PG_CONFIG" --includedir)"
    '-DPGDLLEXPORT=__attribute__((visibility("default")))')
flags=(-std=c++20 -Wall -Wextra -Werror -Wglobal-constructors -Iinclude -Isrc)

check_format() { clang-format --dry-run --Werror "${all[@]}"; }

check_layers() {
    local failed=0 folder other
    if grep -rnE '#include [<"](postgres|fmgr|libpq|catalog/|utils/|access/|pg/)' include src/core; then
        echo "the core must not include PostgreSQL or src/pg"
        failed=1
    fi
    for folder in pg remote sqlapi fdw worker; do
        for other in sqlapi fdw worker; do
            if [ "$folder" != "$other" ] && grep -rn "#include \"$other/" "src/$folder"; then
                echo "src/$folder must not include src/$other"
                failed=1
            fi
        done
    done
    if grep -rn '#include "remote/' src/pg; then
        echo "src/pg must not include src/remote"
        failed=1
    fi
    return $failed
}

check_size() {
    ! wc -l "${all[@]}" | awk '$2 != "total" && $1 > 800 { print; found = 1 } END { exit !found }'
}

core_files() { sources src/core | grep '\.cpp$'; }
server_files() { sources src/pg src/remote src/sqlapi src/fdw src/worker | grep '\.cpp$'; }

# each COMMAND...: runs the command for each file of stdin, which takes the place of {}
each() { xargs -r -P "$KVS_JOBS" -I{} "$@"; }

# All are looked at, whatever is found. Findings go to stdout; stderr only tells how many were suppressed in system
# headers.
check_clang() {
    local failed=0
    core_files | each clang-tidy --quiet {} -- "${flags[@]}" 2>/dev/null || failed=1
    server_files | each clang-tidy --quiet {} -- "${flags[@]}" "${server_flags[@]}" 2>/dev/null || failed=1
    return $failed
}

stage lint-format check_format
stage lint-layers check_layers
stage lint-size check_size
stage lint-clang check_clang
[ -z "$own_results" ] || summarise

#!/usr/bin/env bash
# The static checks of CI; each is one result.
#
#   scripts/lint.sh            make lint
#   scripts/lint.sh --format   make format: clang-format in place
#
#   format       clang-format 14 would change nothing
#   arrows       each include between two folders stands in the table of arrows below, which has no circle and no
#                arrow that nobody uses; the core includes nothing of PostgreSQL
#   size         no source file is longer than 500 lines, no test longer than 800
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

# The architecture: which folder may include headers of which others. A folder "core/x" is src/core/x and
# include/kvs/x, "core" the headers in include/kvs itself, "local" is src/local and include/kvs/local.
arrows() {
    cat <<'TABLE'
core/util      core
core/tree      core
core/codec     core core/util core/tree
core/json      core core/util
core/pattern   core core/util
core/event     core core/codec core/pattern
core/merge     core core/util core/codec core/json core/pattern core/tree
core/version   core core/util core/codec core/tree
core/entry     core core/util
core/binding   core core/codec core/json core/pattern core/util
local          core core/util core/codec core/entry core/event core/json core/pattern core/tree

pg/wall        core core/codec core/json
pg/table       core core/util core/codec core/tree core/version pg/wall
pg/chunk       core core/util core/codec core/tree pg/wall pg/table
pg/observe     core/util pg/wall pg/table pg/chunk
pg/read        core core/util core/codec core/entry core/json core/pattern core/tree core/version pg/wall pg/table pg/chunk
pg/write       core core/util core/codec core/entry core/json core/pattern core/tree core/version pg/wall pg/table pg/chunk pg/read
pg/branch      core core/util core/codec core/entry core/merge core/pattern core/tree core/version pg/wall pg/table pg/chunk pg/read pg/write
pg/upkeep      core core/codec core/tree core/version pg/wall pg/table pg/chunk pg/read pg/stream pg/subscription
pg/check       core core/util core/codec core/tree core/version pg/wall pg/table pg/chunk pg/upkeep
pg/transfer    core core/codec core/tree core/version pg/wall pg/table pg/chunk pg/read
pg/stream      core core/util core/codec core/event core/json core/pattern core/tree pg/wall pg/table pg/chunk
pg/subscription core core/event core/pattern core/util pg/wall pg/table pg/stream
pg/maintenance core core/util core/codec core/tree pg/wall pg/table pg/chunk pg/read pg/write pg/stream
pg/binding     core core/binding core/codec core/json core/util pg/wall pg/table pg/read pg/write pg/stream

remote         core core/util core/tree core/version pg/wall pg/table pg/chunk pg/read pg/branch pg/transfer
sqlapi         core core/util core/binding core/codec core/event core/json core/pattern core/version pg/wall pg/table pg/chunk pg/observe pg/read pg/write pg/branch pg/upkeep pg/check pg/transfer pg/stream pg/subscription pg/binding remote
fdw            core core/tree core/version pg/wall pg/table pg/chunk pg/observe pg/read
worker         pg/wall pg/table pg/upkeep pg/stream pg/maintenance pg/binding
module         pg/wall pg/chunk pg/observe pg/upkeep worker
TABLE
}

# Lines "FROM TO FILE:LINE", one for each include between two folders.
includes() {
    grep -rnE '^#include "(kvs|core|local|net|pg|remote|sqlapi|fdw|worker|gateway)/' include src | sed -E '
        s|^([^:]*:[0-9]+):#include "([^"]*)".*|\1 \2|' | awk '
        function folder(path) {
            sub(/^(include\/)?kvs\//, "core/", path)
            sub(/^core\/local\//, "local/", path)
            sub(/^src\//, "", path)
            sub(/:[0-9]+$/, "", path)
            return sub(/\/[^\/]*$/, "", path) ? path : "module"
        }
        { from = folder($1); to = folder($2); if (from != to) print from, to, $1 }'
}

check_arrows() {
    local failed=0
    if grep -rnE '#include [<"](postgres|fmgr|libpq|catalog/|utils/|access/|pg/)' include src/core src/local; then
        echo "the core must not include PostgreSQL or src/pg"
        failed=1
    fi
    if ! arrows | awk '{ for (i = 2; i <= NF; i++) print $i, $1 }' | tsort >/dev/null; then
        echo "the table of arrows has a circle"
        failed=1
    fi
    awk 'NR == FNR { for (i = 2; i <= NF; i++) allowed[$1 " " $i] = 1; next }
         { used[$1 " " $2] = 1 }
         !allowed[$1 " " $2] { print $3 ": " $1 " may not include " $2; failed = 1 }
         END { for (arrow in allowed) if (!used[arrow]) { print "no include needs the arrow " arrow; failed = 1 }; exit failed }' \
        <(arrows) <(includes) || failed=1
    return $failed
}

# longer_than LINES FILE...
longer_than() {
    local limit=$1
    shift
    wc -l "$@" | awk -v limit="$limit" '$2 != "total" && $1 > limit { print; found = 1 } END { exit !found }'
}

check_size() {
    local failed=0
    mapfile -t product < <(sources include src)
    longer_than 500 "${product[@]}" && failed=1
    longer_than 800 "${all[@]}" && failed=1
    return $failed
}

core_files() { sources src/core src/local | grep '\.cpp$'; }
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
stage lint-arrows check_arrows
stage lint-size check_size
stage lint-clang check_clang
[ -z "$own_results" ] || summarise

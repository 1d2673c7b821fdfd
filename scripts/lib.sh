# shellcheck shell=bash disable=SC2034
# Shared by the scripts of this directory; source it.
#
# KVS_ROOT        the source tree
# PG_CONFIG       which PostgreSQL to use; found when not set
# KVS_RESULTS     file of lines "STAGE PASSED FAILED", one per stage of tests; record() appends, summarise() adds up

set -euo pipefail

KVS_ROOT=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
KVS_JOBS=${KVS_JOBS:-$(nproc)}

say() { printf '\n=== %s\n' "$*"; }
die() { printf 'kvs: %s\n' "$*" >&2; exit 1; }

# Runs a command as root: directly, or through sudo.
as_root() {
    if [ "$(id -u)" -eq 0 ]; then
        "$@"
    elif command -v sudo >/dev/null; then
        sudo -- "$@"
    else
        die "needs root or sudo for: $*"
    fi
}

# The user that PostgreSQL runs as: oneself, or an unprivileged one when one is root, as PostgreSQL demands.
server_user() {
    if [ "$(id -u)" -ne 0 ]; then
        id -un
    elif id postgres >/dev/null 2>&1; then
        echo postgres
    else
        id kvs-server >/dev/null 2>&1 || useradd --system --no-create-home --shell /bin/sh kvs-server
        echo kvs-server
    fi
}

# Runs a command as the server's user, from a directory that it may enter.
as_server() {
    if [ "$(id -u)" -eq 0 ]; then
        (cd / && runuser -u "$(server_user)" -- "$@")
    else
        "$@"
    fi
}

# A new directory under /tmp that belongs to the server's user. Its path is short, because a Unix socket lives in it.
make_server_dir() {
    local dir
    dir=$(mktemp -d "/tmp/kvs-$1.XXXXXX")
    [ "$(id -u)" -ne 0 ] || chown "$(server_user)" "$dir"
    echo "$dir"
}

# The major versions of PostgreSQL that kvs is written for.
KVS_PG_VERSIONS="15 16 17 18"

# pg_is_supported PG_CONFIG
pg_is_supported() {
    local major
    major=$("$1" --version 2>/dev/null | sed -nE 's/^PostgreSQL ([0-9]+).*/\1/p')
    [ -n "$major" ] && [[ " $KVS_PG_VERSIONS " == *" $major "* ]]
}

# Prints a pg_config of a supported version whose server and build files are both there; fails where there is none.
# The first in the path wins, then the newest.
find_pg_config() {
    local candidate
    for candidate in ${PG_CONFIG:-} pg_config $(ls -d /usr/lib/postgresql/*/bin/pg_config 2>/dev/null | sort -rV); do
        if command -v "$candidate" >/dev/null && pg_is_supported "$candidate" &&
            [ -f "$("$candidate" --pgxs 2>/dev/null)" ] &&
            [ -f "$("$candidate" --includedir-server)/postgres.h" ] && [ -x "$("$candidate" --bindir)/postgres" ]; then
            command -v "$candidate"
            return
        fi
        # One that was asked for is not silently replaced by another.
        [ "$candidate" != "${PG_CONFIG:-}" ] || return 1
    done
    return 1
}

need_pg_config() {
    local found
    found=$(find_pg_config) || die "no PostgreSQL of versions $KVS_PG_VERSIONS with server and build files found${PG_CONFIG:+ by $PG_CONFIG}: run scripts/setup.sh"
    export PG_CONFIG=$found
    PG_BINDIR=$("$PG_CONFIG" --bindir)
    PG_TESTDIR=$(dirname "$("$PG_CONFIG" --pgxs)")/../test
}

# Builds the extension and installs it into the PostgreSQL of PG_CONFIG.
build_and_install() {
    make -C "$KVS_ROOT" -j"$KVS_JOBS" PG_CONFIG="$PG_CONFIG" all || return
    if [ -w "$("$PG_CONFIG" --pkglibdir)" ] && [ -w "$("$PG_CONFIG" --sharedir)/extension" ]; then
        make -C "$KVS_ROOT" PG_CONFIG="$PG_CONFIG" install
    else
        as_root make -C "$KVS_ROOT" PG_CONFIG="$PG_CONFIG" install
    fi
}

# --- results ----------------------------------------------------------------------------------------------

# record STAGE PASSED FAILED
record() {
    echo "$1 $2 $3" >>"$KVS_RESULTS"
    printf -- '--- %s: %s passed, %s failed\n' "$1" "$2" "$3"
}

# stage NAME COMMAND...: one result, from the exit status, which is left in stage_status. The command runs in a shell
# of its own, under -e.
stage() {
    local name=$1
    shift
    say "$name"
    set +e
    (set -e; "$@")
    stage_status=$?
    set -e
    if [ "$stage_status" -eq 0 ]; then record "$name" 1 0; else record "$name" 0 1; fi
}

# Prints each stage and "N passed, N failed" as the last line; false when something failed or nothing ran.
summarise() {
    say "results"
    awk '{ printf "%-32s %6d passed %6d failed\n", $1, $2, $3; passed += $2; failed += $3 }
         END { printf "%d passed, %d failed\n", passed, failed; exit failed > 0 || passed == 0 }' "$KVS_RESULTS"
}

#!/usr/bin/env bash
# Installs the Debian packages that kvs is built and tested with: only what is missing, without questions.
#
#   scripts/setup.sh          to build and test
#   scripts/setup.sh --ci     also what .ci/run checks with: clang, sanitizers' runtime, gcovr, valgrind, promtool,
#                             PgBouncer
#   scripts/setup.sh --valgrind

source "$(dirname "$0")/lib.sh"

packages=(make g++ cmake pkg-config libzstd-dev libxxhash-dev libicu-dev libssl-dev libpq-dev nlohmann-json3-dev
    libgtest-dev libgmock-dev librapidcheck-dev libbenchmark-dev perl libipc-run-perl)
if [ "${1:-}" = --ci ]; then
    packages+=(clang clang-format clang-tidy libclang-rt-dev gcovr pgbouncer)
fi
if [ "${1:-}" = --ci ] || [ "${1:-}" = --valgrind ]; then
    packages+=(valgrind)
fi

missing_packages() {
    local package status
    for package in "$@"; do
        status=$(dpkg-query -W -f '${db:Status-Status}' "$package" 2>/dev/null || true)
        [ "$status" = installed ] || echo "$package"
    done
}

# PostgreSQL 15 where it can be had, as in Debian 12; else the newest of the supported versions that can.
postgresql_packages() {
    local version
    for version in 15 $(printf '%s\n' $KVS_PG_VERSIONS | sort -rn); do
        if apt-cache show "postgresql-server-dev-$version" >/dev/null 2>&1; then
            echo "postgresql-$version" "postgresql-server-dev-$version"
            return
        fi
    done
    die "no package of PostgreSQL $KVS_PG_VERSIONS found"
}

install_missing() {
    local wanted missing
    wanted=("${packages[@]}")
    # Another version that is complete serves as well.
    if ! find_pg_config >/dev/null; then
        wanted+=($(postgresql_packages)) || return
    fi
    mapfile -t missing < <(missing_packages "${wanted[@]}")
    [ ${#missing[@]} -gt 0 ] || return 0
    say "installing ${missing[*]}"
    as_root env DEBIAN_FRONTEND=noninteractive apt-get install -y -q --no-install-recommends "${missing[@]}"
}

# promtool out of the package of Prometheus, which as a whole would bring a server that starts.
install_promtool() {
    command -v promtool >/dev/null && return
    local dir
    say "installing promtool"
    dir=$(mktemp -d) || return
    (cd "$dir" && apt-get download -q prometheus && dpkg-deb --fsys-tarfile prometheus_*.deb >prometheus.tar &&
        as_root tar -xf prometheus.tar -C /usr/local/bin --strip-components=3 ./usr/bin/promtool)
    local status=$?
    rm -rf "$dir"
    return $status
}

# Lists may be missing, or too old for what the mirrors still hold.
ls /var/lib/apt/lists/*_Packages* >/dev/null 2>&1 || as_root apt-get update -q
install_missing || { as_root apt-get update -q && install_missing; } || die "could not install the packages"
if [ "${1:-}" = --ci ]; then
    install_promtool || { as_root apt-get update -q && install_promtool; } || die "could not install promtool"
fi
find_pg_config >/dev/null || die "PostgreSQL with its build files is not there after the installation"

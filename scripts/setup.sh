#!/usr/bin/env bash
# Installs the Debian packages that kvs is built and tested with: only what is missing, without questions.
#
#   scripts/setup.sh          to build and test
#   scripts/setup.sh --ci     also what .ci/run checks with: clang, sanitizers' runtime, gcovr, valgrind
#   scripts/setup.sh --valgrind

source "$(dirname "$0")/lib.sh"

packages=(make g++ cmake pkg-config libzstd-dev libxxhash-dev libssl-dev libpq-dev nlohmann-json3-dev
    libgtest-dev libgmock-dev librapidcheck-dev libbenchmark-dev perl libipc-run-perl)
if [ "${1:-}" = --ci ]; then
    packages+=(clang clang-format clang-tidy libclang-rt-14-dev gcovr)
fi
if [ "${1:-}" = --ci ] || [ "${1:-}" = --valgrind ]; then
    packages+=(valgrind)
fi
# Another version that is complete (15 to 18) serves as well.
find_pg_config >/dev/null || packages+=(postgresql-15 postgresql-server-dev-15)

missing=()
for package in "${packages[@]}"; do
    status=$(dpkg-query -W -f '${db:Status-Status}' "$package" 2>/dev/null || true)
    [ "$status" = installed ] || missing+=("$package")
done
[ ${#missing[@]} -gt 0 ] || exit 0

say "installing ${missing[*]}"
apt_install() {
    as_root env DEBIAN_FRONTEND=noninteractive apt-get install -y -q --no-install-recommends "${missing[@]}"
}
# Lists may be missing, or too old for what the mirrors still hold.
ls /var/lib/apt/lists/*_Packages* >/dev/null 2>&1 || as_root apt-get update -q
apt_install || { as_root apt-get update -q && apt_install; } || die "could not install: ${missing[*]}"
find_pg_config >/dev/null || die "PostgreSQL with its build files is not there after the installation"

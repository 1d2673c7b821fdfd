#!/usr/bin/env bash
# The guided tour on the package index that every Debian machine has. Runs on the database of the PG* environment;
# make demo calls it with a cluster of its own.

source "$(dirname "$0")/lib.sh"

tour=$KVS_ROOT/examples/packages
rows=$(mktemp -d)
trap 'rm -rf "$rows"' EXIT

say "reading the package index of this machine"
if ! ls /var/lib/apt/lists/*_Packages* >/dev/null 2>&1; then
    as_root apt-get update -q || true
fi
"$tour/packages.pl" available >"$rows/available" 2>/dev/null || true
"$tour/packages.pl" updates >"$rows/updates" 2>/dev/null || true
if [ ! -s "$rows/available" ]; then
    echo "no package lists here and no network: using the packages that are installed"
    "$tour/packages.pl" installed >"$rows/available"
fi
if [ ! -s "$rows/updates" ]; then
    echo "no newer versions are published in the lists: the branch gets a rebuild of every tenth package"
    awk 'NR % 10 == 0 { sub(/"version":"[^"]*/, "&+rebuild1"); print }' "$rows/available" >"$rows/updates"
fi
echo "$(wc -l <"$rows/available") packages, $(wc -l <"$rows/updates") newer versions"

psql -X -q -v ON_ERROR_STOP=1 <<SQL
DROP TABLE IF EXISTS package_available, package_updates;
CREATE TABLE package_available (key text COLLATE "C" PRIMARY KEY, value jsonb NOT NULL);
CREATE TABLE package_updates (LIKE package_available);
\\copy package_available FROM '$rows/available'
\\copy package_updates FROM '$rows/updates'
ANALYZE package_available;
SQL
psql -X -f "$tour/tour.sql"

echo
echo '9. A second session hears what the first one writes, and a table follows'
cc -O2 -I"$("$PG_CONFIG" --includedir)" "$KVS_ROOT/examples/listener.c" -L"$("$PG_CONFIG" --libdir)" -lpq -o "$rows/listener"
"$rows/listener" -n 5 -t 20 'user:#' >"$rows/heard" 2>"$rows/live" &
listener=$!
until [ -s "$rows/live" ]; do sleep 0.1; done
psql -X -a -f "$KVS_ROOT/examples/reactive.sql"
wait "$listener"
echo 'What examples/listener.c heard, with the time from the write on:'
cut -c1-150 "$rows/heard"

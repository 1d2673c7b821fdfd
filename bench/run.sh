#!/usr/bin/env bash
# The benchmarks: bench/run.sh [B1 B2 ...] on the database of the PG* environment; make bench brings a cluster. Each
# figure is the median of alternating runs against its reference on the same data. Prints a table, writes JSON.

here=$(cd "$(dirname "$0")" && pwd)
source "$here/lib.sh"
source "$here/point.sh"
source "$here/bulk.sh"
source "$here/version.sh"
source "$here/merge.sh"
source "$here/history.sh"
source "$here/memory.sh"
source "$here/breadth.sh"
source "$here/gc.sh"
source "$here/bytes.sh"
source "$here/remotes.sh"
source "$here/open_transaction.sh"
source "$here/commit.sh"
source "$here/ancestors.sh"
source "$here/stream.sh"
source "$here/subscriptions.sh"
source "$here/bindings.sh"

# B5 makes the store anew, so it comes first.
all="B5 B1 B2 B17 B4 B6 B7 B8 B9 B10 AGENTS B11 B16 B27 B28 BREADTH GC REMOTES B24 B25 B26 B3 B15 B23 FANOUT IMPORTING BINDINGS"
names=${*:-$all}

printf '%-34s %14s %14s %-8s %8s  %-9s %-7s %s\n' name kvs reference unit ratio target verdict note
for name in $names; do
    case " $all " in
        *" $name "*) ${name,,} ;;
        *) echo "unknown benchmark $name; there are: $all" >&2; exit 2 ;;
    esac
done

{
    printf '{"settings": %s,\n "results": [\n' "$(sql -c "SELECT json_object_agg(name, setting) FROM pg_settings WHERE name LIKE 'kvs.%' OR name IN ('server_version', 'shared_buffers', 'synchronous_commit', 'fsync', 'shared_preload_libraries', 'max_wal_size')")"
    sed '$!s/$/,/' "$work/rows.json"
    printf ' ]}\n'
} >"$out"
echo "written to $out"

# shellcheck shell=bash
# REMOTES: a store of KVS_BENCH_ROWS documents on its way to another database, by push, clone and bundle: all of it, then
# 1,000 changes. The reference is the plain table on the same way, always whole: pg_dump | psql, or by a file.

remotes_to() { sql -d "$1" -c "SELECT kvs.add_remote('$2', 'dbname=$3${PGHOST:+ host=$PGHOST}${PGPORT:+ port=$PGPORT}${PGUSER:+ user=$PGUSER}')" >/dev/null; }

remotes_copy() { pg_dump --table=plain bench_remotes | psql -Xq -v ON_ERROR_STOP=1 -d bench_remotes_copy; }
remotes_dump() { pg_dump --table=plain --file="$work/plain.sql" bench_remotes; }
remotes_restore() { psql -Xq -v ON_ERROR_STOP=1 -d bench_remotes_copy -f "$work/plain.sql"; }

# The same for the store: bundles are files of parts, one per line.
remotes_export() {
    sql -d bench_remotes -c "\\copy (SELECT n, part FROM kvs.export_bundle('main'$1) WITH ORDINALITY AS b(part, n)) TO '$work/bundle'"
}
remotes_import() {
    sql -d bench_remotes_bundle <<SQL
CREATE TEMP TABLE parts (n bigint, part bytea);
\\copy parts FROM '$work/bundle'
SELECT kvs.import_bundle(array_agg(part ORDER BY n)) FROM parts;
SQL
}

remotes_changes() {
    PGDATABASE=bench_remotes sql >/dev/null <<SQL
$(change_sql 1000)
SELECT kvs.commit('1,000 changes');
SQL
}

remotes_push() { PGDATABASE=bench_remotes sql_ms <<<"SELECT * FROM kvs.push('there', 'main');"; }

# Each run of a first transfer has databases made anew.
remotes_first_push() {
    make_database bench_remotes_push
    remotes_push
}
remotes_first_clone() {
    make_database bench_remotes_clone
    remotes_to bench_remotes_clone origin bench_remotes
    PGDATABASE=bench_remotes_clone sql_ms <<<"SELECT * FROM kvs.clone('origin');"
}
remotes_first_export() { command_ms remotes_export ""; }
remotes_first_import() {
    make_database bench_remotes_bundle
    command_ms remotes_import
}
remotes_first_copy() {
    psql -Xq -c "SET client_min_messages = warning" -c "DROP DATABASE IF EXISTS bench_remotes_copy WITH (FORCE)" -c "CREATE DATABASE bench_remotes_copy TEMPLATE template0 ENCODING 'UTF8'"
    command_ms "$1"
}
remotes_first_whole() { remotes_first_copy remotes_copy; }
remotes_first_dump() { command_ms remotes_dump; }
remotes_first_restore() { remotes_first_copy remotes_restore; }

# Again, after 1,000 changes.
remotes_next_push() {
    remotes_changes
    remotes_push
}
remotes_next_fetch() {
    remotes_changes
    PGDATABASE=bench_remotes_clone sql_ms <<<"SELECT * FROM kvs.fetch('origin');"
}
remotes_next_bundle() {
    local since
    since=$(sql -d bench_remotes -c "SELECT kvs.rev_parse('main')")
    remotes_changes
    command_ms remotes_bundle_since "$since"
}
remotes_bundle_since() {
    remotes_export ", since => '$1'"
    remotes_import
}

remotes_report() { report "Remotes: $1" ms "$kvs_value" "$reference_value" "$(divide "$kvs_value" "$reference_value")" "" "$2"; }

remotes() {
    local outer=${PGDATABASE:-} whole bundle sent
    make_database bench_remotes
    PGDATABASE=bench_remotes fill_large
    make_database bench_remotes_push
    remotes_to bench_remotes there bench_remotes_push

    measure_pair remotes_first_push remotes_first_whole
    whole=$reference_value
    remotes_report "push of $rows" "reference: pg_dump | psql of the plain table"
    kvs_value=$(measure remotes_first_clone)
    reference_value=$whole
    remotes_report "clone of $rows" "the same reference"
    measure_pair remotes_first_export remotes_first_dump
    sent=$(stat -c %s "$work/bundle")
    remotes_report "bundle of $rows, export" "reference: pg_dump; $((sent / 2000)) kB against $(($(stat -c %s "$work/plain.sql") / 1000)) kB"
    measure_pair remotes_first_import remotes_first_restore
    bundle=$(sql -d bench_remotes -c "SELECT kvs.rev_parse('main')")
    remotes_report "bundle of $rows, import" "reference: psql"

    [ "$(sql -d bench_remotes_push -c "SELECT count(*) FROM kvs.scan()")" = "$rows" ]
    [ "$(sql -d bench_remotes_clone -c "SELECT count(*) FROM kvs.scan()")" = "$rows" ]
    [ "$(sql -d bench_remotes_bundle -c "SELECT count(*) FROM kvs.scan(as_of => '$bundle')")" = "$rows" ]

    reference_value=$whole
    kvs_value=$(measure remotes_next_push)
    remotes_report "push after 1,000 changes" "reference: the whole table again"
    kvs_value=$(measure remotes_next_fetch)
    remotes_report "fetch after 1,000 changes" "reference: the whole table again"
    remotes_bundle_since "$bundle" >/dev/null
    kvs_value=$(measure remotes_next_bundle)
    remotes_report "bundle of 1,000 changes, both ways" "reference: the whole table again"

    export PGDATABASE=$outer
    for whole in bench_remotes bench_remotes_push bench_remotes_clone bench_remotes_bundle bench_remotes_copy; do
        drop_database "$whole"
    done
}

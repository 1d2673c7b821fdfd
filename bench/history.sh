# shellcheck shell=bash
# B11: what a history keeps. 100 commits, each with 1 % of 100,000 documents changed at random (the token of each, all
# else stays), beside the history table that people write by hand: a row per change with the new value, filled by a
# trigger. In a database of its own, because the history is that of the whole store.

b11_documents=100000
b11_commits=100

# Bytes of the history: the chunks, packs, commits and dictionaries, with indexes and TOAST, without what was there before.
b11_bytes() {
    sql -c "SELECT sum(pg_total_relation_size(t)) FROM unnest(ARRAY['_kvs.chunk', '_kvs.pack', '_kvs.commit', '_kvs.reflog', '_kvs.dictionary']::regclass[]) AS t"
}

b11_report() {
    local bytes
    bytes=$(($(b11_bytes) - b11_before))
    report "B11 history, $1" MB "$(divide "$bytes" 1000000)" "$(divide "$b11_reference" 1000000)" "$(divide "$bytes" "$b11_reference")" "$2" "$3"
}

# b11_round NAME: a database, with dictionaries if NAME is "trained".
b11_round() {
    local own=b11_$1 outer=${PGDATABASE:-}
    psql -Xq -c "DROP DATABASE IF EXISTS $own" -c "CREATE DATABASE $own TEMPLATE template0 ENCODING 'UTF8'"
    export PGDATABASE=$own
    sql >/dev/null <<SQL
CREATE EXTENSION kvs;
CREATE TABLE source AS
    SELECT 'user:' || lpad(i::text, 8, '0') AS key, $document_sql AS value FROM generate_series(1, $b11_documents) AS i;
CREATE TABLE plain (key text COLLATE "C" PRIMARY KEY, value jsonb, version bigint, updated_at timestamptz);
INSERT INTO plain SELECT key, value, 1, now() FROM source ORDER BY key;
$audit_sql
SELECT kvs.import('SELECT key, value FROM source', message => 'base');
SQL
    [ "$1" != trained ] || sql -c "SELECT kvs.train_dictionaries()" >/dev/null
    b11_before=$(b11_bytes)
    sql >/dev/null <<SQL
SET client_min_messages = warning;
SELECT setseed(0.5);
DO \$\$
BEGIN
    FOR c IN 1 .. $b11_commits LOOP
        CREATE TEMP TABLE changed AS
            SELECT key, value || jsonb_build_object('token', md5(random()::text)) AS value
            FROM source ORDER BY random() LIMIT $b11_documents / 100;
        PERFORM kvs.mput(array_agg(key ORDER BY key), array_agg(value ORDER BY key)) FROM changed;
        PERFORM kvs.commit('commit ' || c);
        INSERT INTO plain SELECT key, value, 1, now() FROM changed
        ON CONFLICT (key) DO UPDATE SET value = excluded.value, version = plain.version + 1, updated_at = now();
        DROP TABLE changed;
    END LOOP;
END \$\$;
SQL
    b11_reference=$(sql -c "SELECT pg_total_relation_size('history')")
    b11_log=$(sql -c "SELECT kvs.stats()->'log'->>'bytes'")
    PGDATABASE=$own b11_"$1"
    export PGDATABASE=$outer
    psql -Xq -c "DROP DATABASE $own"
}

b11_plain() {
    b11_report "as written, no dictionary" "<= 5" "100 commits of 1 % of 100,000"
}

b11_trained() {
    b11_report "as written" "<= 5" "dictionaries trained on the first import"
    report "B11 change log beside it" MB "$(divide "$b11_log" 1000000)" "$(divide "$b11_reference" 1000000)" "$(divide "$b11_log" "$b11_reference")" "" "each version of each key, with its value"
    local seconds
    seconds=$(sql_ms <<<"SELECT * FROM kvs.repack();")
    b11_report "repacked" "" "before vacuum; kvs.repack() took $(awk -v ms="$seconds" 'BEGIN { printf "%.0f", ms / 1000 }') s"
    sql -c "VACUUM (FULL) _kvs.chunk"
    b11_report "repacked, VACUUM FULL" "<= 1" ""
    read -r b11_members b11_packs b11_body b11_index < <(sql -F ' ' -c "SELECT sum(cardinality(addresses)), count(*), sum(octet_length(body)), pg_relation_size('_kvs.pack_addresses') FROM _kvs.pack")
    report "B11 packs" MB "$(divide "$b11_body" 1000000)" "" "" "" "$b11_members chunks in $b11_packs packs; index of addresses $((b11_index / 1000000)) MB"
    [ "$(sql -c "SELECT count(*) FROM kvs.check() WHERE severity = 'error'")" = 0 ] || { echo "kvs.check() finds damage after repacking" >&2; return 1; }
    scan_old() { sql_ms <<<"SELECT count(*) FROM kvs.scan(as_of => 'HEAD~50');"; }
    scan_new() { sql_ms <<<"SELECT count(*) FROM kvs.scan(as_of => 'HEAD');"; }
    measure_pair scan_old scan_new
    report "B11 scan of HEAD~50, repacked" ms "$kvs_value" "$reference_value" "$(divide "$kvs_value" "$reference_value")" "" "reference: HEAD; new session each, shared cache warm"
}

b11() {
    local b11_before b11_reference b11_log b11_members b11_packs b11_body b11_index
    # Packed when it is to be.
    sql -c "ALTER SYSTEM SET kvs.autorepack = off" -c "SELECT pg_reload_conf()" >/dev/null
    b11_round plain
    b11_round trained
    sql -c "ALTER SYSTEM RESET kvs.autorepack" -c "SELECT pg_reload_conf()" >/dev/null
}

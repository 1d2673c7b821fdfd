# shellcheck shell=bash
# B28: what the background makes of a history. 100 commits, each of 1 % of 100,000 documents changed at random (the token
# of each), a transaction each, as fast as they go; beside them plain with the audit trigger that people write by hand. All
# that either takes is counted: data, history and log, with indexes. Nothing is done by hand. In a database of its own; needs
# preloading, and kvs.autogc and kvs.autorepack on.

b28_kvs_bytes() { sql -c "SELECT sum(pg_total_relation_size(c.oid)) FROM pg_class AS c WHERE c.relnamespace = '_kvs'::regnamespace AND c.relkind = 'r'"; }

# b28_report WHEN TARGET
b28_report() {
    local bytes parts
    bytes=$(b28_kvs_bytes)
    parts=$(sql -c "SELECT string_agg(t || ' ' || round(pg_total_relation_size(('_kvs.' || t)::regclass) / 1e6, 1), ', ') FROM unnest(ARRAY['chunk', 'pack', 'change', 'working']) AS t")
    report "B28 bytes, $1" MB "$(divide "$bytes" 1000000)" "$(divide "$b28_reference" 1000000)" "$(divide "$bytes" "$b28_reference")" "$2" "$parts"
}

b28() {
    local outer=${PGDATABASE:-} minute b28_reference
    make_database bench_b28
    export PGDATABASE=bench_b28
    sql >/dev/null <<SQL
CREATE TABLE source AS
    SELECT 'user:' || lpad(i::text, 8, '0') AS key, $document_sql AS value FROM generate_series(1, 100000) AS i;
CREATE TABLE changed AS
    SELECT c AS commit, s.key, s.value || jsonb_build_object('token', md5(random()::text)) AS value
    FROM generate_series(1, 100) AS c, LATERAL (SELECT * FROM source WHERE c > 0 ORDER BY random() LIMIT 1000) AS s;
CREATE INDEX ON changed (commit);
CREATE TABLE plain (key text COLLATE "C" PRIMARY KEY, value jsonb, version bigint, updated_at timestamptz);
INSERT INTO plain SELECT key, value, 1, now() FROM source ORDER BY key;
$audit_sql
SELECT kvs.import('SELECT key, value FROM source', message => 'base');
VACUUM ANALYZE;
DO \$\$
BEGIN
    FOR c IN 1 .. 100 LOOP
        INSERT INTO plain SELECT key, value, 1, now() FROM changed WHERE commit = c
        ON CONFLICT (key) DO UPDATE SET value = excluded.value, version = plain.version + 1, updated_at = now();
        COMMIT;
    END LOOP;
    FOR c IN 1 .. 100 LOOP
        PERFORM kvs.mput(array_agg(key ORDER BY key), array_agg(value ORDER BY key)) FROM changed WHERE commit = c;
        PERFORM kvs.commit('commit ' || c);
        COMMIT;
    END LOOP;
END \$\$;
SQL
    b28_reference=$(sql -c "SELECT pg_total_relation_size('plain') + pg_total_relation_size('history')")
    b28_report "after the last commit" ""
    for minute in 1 2 3 4 5; do
        sleep 60
        b28_report "$minute minutes later" "$([ $minute -lt 5 ] || echo "<= 1.0")"
    done
    [ "$(sql -c "SELECT count(*) FROM kvs.check() WHERE severity = 'error'")" = 0 ] || { echo "kvs.check() finds damage" >&2; return 1; }
    export PGDATABASE=$outer
    drop_database bench_b28
}

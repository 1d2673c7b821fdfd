# shellcheck shell=bash
# B26: 1, 100 and 1,000 random keys written and committed, in stores of 100,000 and of KVS_BENCH_ROWS documents. The
# reference is one upsert of the same keys into a plain table that a trigger keeps the history of. In a database of its own.

# b26_fill DOCUMENTS: the store and the table, both with the same documents.
b26_fill() {
    sql >/dev/null <<SQL
SET client_min_messages = warning;
CREATE TABLE plain (key text COLLATE "C" PRIMARY KEY, value jsonb, version bigint, updated_at timestamptz);
CREATE TABLE history (key text COLLATE "C", value jsonb, version bigint, updated_at timestamptz, changed_at timestamptz DEFAULT now());
CREATE INDEX ON history (key, changed_at);
CREATE FUNCTION audit() RETURNS trigger LANGUAGE plpgsql AS \$\$
BEGIN
    INSERT INTO history SELECT OLD.*;
    RETURN NULL;
END \$\$;
INSERT INTO plain SELECT 'user:' || lpad(i::text, 8, '0'), $document_sql, 1, now() FROM generate_series(1, $1) AS i;
CREATE TRIGGER audit AFTER UPDATE ON plain FOR EACH ROW EXECUTE FUNCTION audit();
SELECT kvs.import('SELECT key, value FROM plain', message => 'bench');
VACUUM (ANALYZE, FREEZE) plain;
VACUUM (ANALYZE, FREEZE) _kvs.chunk;
SELECT count(*) FROM kvs.scan();
CHECKPOINT;
SQL
}

# b26_times DOCUMENTS COUNT STATEMENT ...: the median of ten times of the statements together, in a warm session. They
# find COUNT random keys in order and their new values in the arrays of the table "change".
b26_times() {
    local documents=$1 count=$2 round
    shift 2
    for ((round = 0; round < 12; round++)); do
        cat <<SQL
DROP TABLE IF EXISTS change;
CREATE TEMP TABLE change AS
    SELECT array_agg(key ORDER BY key) AS keys, array_agg(value ORDER BY key) AS values
    FROM (SELECT DISTINCT ON (i) 'user:' || lpad(i::text, 8, '0') AS key, $document_sql || jsonb_build_object('token', md5(random()::text)) AS value
          FROM (SELECT 1 + floor(random() * $documents)::bigint AS i FROM generate_series(1, $count)) AS r) AS c;
\\timing on
SQL
        printf '%s;\n' "$@"
        echo '\timing off'
    done | PGOPTIONS='-c client_min_messages=warning' psql -XAtq -v ON_ERROR_STOP=1 |
        awk -v statements=$# '/^Time: /{ ms += $2; if (++n % statements == 0) { if (n > 2 * statements) print ms; ms = 0 } }' | median
}

b26() {
    local outer=${PGDATABASE:-} documents count
    for documents in 100000 "$rows"; do
        make_database bench_commit
        export PGDATABASE=bench_commit
        b26_fill "$documents"
        for count in 1 100 1000; do
            b26_kvs() { b26_times "$documents" "$count" "SELECT kvs.mput(keys, values) FROM change" "SELECT kvs.commit('bench')"; }
            b26_plain() {
                b26_times "$documents" "$count" "INSERT INTO plain SELECT key, value, 1, now() FROM change, unnest(keys, values) AS c (key, value)
                    ON CONFLICT (key) DO UPDATE SET value = excluded.value, version = plain.version + 1, updated_at = now()"
            }
            measure_pair b26_kvs b26_plain
            report "B26 write $count + commit, $documents" ms "$kvs_value" "$reference_value" \
                "$(divide "$kvs_value" "$reference_value")" "" "one upsert with an audit trigger"
        done
        export PGDATABASE=$outer
        drop_database bench_commit
    done
}

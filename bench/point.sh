# shellcheck shell=bash
# B1, B2, B17, B27: single keys.

write_point_scripts() {
    cat >"$work/get_kvs" <<SQL
\\set i random(1, $rows)
SELECT kvs.get('user:' || lpad((:i)::int::text, 8, '0'));
SQL
    cat >"$work/get_plain" <<SQL
\\set i random(1, $rows)
SELECT value FROM plain WHERE key = 'user:' || lpad((:i)::int::text, 8, '0');
SQL
    local put_rows=100000
    cat >"$work/put_kvs" <<SQL
\\set i random(1, $put_rows)
\\set n random(1, 1000000000)
SELECT kvs.put('hot:' || lpad((:i)::int::text, 8, '0'), jsonb_build_object('id', (:i)::int, 'name', 'user number', 'email', 'user@example.org', 'role', 'editor', 'n', (:n)::int, 'token', 'c4ca4238a0b923820dcc509a6f75849b'));
SQL
    cat >"$work/put_plain" <<SQL
\\set i random(1, $put_rows)
\\set n random(1, 1000000000)
INSERT INTO hot VALUES ('hot:' || lpad((:i)::int::text, 8, '0'), jsonb_build_object('id', (:i)::int, 'name', 'user number', 'email', 'user@example.org', 'role', 'editor', 'n', (:n)::int, 'token', 'c4ca4238a0b923820dcc509a6f75849b'), 1, now())
ON CONFLICT (key) DO UPDATE SET value = excluded.value, version = hot.version + 1, updated_at = now() RETURNING version;
SQL
    cat "$work/put_kvs" >"$work/mixed_kvs"
    sed "s/'user:'/'hot:'/; s/$rows/$put_rows/" "$work/get_kvs" >>"$work/mixed_kvs"
    cat "$work/put_plain" >"$work/mixed_plain"
    sed "s/FROM plain/FROM hot/; s/'user:'/'hot:'/; s/$rows/$put_rows/" "$work/get_plain" >>"$work/mixed_plain"
}

reset_hot() {
    sql >/dev/null <<SQL
DROP TABLE IF EXISTS hot;
CREATE TABLE hot (key text COLLATE "C" PRIMARY KEY, value jsonb, version bigint, updated_at timestamptz);
INSERT INTO hot SELECT 'hot:' || lpad(i::text, 8, '0'), $document_sql, 1, now() FROM generate_series(1, 100000) AS i;
SELECT kvs.import(\$\$SELECT 'hot:' || lpad(i::text, 8, '0'), $document_sql FROM generate_series(1, 100000) AS i\$\$, message => 'hot') WHERE NOT kvs.exists('hot:00000001');
VACUUM ANALYZE hot;
SQL
}

async() { PGOPTIONS="-c synchronous_commit=off -c kvs.durability=async" "$@"; }

b1() {
    fill_large
    write_point_scripts
    get_kvs() { pgbench_tps 8 "$work/get_kvs"; }
    get_plain() { pgbench_tps 8 "$work/get_plain"; }
    measure_pair get_kvs get_plain
    report "B1 get, 8 clients, warm" tps "$kvs_value" "$reference_value" "$(divide "$kvs_value" "$reference_value")" ">= 1.0" "$rows keys"
    [ -n "${KVS_BENCH_RESTART:-}" ] || return 0
    # The first 20,000 reads after a restart.
    cold_note="server's and system's caches empty"
    cold_get_kvs() { make_cold; pgbench_tps 8 "$work/get_kvs" -t 2500; }
    cold_get_plain() { make_cold; pgbench_tps 8 "$work/get_plain" -t 2500; }
    measure_pair cold_get_kvs cold_get_plain
    report "B1 get, 8 clients, cold" tps "$kvs_value" "$reference_value" "$(divide "$kvs_value" "$reference_value")" "" "$cold_note"
}

b2() {
    fill_large
    write_point_scripts
    reset_hot
    put_kvs() { pgbench_tps 8 "$work/put_kvs"; }
    put_plain() { pgbench_tps 8 "$work/put_plain"; }
    async_kvs() { async put_kvs; }
    async_plain() { async put_plain; }
    measure_pair async_kvs async_plain
    report "B2 put, 8 clients, async" tps "$kvs_value" "$reference_value" "$(divide "$kvs_value" "$reference_value")" ">= 0.9" "100000 keys"
    measure_pair put_kvs put_plain
    report "B2 put, 8 clients, sync" tps "$kvs_value" "$reference_value" "$(divide "$kvs_value" "$reference_value")" ">= 0.9" "100000 keys"
}

b17() {
    fill_large
    write_point_scripts
    reset_hot
    local kind
    for kind in get put mixed; do
        one_kvs() { pgbench_tps 1 "$work/${kind}_kvs"; }
        one_plain() { pgbench_tps 1 "$work/${kind}_plain"; }
        measure_pair one_kvs one_plain
        # A transaction of the mixed script is two operations.
        report "B17 one client, $kind, sync" tps "$kvs_value" "$reference_value" "$(divide "$kvs_value" "$reference_value")" "" "target 10000 a second where plain reaches it"
    done
}

# b27_store KEYS: a database of its own with the store and plain, and scripts that read and write all of its keys.
b27_store() {
    make_database "bench_b27_$1"
    sql -d "bench_b27_$1" >/dev/null <<SQL
CREATE TABLE hot (key text COLLATE "C" PRIMARY KEY, value jsonb, version bigint, updated_at timestamptz);
INSERT INTO hot SELECT 'hot:' || lpad(i::text, 8, '0'), $document_sql, 1, now() FROM generate_series(1, $1) AS i;
SELECT kvs.import('SELECT key, value FROM hot', message => 'base');
VACUUM (ANALYZE, FREEZE);
SELECT count(value) FROM hot;
SELECT count(*) FROM kvs.scan();
CHECKPOINT;
SQL
    write_point_scripts
    local script
    for script in get_kvs get_plain put_kvs put_plain; do
        sed "s/random(1, [0-9]*)/random(1, $1)/; s/'user:'/'hot:'/; s/FROM plain/FROM hot/" "$work/$script" >"$work/b27_$script"
    done
}

# Reads first, of a store in which everything is committed.
b27() {
    local outer=${PGDATABASE:-} keys kind clients target settings
    settings="shared_buffers $(sql -c "SHOW shared_buffers"), node cache $(sql -c "SHOW kvs.node_cache_size")"
    b27_kvs() { async pgbench_tps "$clients" "$work/b27_${kind}_kvs"; }
    b27_plain() { async pgbench_tps "$clients" "$work/b27_${kind}_plain"; }
    for keys in 100000 1000000; do
        b27_store "$keys"
        export PGDATABASE=bench_b27_$keys
        for kind in get put; do
            [ "$kind" = get ] && target=">= 1.0" || target=">= 0.95"
            for clients in 1 8 50; do
                measure_pair b27_kvs b27_plain
                report "B27 $kind, $clients clients, $keys keys" tps "$kvs_value" "$reference_value" "$(divide "$kvs_value" "$reference_value")" "$target" "async; $settings"
            done
        done
        export PGDATABASE=$outer
        drop_database "bench_b27_$keys"
    done
}

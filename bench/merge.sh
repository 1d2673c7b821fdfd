# shellcheck shell=bash
# B9: merges. BranchBench: many agents that fork from one another, change, compare, keep the best and drop the rest.

# Two branches off main with COUNT changes each, that meet nowhere; then milliseconds of their merge, in a session that has
# read a little. SCATTER is a factor that spreads the keys over the store; 1 leaves them side by side.
merge_after() {
    local count=$1 scatter=$2 name
    name=b9-$RANDOM-$RANDOM
    sql >/dev/null <<SQL
SELECT kvs.create_branch('$name-a', 'main'), kvs.create_branch('$name-b', 'main');
SELECT kvs.mput(array_agg('user:' || lpad(((i * $scatter::bigint) % ($rows / 2) * 2 + 1)::text, 8, '0')), array_agg(jsonb_build_object('a', random(), 'n', i)), branch => '$name-a')
FROM generate_series(1, $count) AS i;
SELECT kvs.mput(array_agg('user:' || lpad(((i * $scatter::bigint) % ($rows / 2) * 2 + 2)::text, 8, '0')), array_agg(jsonb_build_object('b', random(), 'n', i)), branch => '$name-b')
FROM generate_series(1, $count) AS i;
SELECT kvs.commit('a', branch => '$name-a'), kvs.commit('b', branch => '$name-b');
SQL
    sql_ms <<SQL
SELECT kvs.get('user:00000001');
SELECT count(*) FROM kvs.preview_merge('$name-b', '$name-a');
SELECT * FROM kvs.merge('$name-b', '$name-a');
SQL
}

b9() {
    fill_large
    random_merge() { merge_after 1000 7919; }
    clustered_merge() { merge_after 1000 1; }
    few_merge() { merge_after 100 7919; }
    kvs_value=$(measure random_merge)
    local random=$kvs_value
    report "B9 merge of 1,000 + 1,000 random" ms "$kvs_value" "" "" "<= 150" "$rows keys"
    kvs_value=$(measure few_merge)
    report "B9 merge of 100 + 100 random" ms "$kvs_value" "$random" "$(divide "$kvs_value" "$random")" "" "against 1,000 + 1,000"
    kvs_value=$(measure clustered_merge)
    report "B9 merge of 1,000 + 1,000 clustered" ms "$kvs_value" "" "" "<= 30" "$rows keys"
}

# Ten agents fork from the winner of the generation before, change 20 keys each, are compared with it, the best is kept and
# the others are dropped. Times of the first and of the last generation are compared.
agents() {
    fill_large
    local generations=${KVS_BENCH_GENERATIONS:-200} agents=10 step
    sql >/dev/null <<SQL
SELECT kvs.create_branch('agent-0-0', 'main');
CREATE TABLE IF NOT EXISTS agent_times (generation int, step text, ms float8);
TRUNCATE agent_times;
DO \$\$
DECLARE
    began timestamptz; best text := 'agent-0-0'; mine text;
BEGIN
    FOR g IN 1 .. $generations LOOP
        FOR a IN 1 .. $agents LOOP
            mine := 'agent-' || g || '-' || a;
            began := clock_timestamp();
            PERFORM kvs.create_branch(mine, best);
            INSERT INTO agent_times VALUES (g, 'fork', 1000 * extract(epoch FROM clock_timestamp() - began));
            began := clock_timestamp();
            FOR i IN 1 .. 20 LOOP
                PERFORM kvs.put('user:' || lpad((1 + (hashint8(g * 1000003 + a * 8191 + i) & 1073741823) % $rows)::text, 8, '0'), jsonb_build_object('generation', g, 'agent', a, 'i', i), branch => mine);
            END LOOP;
            INSERT INTO agent_times VALUES (g, 'mutate 20', 1000 * extract(epoch FROM clock_timestamp() - began));
            began := clock_timestamp();
            PERFORM kvs.commit('step', branch => mine);
            INSERT INTO agent_times VALUES (g, 'commit', 1000 * extract(epoch FROM clock_timestamp() - began));
            began := clock_timestamp();
            PERFORM count(*) FROM kvs.diff(best, mine);
            INSERT INTO agent_times VALUES (g, 'compare', 1000 * extract(epoch FROM clock_timestamp() - began));
            began := clock_timestamp();
            PERFORM kvs.get('user:' || lpad((1 + (hashint8(g + a) & 1073741823) % $rows)::text, 8, '0'), branch => mine);
            INSERT INTO agent_times VALUES (g, 'read', 1000 * extract(epoch FROM clock_timestamp() - began));
        END LOOP;
        began := clock_timestamp();
        FOR a IN 2 .. $agents LOOP
            PERFORM kvs.delete_branch('agent-' || g || '-' || a, force => true);
        END LOOP;
        INSERT INTO agent_times VALUES (g, 'drop', 1000 * extract(epoch FROM clock_timestamp() - began) / ($agents - 1));
        best := 'agent-' || g || '-1';
        COMMIT;
    END LOOP;
END \$\$;
SQL
    for step in fork "mutate 20" commit compare read drop; do
        agents_median() {
            sql -c "SELECT percentile_cont(0.5) WITHIN GROUP (ORDER BY ms) FROM agent_times WHERE step = '$step' AND generation BETWEEN $1 AND $2"
        }
        kvs_value=$(agents_median $((generations - generations / 10)) "$generations")
        reference_value=$(agents_median 1 $((generations / 10)))
        report "Agents: $step" ms "$kvs_value" "$reference_value" "$(divide "$kvs_value" "$reference_value")" "" "depth $generations against the first"
    done
}

# shellcheck shell=bash
# B25: the past by name. A get as of HEAD~n, timed inside the server: warm, and cold, the first one of a session that has
# read HEAD only. 10,100 commits of one change each over 1,000 documents, in a database of their own. The reference is
# git's cat-file --batch on as many commits of one file, packed and with a commit graph; without git there is none.

b25_commits=10100

b25_store() {
    make_database bench_commits
    sql -d bench_commits >/dev/null <<SQL
SELECT kvs.mput(array_agg('user:' || i), array_agg($document_sql)) FROM generate_series(0, 999) AS i;
DO \$\$
BEGIN
    FOR i IN 1 .. $b25_commits LOOP
        PERFORM kvs.put('user:' || i % 1000, to_jsonb(i));
        PERFORM kvs.commit('commit ' || i);
        COMMIT;
    END LOOP;
END \$\$;
VACUUM ANALYZE _kvs.commit, _kvs.chunk;
SQL
}

b25_git_store() {
    git init -q --bare "$work/commits.git"
    awk -v n="$b25_commits" 'BEGIN {
        for (i = 1; i <= n; i++) {
            message = "commit " i; document = "{\"n\": " i "}"
            printf "commit refs/heads/main\ncommitter bench <bench@example.org> %d +0000\ndata %d\n%s\nM 100644 inline doc\ndata %d\n%s\n",
                   1700000000 + i, length(message), message, length(document), document
        } }' | git -C "$work/commits.git" fast-import --quiet
    git -C "$work/commits.git" repack -adq
    git -C "$work/commits.git" commit-graph write --reachable 2>/dev/null
}

# Microseconds of one get as of HEAD~N; WHICH is cold or warm.
b25_get() {
    sql -d bench_commits <<SQL 2>&1 | awk '{ print $NF }'
DO \$\$
DECLARE
    began timestamptz;
    took float8;
    times float8[];
    ref text := 'HEAD';
BEGIN
    FOR i IN 1 .. 210 LOOP
        IF i = 10 THEN ref := 'HEAD~$2'; END IF;
        began := clock_timestamp();
        PERFORM kvs.get('user:7', as_of => ref);
        took := extract(epoch FROM clock_timestamp() - began) * 1e6;
        IF i >= 10 THEN times := times || took; END IF;
    END LOOP;
    RAISE WARNING '%', CASE '$1' WHEN 'cold' THEN times[1] ELSE (SELECT percentile_cont(0.5) WITHIN GROUP (ORDER BY t) FROM unnest(times) AS t) END;
END \$\$;
SQL
}

b25_git_ask() {
    awk -v n="$1" -v ref="main~$2:doc" 'BEGIN { while (n-- > 0) print ref }' | git -C "$work/commits.git" cat-file --batch
}

# Microseconds of one answer of a process that runs.
b25_git_get() {
    local one many
    one=$(command_ms b25_git_ask 1 "$1")
    many=$(command_ms b25_git_ask 201 "$1")
    awk -v one="$one" -v many="$many" 'BEGIN { print (many - one) * 1000 / 200 }'
}

b25() {
    local depth reference=""
    b25_store
    [ -z "$(command -v git)" ] || b25_git_store
    for depth in 1 100 1000 10000; do
        warm() { b25_get warm "$depth"; }
        cold() { b25_get cold "$depth"; }
        by_git() { b25_git_get "$depth"; }
        [ -z "$(command -v git)" ] || reference=$(measure by_git)
        report "B25 get as of HEAD~$depth" us "$(measure warm)" "$reference" "" "<= 60" "in the server; reference: git cat-file --batch"
        report "B25 the same, cold" us "$(measure cold)" "" "" "$([ "$depth" -gt 1000 ] || echo "<= 100")" "the first of a new session"
    done
    drop_database bench_commits
}

-- What is known of operations. Without preloading nothing is, and a NOTICE says so; so here is what holds either way, and
-- the rest is in test/t/030_observe.pl.
SET client_min_messages = warning;
CREATE ROLE regress_kvs_observe_none;
CREATE ROLE regress_kvs_observe_reader;
CREATE ROLE regress_kvs_observe_monitor;
GRANT SELECT ON kvs.entries TO regress_kvs_observe_reader;
GRANT pg_read_all_stats TO regress_kvs_observe_monitor;

-- Who may ask.
CREATE FUNCTION pg_temp.may(role text, statement text) RETURNS text LANGUAGE plpgsql AS $$
BEGIN
    EXECUTE format('SET LOCAL ROLE %I', 'regress_kvs_observe_' || role);
    EXECUTE statement;
    RAISE SQLSTATE 'KVYES';
EXCEPTION
    WHEN SQLSTATE 'KVYES' THEN RETURN 'yes';
    WHEN OTHERS THEN RETURN SQLSTATE;
END
$$;
SELECT statement, pg_temp.may('none', statement) AS none, pg_temp.may('reader', statement) AS "select", pg_temp.may('monitor', statement) AS monitor
FROM unnest(ARRAY['TABLE kvs.stat_operations', 'TABLE kvs.operation_log', 'SELECT kvs.metrics()', 'SELECT kvs.reset_stats()',
                  'SELECT * FROM _kvs.stat_operations()', 'SELECT * FROM _kvs.operation_log()', 'SELECT kvs.get(''a'')',
                  'SET kvs.track_operations = on', 'SET kvs.log_min_duration = 0', 'SET kvs.log_sample_rate = 1']) AS statement;

-- Off by default.
SELECT count(*) FROM kvs.stat_operations;
SELECT count(*) FROM kvs.operation_log;
SELECT name, setting FROM pg_settings WHERE name IN ('kvs.track_operations', 'kvs.log_min_duration', 'kvs.log_sample_rate') ORDER BY 1;
SET kvs.log_sample_rate = 1.5;

-- Observed or not, operations do the same.
SET kvs.track_operations = on;
SET kvs.log_sample_rate = 1;
SELECT kvs.create_branch('observe', encode(_kvs.initial_commit(), 'hex'));
SET kvs.branch = 'observe';
SELECT kvs.put('a', '1'), kvs.put('b', '2'), kvs.get('a');
SELECT key, value FROM kvs.scan() LIMIT 1;
SELECT key, value FROM kvs.entries;
SELECT a.key, b.key FROM kvs.scan() AS a, LATERAL (SELECT key FROM kvs.scan(a.key) LIMIT 1) AS b ORDER BY 1;
SELECT kvs.put('a', NULL);
SELECT kvs.put('a', '1', expected_version => 77);
SELECT kvs.import('SELECT key, value FROM nobody');
SELECT kvs.get('a', branch => 'nobody');
BEGIN;
DECLARE c CURSOR FOR SELECT key FROM kvs.scan();
FETCH 1 FROM c;
SAVEPOINT s;
SELECT kvs.get('a', branch => 'nobody');
ROLLBACK TO s;
FETCH 1 FROM c;
CLOSE c;
DECLARE d CURSOR FOR SELECT key FROM kvs.scan();
FETCH 1 FROM d;
-- Turned off in the middle of a scan.
SET kvs.track_operations = off;
SET kvs.log_sample_rate = 0;
FETCH 1 FROM d;
SET kvs.track_operations = on;
FETCH 1 FROM d;
COMMIT;
SET kvs.track_operations = off;
SELECT kvs.get('b');

-- Metrics: names, types and the form of the samples.
SELECT line FROM regexp_split_to_table(kvs.metrics(), '\n') AS line WHERE line LIKE '# TYPE %';
SELECT line FROM regexp_split_to_table(kvs.metrics(), '\n') WITH ORDINALITY AS l(line, n)
WHERE line !~ '^# (HELP|TYPE) kvs_[a-z_]+ \S.*$' AND line !~ '^kvs_[a-z_]+\{database="[^"]+"(,[a-z]+="[^"]*")*\} [0-9.]+(e[-+][0-9]+)?$' AND line <> '';
SELECT right(kvs.metrics(), 1) = E'\n' AS ends_with_a_line_feed;
-- A metric's lines stand together, HELP and TYPE first, and no sample comes twice.
SELECT count(*) > 0 AS metrics, bool_and(last - first + 1 = lines) AS together, bool_and(kinds = ARRAY['HELP', 'TYPE']) AS heads
FROM (SELECT name, min(n) AS first, max(n) AS last, count(*) AS lines, (array_agg(kind ORDER BY n))[1:2] AS kinds
      FROM (SELECT n, regexp_replace(substring(line FROM '^(?:# [A-Z]+ )?([a-z_]+)'), '_(bucket|sum|count)$', '') AS name,
                   coalesce(substring(line FROM '^# ([A-Z]+)'), 'sample') AS kind
            FROM regexp_split_to_table(kvs.metrics(), '\n') WITH ORDINALITY AS l(line, n) WHERE line <> '') AS l
      GROUP BY name) AS m;
SELECT sample, count(*) FROM (SELECT regexp_replace(line, ' [^ ]+$', '') AS sample
                              FROM regexp_split_to_table(kvs.metrics(), '\n') AS line WHERE line LIKE 'kvs%') AS s GROUP BY 1 HAVING count(*) > 1;
SELECT substring(kvs.metrics() FROM 'kvs_branches\{[^}]*\} (\d+)')::bigint = count(*) AS branches FROM kvs.branches;

RESET kvs.branch;
SELECT kvs.delete_branch('observe', true);
REVOKE ALL ON kvs.entries FROM regress_kvs_observe_reader;
DROP ROLE regress_kvs_observe_none, regress_kvs_observe_reader, regress_kvs_observe_monitor;

-- Parallel queries: what is labelled PARALLEL SAFE runs in workers, and beside them; what takes a snapshot of its own
-- keeps a query from being parallel.
SELECT kvs.create_branch('parallel', encode(_kvs.initial_commit(), 'hex')), kvs.switch_branch('parallel');
SELECT kvs.mput(array_agg('p:' || i), array_agg(to_jsonb(i))) FROM generate_series(1, 100) AS i;
SELECT kvs.commit('committed') IS NOT NULL AS committed;
SELECT kvs.put('p:1', '"uncommitted"');
CREATE TABLE parallel_rows WITH (parallel_workers = 2) AS SELECT g FROM generate_series(1, 100) AS g;
ANALYZE parallel_rows;
SET parallel_setup_cost = 0;
SET parallel_tuple_cost = 0;

-- How many rows a query yields, and whether it was planned for workers.
CREATE FUNCTION pg_temp.run(query text, OUT parallel boolean, OUT count bigint) LANGUAGE plpgsql AS $$
DECLARE
    plan text;
BEGIN
    EXECUTE 'EXPLAIN (FORMAT JSON) ' || query INTO plan;
    parallel := plan LIKE '%"Gather"%';
    EXECUTE format('SELECT count(q.*) FROM (%s) AS q', query) INTO count;
END
$$;
SELECT query, result.* FROM unnest(ARRAY[
    $$SELECT g FROM parallel_rows WHERE kvs.get('p:' || g) IS NOT NULL$$,
    $$SELECT g FROM parallel_rows WHERE kvs.get('p:' || g, as_of => 'HEAD') = to_jsonb(g)$$,
    $$SELECT g FROM parallel_rows WHERE kvs.get_version('p:' || g, 1) = to_jsonb(g)$$,
    $$SELECT g FROM parallel_rows LEFT JOIN kvs.check() AS c ON c.object = g::text AND c.severity = 'error'$$,
    $$SELECT (SELECT count(*) FROM kvs.check() WHERE severity = 'error') FROM parallel_rows WHERE g = 1$$
]) AS query, LATERAL pg_temp.run(query) AS result;

RESET parallel_setup_cost;
RESET parallel_tuple_cost;
DROP TABLE parallel_rows;
SELECT kvs.switch_branch('main');
SELECT kvs.delete_branch('parallel', force => true);

-- A document comes, changes and goes; at the end, tables follow. Whoever has subscribed, as examples/listener.c does with
--
--   listener 'user:#'
--
-- hears of each step in another session: the key, what it held before and holds now, its version, and when.
--
--   psql -f examples/reactive.sql
SELECT kvs.put('user:1', '{"name": "Ada", "born": 1815}', comment => 'she is here');
SELECT kvs.patch('user:1', '{"city": "London", "born": 1816}');
SELECT kvs.increment('user:1:visits', 1);
SELECT kvs.delete('user:1');
SELECT kvs.delete('user:1:visits');

-- The same can be read again at any time, from any position on.
SELECT kvs.wait_for();
SELECT pos & ((1::bigint << 48) - 1) AS n, operation, key, old_value, new_value, version
FROM kvs.events(0, 'user:#', NULL)
ORDER BY pos DESC LIMIT 5;

-- And as rows of a table that is bound to the keys, both ways: what is put becomes a row, what is inserted a document.
CREATE TABLE reactive_person (id int PRIMARY KEY, name text, city text);
SELECT kvs.bind_table('reactive', 'user:{id}', 'reactive_person', '{"id": "{id}", "name": "/name", "city": "/city"}', direction => 'both');
SELECT kvs.put('user:2', '{"name": "Grace", "city": "New York", "rank": "Rear Admiral"}');
INSERT INTO reactive_person VALUES (3, 'Mary', 'Naples');
UPDATE reactive_person SET city = 'London' WHERE id = 3;
DO $$
BEGIN
    PERFORM kvs.wait_for();
    FOR i IN 1 .. 500 LOOP
        EXIT WHEN (SELECT lag_events = 0 AND marks = 0 FROM kvs.bindings WHERE name = 'reactive');
        PERFORM pg_sleep(0.01);
    END LOOP;
END
$$;
SELECT * FROM reactive_person ORDER BY id;
SELECT key, version, value FROM kvs.entries WHERE key LIKE 'user:%' ORDER BY key;

-- Nothing is left, so that this can be run again.
SELECT kvs.unbind_table('reactive');
DROP TABLE reactive_person;
SELECT kvs.delete('user:2'), kvs.delete('user:3');

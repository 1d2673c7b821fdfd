-- A document comes, changes and goes. Whoever has subscribed, as examples/listener.c does with
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

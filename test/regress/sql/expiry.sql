-- Expiry is judged at the moment of each state: a commit's is when it was made, that of uncommitted work now.
SELECT kvs.create_branch('expiry'), kvs.switch_branch('expiry');

-- Two entries that are over when they are committed: one for a living key, one for a new key.
SELECT kvs.put('e:a', '1'), kvs.put('e:b', '1');
SELECT kvs.commit('living') IS NOT NULL AS made;
SELECT kvs.put('e:b', '2', ttl => '1ms'), kvs.put('e:c', '1', ttl => '1ms');
SELECT pg_sleep(0.01);
SELECT key, diff_type, from_version, to_version FROM kvs.status();
SELECT working_changes FROM kvs.branches WHERE name = 'expiry';
SELECT * FROM kvs.diff_stat();
-- The commit takes what is stored, and reads as it did before.
SELECT kvs.commit('over') IS NOT NULL AS made;
SELECT key, value FROM kvs.scan(as_of => 'HEAD~1');
SELECT key, value FROM kvs.scan(as_of => 'HEAD');
SELECT * FROM kvs.diff('HEAD~1', 'HEAD');
SELECT * FROM kvs.diff('HEAD', 'HEAD~1');
SELECT * FROM kvs.diff_stat('HEAD~1', 'HEAD');
SELECT * FROM kvs.show('HEAD');
SELECT message FROM kvs.log(pattern => 'e:b');
SELECT message FROM kvs.log(pattern => 'e:c');
SELECT * FROM kvs.status();

-- Written again where the head's entry was over: added.
SELECT kvs.put('e:b', '2'), kvs.put('e:c', '3');
SELECT key, diff_type FROM kvs.status();
SELECT key, diff_type, from_value, to_value FROM kvs.diff();
SELECT key, message FROM kvs.blame('e:#', 'WORKING');
SELECT kvs.commit('again') IS NOT NULL AS made;
SELECT key, diff_type, from_value, to_value FROM kvs.show('HEAD');

-- What is stored alike on both sides is no difference, also where it expired in between, and also where it was written
-- again: a flush does not change that.
SELECT kvs.put('e:d', '1', ttl => '0.5s') AS put, kvs.commit('expires soon') IS NOT NULL AS made,
       kvs.cas('e:d', 1, '2') AS changed, kvs.cas('e:d', 2, '1') AS changed_back;
SELECT key, diff_type, to_value FROM kvs.show('HEAD');
SELECT pg_sleep(0.5);
SELECT count(*) FROM kvs.scan('e:d');
SELECT * FROM kvs.diff();
SELECT kvs.flush() AS flushed;
SELECT * FROM kvs.diff();

-- A pre_commit hook sees the same.
CREATE FUNCTION expiry_hook(changes jsonb) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    RAISE NOTICE '%', jsonb_path_query_array(changes, '$.changes[*].key');
END $$;
SELECT kvs.reset('HEAD') IS NOT NULL AS reset;
SELECT kvs.add_hook('expiry', 'pre_commit', 'expiry_hook(jsonb)', 'h:#');
SELECT kvs.put('h:1', '1', ttl => '1ms'), kvs.put('h:2', '2');
SELECT pg_sleep(0.01);
SELECT kvs.commit('hooked') IS NOT NULL AS made;
SELECT kvs.put('h:3', '1', ttl => '1ms');
SELECT pg_sleep(0.01);
SELECT kvs.commit('nothing for the hook') IS NOT NULL AS made;
SELECT kvs.drop_hook('expiry');
DROP FUNCTION expiry_hook(jsonb);

-- Restore brings back what lived then and is not over now.
SELECT kvs.put('e:a', '9', ttl => '1ms') IS NOT NULL AS put;
SELECT pg_sleep(0.01);
SELECT kvs.restore('e:#', 'HEAD');
SELECT key, value, expires_at FROM kvs.scan('e:a');

SELECT kvs.switch_branch('main');
SELECT kvs.delete_branch('expiry', force => true);

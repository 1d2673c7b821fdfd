-- Privileges: what a role may do is granted on kvs.entries, and no path leads past it.
\set SHOW_CONTEXT never
CREATE ROLE regress_kvs_none;
CREATE ROLE regress_kvs_reader;
CREATE ROLE regress_kvs_writer;
CREATE ROLE regress_kvs_deleter;
CREATE ROLE regress_kvs_changer;
CREATE ROLE regress_kvs_all;
GRANT SELECT ON kvs.entries TO regress_kvs_reader;
GRANT INSERT, UPDATE ON kvs.entries TO regress_kvs_writer;
GRANT DELETE ON kvs.entries TO regress_kvs_deleter;
GRANT INSERT, UPDATE, DELETE ON kvs.entries TO regress_kvs_changer;
GRANT SELECT, INSERT, UPDATE, DELETE ON kvs.entries TO regress_kvs_all;

-- What happens to a statement that a role runs: yes, or the SQLSTATE. Nothing of it stays.
CREATE FUNCTION pg_temp.may(role text, statement text) RETURNS text LANGUAGE plpgsql AS $$
BEGIN
    EXECUTE format('SET LOCAL ROLE %I', 'regress_kvs_' || role);
    EXECUTE statement;
    RAISE SQLSTATE 'KVYES';
EXCEPTION
    WHEN SQLSTATE 'KVYES' THEN RETURN 'yes';
    WHEN OTHERS THEN RETURN SQLSTATE;
END
$$;

SELECT kvs.create_branch('priv', encode(_kvs.initial_commit(), 'hex'));
SET kvs.branch = 'priv';
SELECT kvs.put('secret:1', '{"n": 1}'), kvs.put('secret:2', '2'), kvs.put_bytes('secret:b', '\x01');
SELECT kvs.commit('first') IS NOT NULL AS committed;
SELECT root, hash FROM kvs.log(max_rows => 1) \gset
SELECT kvs.create_tag('priv-tag') IS NOT NULL AS tagged, kvs.create_branch('priv-other'), kvs.put('secret:1', '{"n": 2}'), kvs.flush();
SELECT kvs.put('secret:2', '3'), kvs.create_subscription('priv-sub') IS NOT NULL AS subscribed;

CREATE TABLE pg_temp.statements (n int GENERATED ALWAYS AS IDENTITY, kind text, statement text);
INSERT INTO pg_temp.statements (kind, statement) VALUES
    ('read', $$SELECT kvs.get('secret:1')$$), ('read', $$SELECT kvs.get('nobody')$$),
    ('read', $$SELECT * FROM kvs.get_entry('secret:1')$$), ('read', $$SELECT kvs.exists('secret:1')$$), ('read', $$SELECT kvs.get_bytes('secret:b')$$),
    ('read', $$SELECT * FROM kvs.mget('{secret:1}')$$), ('read', $$SELECT * FROM kvs.mget('{}')$$), ('read', $$SELECT * FROM kvs.scan()$$),
    ('read', $$SELECT * FROM kvs.scan('nothing')$$), ('read', $$SELECT * FROM kvs.keys()$$), ('read', $$SELECT * FROM kvs.find('#')$$),
    ('read', $$SELECT kvs.count_keys()$$), ('read', $$SELECT * FROM kvs.history('secret:1')$$), ('read', $$SELECT kvs.get_version('secret:1', 1)$$),
    ('read', $$SELECT kvs.create_payload('{"a": "secret:1"}')$$), ('read', $$SELECT * FROM kvs.entries$$),
    ('read', $$SELECT FROM kvs.entries WHERE key = 'nobody'$$), ('read', $$SELECT kvs.get('secret:1', as_of => 'priv-tag')$$),
    ('read', $$SELECT * FROM kvs.scan(as_of => 'HEAD~1')$$),
    ('inspect', $$SELECT * FROM kvs.status()$$), ('inspect', $$SELECT * FROM kvs.log()$$), ('inspect', $$SELECT * FROM kvs.show('HEAD')$$),
    ('inspect', $$SELECT * FROM kvs.diff()$$), ('inspect', $$SELECT * FROM kvs.diff_stat()$$), ('inspect', $$SELECT kvs.rev_parse('HEAD')$$),
    ('inspect', $$SELECT kvs.merge_base('priv', 'priv-other')$$), ('inspect', $$SELECT kvs.get_tag('priv-tag')$$),
    ('inspect', $$SELECT kvs.inspect_commit('HEAD')$$), ('inspect', $$SELECT kvs.inspect_tree('HEAD')$$),
    ('inspect', $$SELECT kvs.dump_object('$$ || :'root' || $$')$$), ('inspect', $$SELECT kvs.stats()$$), ('inspect', $$SELECT * FROM kvs.check()$$),
    ('inspect', $$SELECT * FROM kvs.branches$$), ('inspect', $$SELECT * FROM kvs.tags$$), ('inspect', $$SELECT * FROM kvs.snapshots$$),
    ('inspect', $$SELECT * FROM kvs.reflog$$), ('inspect', $$SELECT kvs.current_branch()$$), ('inspect', $$SELECT kvs.switch_branch('priv')$$),
    ('put', $$SELECT kvs.put('secret:3', '3')$$), ('put', $$SELECT kvs.put_bytes('secret:3', '\x03')$$),
    ('put', $$SELECT kvs.apply('[{"op": "put", "key": "secret:3", "value": 3}]')$$), ('read', $$SELECT kvs.apply('[{"op": "get", "key": "secret:1"}]')$$),
    ('delete', $$SELECT kvs.apply('[{"op": "delete", "key": "nobody"}]')$$),
    ('change', $$SELECT kvs.apply('[{"op": "increment", "key": "secret:2"}]')$$),
    ('put', $$SELECT kvs.mput('{secret:3}', '{3}')$$), ('put', $$SELECT kvs.mput('{}', '{}')$$),
    ('put', $$SELECT kvs.import('VALUES (''secret:3'', ''3''::jsonb)')$$),
    ('lock', $$SELECT kvs.lock('secret:#')$$), ('change', $$SELECT kvs.put_entry('secret:3', '3')$$),
    ('change', $$SELECT kvs.patch('secret:1', '{}')$$), ('change', $$SELECT kvs.json_patch('secret:1', '[]')$$),
    ('change', $$SELECT kvs.increment('secret:2')$$), ('change', $$SELECT kvs.cas('secret:2', 1, '5')$$), ('change', $$SELECT kvs.touch('secret:2', NULL)$$),
    ('delete', $$SELECT kvs.delete('secret:1')$$), ('delete', $$SELECT kvs.delete('nobody')$$), ('delete', $$SELECT kvs.delete_prefix('secret:')$$),
    ('version', $$SELECT kvs.commit('by a role')$$), ('version', $$SELECT kvs.flush()$$),
    ('version', $$SELECT kvs.import('VALUES (''secret:3'', ''3''::jsonb)', message => 'by a role')$$), ('version', $$SELECT kvs.create_branch('priv-new')$$),
    ('version', $$SELECT kvs.delete_branch('priv-other', true)$$), ('version', $$SELECT kvs.rename_branch('priv-other', 'priv-else')$$),
    ('version', $$SELECT kvs.set_branch_option('priv-other', 'autocommit', 'transaction')$$),
    ('version', $$SELECT kvs.create_tag('priv-new')$$), ('version', $$SELECT kvs.delete_tag('priv-tag')$$),
    ('version', $$SELECT kvs.restore('#', 'HEAD')$$),
    ('closed', $$SELECT * FROM _kvs.chunk$$), ('closed', $$SELECT * FROM _kvs.working$$), ('closed', $$SELECT * FROM _kvs.change$$),
    ('closed', $$SELECT * FROM _kvs.branch$$), ('closed', $$SELECT * FROM _kvs.scan('', NULL, NULL, NULL, false, NULL, NULL)$$),
    ('closed', $$SELECT _kvs.working_changes(1)$$), ('closed', $$DELETE FROM _kvs.change$$), ('closed', $$SELECT nextval('_kvs.change_seq')$$),
    ('consume', $$SELECT kvs.create_subscription('priv')$$), ('consume', $$SELECT kvs.poll('priv-sub')$$),
    ('consume', $$SELECT kvs.ack_many('priv-sub', NULL)$$), ('consume', $$SELECT kvs.ack('priv-sub', 0)$$), ('consume', $$SELECT kvs.nack('priv-sub', 0)$$),
    ('consume', $$SELECT kvs.extend('priv-sub', '1s')$$), ('consume', $$SELECT kvs.park('priv-sub', 0, '')$$),
    ('consume', $$SELECT kvs.replay_parked('priv-sub')$$), ('consume', $$SELECT kvs.seek('priv-sub', 'end')$$),
    ('consume', $$SELECT kvs.drop_subscription('priv-sub')$$), ('consume', $$SELECT * FROM kvs.subscriptions$$), ('consume', $$SELECT * FROM kvs.parked$$),
    ('closed', $$SELECT * FROM _kvs.subscription_member$$), ('closed', $$SELECT * FROM _kvs.subscription_event$$),
    ('free', $$SELECT kvs.serialize_key('{a}', 'b')$$), ('free', $$SELECT kvs.parse_key('a:b')$$), ('free', $$SELECT kvs.data_hash('1')$$);
SELECT kind, statement, pg_temp.may('none', statement) AS none, pg_temp.may('reader', statement) AS "select", pg_temp.may('writer', statement) AS ins_upd,
       pg_temp.may('deleter', statement) AS "delete", pg_temp.may('changer', statement) AS ins_upd_del, pg_temp.may('all', statement) AS "all"
FROM pg_temp.statements WHERE statement !~ :'root' ORDER BY n;
SELECT pg_temp.may('none', statement) AS none, pg_temp.may('reader', statement) AS "select", pg_temp.may('changer', statement) AS ins_upd_del
FROM pg_temp.statements WHERE statement ~ :'root';
-- A flush that happens by itself asks for no more than the write that it follows.
SELECT pg_temp.may('writer', $$SELECT set_config('kvs.flush_rows', '1', true), kvs.put('secret:3', '3'), kvs.put('secret:4', '4')$$) AS flushes;
-- All that was rolled back: nothing has changed.
SELECT key, value, bytes, version FROM kvs.scan();
SELECT kvs.drop_subscription('priv-sub');

-- What the message says.
SET ROLE regress_kvs_none;
SELECT kvs.get('secret:1');
SELECT kvs.put('secret:1', '1');
SELECT * FROM kvs.entries;
SELECT * FROM kvs.branches;
SELECT kvs.commit('a');
-- An unknown branch, ref or key does not answer before the privilege is asked for.
SELECT pg_temp.may('none', $$SELECT kvs.get('a', 'nobody')$$) AS branch, pg_temp.may('none', $$SELECT kvs.get('a', as_of => 'nobody')$$) AS ref,
       pg_temp.may('none', $$SELECT kvs.rev_parse('nobody')$$) AS rev_parse, pg_temp.may('none', $$SELECT kvs.create_branch('priv')$$) AS taken,
       pg_temp.may('none', $$SELECT kvs.dump_object('ff')$$) AS object;
RESET ROLE;

-- A privilege is gone when it is revoked, and comes by membership and by PUBLIC as everywhere.
GRANT regress_kvs_reader TO regress_kvs_none;
SELECT pg_temp.may('none', $$SELECT kvs.get('secret:1')$$) AS member, pg_temp.may('none', $$SELECT kvs.put('secret:1', '1')$$) AS puts;
REVOKE regress_kvs_reader FROM regress_kvs_none;
SELECT pg_temp.may('none', $$SELECT kvs.get('secret:1')$$) AS no_member;
BEGIN;
GRANT SELECT ON kvs.entries TO PUBLIC;
SELECT pg_temp.may('none', $$SELECT kvs.get('secret:1')$$) AS public;
ROLLBACK;
SELECT pg_temp.may('none', $$SELECT kvs.get('secret:1')$$) AS rolled_back;
-- Some columns are not the store.
GRANT SELECT (key) ON kvs.entries TO regress_kvs_none;
SELECT pg_temp.may('none', $$SELECT kvs.exists('secret:1')$$) AS function, pg_temp.may('none', $$SELECT value FROM kvs.entries$$) AS value;
SET ROLE regress_kvs_none;
SELECT key FROM kvs.entries;
SELECT kvs.put('a', '1');
RESET ROLE;
REVOKE SELECT (key) ON kvs.entries FROM regress_kvs_none;
-- A prepared statement does not outlive the privilege.
SET ROLE regress_kvs_reader;
PREPARE read AS SELECT kvs.get('secret:2'), (SELECT count(*) FROM kvs.keys()) AS keys;
EXECUTE read;
RESET ROLE;
SET ROLE regress_kvs_none;
EXECUTE read;
RESET ROLE;
REVOKE SELECT ON kvs.entries FROM regress_kvs_reader;
SET ROLE regress_kvs_reader;
EXECUTE read;
RESET ROLE;
GRANT SELECT ON kvs.entries TO regress_kvs_reader;
DEALLOCATE read;

-- SECURITY DEFINER: the owner's privileges count, not the caller's.
GRANT CREATE ON SCHEMA public TO regress_kvs_reader, regress_kvs_none, regress_kvs_all;
SET ROLE regress_kvs_reader;
CREATE FUNCTION public.kvs_priv_read() RETURNS jsonb LANGUAGE sql SECURITY DEFINER AS $$ SELECT kvs.get('secret:2') $$;
CREATE FUNCTION public.kvs_priv_read_as_caller() RETURNS jsonb LANGUAGE sql AS $$ SELECT kvs.get('secret:2') $$;
CREATE VIEW public.kvs_priv_view AS SELECT key, value FROM kvs.entries WHERE key = 'secret:2';
CREATE VIEW public.kvs_priv_function_view AS SELECT key, value FROM kvs.scan('secret:2');
GRANT SELECT ON public.kvs_priv_view, public.kvs_priv_function_view TO regress_kvs_none;
RESET ROLE;
SET ROLE regress_kvs_all;
CREATE FUNCTION public.kvs_priv_write() RETURNS bigint LANGUAGE sql SECURITY DEFINER AS $$ SELECT kvs.put('secret:w', '1') $$;
RESET ROLE;
SET ROLE regress_kvs_none;
CREATE FUNCTION public.kvs_priv_none() RETURNS jsonb LANGUAGE sql SECURITY DEFINER AS $$ SELECT kvs.get('secret:2') $$;
SELECT public.kvs_priv_read();
SELECT public.kvs_priv_read_as_caller();
SELECT public.kvs_priv_write();
SELECT * FROM public.kvs_priv_view;
SELECT * FROM public.kvs_priv_function_view;
RESET ROLE;
SELECT public.kvs_priv_none();
SET ROLE regress_kvs_all;
SELECT public.kvs_priv_none();
SELECT * FROM public.kvs_priv_function_view;
RESET ROLE;
SELECT pg_temp.may('all', 'SELECT public.kvs_priv_none()') AS of_none, pg_temp.may('reader', $$SELECT public.kvs_priv_write()$$) AS of_all;
DROP VIEW public.kvs_priv_view, public.kvs_priv_function_view;
DROP FUNCTION public.kvs_priv_read(), public.kvs_priv_read_as_caller(), public.kvs_priv_write(), public.kvs_priv_none();

-- import runs its query as the caller: what the caller may not read does not come in.
CREATE TABLE public.kvs_priv_source (key text, value jsonb);
INSERT INTO public.kvs_priv_source VALUES ('secret:i', '"imported"');
SELECT pg_temp.may('all', $$SELECT kvs.import('TABLE public.kvs_priv_source')$$) AS not_granted;
GRANT SELECT ON public.kvs_priv_source TO regress_kvs_all;
SELECT pg_temp.may('all', $$SELECT kvs.import('TABLE public.kvs_priv_source')$$) AS granted,
       pg_temp.may('writer', $$SELECT kvs.import('SELECT key, value FROM kvs.scan()')$$) AS store,
       pg_temp.may('all', $$SELECT kvs.import('SELECT encode(hash, ''hex''), to_jsonb(1) FROM _kvs.commit')$$) AS base_tables;
DROP TABLE public.kvs_priv_source;

-- A function in the query or in the filter sees no row that its owner may not, and no count.
SET ROLE regress_kvs_none;
CREATE FUNCTION public.kvs_priv_leak(what text) RETURNS boolean LANGUAGE plpgsql IMMUTABLE COST 0.0000001 AS $$
BEGIN
    RAISE NOTICE 'leaked %', what;
    RETURN true;
END
$$;
SELECT name FROM kvs.branches WHERE public.kvs_priv_leak(name);
SELECT name FROM kvs.tags WHERE public.kvs_priv_leak(name);
SELECT branch FROM kvs.reflog WHERE public.kvs_priv_leak(operation);
SELECT branch FROM kvs.snapshots WHERE public.kvs_priv_leak(root);
SELECT key FROM kvs.entries WHERE public.kvs_priv_leak(key);
SELECT key FROM kvs.scan() WHERE public.kvs_priv_leak(key);
SELECT key FROM kvs.diff() WHERE public.kvs_priv_leak(key);
-- EXPLAIN neither runs a function of the store nor shows how much it holds.
EXPLAIN SELECT * FROM kvs.entries;
EXPLAIN (COSTS OFF) SELECT 1 WHERE kvs.get('secret:1') IS NOT NULL;
EXPLAIN ANALYZE SELECT * FROM kvs.scan();
EXPLAIN SELECT * FROM generate_series(1, 10) AS g WHERE g = kvs.count_keys();
RESET ROLE;
DROP FUNCTION public.kvs_priv_leak(text);

-- A foreign table of one's own shows nothing either, whoever made it.
SET ROLE regress_kvs_none;
CREATE FOREIGN TABLE public.kvs_priv_mine (key text, value jsonb) SERVER kvs;
RESET ROLE;
GRANT USAGE ON FOREIGN SERVER kvs TO regress_kvs_none, regress_kvs_reader;
SET ROLE regress_kvs_none;
CREATE FOREIGN TABLE public.kvs_priv_mine (key text, value jsonb) SERVER kvs;
SELECT * FROM public.kvs_priv_mine;
SELECT count(*) FROM public.kvs_priv_mine WHERE key = 'secret:2';
EXPLAIN SELECT * FROM public.kvs_priv_mine;
ANALYZE public.kvs_priv_mine;
SELECT reltuples <= 0 AS not_counted FROM pg_class WHERE oid = 'public.kvs_priv_mine'::regclass;
SELECT count(*) AS statistics FROM pg_stats WHERE tablename = 'kvs_priv_mine';
GRANT SELECT ON public.kvs_priv_mine TO regress_kvs_reader;
RESET ROLE;
SET ROLE regress_kvs_reader;
CREATE FOREIGN TABLE public.kvs_priv_theirs (key text, value jsonb) SERVER kvs;
SELECT key FROM public.kvs_priv_theirs;
GRANT SELECT ON public.kvs_priv_theirs TO regress_kvs_none;
RESET ROLE;
SET ROLE regress_kvs_none;
SELECT key FROM public.kvs_priv_theirs;
EXPLAIN SELECT key FROM public.kvs_priv_theirs;
RESET ROLE;
DROP FOREIGN TABLE public.kvs_priv_mine, public.kvs_priv_theirs;
REVOKE USAGE ON FOREIGN SERVER kvs FROM regress_kvs_none, regress_kvs_reader;

-- The session user's privileges do not help whom it has become; the author is the session user still.
SET SESSION AUTHORIZATION regress_kvs_all;
SELECT kvs.put('secret:author', '1');
SELECT modified_by FROM kvs.get_entry('secret:author');
RESET SESSION AUTHORIZATION;
SET ROLE regress_kvs_all;
SELECT kvs.put('secret:author', '2');
SELECT modified_by = session_user AS session_user, modified_by = current_user AS role FROM kvs.get_entry('secret:author');
RESET ROLE;
SELECT kvs.delete('secret:author');

-- Settings give no privilege.
SET ROLE regress_kvs_none;
SET kvs.as_of = 'priv-tag';
SELECT kvs.get('secret:1');
RESET kvs.as_of;
SET kvs.branch = 'priv-other';
SELECT kvs.get('secret:1');
SET kvs.branch = 'priv';
RESET ROLE;

REVOKE CREATE ON SCHEMA public FROM regress_kvs_reader, regress_kvs_none, regress_kvs_all;
REVOKE ALL ON kvs.entries FROM regress_kvs_reader, regress_kvs_writer, regress_kvs_deleter, regress_kvs_changer, regress_kvs_all;
DROP ROLE regress_kvs_none, regress_kvs_reader, regress_kvs_writer, regress_kvs_deleter, regress_kvs_changer, regress_kvs_all;
SELECT severity, type, detail FROM kvs.check() WHERE severity = 'error';

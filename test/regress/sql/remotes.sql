-- Remotes: what needs no second server. test/t/010_remotes.pl has two.
\set SHOW_CONTEXT never
SELECT kvs.create_branch('remotes', encode(_kvs.initial_commit(), 'hex'));
SET kvs.branch = 'remotes';
SELECT kvs.put('a', '1');
SELECT kvs.commit('first') IS NOT NULL AS committed;

-- Names and connection strings.
SELECT kvs.add_remote('origin', 'host=/nonexistent dbname=shop connect_timeout=2');
SELECT kvs.add_remote('service', 'service=headquarters passfile=/etc/kvs.pass');
SELECT name, conninfo, added_by = current_user AS mine FROM kvs.remotes ORDER BY name;
SELECT kvs.add_remote('origin', 'dbname=other');
SELECT kvs.add_remote('a/b', 'dbname=other');
SELECT kvs.add_remote('bundle', 'dbname=other');
SELECT kvs.add_remote('', 'dbname=other');
SELECT kvs.add_remote('a b', 'dbname=other');
SELECT kvs.add_remote(NULL, 'dbname=other');
-- Refs of a remote are called REMOTE/BRANCH, and no others are.
SELECT kvs.create_branch('origin/main');
SELECT kvs.create_tag('origin/v1');
SELECT kvs.create_branch('bundle/main');
SELECT kvs.create_branch('remotes-team/x'), kvs.rename_branch('remotes-team/x', 'origin/x');
SELECT kvs.create_branch('remotes-team/x');
SELECT kvs.add_remote('remotes-team', 'dbname=other');
SELECT kvs.delete_branch('remotes-team/x');
SELECT kvs.add_remote('null', NULL);
-- Secrets are not taken, nor shown again.
SELECT kvs.add_remote('secret', 'host=example.org password=hunter2');
SELECT kvs.add_remote('secret', 'postgresql://user:hunter2@example.org/shop');
SELECT kvs.add_remote('secret', 'host=example.org sslpassword=hunter2');
SELECT kvs.add_remote('secret', 'host=example.org pass word=hunter2');
SELECT kvs.add_remote('secret', 'postgresql://user:hunter2@[example.org/shop');
SELECT kvs.add_remote('unknown', 'foreign_server=nowhere');
SELECT count(*) FROM kvs.remotes;

-- Nothing is there to connect to.
\set VERBOSITY terse
SELECT * FROM kvs.fetch('origin');
SELECT * FROM kvs.push('origin', 'remotes');
SELECT * FROM kvs.pull('origin', 'remotes');
SELECT * FROM kvs.fetch('nowhere');
SELECT * FROM kvs.fetch(NULL);
SELECT * FROM kvs.fetch('origin', max_bytes => 0);
SELECT * FROM kvs.push('origin', 'nothing');
SELECT * FROM kvs.push('nowhere', 'remotes');
SELECT * FROM kvs.push('origin', NULL);
SELECT * FROM kvs.pull('origin', NULL);
SELECT * FROM kvs.clone('origin');
SELECT * FROM kvs.clone(NULL);
BEGIN READ ONLY;
SELECT kvs.add_remote('readonly', 'dbname=other');
ROLLBACK;
BEGIN READ ONLY;
SELECT * FROM kvs.fetch('origin');
ROLLBACK;
\set VERBOSITY default

SELECT kvs.drop_remote('service'), kvs.drop_remote('service');
SELECT kvs.drop_remote(NULL);

-- Who may: EXECUTE, which PUBLIC has not, and the privileges of a writer; connection strings are for superusers.
CREATE ROLE regress_kvs_remote;
SET ROLE regress_kvs_remote;
SELECT kvs.add_remote('mine', 'dbname=other');
SELECT * FROM kvs.fetch('origin');
SELECT * FROM kvs.remotes;
RESET ROLE;
GRANT EXECUTE ON FUNCTION kvs.add_remote, kvs.drop_remote, kvs.fetch, kvs.push, kvs.pull, kvs.clone TO regress_kvs_remote;
SET ROLE regress_kvs_remote;
SELECT kvs.add_remote('mine', 'dbname=other');
RESET ROLE;
GRANT SELECT, INSERT, UPDATE, DELETE ON kvs.entries TO regress_kvs_remote;
CREATE FOREIGN DATA WRAPPER regress_kvs_wrapper;
CREATE SERVER regress_kvs_server FOREIGN DATA WRAPPER regress_kvs_wrapper OPTIONS (host '/nonexistent', dbname 'shop', not_for_libpq '1');
CREATE USER MAPPING FOR regress_kvs_remote SERVER regress_kvs_server OPTIONS ("user" 'ada');
CREATE ROLE regress_kvs_keeper;
GRANT USAGE ON FOREIGN DATA WRAPPER regress_kvs_wrapper TO regress_kvs_keeper;
ALTER SERVER regress_kvs_server OWNER TO regress_kvs_keeper;
SET ROLE regress_kvs_remote;
SELECT kvs.add_remote('mine', 'service=headquarters');
SELECT kvs.add_remote('mine', 'foreign_server=regress_kvs_server');
RESET ROLE;
GRANT USAGE ON FOREIGN SERVER regress_kvs_server TO regress_kvs_remote;
SET ROLE regress_kvs_remote;
SELECT kvs.add_remote('mine', 'foreign_server=regress_kvs_server');
SELECT name, conninfo, added_by FROM kvs.remotes ORDER BY name;
-- Without a password of his own he would ride on what the server may reach.
SELECT * FROM kvs.fetch('mine');
RESET ROLE;
ALTER USER MAPPING FOR regress_kvs_remote SERVER regress_kvs_server OPTIONS (ADD password 'hunter2');
SET ROLE regress_kvs_remote;
\set VERBOSITY terse
SELECT * FROM kvs.fetch('mine');
RESET ROLE;
-- Without a mapping nobody; the server's words differ between its versions.
\set VERBOSITY sqlstate
SELECT * FROM kvs.fetch('mine');
\set VERBOSITY default
REVOKE USAGE ON FOREIGN SERVER regress_kvs_server FROM regress_kvs_remote;
SET ROLE regress_kvs_remote;
SELECT * FROM kvs.fetch('mine');
RESET ROLE;
-- Somebody else's server of that name is not the one that was added.
DROP SERVER regress_kvs_server CASCADE;
CREATE ROLE regress_kvs_attacker;
GRANT USAGE ON FOREIGN DATA WRAPPER regress_kvs_wrapper TO regress_kvs_attacker;
SET ROLE regress_kvs_attacker;
CREATE SERVER regress_kvs_server FOREIGN DATA WRAPPER regress_kvs_wrapper OPTIONS (host '/nonexistent', dbname 'attacker');
CREATE USER MAPPING FOR PUBLIC SERVER regress_kvs_server OPTIONS ("user" 'eve', password 'eve');
GRANT USAGE ON FOREIGN SERVER regress_kvs_server TO PUBLIC;
SET ROLE regress_kvs_remote;
SELECT * FROM kvs.push('mine', 'main');
SELECT kvs.drop_remote('mine');
RESET ROLE;
DROP OWNED BY regress_kvs_attacker, regress_kvs_keeper CASCADE;
DROP ROLE regress_kvs_attacker, regress_kvs_keeper;
DROP FOREIGN DATA WRAPPER regress_kvs_wrapper;

-- What other stores call. Readers may read.
REVOKE INSERT, UPDATE, DELETE ON kvs.entries FROM regress_kvs_remote;
SET ROLE regress_kvs_remote;
SELECT kvs_remote.protocol();
SELECT name, is_tag FROM kvs_remote.refs WHERE name = 'remotes';
SELECT head AS head FROM kvs_remote.refs WHERE name = 'remotes' \gset
SELECT root AS root FROM kvs.log('remotes') LIMIT 1 \gset
SELECT count(*) AS commits FROM kvs_remote.commits(ARRAY[:'head'::bytea], 10);
SELECT count(*) AS commits FROM kvs_remote.commits(ARRAY[:'head'::bytea], 1);
SELECT count(*) AS chunks FROM kvs_remote.chunks(ARRAY[decode(:'root', 'hex')]);
SELECT count(*) AS known FROM kvs_remote.known_commits(ARRAY[:'head'::bytea, sha256('nothing')]);
SELECT kvs_remote.missing_chunks(ARRAY[decode(:'root', 'hex'), sha256('nothing')]) = sha256('nothing') AS missing;
SELECT kvs_remote.receive_chunks('{}');
SELECT kvs_remote.receive_commits('{}');
SELECT kvs_remote.move_branch('remotes', :'head', false);
RESET ROLE;
REVOKE SELECT ON kvs.entries FROM regress_kvs_remote;
SET ROLE regress_kvs_remote;
SELECT * FROM kvs_remote.refs;
SELECT kvs_remote.commits('{}', 10);
SELECT kvs_remote.chunks('{}');
SELECT kvs_remote.known_commits('{}');
SELECT kvs_remote.missing_chunks('{}');
RESET ROLE;
REVOKE EXECUTE ON FUNCTION kvs.add_remote, kvs.drop_remote, kvs.fetch, kvs.push, kvs.pull, kvs.clone FROM regress_kvs_remote;
DROP ROLE regress_kvs_remote;

-- Nothing is believed.
\set VERBOSITY terse
SELECT kvs_remote.commits(ARRAY['\x01'::bytea], 10);
SELECT kvs_remote.commits(NULL, 10);
SELECT kvs_remote.receive_chunks(ARRAY['\x'::bytea]);
SELECT kvs_remote.receive_chunks(ARRAY['\x0001'::bytea]);
SELECT kvs_remote.receive_chunks(ARRAY['\x0201'::bytea]);
SELECT kvs_remote.receive_commits(ARRAY['\x01'::bytea]);
SELECT kvs_remote.move_branch('remotes', sha256('nothing'), true);
SELECT kvs_remote.move_branch('remotes', '\x01', true);
SELECT kvs_remote.move_branch('a b', _kvs.initial_commit(), false);
-- A blob may come unasked; what it hashes to is where it lies.
BEGIN;
SELECT kvs_remote.receive_chunks(ARRAY['\x0001ff616263'::bytea]);
SELECT count(*) FROM _kvs.chunk WHERE body = '\x0001ff616263' AND hash = sha256('kvs chunk'::bytea || '\x01ff616263');
SELECT kvs_remote.receive_chunks(ARRAY['\x0001ff616263'::bytea]);
ROLLBACK;
-- Commits whose trees or parents are not here.
CREATE FUNCTION pg_temp.commit(generation text, parent bytea, data_root bytea) RETURNS bytea LANGUAGE SQL AS $$
    SELECT decode('01' || generation || '01', 'hex') || parent || data_root
           || decode('5037e9b6f606dc953e0842179be209a0688defa83938822f3dc3520972216eb9', 'hex')
           || decode('00' || '0161' || '0162' || '0163' || repeat('00', 24), 'hex')
$$;
SELECT kvs_remote.receive_commits(ARRAY[pg_temp.commit('02', :'head', sha256('nothing'))]);
SELECT kvs_remote.receive_commits(ARRAY[pg_temp.commit('02', sha256('nothing'), decode(:'root', 'hex'))]);
\set VERBOSITY sqlstate
SELECT kvs_remote.receive_commits(ARRAY[pg_temp.commit('03', :'head', decode(:'root', 'hex'))]);
-- Parents come before their children.
SELECT kvs_remote.receive_commits(ARRAY[pg_temp.commit('03', sha256('kvs commit'::bytea || pg_temp.commit('02', :'head', decode(:'root', 'hex'))), decode(:'root', 'hex')),
                                        pg_temp.commit('02', :'head', decode(:'root', 'hex'))]);
\set VERBOSITY terse
BEGIN;
SELECT kvs_remote.receive_commits(ARRAY[pg_temp.commit('02', :'head', decode(:'root', 'hex'))]);
SELECT author, message FROM kvs.log(encode(sha256('kvs commit'::bytea || pg_temp.commit('02', :'head', decode(:'root', 'hex'))), 'hex')) LIMIT 1;
SELECT kvs_remote.move_branch('remotes', sha256('kvs commit'::bytea || pg_temp.commit('02', :'head', decode(:'root', 'hex'))), false) = :'head' AS moved;
SELECT n, operation FROM kvs.reflog WHERE branch = 'remotes' ORDER BY n LIMIT 1;
ROLLBACK;
\set VERBOSITY default

-- Contents too: whatever bit of a value is flipped, under an address that fits, it is refused or can be read.
SET kvs.compression_level = 0;
SELECT kvs.create_branch('remotes-forged', encode(_kvs.initial_commit(), 'hex'));
SELECT kvs.put('forged', '{"a": [1, -2.5, "x", "\u00e4", null, true, false, [], {}], "b": {"nested": 12345678901234567890.5}, "long name": ""}',
               branch => 'remotes-forged');
SELECT kvs.put('scalar', '12.5', branch => 'remotes-forged');
SELECT kvs.commit('to be forged', branch => 'remotes-forged') IS NOT NULL AS committed;
RESET kvs.compression_level;
CREATE FUNCTION pg_temp.forge(leaf bytea) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
    forged bytea := pg_temp.commit('01', _kvs.initial_commit(), sha256('kvs chunk'::bytea || leaf));
BEGIN
    PERFORM kvs_remote.receive_chunks(ARRAY['\x00'::bytea || leaf]);
    PERFORM kvs_remote.receive_commits(ARRAY[forged]);
    BEGIN
        PERFORM kvs.get(key, as_of => encode(sha256('kvs commit'::bytea || forged), 'hex'))::text
        FROM unnest('{forged,scalar}'::text[]) AS key;
    EXCEPTION
        WHEN SQLSTATE '42804' THEN NULL;  -- bytes by now
        WHEN OTHERS THEN
        RETURN 'not readable: ' || SQLSTATE || ' ' || SQLERRM;
    END;
    RAISE SQLSTATE 'KVYES';
EXCEPTION
    WHEN SQLSTATE 'KVYES' THEN RETURN 'read';
    WHEN SQLSTATE 'XX001' THEN RETURN 'refused';
END
$$;
SELECT pg_temp.forge(substr(body, 2)) AS as_it_is FROM _kvs.chunk WHERE hash = (SELECT decode(root, 'hex') FROM kvs.log('remotes-forged') LIMIT 1);
SELECT outcome, count(*) > 50 AS often
FROM _kvs.chunk AS c, generate_series(0, 8 * (length(c.body) - 1) - 1) AS bit,
     LATERAL (SELECT pg_temp.forge(set_bit(substr(c.body, 2), bit, 1 - get_bit(substr(c.body, 2), bit))) AS outcome) AS f
WHERE c.hash = (SELECT decode(root, 'hex') FROM kvs.log('remotes-forged') LIMIT 1)
GROUP BY outcome ORDER BY outcome;
SELECT kvs.delete_branch('remotes-forged', force => true);

-- Moves of a branch: forward, not over commits or uncommitted work, and with force never back in versions.
CREATE FUNCTION pg_temp.head(ref text) RETURNS bytea LANGUAGE SQL AS $$ SELECT decode(kvs.rev_parse(ref), 'hex') $$;
SELECT kvs.create_branch('remotes-old'), kvs.create_branch('remotes-new');
SELECT kvs.put('a', '2', branch => 'remotes-new'), kvs.put('b', '1', branch => 'remotes-new'), kvs.delete('a', branch => 'remotes-new');
SELECT kvs.commit('second', branch => 'remotes-new') IS NOT NULL AS committed;
SELECT kvs_remote.move_branch('remotes', pg_temp.head('remotes-new'), false) = pg_temp.head('remotes-old') AS moved;
SELECT kvs_remote.move_branch('remotes', pg_temp.head('remotes-new'), false) = pg_temp.head('remotes-new') AS stays;
SELECT key, value, version FROM kvs.scan();
SELECT count(*) FROM kvs.status();
SELECT kvs_remote.move_branch('remotes', pg_temp.head('remotes-old'), false);
SELECT kvs.put('c', '1');
SELECT kvs_remote.move_branch('remotes', pg_temp.head('remotes-old'), true) = pg_temp.head('remotes-new') AS moved;
SELECT key, value, version FROM kvs.scan();
SELECT count(*) FROM kvs.status();
SELECT n, operation, discarded_root IS NOT NULL AS discarded FROM kvs.reflog WHERE branch = 'remotes' ORDER BY n LIMIT 2;
SELECT version, op, value FROM kvs.history('a');
SELECT version, op, value FROM kvs.history('b');
-- b was at 1 and deleted at 2, c likewise: cas of a version that was seen before fails.
SELECT kvs.put('b', '2'), kvs.put('c', '2'), kvs.put('a', '3', expected_version => 4);
SELECT kvs_remote.move_branch('remotes', pg_temp.head('remotes-new'), false);
SELECT kvs.delete('b'), kvs.delete('c'), kvs.put('a', '1');
-- Clean, but ahead in versions: they stay ahead.
SELECT count(*) FROM kvs.status();
SELECT kvs_remote.move_branch('remotes', pg_temp.head('remotes-new'), false) = pg_temp.head('remotes-old') AS moved;
SELECT key, value, version FROM kvs.scan();
-- Work that was flushed and then taken back is none, also before the next flush.
SELECT kvs.put('e', '1') IS NOT NULL AS written, kvs.flush();
SELECT kvs.delete('e') AS taken_back;
SELECT kvs.put('d', '1', branch => 'remotes-new');
SELECT kvs.commit('third', branch => 'remotes-new') IS NOT NULL AS committed;
SELECT kvs_remote.move_branch('remotes', pg_temp.head('remotes-new'), false) IS NOT NULL AS moved;
SELECT key, value, version FROM kvs.scan();
SELECT kvs.put('a', '5'), kvs.put('c', '5');
SELECT severity, type, detail FROM kvs.check() WHERE severity = 'error';

SELECT kvs.drop_remote('origin');
RESET kvs.branch;

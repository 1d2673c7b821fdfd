-- Prepared transactions. Without max_prepared_transactions they all fail (the second expected file).
SELECT kvs.create_branch('prepared', encode(_kvs.initial_commit(), 'hex'));
SET kvs.branch = 'prepared';
SET kvs.author = 'tester';

-- The first write of a branch is prepared, and taken back: nothing is left.
BEGIN;
SELECT kvs.put('prep:1', '{"a": 1}');
PREPARE TRANSACTION 'kvs_regress_1';
SELECT kvs.exists('prep:1');
ROLLBACK PREPARED 'kvs_regress_1';
SELECT kvs.exists('prep:1'), (SELECT count(*) FROM kvs.history('prep:1')) AS history;

-- It is prepared, and committed: the history is whole.
BEGIN;
SELECT kvs.put('prep:1', '{"a": 2}');
SAVEPOINT s;
SELECT kvs.put('prep:1', '{"a": 3}');
ROLLBACK TO SAVEPOINT s;
SELECT kvs.put('prep:1', '{"a": 4}');
PREPARE TRANSACTION 'kvs_regress_2';
SELECT kvs.exists('prep:1');
-- Others write meanwhile, each their own keys.
SELECT kvs.put('prep:2', '1');
COMMIT PREPARED 'kvs_regress_2';
SELECT key, value, version FROM kvs.scan('prep:');
SELECT version, op, value, modified_by FROM kvs.history('prep:1');

-- A flush and a commit beside a prepared transaction leave its writes uncommitted work.
BEGIN;
SELECT kvs.put('prep:1', '{"a": 5}'), kvs.delete('prep:2'), kvs.put_bytes('prep:3', '\x03');
PREPARE TRANSACTION 'kvs_regress_3';
SET statement_timeout = '10s';
SELECT key, diff_type FROM kvs.status();
SELECT kvs.put('prep:4', '4'), kvs.flush();
SELECT kvs.commit('beside it') IS NOT NULL AS committed;
RESET statement_timeout;
-- What rewrites the branch waits for it, not for ever.
BEGIN;
SET LOCAL kvs.branch_lock_timeout = '20ms';
SELECT kvs.reset() IS NOT NULL AS done;
ROLLBACK;
BEGIN;
SET LOCAL lock_timeout = '10ms';
SELECT kvs.reset() IS NOT NULL AS done;
ROLLBACK;
SELECT key, value, version FROM kvs.scan('prep:');
SELECT key, diff_type FROM kvs.status();
COMMIT PREPARED 'kvs_regress_3';
SELECT key, diff_type FROM kvs.status();
SELECT kvs.commit('prepared') IS NOT NULL AS committed;
SELECT key, value, bytes, version FROM kvs.scan('prep:', as_of => 'HEAD');
SELECT version, op, value FROM kvs.history('prep:1');
SELECT version, op, value FROM kvs.history('prep:2');
-- A commit is prepared.
BEGIN;
SELECT kvs.put('prep:1', '{"a": 6}');
SELECT kvs.commit('in a prepared transaction') IS NOT NULL AS committed;
PREPARE TRANSACTION 'kvs_regress_4';
SELECT message FROM kvs.log(max_rows => 1);
COMMIT PREPARED 'kvs_regress_4';
SELECT message FROM kvs.log(max_rows => 1);
SELECT version, op, value FROM kvs.history('prep:1', 2);
-- Where each transaction is a commit a prepared one is, too; until it ends, others wait with theirs.
SELECT kvs.set_branch_option('prepared', 'autocommit', 'transaction');
BEGIN;
SELECT kvs.put('prep:5', '5', comment => 'prepared by itself');
PREPARE TRANSACTION 'kvs_regress_5';
SELECT kvs.exists('prep:5', as_of => 'HEAD');
BEGIN;
SET LOCAL lock_timeout = '20ms';
SELECT kvs.put('prep:6', '6') IS NOT NULL AS written;
COMMIT;
COMMIT PREPARED 'kvs_regress_5';
SELECT kvs.put('prep:6', '6', comment => 'behind it') IS NOT NULL AS written;
BEGIN;
SELECT kvs.put('prep:7', '7', comment => 'rolled back') IS NOT NULL AS written;
PREPARE TRANSACTION 'kvs_regress_6';
ROLLBACK PREPARED 'kvs_regress_6';
SELECT kvs.put('prep:8', '8', comment => 'behind that') IS NOT NULL AS written;
SELECT message FROM kvs.log(max_rows => 3);
SELECT key, diff_type FROM kvs.status();
SELECT severity, type, detail FROM kvs.check() WHERE severity = 'error';

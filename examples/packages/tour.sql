-- The guided tour of make demo, on the package index of this machine: psql -f tour.sql on a database with the staging
-- tables package_available and package_updates (scripts/demo.sh makes them). Needs nothing else.
\set ON_ERROR_STOP on
\set QUIET on
\pset pager off
\pset footer off
\pset linestyle unicode
\pset border 2
SET client_min_messages = warning;
CREATE EXTENSION IF NOT EXISTS kvs;
SET kvs.author = 'Ada <ada@example.org>';
\set QUIET off
\timing on

\echo
\echo '1. Load: one JSON document per package, straight into a committed tree'
\set ECHO queries
SELECT kvs.import('SELECT key, value FROM package_available', message => 'Debian package index') AS packages;
SELECT kvs.create_tag('release', message => 'as released');
\set ECHO none

\echo
\echo '   The store and everything in it, beside the same documents in a plain table with a primary key'
SELECT pg_size_pretty(pg_total_relation_size('_kvs.chunk')) AS kvs, pg_size_pretty(pg_total_relation_size('package_available')) AS plain_table;

\echo
\echo '2. A document: read it, change a part of it, look at what happened to it'
\set ECHO queries
SELECT kvs.get('pkg:openssl')->>'version' AS version, kvs.get('pkg:openssl')->'depends' AS depends;
SELECT kvs.patch('pkg:openssl', '{"reviewed": {"by": "Ada", "risk": 12345678901234567890.123456789}}', comment => 'security review') AS new_version;
SELECT version, op, value->'reviewed' AS reviewed, modified_by, comment FROM kvs.history('pkg:openssl');
SELECT key, diff_type FROM kvs.status();
SELECT left(kvs.commit('review openssl'), 12) AS commit;
\set ECHO none

\echo
\echo '3. A branch: the newer versions of the security and updates suites, away from main'
\set ECHO queries
SELECT kvs.create_branch('security', 'release');
SELECT kvs.switch_branch('security');
SELECT kvs.import('SELECT key, value FROM package_updates', message => 'newer versions') AS updated;
\set ECHO none

\echo
\echo '4. What is different, without reading what is equal'
\set ECHO queries
SELECT * FROM kvs.diff_stat('release', 'security');
SELECT key, from_value->>'version' AS released, to_value->>'version' AS newer
FROM kvs.diff('release', 'security', 'pkg:#') WHERE key ~ 'ssl|ssh|curl|^pkg:bash' ORDER BY key LIMIT 8;
\set ECHO none

\echo
\echo '5. The same SQL answers for the branch that the session is on'
\set ECHO queries
SELECT kvs.current_branch(), count(*) AS packages, sum((value->>'size')::bigint) AS bytes FROM kvs.entries WHERE key LIKE 'pkg:lib%';
SELECT kvs.switch_branch('main');
SELECT kvs.current_branch(), count(*) AS packages, sum((value->>'size')::bigint) AS bytes FROM kvs.entries WHERE key LIKE 'pkg:lib%';
EXPLAIN (COSTS OFF) SELECT key FROM kvs.entries WHERE key LIKE 'pkg:lib%' ORDER BY key DESC LIMIT 3;
\set ECHO none

\echo
\echo '6. Time travel: any commit, tag or moment, for one read or for the whole session'
\set ECHO queries
SELECT kvs.get('pkg:openssl') ? 'reviewed' AS now, kvs.get('pkg:openssl', as_of => 'release') ? 'reviewed' AS as_released;
SET kvs.as_of = 'release';
SELECT key, value ? 'reviewed' AS reviewed, version FROM kvs.entries WHERE key = 'pkg:openssl';
RESET kvs.as_of;
\set ECHO none

\echo
\echo '7. Writes are rows of this transaction: what is rolled back never happened'
\set ECHO queries
BEGIN;
SELECT kvs.delete_prefix('pkg:python3-') AS deleted;
SELECT kvs.count_keys('pkg:python3-') AS left_inside;
ROLLBACK;
SELECT kvs.count_keys('pkg:python3-') AS left_outside;
\set ECHO none

\echo
\echo '8. The history of the store, and the proof that it is whole'
\set ECHO queries
SELECT left(hash, 12) AS commit, left(root, 12) AS root, author, message FROM kvs.log();
SELECT name, left(head, 12) AS head, message, working_changes FROM kvs.branches ORDER BY name;
SELECT count(*) AS problems FROM kvs.check();
\set ECHO none

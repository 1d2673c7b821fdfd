# CREATE EXTENSION and DROP EXTENSION: refused where kvs cannot work, gone without a trace, and created again under
# the feet of sessions that have cached everything.

use strict;
use warnings FATAL => 'all';

use FindBin;
use lib "$FindBin::RealBin/lib";
use Kvs;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

my $node = new_node('main', bare => 1);

# Documents are UTF-8, so must the database be.
foreach my $encoding ('LATIN1', 'SQL_ASCII', 'EUC_JP')
{
    my $database = lc "in_$encoding";
    $node->safe_psql('postgres', "CREATE DATABASE $database TEMPLATE template0 ENCODING '$encoding' LOCALE 'C'");
    is(sqlstate_of($node, $database, 'CREATE EXTENSION kvs'), '0A000', "refused in $encoding");
    is($node->safe_psql($database, q(SELECT count(*) FROM pg_namespace WHERE nspname IN ('kvs', '_kvs'))),
        '0', "nothing is left in $encoding");
}

# Schemas of these names that are there already belong to somebody else.
foreach my $schema ('kvs', '_kvs')
{
    $node->safe_psql('postgres', "CREATE SCHEMA $schema");
    is(sqlstate_of($node, 'postgres', 'CREATE EXTENSION kvs'), '42P06', "refused beside a schema $schema");
    $node->safe_psql('postgres', "DROP SCHEMA $schema");
}
$node->safe_psql('postgres', 'CREATE ROLE nobody LOGIN');
is(sqlstate_of($node, 'postgres', 'SET ROLE nobody; CREATE EXTENSION kvs'),
    '42501', 'refused to who is not a superuser');

# It belongs to no schema that can go.
is(sqlstate_of($node, 'postgres', 'CREATE EXTENSION kvs SCHEMA public'), '0A000', 'refused in a schema');
$node->safe_psql('postgres', q(SET search_path = ''; CREATE EXTENSION kvs));
$node->safe_psql('postgres', q(SELECT kvs.put('k', '1'); DROP SCHEMA public CASCADE; CREATE SCHEMA public));
is($node->safe_psql('postgres', q(SELECT kvs.get('k'))), '1', 'the store outlives schema public');
is(sqlstate_of($node, 'postgres', 'ALTER EXTENSION kvs SET SCHEMA public'), '0A000', 'and cannot be moved there');
$node->safe_psql('postgres', 'DROP EXTENSION kvs');

my $everything = q(SELECT (SELECT count(*) FROM pg_namespace WHERE nspname IN ('kvs', '_kvs')),
    (SELECT count(*) FROM pg_proc WHERE probin ~ 'kvs'),
    (SELECT count(*) FROM pg_foreign_data_wrapper WHERE fdwname = 'kvs_fdw'),
    (SELECT count(*) FROM pg_class WHERE relnamespace::regnamespace::text IN ('kvs', '_kvs')),
    (SELECT count(*) FROM pg_type WHERE typnamespace::regnamespace::text IN ('kvs', '_kvs')));
my $none = '0|0|0|0|0';

# The whole life of a store in one session, again and again.
my $life = <<'SQL';
CREATE EXTENSION kvs;
SELECT kvs.get('k') IS NULL, kvs.put('k', '"a"'), kvs.put('l', '1'), kvs.increment('l');
SELECT kvs.commit('first') IS NOT NULL;
SELECT kvs.create_branch('side');
SELECT kvs.put('k', '"b"', branch => 'side');
SELECT kvs.switch_branch('side');
SELECT kvs.get('k'), kvs.get('k', branch => 'main'), kvs.count_keys();
SELECT kvs.switch_branch('main');
SELECT count(*) FROM kvs.entries;
SELECT kvs.import('SELECT ''i'' || i, to_jsonb(i) FROM generate_series(1, 2000) AS i');
SELECT key, diff_type FROM kvs.status() LIMIT 1;
SELECT count(*), count(DISTINCT log_id) FROM _kvs.store;
SELECT count(*) FROM kvs.history('l') WHERE log_id IN (SELECT log_id FROM _kvs.store);
SELECT * FROM kvs.check() WHERE severity = 'error';
DROP EXTENSION kvs;
SQL
my $lived = "t|1|1|2\nt\nside\n2\nside\n\"b\"|\"a\"|2\nmain\n2\n2000\ni1|added\n1|1\n2";
is($node->safe_psql('postgres', $life), $lived, 'a life');
is($node->safe_psql('postgres', $everything), $none, 'leaves nothing');
is($node->safe_psql('postgres', $life x 3), join("\n", ($lived) x 3), 'three lives in one session');

# Prepared statements and a session that was idle all the while.
my $other = $node->background_psql('postgres', on_error_stop => 0);
$node->safe_psql('postgres', 'CREATE EXTENSION kvs');
is($other->query(q(SELECT kvs.put('k', '1'), kvs.put('k', '2'))), '1|2', 'another session');
$other->query(q(PREPARE read AS SELECT kvs.get('k'); PREPARE write AS SELECT kvs.put('k', '3');
    PREPARE list AS SELECT count(*) FROM kvs.scan(); PREPARE entries AS SELECT count(*) FROM kvs.entries;));
$other->query(q(SELECT kvs.create_branch('side'); SELECT kvs.commit('m');));
$node->safe_psql('postgres', 'DROP EXTENSION kvs');
like(($other->query(q(SELECT kvs.put('k', '1'))))[1], qr/1/, 'fails without the extension');
$other->{stderr} = '';
$node->safe_psql('postgres', 'CREATE EXTENSION kvs');
is($other->query(q(SELECT kvs.get('k') IS NULL, kvs.count_keys())), 't|0', 'the other session sees the new store');
is($other->query(q(EXECUTE read)),    '',  'prepared read');
is($other->query(q(EXECUTE list)),    '0', 'prepared scan');
is($other->query(q(EXECUTE entries)), '0', 'prepared query of the table');
is($other->query(q(EXECUTE write)),   '1', 'prepared write: version 1');
is($other->query(q(SELECT count(*) FROM kvs.history('k') WHERE log_id IN (SELECT log_id FROM _kvs.store))),
    '1', 'it is in the log of the new store');
is($other->query(q(SELECT name FROM kvs.branches)), 'main', 'the branches are the new ones');
is($other->query(q(SELECT kvs.commit('new') IS NOT NULL)), 't', 'commit');
is($other->query(q(SELECT count(*) FROM kvs.log())), '2', 'log');

# Dropping is transactional as everything else.
is( $node->safe_psql('postgres', <<'SQL'), '2|1|3|4', 'DROP EXTENSION rolled back');
BEGIN;
SELECT kvs.put('k', '4') AS version \gset
DROP EXTENSION kvs;
CREATE EXTENSION kvs;
SELECT kvs.put('k', '4') AS new_version \gset
ROLLBACK;
SELECT kvs.put('k', '3') \gset
BEGIN;
SAVEPOINT s;
DROP EXTENSION kvs;
CREATE EXTENSION kvs;
SELECT kvs.put('k', 'null') \gset
ROLLBACK TO SAVEPOINT s;
SELECT kvs.put('k', '4') AS last \gset
COMMIT;
SELECT :version, :new_version, :last, kvs.get('k');
SQL
is($node->safe_psql('postgres',
    q(SELECT count(*) FROM kvs.history('k') WHERE log_id IN (SELECT log_id FROM _kvs.store))),
    '3', 'and all changes are in the one log');

# Whoever has put it in his way is asked first; a writer is waited for.
$node->safe_psql('postgres', 'CREATE VIEW mine AS SELECT key FROM kvs.entries');
is(sqlstate_of($node, 'postgres', 'DROP EXTENSION kvs'), '2BP01', 'refused where objects depend on it');
$other->query(q(BEGIN; SELECT kvs.put('open', '1')));
is(sqlstate_of($node, 'postgres',
    q(SET lock_timeout = '50ms'; DROP EXTENSION kvs CASCADE)), '55P03', 'waits for a writer');
$other->query(q(COMMIT));
$node->safe_psql('postgres', 'DROP EXTENSION kvs CASCADE');
is($node->safe_psql('postgres', $everything), $none, 'nothing is left');
$other->quit;

$node->stop;
check_log($node);

done_testing();

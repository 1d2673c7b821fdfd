# pg_dump and restore, in both formats: the same roots, hashes and histories, and a store that can be written on, as a
# log of its own.

use strict;
use warnings FATAL => 'all';

use FindBin;
use lib "$FindBin::RealBin/lib";
use Kvs;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

my $node = new_node('main');
my $dir  = PostgreSQL::Test::Utils::tempdir;
fill_store($node, 'postgres', number_of_rows(2_000, 200_000));
pack_store($node, 'postgres');
$node->safe_psql('postgres', q(CREATE ROLE reporting; GRANT SELECT ON kvs.entries TO reporting));
$node->safe_psql('postgres', <<'SQL');
CREATE ROLE keeper;
GRANT SELECT, INSERT, UPDATE, DELETE ON kvs.entries TO keeper;
GRANT EXECUTE ON FUNCTION kvs.add_hook TO keeper;
CREATE FUNCTION public.refuse(changes jsonb) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'refused by %', current_user;
END
$$;
SET ROLE keeper;
SELECT kvs.add_hook('guard', 'pre_commit', 'public.refuse(jsonb)', 'guarded:#');
SQL
my $before = fingerprint($node, 'postgres');

$node->command_ok([ 'pg_dump', '-Fc', '-f', "$dir/dump", 'postgres' ], 'pg_dump, custom format');
add_database($node, 'custom');
$node->command_ok([ 'pg_restore', '--exit-on-error', '-d', 'custom', "$dir/dump" ], 'pg_restore');

$node->command_ok([ 'pg_dump', '-f', "$dir/dump.sql", 'postgres' ], 'pg_dump, plain format');
add_database($node, 'plain');
$node->command_ok([ 'psql', '-Xq', '-v', 'ON_ERROR_STOP=1', '-o', '/dev/null', '-d', 'plain', '-f', "$dir/dump.sql" ],
    'psql on the dump');

add_database($node, 'parallel');
$node->command_ok([ 'pg_restore', '--exit-on-error', '--jobs=2', '-d', 'parallel', "$dir/dump" ],
    'pg_restore, two jobs');

# A store that was never written, and a dump of a dump.
add_store($node, 'empty');
$node->command_ok([ 'pg_dump', '-Fc', '-f', "$dir/empty", 'empty' ], 'pg_dump of an empty store');
add_database($node, 'empty_again');
$node->command_ok([ 'pg_restore', '--exit-on-error', '-d', 'empty_again', "$dir/empty" ],
    'pg_restore of an empty store');
is(fingerprint($node, 'empty_again'), fingerprint($node, 'empty'), 'an empty store stays one');
is($node->safe_psql('empty_again', q(SELECT kvs.put('first', '1'))), '1', 'and can be written');

$node->command_ok([ 'pg_dump', '-Fc', '-f', "$dir/again", 'custom' ], 'pg_dump of a restored store');
add_database($node, 'again');
$node->command_ok([ 'pg_restore', '--exit-on-error', '-d', 'again', "$dir/again" ], 'and pg_restore');

my $history = q(SELECT string_agg(version || coalesce('=' || value::text, ' ' || op), ', ') FROM kvs.history('%s'));
foreach my $database ('custom', 'plain', 'parallel', 'again')
{
    is(fingerprint($node, $database), $before, "$database: everything is as it was");
    is($node->safe_psql($database, q(SELECT has_table_privilege('reporting', 'kvs.entries', 'SELECT'))),
        't', "$database: privileges");

    # Writing on: versions follow, also of keys that lie in the trees and of those that are deleted.
    is($node->safe_psql($database,
        q(SELECT kvs.put('doc:0000001', '"new"'), kvs.increment('counted'),
                 kvs.put('doc:0000004', '"new"', branch => 'feature'))),
        '2|3|3', "$database: versions follow");
    is($node->safe_psql($database, sprintf($history, 'counted')), '4=3, 3=2, 2=1, 1=0', "$database: history goes on");
    is($node->safe_psql($database,
        q(SELECT kvs.commit('after the restore') IS NOT NULL; SELECT count(*) FROM kvs.status())),
        "t\n0", "$database: commit");
    is($node->safe_psql($database,
        q(SELECT message FROM kvs.log() LIMIT 2)), "after the restore\nsecond", "$database: log");
    my (undef, undef, $refusal) = $node->psql($database, q(SELECT kvs.put('guarded:1', '1'), kvs.commit('refused')));
    like($refusal, qr/refused by keeper/, "$database: hooks, as who created them");
    is( $node->safe_psql($database, <<'SQL'), 't|t|t|t|t', "$database: a new log, which new changes carry");
WITH newest AS (SELECT * FROM _kvs.store ORDER BY epoch DESC LIMIT 1)
SELECT count(*) = (SELECT epoch FROM newest), count(DISTINCT log_id) = count(*),
       (SELECT database_oid = (SELECT oid::bigint FROM pg_database WHERE datname = current_database()) FROM newest),
       (SELECT bool_and((h.log_id = newest.log_id) = (h.version > 3)) FROM newest, kvs.history('counted') AS h),
       (SELECT first_seq > max(seq) FILTER (WHERE version <= 3)
        FROM newest, kvs.history('counted') AS h GROUP BY first_seq)
FROM _kvs.store
SQL
}
is(fingerprint($node, 'postgres'), $before, 'the original is as it was');
is($node->safe_psql('postgres', q(SELECT kvs.increment('counted'), (SELECT count(*) FROM _kvs.store))), '3|1',
    'and goes on in its own log');

# Equal contents have equal roots, wherever they are written.
my $root = q(SELECT kvs.put('same', '1') > 0, kvs.put('counted', '7') > 0, kvs.put('doc:0000001', '7') > 0;
    SELECT kvs.commit('the same') IS NOT NULL; SELECT root FROM kvs.log() LIMIT 1);
is($node->safe_psql('custom', $root), $node->safe_psql('plain', $root), 'roots stay equal');

finish($node, databases => [ 'postgres', 'custom', 'plain', 'parallel', 'again', 'empty_again' ]);

done_testing();

# The stream on a standby, after a promotion, and in a store that came from a dump: what was ordered keeps its position,
# what was not begins the next epoch, and a consumer that has seen more than this history has is told so.

use strict;
use warnings FATAL => 'all';

use FindBin;
use lib "$FindBin::RealBin/lib";
use Kvs;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

my $events = q(SELECT string_agg(format('%s:%s:%s', pos >> 48, pos & 1023, key), ' ' ORDER BY pos) FROM kvs.events(branch => '*'));

my $primary = new_node('primary', streaming => 1, preload => 1);
$primary->safe_psql('postgres', q(SELECT kvs.put('a', '1'); SELECT kvs.put('b', '1')));
$primary->safe_psql('postgres', 'SELECT kvs.wait_for()');
$primary->backup('backup');
my $standby = PostgreSQL::Test::Cluster->new('standby');
$standby->init_from_backup($primary, 'backup', has_streaming => 1);
$standby->start;

# It reads ticks, and computes none.
$primary->safe_psql('postgres', q(SELECT kvs.put('c', '1')));
$primary->safe_psql('postgres', 'SELECT kvs.wait_for()');
$primary->wait_for_catchup($standby);
is($standby->safe_psql('postgres', $events), '1:1:a 1:2:b 1:3:c', 'events on a standby');
is($standby->safe_psql('postgres', 'SELECT kvs.position() & 1023'), '3', 'the position on a standby');
is($standby->safe_psql('postgres', q(SELECT kvs.event(kvs.position())->>'key')), 'c', 'an event on a standby');
is($standby->safe_psql('postgres', q(SELECT state, lag FROM kvs.workers WHERE name = 'sequencer')), 'not running|0', 'no worker on a standby');
is(sqlstate_of($standby, 'postgres', q(SELECT kvs.events(wait => '1s'))), '0A000', 'a standby does not wait for events');
is(sqlstate_of($standby, 'postgres', 'SELECT kvs.wait_for()'), '0A000', 'nor for a position');
is(sqlstate_of($standby, 'postgres', q(SELECT kvs.subscribe('#'))), '25006', 'nobody subscribes on a standby');
is(sqlstate_of($standby, 'postgres', 'SELECT kvs.start_workers()'), '25006', 'nobody starts workers there');
is($standby->safe_psql('postgres', 'SELECT count(*) FROM kvs.events(kvs.position() + 5)'),
    '0', 'a position that the standby has not come to is none of another history');

# The standby stops where it is; the primary goes on: a change without a position, one with, and one that is prepared.
$primary->safe_psql('postgres', 'SELECT kvs.stop_workers()');
$primary->poll_query_until('postgres', q(SELECT state = 'stopped' FROM kvs.workers WHERE name = 'sequencer'));
$primary->safe_psql('postgres', q(SELECT kvs.put('unordered', '1')));
$primary->safe_psql('postgres', q(BEGIN; SELECT kvs.put('prepared', '1'); PREPARE TRANSACTION 'p'));
$primary->wait_for_catchup($standby);
$standby->stop;
$primary->safe_psql('postgres', 'SELECT kvs.start_workers()');
$primary->safe_psql('postgres', q(SELECT kvs.put('lost:1', '1'); SELECT kvs.put('lost:2', '1')));
is($primary->safe_psql('postgres', q(SELECT kvs.wait_for(timeout => '60s'))), 't', 'the old primary goes on');
my $token = $primary->safe_psql('postgres', 'SELECT kvs.position()');
is($primary->safe_psql('postgres', $events), '1:1:a 1:2:b 1:3:c 1:4:unordered 1:5:lost:1 1:6:lost:2', 'what a consumer there has seen');
$primary->stop('immediate');
$standby->start;
$standby->promote;
$standby->poll_query_until('postgres', 'SELECT NOT pg_is_in_recovery()');

# Stopped by the flag that came along; started, it goes on by itself.
is(sqlstate_of($standby, 'postgres', "SELECT kvs.events($token)"), 'KV003', 'a consumer beyond the fork, before the epoch has begun');
$standby->safe_psql('postgres', 'SELECT kvs.start_workers()');
$standby->poll_query_until('postgres', 'SELECT kvs.position() >> 48 = 2');
is($standby->safe_psql('postgres', $events), '1:1:a 1:2:b 1:3:c 2:1:unordered', 'what had no position begins the next epoch');
is(sqlstate_of($standby, 'postgres', "SELECT kvs.events($token)"), 'KV003', 'a consumer beyond the fork');
is(sqlstate_of($standby, 'postgres', "SELECT kvs.events($token - 3)"), '', 'one before it goes on');
$standby->safe_psql('postgres', q(COMMIT PREPARED 'p'));
$standby->safe_psql('postgres', q(SELECT kvs.put('d', '1')));
is($standby->safe_psql('postgres', q(SELECT kvs.wait_for(timeout => '60s'))), 't', 'the new primary goes on');
$standby->poll_query_until('postgres', q(SELECT count(*) = 6 FROM kvs.events()));
like($standby->safe_psql('postgres', $events), qr/^1:1:a 1:2:b 1:3:c 2:1:unordered 2:\d:(prepared 2:\d:d|d 2:\d:prepared)$/,
    'a transaction that was prepared before has its place, once');

# A dump, made while something has no position yet, in a database of another server.
$standby->safe_psql('postgres', 'SELECT kvs.stop_workers()');
$standby->poll_query_until('postgres', q(SELECT state = 'stopped' FROM kvs.workers WHERE name = 'sequencer'));
$standby->safe_psql('postgres', q(SELECT kvs.put('late', '1')));
my $dir = PostgreSQL::Test::Utils::tempdir;
$standby->command_ok([ 'pg_dump', '--format=custom', '--file', "$dir/dump", $standby->connstr('postgres') ], 'a dump');
my $other = new_node('other', preload => 1, bare => 1);
add_database($other, 'restored');
$other->command_ok([ 'pg_restore', '--dbname', $other->connstr('restored'), "$dir/dump" ], 'a restore');
# Many transactions, so that the numbers of this server are beyond those in the dump, and others below.
$other->safe_psql('restored', 'CREATE TABLE t (a int)');
$other->safe_psql('restored', 'INSERT INTO t VALUES (1)') foreach 1 .. 50;
$other->safe_psql('restored', q(SELECT kvs.put('new', '1')));
is($other->safe_psql('restored', q(SELECT kvs.wait_for(timeout => '60s'))), 't', 'the restored store has a sequencer');
$other->restart;
$other->safe_psql('restored', q(SELECT kvs.put('newer', '1')));
is($other->safe_psql('restored', q(SELECT kvs.wait_for(timeout => '60s'))), 't', 'also after a restart');
like($other->safe_psql('restored', $events),
    qr/^1:1:a 1:2:b 1:3:c 2:1:unordered 2:\d:\w+ 2:\d:\w+ 3:1:late 3:2:new 3:3:newer$/, 'each change once, and a third epoch');
is($other->safe_psql('restored', q(SELECT string_agg(DISTINCT coalesce(last_error, 'none'), ' ') FROM kvs.workers)), 'none', 'no errors');
check_store($other, 'restored');

done_testing();

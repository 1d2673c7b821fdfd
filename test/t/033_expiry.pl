# Entries that expire: each is deleted once, in the order in which they end, whatever becomes of the worker, of the server
# and of the store meanwhile.

use strict;
use warnings FATAL => 'all';

use FindBin;
use lib "$FindBin::RealBin/lib";
use Kvs;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;
use Time::HiRes qw(usleep);

my $node = new_node('main', preload => 1, streaming => 1, conf => "kvs.autogc = off\nautovacuum_naptime = 1s");

# How many entries that begin so have been deleted because they expired; the first argument is the server.
sub expired
{
    my ($server, $prefix, $database) = @_;
    return $server->safe_psql($database || 'postgres',
        "SELECT count(*) FROM kvs.events(0, max_rows => NULL, branch => '*') WHERE starts_with(key, '$prefix') AND op = 'expire'"
          . " AND operation = 'delete'");
}

sub maintenance_pid
{
    my ($server) = @_;
    return $server->safe_psql('postgres', "SELECT pid FROM kvs.workers WHERE name = 'maintenance'");
}

# Within a second, while nothing else happens.
$node->safe_psql('postgres', q(SELECT kvs.put('soon', '1', ttl => '300ms')));
wait_until('the first entry to expire', sub { expired($node, 'soon') == 1 });
my $delay = $node->safe_psql('postgres', q(SELECT extract(epoch FROM d.at - p.at) - 0.3 FROM kvs.events(0, 'soon') AS p, kvs.events(0, 'soon') AS d
    WHERE p.version = 1 AND d.version = 2));
cmp_ok($delay, '>=', 0, 'no entry is deleted before it ends');
cmp_ok($delay, '<',  1, "it is deleted within a second ($delay s)") unless $ENV{KVS_VALGRIND};

# Many at one moment and at many moments, while writers move some of the ends, and workers are killed.
my $rows = number_of_rows(20_000, 1_000_000);
$node->safe_psql('postgres', <<SQL);
DO \$\$ BEGIN
    FOR i IN 1 .. $rows / 2 LOOP PERFORM kvs.put('at-once:' || i, '1', ttl => timestamptz_pl_interval(now(), '3s') - clock_timestamp()); END LOOP;
    FOR i IN 1 .. $rows / 2 LOOP PERFORM kvs.put('in-turn:' || i, '1', ttl => (2000000 + (i * 7919) % 2000000) * interval '1 microsecond'); END LOOP;
END \$\$;
SQL
my $kills = 0;
wait_until(
    'all entries to expire',
    sub {
        my $done = expired($node, 'at-once') + expired($node, 'in-turn');
        if ($kills < 4 && $done > $kills * $rows / 5)
        {
            my $pid = maintenance_pid($node);
            if ($pid ne '')
            {
                $kills++;
                $kills % 2 ? $node->safe_psql('postgres', "SELECT pg_terminate_backend($pid)") : kill_backend($node, $pid);
            }
        }
        return $done == $rows;
    });
cmp_ok($kills, '>', 1, 'workers were killed meanwhile');
is( $node->safe_psql(
        'postgres',
        "SELECT count(*), count(DISTINCT key) FROM kvs.events(0, max_rows => NULL) WHERE op = 'expire' AND (key LIKE 'at-once%' OR key LIKE 'in-turn%')"),
    "$rows|$rows",
    'each once');
# An end is counted from a moment before that which the event tells.
is($node->safe_psql('postgres', <<'SQL'), 0, 'in the order in which they end');
WITH event AS (SELECT pos, key, operation, at FROM kvs.events(0, 'in-turn:+', max_rows => NULL)),
     ended AS (SELECT d.pos, (SELECT h.expires_at FROM (SELECT p.at + (2000000 + (split_part(p.key, ':', 2)::bigint * 7919) % 2000000) * interval '1 microsecond' AS expires_at) AS h) AS expires_at
               FROM event AS d JOIN event AS p ON p.key = d.key AND p.operation = 'set' WHERE d.operation = 'delete')
SELECT count(*) FROM (SELECT expires_at < lag(expires_at) OVER (ORDER BY pos) - interval '20 milliseconds' AS is_wrong FROM ended) AS o WHERE is_wrong;
SQL
is($node->safe_psql('postgres', 'SELECT count(*) FROM _kvs.expiry'), 0, 'nothing is left to be looked at');

# A session that has woken a worker before notices that it is gone.
my $session = $node->background_psql('postgres', on_error_stop => 1);
$session->query_safe(q(SELECT kvs.put('again', '1'), kvs.wait_for()));
foreach my $worker ('sequencer', 'maintenance', 'sequencer')
{
    $node->safe_psql('postgres', "SELECT pg_terminate_backend(pid, 10000) FROM kvs.workers WHERE name = '$worker'");
    $session->query_safe(q(SELECT kvs.put('again', '1', ttl => '100ms')));
    wait_until("the $worker to begin again", sub {
        return $node->safe_psql('postgres', "SELECT count(*) FROM kvs.workers WHERE pid IS NOT NULL") == 2; });
    wait_until('the entry to expire', sub { $node->safe_psql('postgres', q(SELECT op FROM kvs.history('again', 1))) eq 'expire' });
}
$session->quit;

# Who holds a key, or a branch, keeps nobody else from expiring, and is not waited for.
$node->safe_psql('postgres', q(SELECT kvs.create_branch('held'), kvs.put('held:key', '1', ttl => '500ms'), kvs.put('free:key', '1', ttl => '600ms'),
    kvs.put('held:branch', '1', ttl => '500ms', branch => 'held')));
my $writer = $node->background_psql('postgres', on_error_stop => 1);
$writer->query_safe(q(BEGIN; SELECT kvs.touch('held:key', '1 hour')));
$writer->query_safe(q(SELECT kvs.reset('HEAD', branch => 'held') IS NOT NULL));
wait_until('the free entry to expire', sub { expired($node, 'free:') == 1 });
is(expired($node, 'held:'), 0, 'what a transaction holds is left alone');
$writer->query_safe('ROLLBACK');
$writer->quit;
wait_until('the held ones to expire', sub { expired($node, 'held:') == 2 });

$node->safe_psql('postgres', 'SELECT kvs.stop_workers()');
wait_until('the workers to end', sub { $node->safe_psql('postgres', 'SELECT count(pid) FROM kvs.workers') == 0 });

# A store that was restored from a dump knows nothing, and looks for all.
$node->safe_psql('postgres', q(SELECT kvs.put('dumped:tree', '1', ttl => '1s'), kvs.put('dumped:lives', '1', ttl => '1 hour')));
$node->safe_psql('postgres', q(SELECT kvs.create_branch('dumped', 'WORKING')));
$node->safe_psql('postgres', q(SELECT kvs.put('dumped:row', '1', ttl => '1s')));
my $dump = $node->basedir . '/dump.sql';
$node->command_ok([ 'pg_dump', '--no-sync', '--file', $dump, 'postgres' ], 'dumped');
add_database($node, 'restored');
$node->command_ok([ 'psql', '-X', '-q', '-v', 'ON_ERROR_STOP=1', '-f', $dump, 'restored' ], 'restored');
$node->safe_psql('restored', 'SELECT kvs.start_workers()');
wait_until('the entries of the restored store to expire', sub { expired($node, 'dumped:', 'restored') == 3 });
is( $node->safe_psql(
        'restored',
        q(SELECT b.name, convert_from(e.key, 'UTF8') FROM _kvs.expiry AS e JOIN _kvs.branch AS b ON b.id = e.branch_id
          WHERE b.name IN ('dumped', 'main') ORDER BY b.name)),
    "dumped|dumped:lives\nmain|dumped:lives",
    'and the others are remembered');
is(expired($node, 'dumped:'), 0, 'in the other store the workers are stopped');
$node->safe_psql('postgres', 'SELECT kvs.start_workers()');
wait_until('its entries to expire', sub { expired($node, 'dumped:') == 3 });

# A standby hides them, and deletes them when it is promoted.
my $backup = 'backup';
$node->backup($backup);
my $standby = PostgreSQL::Test::Cluster->new('standby');
$standby->init_from_backup($node, $backup, has_streaming => 1);
$standby->start;
$node->safe_psql('postgres', q(SELECT kvs.put('promoted:1', '1', ttl => '3s'), kvs.put('promoted:2', '1', ttl => '2s')));
$node->safe_psql('postgres', 'SELECT kvs.wait_for()');
$node->wait_for_catchup($standby);
$node->stop('immediate');
usleep(2_500_000);
is($standby->safe_psql('postgres', q(SELECT kvs.get('promoted:2') IS NULL)), 't', 'a standby hides what has expired');
is($standby->safe_psql('postgres', q(SELECT count(*) FROM kvs.workers WHERE pid IS NOT NULL)), 0, 'and has no workers');
$standby->promote;
wait_until('the entries to expire on the new primary', sub { expired($standby, 'promoted:') == 2 });
is($standby->safe_psql('postgres', q(SELECT string_agg(key, ' ' ORDER BY pos) FROM kvs.events(0, 'promoted:+') WHERE operation = 'delete')), 'promoted:2 promoted:1', 'in order');
is($standby->safe_psql('postgres', q(SELECT count(*) FROM kvs.workers WHERE last_error IS NOT NULL)), 0, 'no worker has failed');
finish($standby);

# The clock is put forward and back. What has expired by it is gone; what has not by the clock as it is now lives, and ends by that.
my $clock = $node->basedir . '/clock';

sub put_clock
{
    my ($seconds) = @_;
    open(my $file, '+<', $clock) or die "$clock: $!";
    syswrite($file, pack('q', $seconds)) == 8 or die "$clock: $!";
    close($file);
    return;
}
append_to_file($clock, pack('q', 3600));
system_or_bail('cc', '-shared', '-fPIC', '-O1', '-o', "$clock.so", "$FindBin::RealBin/lib/clock.c");
my $wrong;
{
    local $ENV{LD_PRELOAD} = "$clock.so";
    local $ENV{KVS_CLOCK}  = $clock;
    $wrong = new_node('clock', preload => 1, conf => 'kvs.autogc = off');
}
cmp_ok($wrong->safe_psql('postgres', 'SELECT extract(epoch FROM clock_timestamp())') - time, '>', 3500, 'the clock is an hour ahead');
$wrong->safe_psql('postgres', q(SELECT kvs.put('clock:long', '1', ttl => '30 min'), kvs.put('clock:short', '1', ttl => '200ms'),
    kvs.create_branch('clock'), kvs.set_branch_option('clock', 'autocommit', '1s')));
wait_until('the short one to expire', sub { expired($wrong, 'clock:short') == 1 });
put_clock(0);
is($wrong->safe_psql('postgres', q(SELECT kvs.get('clock:short') IS NULL AND kvs.get('clock:long') IS NOT NULL)), 't', 'back: what is gone is gone');
$wrong->safe_psql('postgres', q(SELECT kvs.put('clock:later', '1', ttl => '200ms'), kvs.put('clock:long-2', '1', ttl => '100 min'), kvs.put('a', '1', branch => 'clock')));
wait_until('the next one to expire', sub { expired($wrong, 'clock:later') == 1 });
wait_until('a commit by the clock as it is now', sub { $wrong->safe_psql('postgres', q(SELECT message FROM kvs.log('clock', max_rows => 1))) eq 'autocommit' });
is(expired($wrong, 'clock:long'), 0, 'the long ones live');
put_clock(5500);
wait_until('the first long one to expire', sub { expired($wrong, 'clock:long') == 1 });
is($wrong->safe_psql('postgres', q(SELECT kvs.get('clock:long') IS NULL AND kvs.get('clock:long-2') IS NOT NULL)), 't', 'forth: the first long one is gone');
put_clock(0);
is($wrong->safe_psql('postgres', q(SELECT kvs.put('clock:long', '2', ttl => '200ms'))), 3, 'back again: it can be written');
wait_until('it to expire again', sub { expired($wrong, 'clock:long') == 2 });
is($wrong->safe_psql('postgres', q(SELECT string_agg(op || version, ' ' ORDER BY version) FROM kvs.history('clock:long'))), 'set1 expire2 set3 expire4', 'once each');
is($wrong->safe_psql('postgres', 'SELECT count(*) FROM kvs.workers WHERE last_error IS NOT NULL'), 0, 'no worker has failed');
finish($wrong);
check_log($node, allow => qr/terminated by signal|WARNING:/);
done_testing();

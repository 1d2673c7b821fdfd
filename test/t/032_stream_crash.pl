# Kills of the sequencer, of backends and of the whole server under load: the stream tells of each committed change once,
# of each transaction as a whole, in order, with no position missing or given twice.

use strict;
use warnings FATAL => 'all';

use FindBin;
use lib "$FindBin::RealBin/lib";
use IPC::Run;
use Kvs;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;
use Time::HiRes qw(usleep);

my $rounds = small_or_long(6, 200);
my $node   = new_node('main', preload => 1, conf => "kvs.autogc = off\nkvs.autotrain = off\nkvs.autorepack = off");
my $dir    = PostgreSQL::Test::Utils::tempdir;
$node->safe_psql('postgres', slurp_file("$FindBin::RealBin/../stress/stream_problems.sql"));

# What the clients do: several keys, savepoints, roll-backs, long transactions, imports that are one record.
append_to_file("$dir/short", <<'SCRIPT');
\set a random(1, 30)
\set b random(1, 30)
\set fate random(1, 5)
BEGIN;
SELECT stream.put('key:' || least(:a, :b));
SAVEPOINT s;
SELECT stream.put('key:' || greatest(:a, :b));
\if :fate = 1
ROLLBACK TO SAVEPOINT s;
\endif
\if :fate = 2
ROLLBACK;
\else
COMMIT;
\endif
SCRIPT
append_to_file("$dir/long", <<'SCRIPT');
\set a random(1, 30)
BEGIN;
SELECT stream.put('long:' || :a);
\sleep 30 ms
SELECT stream.delete('key:' || :a);
COMMIT;
SCRIPT
append_to_file("$dir/import", <<'SCRIPT');
BEGIN;
INSERT INTO stream.written (key) SELECT 'import:' || k FROM generate_series(1, 30) AS k;
SELECT kvs.import('SELECT key, to_jsonb(n) FROM stream.written WHERE xid = pg_current_xact_id()');
COMMIT;
SCRIPT

sub start_load
{
    local $ENV{PGOPTIONS} = '-c kvs.bulk_log_threshold=2 -c kvs.branch_lock_timeout=0';
    return IPC::Run::start(
        [ $node->installed_command('pgbench'), '--no-vacuum', '--client=4', '--jobs=1', '--time=600', '--max-tries=1000',
            '-f', "$dir/short\@8", '-f', "$dir/long\@1", '-f', "$dir/import\@1", $node->connstr('postgres') ],
        '>', "$dir/out", '2>', "$dir/err");
}

sub pid_of
{
    my ($what) = @_;
    return $node->safe_psql('postgres',
        "SELECT pid FROM pg_stat_activity WHERE backend_type = '$what' AND datname = 'postgres' AND pid <> pg_backend_pid() LIMIT 1");
}

my %killed = (sequencer => 0, backend => 0, server => 0);
for my $round (1 .. $rounds)
{
    my $load = start_load();
    usleep(300_000 + int(rand(700_000)));
    my $victim = (qw(sequencer backend server))[ $round % 3 ];
    if ($victim eq 'server')
    {
        $node->stop('immediate');
        $node->start;
        $killed{server}++;
    }
    else
    {
        my $pid = pid_of($victim eq 'sequencer' ? 'kvs sequencer' : 'client backend');
        $killed{$victim}++ if $pid && kill(0, $pid);
        kill_backend($node, $pid) if $pid;
    }
    $load->kill_kill;
}
cmp_ok($killed{$_}, '>', 0, "killed: $_") foreach sort keys %killed;

# A sequencer that is told to end is there again with the next write; without one nobody waits.
my $pid = pid_of('kvs sequencer');
$node->safe_psql('postgres', "SELECT pg_terminate_backend($pid, 60000)");
$node->safe_psql('postgres', q(SELECT stream.put('key:1')));
is($node->safe_psql('postgres', q(SELECT kvs.wait_for(timeout => '180s'))), 't', 'the sequencer catches up');
isnt(pid_of('kvs sequencer'), $pid, 'it is another process');

my $events = $node->safe_psql('postgres', 'SELECT stream.read(1000)');
cmp_ok($events, '>', 100 * $rounds, "there is something to look at: $events events");
is($node->safe_psql('postgres', 'SELECT * FROM stream.problems() LIMIT 20'), '', 'nothing is missing, twice, torn or out of order');
is($node->safe_psql('postgres', 'SELECT count(DISTINCT pos >> 48) FROM stream.event'), '1', 'a crash begins no epoch');
is( $node->safe_psql('postgres', q(SELECT coalesce(last_error, 'none') FROM kvs.workers WHERE name = 'sequencer')),
    'none', 'the sequencer has failed at nothing');
check_store($node, 'postgres');

# Positions stay what they are, whoever asks when.
my $before = $node->safe_psql('postgres', q(SELECT md5(string_agg(e::text, '' ORDER BY pos)) FROM stream.event AS e));
$node->restart;
$node->safe_psql('postgres', 'SELECT stream.read(777)');
is($node->safe_psql('postgres', q(SELECT md5(string_agg(e::text, '' ORDER BY pos)) FROM stream.event AS e)),
    $before, 'the stream reads the same after a restart');

# Who only reads wakes nobody, whatever its session did before. (The sequencer looks by itself every ten seconds.)
my $session = $node->background_psql('postgres');
$session->query_safe(q(SELECT kvs.put('key:1', '1'); SELECT kvs.wait_for(timeout => '60s')));
my $last_step = q(SELECT state_change FROM pg_stat_activity WHERE backend_type = 'kvs sequencer' AND datname = 'postgres');
my $slept;
for (my $try = 0; $try < 20 && !$slept; $try++)
{
    usleep(500000);
    my $step = $node->safe_psql('postgres', $last_step);
    $session->query_safe(q(SELECT kvs.get('key:1'))) foreach 1 .. 20;
    usleep(100000);
    $slept = $step eq $node->safe_psql('postgres', $last_step);
}
ok($slept, 'reads do not wake the sequencer');
$session->quit;

# The workers of a database end with it.
$node->safe_psql('postgres', 'CREATE DATABASE other TEMPLATE template0');
$node->safe_psql('other', 'CREATE EXTENSION kvs');
$node->safe_psql('other', q(SELECT kvs.put('a', '1')));
is($node->safe_psql('other', q(SELECT kvs.wait_for(timeout => '60s'))), 't', 'another database has a sequencer of its own');
$node->safe_psql('postgres', 'ALTER DATABASE other RENAME TO renamed');
# What sessions do by default is nothing to a worker.
$node->safe_psql('postgres', "ALTER DATABASE renamed SET default_transaction_read_only = on");
$node->safe_psql('postgres', "ALTER DATABASE renamed SET default_transaction_isolation = serializable");
$node->safe_psql('renamed', q(BEGIN READ WRITE; SELECT kvs.put('b', '1'); COMMIT));
is($node->safe_psql('renamed', q(SET default_transaction_isolation = 'read committed'; SELECT kvs.wait_for(timeout => '60s'))), 't', 'also under another name');
$node->safe_psql('postgres', 'CREATE DATABASE copy TEMPLATE renamed');
$node->safe_psql('copy', q(SELECT kvs.put('c', '1')));
is($node->safe_psql('copy', q(SELECT kvs.wait_for(timeout => '60s'))), 't', 'a copy has its own, too');
is( $node->safe_psql('copy', q(SELECT string_agg(format('%s:%s:%s', pos >> 48, pos & 1023, key), ' ' ORDER BY pos) FROM kvs.events())),
    '1:1:a 1:2:b 2:1:c', 'whose positions are of an epoch of their own');
$node->safe_psql('postgres', "DROP DATABASE $_") foreach qw(copy renamed);
pass('databases can be dropped while their sequencers run');

# An extension that is dropped under its sequencer, and one that is created anew, have nothing in common.
$node->safe_psql('postgres', 'CREATE DATABASE again TEMPLATE template0');
foreach my $round (1 .. 30)
{
    $node->safe_psql('again', 'DROP EXTENSION IF EXISTS kvs; CREATE EXTENSION kvs');
    # One of them is at work when it goes, the next one sleeps.
    my $wait = $round % 2 ? q(; SELECT kvs.wait_for(timeout => '60s')) : '';
    my $puts = join ';', map { "SELECT kvs.put('$round:$_', '1')" } 1 .. 5;
    $node->safe_psql('again', "$puts $wait");
}
$node->safe_psql('again', q(SELECT kvs.wait_for(timeout => '60s')));
is( $node->safe_psql('again', q(SELECT string_agg(format('%s:%s:%s', pos >> 48, pos & 1023, key), ' ' ORDER BY pos) FROM kvs.events())),
    join(' ', map { "1:$_:30:$_" } 1 .. 5), 'each begins its stream anew');
unlike(slurp_file($node->logfile), qr/deadlock detected/, 'no worker stands in the way of the one who drops it');

done_testing();

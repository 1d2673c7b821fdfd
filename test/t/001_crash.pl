# Kills of the server and of backends under load. With durability strict every write that was acknowledged is there
# after recovery, and no transaction is there by half; with durability async one may be gone, but not by half.

use strict;
use warnings FATAL => 'all';

use FindBin;
use lib "$FindBin::RealBin/lib";
use IPC::Run;
use Kvs;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

my $rounds  = small_or_long(2, 20);
my $writers = 3;
my $batch   = 20_000;    # transactions in the script of a writer

my $node = new_node('main', preload => 1);
my $dir  = PostgreSQL::Test::Utils::tempdir;
$node->safe_psql('postgres', q(SELECT kvs.create_branch('side')));

# The script of a writer. Its transactions are numbered; each writes its number into a key of its own and, on two
# branches, into a key that it writes every time, and acknowledges it. Some roll back to a savepoint.
sub writer_script
{
    my ($name, $first) = @_;
    my $script = '';
    for my $n ($first .. $first + $batch - 1)
    {
        $script .= "BEGIN;\nSELECT kvs.put('$name:entry:$n', '{\"n\": $n}');\n";
        if ($n % 3 == 0)
        {
            $script .= "SAVEPOINT s;\nSELECT kvs.put('$name:head', '\"rolled back\"');\n"
              . "SELECT kvs.put('$name:none:$n', '\"rolled back\"');\nROLLBACK TO SAVEPOINT s;\n";
        }
        $script .= "SELECT kvs.put('$name:head', '{\"n\": $n}');\n"
          . "SELECT kvs.patch('$name:head', '{\"n\": $n}', branch => 'side');\nCOMMIT;\n\\echo $n\n";
    }
    return $script;
}

# Starts psql on a script; what it acknowledges goes to a file, which is complete when psql has ended.
sub start_client
{
    my ($name, $script, $setting, @output) = @_;
    append_to_file("$dir/$name.sql", $script);
    local $ENV{PGOPTIONS} = $setting;
    return IPC::Run::start(
        [ $node->installed_command('psql'), '-XAtq', '-v', 'ON_ERROR_STOP=1', @output,
            '-d', $node->connstr('postgres'), '-f', "$dir/$name.sql" ],
        '>', "$dir/$name.acks", '2>', "$dir/$name.err");
}

sub acks
{
    my ($name) = @_;
    return split(/\n/, slurp_file("$dir/$name.acks"));
}

my @sync   = map { "sync$_" } 1 .. $writers;
my @async  = ('async');
my %next   = map { $_ => 1 } @sync, @async;
my @hashes = ();
my $killed = 0;

sub number_at_head
{
    my ($name) = @_;
    return $node->safe_psql('postgres', "SELECT coalesce((kvs.get('$name:head')->>'n')::int, 0)");
}

# All writers, with a flusher, a committer and an importer beside them.
sub start_load
{
    unlink glob "$dir/*";
    my @clients = ();
    foreach my $name (@sync, @async)
    {
        my $durability = $name eq 'async' ? 'async' : 'strict';
        push @clients,
          start_client($name, writer_script($name, $next{$name}), "-c kvs.durability=$durability", '-o', '/dev/null');
    }
    push @clients, start_client('flush', "SELECT kvs.flush();\nSELECT kvs.flush('side');\n" x $batch, '');
    push @clients,
      start_client('commit', "SELECT kvs.commit('under load');\n" x $batch, '-c client_min_messages=warning');
    push @clients,
      start_client(
        'import',
        join('',
            map { "SELECT kvs.import('SELECT ''import:'' || i, ''$_''::jsonb FROM generate_series(1, 20) AS i');\n" }
              1 .. $batch),
        '-c kvs.bulk_log_threshold=0 -c kvs.branch_lock_timeout=0');
    foreach my $name (@sync, @async)
    {
        wait_until("writer $name", sub { number_at_head($name) >= $next{$name} + 20 + int(rand(200)) });
    }
    return @clients;
}

# Compares what was acknowledged with what is there.
sub check_writes
{
    my ($round) = @_;
    my @problems = ();
    foreach my $name (@sync, @async)
    {
        my @acked = acks($name);
        my $acked = @acked ? $acked[-1] : $next{$name} - 1;
        my $n     = number_at_head($name);
        push @problems, "$name: number $n after $acked was acknowledged" if $name ne 'async' && $n < $acked;
        push @problems, "$name: number $n, but only $acked was acknowledged" if $n > $acked + 1;
        my $found = $node->safe_psql('postgres', <<SQL);
SELECT (kvs.get('$name:head', branch => 'side')->>'n')::int,
       (SELECT version FROM kvs.get_entry('$name:head')),
       (SELECT version FROM kvs.get_entry('$name:head', branch => 'side')),
       (SELECT count(*) FROM kvs.history('$name:head')),
       (SELECT count(DISTINCT version) FROM kvs.history('$name:head')),
       (SELECT count(*) FROM kvs.scan('$name:entry:')),
       (SELECT max((value->>'n')::int) FROM kvs.scan('$name:entry:')),
       $n + kvs.count_keys('$name:none:')
SQL
        push @problems, "$name: number $n, but elsewhere $found" if $found ne join('|', ($n) x 8);
        $next{$name} = $n + 1;
    }
    # A commit that found nothing to do has acknowledged nothing.
    push @hashes, grep { $_ ne '' } acks('commit');
    my $commits = $node->safe_psql('postgres', 'SELECT count(*) FROM kvs.log()');
    my $missing = $node->safe_psql('postgres',
        "SELECT count(*) FROM unnest(ARRAY['" . join("','", @hashes) . "']) AS a (hash) "
          . 'WHERE hash NOT IN (SELECT hash FROM kvs.log())');
    push @problems, "$missing acknowledged commits are missing" if @hashes && $missing != 0;
    my $imported = acks('import');
    my $import   = $node->safe_psql('postgres',
        q(SELECT count(*), min(value::int), max(value::int) FROM kvs.scan('import:')));
    push @problems, "$imported imports acknowledged, but there is $import"
      if $imported > 0 && !grep { $import eq "20|$_|$_" } $imported, $imported + 1;
    is(join("\n", @problems), '', "$round: every acknowledged write, and none by half");
    note(join(', ', map { "$_ " . ($next{$_} - 1) } @sync, @async) . ", commits $commits, imports $imported");
    check_store($node, 'postgres', "$round: kvs.check()");
    return;
}

# Kills the server. It is gone when its parent knows.
sub kill_server
{
    my ($postmaster) = slurp_file($node->data_dir . '/postmaster.pid') =~ /^(\d+)/;
    $node->kill9;
    wait_until('the server to go', sub { !kill(0, $postmaster) });
    return;
}

# The server comes up again, as soon as the last backend of its former life has gone.
sub start_again
{
    wait_until(
        'the server to start',
        sub {
            return 1 if $node->start(fail_ok => 1);
            $node->stop('fast', fail_ok => 1);
            return 0;
        });
    return;
}

for my $round (1 .. $rounds)
{
    my @clients = start_load();
    kill_server();
    $_->finish foreach @clients;
    start_again();
    check_writes("server killed, round $round");

    # A killed backend takes all sessions with it, and the server recovers by itself.
    @clients = start_load();
    my $victim = $node->safe_psql('postgres',
        q(SELECT pid FROM pg_stat_activity WHERE query ~ 'kvs' AND pid <> pg_backend_pid()
          ORDER BY random() LIMIT 1));
    kill_backend($node, $victim);
    $killed++;
    $_->finish foreach @clients;
    check_writes("backend killed, round $round");
}

# A prepared transaction outlives the crash; until it ends its key is held, and everything else goes on.
$node->safe_psql('postgres', <<'SQL');
SELECT kvs.put('prepared', '1');
BEGIN;
SELECT kvs.put('prepared', '2');
SELECT kvs.put('prepared new', '2');
PREPARE TRANSACTION 'writes';
SELECT kvs.put('other', '1');
SELECT kvs.commit('beside a prepared transaction');
SQL
kill_server();
start_again();
is($node->safe_psql('postgres', q(SELECT kvs.get('prepared'), kvs.get('prepared new') IS NULL, kvs.get('other'))),
    '1|t|1', 'prepared transaction: not there yet');
is(sqlstate_of($node, 'postgres', q(SET lock_timeout = '50ms'; SELECT kvs.put('prepared', '3'))),
    '55P03', 'prepared transaction: holds its key');
$node->safe_psql('postgres', q(SELECT kvs.flush()));
$node->safe_psql('postgres', q(COMMIT PREPARED 'writes'));
is($node->safe_psql('postgres', q(SELECT kvs.get('prepared'), kvs.get('prepared new'), kvs.put('prepared', '3'))),
    '2|2|3', 'prepared transaction: committed after the crash');
is($node->safe_psql('postgres', q(SELECT string_agg(version || '=' || value, ' ') FROM kvs.history('prepared'))),
    '3=3 2=2 1=1', 'prepared transaction: history');

finish($node, allow => qr/by signal 9: Killed|terminating connection because of crash of another server process/);
is(scalar(grep { /terminated by signal/ } split(/\n/, slurp_file($node->logfile))),
    $killed, 'no process died but those that were killed');

done_testing();

# Cancel, statement_timeout and terminate in the middle of import, commit, scan, diff and polls: an error, and nothing else.
# No crash, no leak, no damage; the next operation of the session works, and what was interrupted left no trace.

use strict;
use warnings FATAL => 'all';

use FindBin;
use lib "$FindBin::RealBin/lib";
use Kvs;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;
use Time::HiRes qw(usleep);

my $rows  = number_of_rows(200_000, 1_000_000);
my $dirty = int($rows / 20);

my $node = new_node('main', preload => 1, conf => "kvs.node_cache_size = 1MB\nkvs.flush_rows = 0\n");

my $import = "SELECT kvs.import('SELECT ''doc:'' || i, jsonb_build_object(''n'', i, ''text'', md5(i::text)) "
  . "FROM generate_series(1, $rows) AS i')";

# What is interrupted, and what it must not change: sum of all versions, HEAD, uncommitted rows.
my $state = q(SELECT count(*), sum(version), (SELECT head FROM kvs.branches WHERE name = 'main'),
    (SELECT count(*) FROM _kvs.working), (SELECT count(*) FROM _kvs.change) FROM kvs.scan());

my @operations = (
    [ 'import as a range record', $import ],
    [ 'import key by key',        "SET kvs.bulk_log_threshold = $rows; $import" ],
    [ 'commit',                   q(SELECT kvs.commit('all')) ],
    [ 'flush',                    q(SELECT kvs.flush()) ],
    [ 'scan',                     q(SELECT count(*) FROM kvs.scan()) ],
    [ 'entries',                  q(SELECT count(*) FROM kvs.entries WHERE value->>'n' <> 'x') ],
    [ 'diff',                     q(SELECT count(*) FROM kvs.diff('WORKING', 'empty')) ],
    [ 'count_keys',               q(SELECT kvs.count_keys('doc:')) ],
    [ 'keys',                     q(SELECT count(*) FROM kvs.keys('+:+')) ],
    [ 'check',                    q(SELECT count(*) FROM kvs.check()) ],
    [ 'delete_prefix',            q(SELECT kvs.delete_prefix('doc:1')) ],
    [ 'restore',                  q(SELECT kvs.restore('doc:*', 'empty')) ],
    [ 'repack',                   q(SELECT kvs.commit('all'); SELECT * FROM kvs.repack()) ],
    [ 'train_dictionaries',       q(SELECT * FROM kvs.train_dictionaries()) ],
    [ 'events',                   q(SELECT count(*) FROM kvs.events(max_rows => NULL)) ],
    [ 'events that never come',   q(SELECT count(*) FROM kvs.events(kvs.position(), 'nothing', wait => '1 min')) ],
    [ 'poll',                     q(SELECT count(*) FROM kvs.poll('all', max_rows => 1000000)) ],
    [ 'poll for nothing',         q(SELECT count(*) FROM kvs.poll('nothing', wait => '1 min')) ],
);

$node->safe_psql('postgres', q(SELECT kvs.create_branch('empty')));
$node->safe_psql('postgres', $import);
# So many uncommitted rows above the tree.
$node->safe_psql('postgres',
    "SELECT kvs.mput(array_agg('doc:' || i), array_agg('\"again\"'::jsonb)) FROM generate_series(1, $dirty) AS i");
$node->safe_psql('postgres', q(SELECT kvs.create_subscription('all', from_pos => 0), kvs.create_subscription('nothing', 'nothing')));
is($node->safe_psql('postgres', q(SELECT kvs.wait_for(timeout => '60s'))), 't', 'all of it is in the stream');
my $before = $node->safe_psql('postgres', $state);

my $admin = $node->background_psql('postgres');
$admin->set_query_timer_restart;

# Runs an operation in a session of its own and rolls it back; interrupts it so many microseconds after it has begun.
# Returns the SQLSTATE, or an empty string if it was finished before.
sub interrupt
{
    my ($sql, $how, $delay) = @_;
    my ($stdin, $stdout, $stderr) = ('', '', '');
    local $ENV{PGOPTIONS} = '-c client_min_messages=error';
    my $client = IPC::Run::start(
        [ $node->installed_command('psql'), '-XAtq', '-v', 'VERBOSITY=sqlstate',
            '-d', $node->connstr('postgres'), '-f', '-' ],
        '<', \$stdin, '>', \$stdout, '2>', \$stderr,
        IPC::Run::timeout($PostgreSQL::Test::Utils::timeout_default));
    $stdin .= "SELECT 'pid=' || pg_backend_pid();\n";
    $client->pump until $stdout =~ /pid=(\d+)\n/;
    my ($pid) = $stdout =~ /pid=(\d+)/;
    # The server's own time limit is as fine as a millisecond.
    $stdin .= 'SET statement_timeout = ' . (1 + int($delay / 1000)) . ";\n" if $how eq 'timeout';
    $stdin .= "BEGIN;\n$sql;\nROLLBACK;\nRESET statement_timeout;\n"
      . "SELECT 'next', kvs.get('doc:1'), kvs.put('after', '1') > 0;\n";
    if ($how ne 'timeout')
    {
        my $seen = "SELECT state = 'active' AND query ~ 'kvs' AND query !~ 'pid=' "
          . "FROM pg_stat_activity WHERE pid = $pid";
        $client->pump_nb while length $stdin;
        wait_until('the operation', sub { $client->pump_nb; $stdout =~ /next/ || $admin->query_safe($seen) eq 't' });
        usleep($delay);
        # Only while it runs, so that what comes after is not hit.
        my $function = $how eq 'cancel' ? 'pg_cancel_backend' : 'pg_terminate_backend';
        $admin->query_safe("SELECT $function(pid) FROM pg_stat_activity WHERE pid = $pid AND state = 'active' "
              . "AND query ~ 'kvs' AND query !~ 'next|pid='");
    }
    $client->finish;
    my ($code) = $stderr =~ /(?:ERROR|FATAL):\s+(\w{5})/;
    if ($how ne 'terminate')
    {
        like($stdout, qr/^next\|"again"\|t$/m, "$how: the next operation works") or diag($stderr);
    }
    return $code // '';
}

my %expected    = (timeout => '57014', cancel => '57014', terminate => '57P01');
my %interrupted = ();
foreach my $operation (@operations)
{
    my ($name, $sql) = @$operation;
    foreach my $how ('timeout', 'cancel', 'terminate')
    {
        # Later and later, until it was finished before, at most so many times.
        my %outcomes = ();
        my $limit    = small_or_long(4, 20);
        for (my $delay = 1_000; $limit-- > 0; $delay = int($delay * small_or_long(5, 1.7)))
        {
            my $code = interrupt($sql, $how, $delay);
            $outcomes{$code}++;
            last if $code eq '';
        }
        my @wrong = grep { $_ ne '' && $_ ne $expected{$how} } keys %outcomes;
        is("@wrong", '', "$name, $how: no other error than $expected{$how}");
        note("$name, $how: " . ($outcomes{ $expected{$how} } // 0) . ' interrupted');
        $interrupted{$how}++ if $outcomes{ $expected{$how} };
    }
}
foreach my $how ('timeout', 'cancel', 'terminate')
{
    cmp_ok($interrupted{$how} // 0, '>=', @operations / 2, "$how: has hit most operations");
}
$admin->quit;

# The writes after the interruptions apart, nothing has changed.
$node->safe_psql('postgres', q(DELETE FROM _kvs.working WHERE key = 'after'));
$node->safe_psql('postgres', q(DELETE FROM _kvs.change WHERE key = 'after'));
is($node->safe_psql('postgres', $state), $before, 'what was interrupted has left no trace');

# Inside a transaction a savepoint keeps the other work.
is( $node->safe_psql('postgres', <<SQL), "1|\"again\"", 'an interrupted statement takes nothing else with it');
BEGIN;
SELECT kvs.put('kept', '1') \\gset
\\set ON_ERROR_STOP 0
SAVEPOINT s;
SET LOCAL statement_timeout = 2;
SELECT count(*) FROM kvs.diff('WORKING', 'empty') \\gset
ROLLBACK TO SAVEPOINT s;
\\set ON_ERROR_STOP 1
COMMIT;
SELECT kvs.get('kept'), kvs.get('doc:1');
SQL

# Cursors that are left behind in the middle, by COMMIT, ROLLBACK and the end of the session.
foreach my $end ('COMMIT', 'ROLLBACK', 'CLOSE c; COMMIT', '')
{
    my $name = 'open cursors and ' . ($end || 'the end of the session');
    is($node->safe_psql('postgres', <<SQL), "doc:1\ndoc:1", $name);
BEGIN;
DECLARE c CURSOR FOR SELECT key FROM kvs.scan('doc:');
DECLARE d CURSOR FOR SELECT key FROM kvs.diff('empty', 'WORKING');
DECLARE e CURSOR FOR SELECT key FROM kvs.entries;
FETCH 1 FROM c;
FETCH 1 FROM d;
MOVE 1 FROM e;
$end;
SQL
}

finish($node);

done_testing();

# Branches that are committed by themselves: transactions that become commits, each one, whenever the server is killed; and
# the maintenance worker, which commits from time to time, and flushes what is old, whatever becomes of it, of the branch and
# of its commits.

use strict;
use warnings FATAL => 'all';

use FindBin;
use lib "$FindBin::RealBin/lib";
use Kvs;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;
use Time::HiRes qw(time usleep);

my $node = new_node('main', preload => 1, conf => "kvs.autogc = off\nkvs.autorepack = off");

sub query { my ($sql) = @_; return $node->safe_psql('postgres', $sql) }

sub commits { my ($branch) = @_; return query("SELECT count(*) FROM kvs.log('$branch', max_rows => NULL)") }

sub uncommitted { my ($branch) = @_; return query("SELECT working_changes FROM kvs.branches WHERE name = '$branch'") }

sub new_branch
{
    my ($branch, $setting) = @_;
    query("SELECT kvs.create_branch('$branch', encode(_kvs.initial_commit(), 'hex'))");
    query("SELECT kvs.set_branch_option('$branch', 'autocommit', '$setting')");
    return;
}

# Transactions of several sessions, among them such that are rolled back, or fail: whenever the server dies, each that is
# there is one commit.
new_branch('t', 'transaction');
my $script = $node->basedir . '/write.sql';
append_to_file($script, <<'SQL');
\set k random(1, 20)
\set l random(21, 40)
\set how random(1, 5)
BEGIN;
SELECT kvs.put('k:' || :k, to_jsonb(clock_timestamp()), branch => 't');
SAVEPOINT s;
SELECT kvs.put('l:' || :l, to_jsonb(clock_timestamp()), branch => 't');
\if :how = 1
ROLLBACK TO SAVEPOINT s;
\endif
\if :how = 2
ROLLBACK;
\else
COMMIT;
\endif
SQL
for my $round (1 .. small_or_long(3, 30))
{
    my $writers = IPC::Run::start(
        [ 'pgbench', '-n', '-c', 4, '-T', 60, '-f', $script, '-h', $node->host, '-p', $node->port, 'postgres' ],
        '>', \my $out, '2>', \my $err);
    my $before = commits('t');
    wait_until('some commits', sub { commits('t') > $before + 50 });
    if ($round % 2)
    {
        kill_backend($node, query("SELECT pid FROM pg_stat_activity WHERE backend_type = 'client backend' AND pid <> pg_backend_pid() LIMIT 1"));
    }
    else
    {
        $node->stop('immediate');
        $node->start;
    }
    $writers->finish;
    is(uncommitted('t'), 0, "round $round: nothing is uncommitted");
    is( query(q(SELECT count(DISTINCT xid) - (SELECT count(*) - 1 FROM kvs.log('t', max_rows => NULL)) FROM _kvs.change
                WHERE branch_id = (SELECT id FROM _kvs.branch WHERE name = 't'))),
        0, "round $round: each transaction is a commit");
}

# From time to time: not before there is a change, then once, and no more often than that.
new_branch('i', '1 second');
is(commits('i'), 1, 'a branch without changes has no commit');
query(q(SELECT kvs.put('a', '1', branch => 'i')));
wait_until('the commit', sub { commits('i') == 2 });
is(uncommitted('i'), 0, 'all is committed');
is(query(q(SELECT message, author FROM kvs.log('i', max_rows => 1))), 'autocommit|' . query('SELECT current_user'), 'by whom');
usleep(2_200_000);
is(commits('i'), 2, 'nothing changed, so there is no other');
my $begin = time;
while (time < $begin + 3)
{
    query("SELECT kvs.put('a', to_jsonb(clock_timestamp()), branch => 'i')");
    usleep(20_000);
}
my $made = commits('i') - 2;
cmp_ok($made, '>=', 2, "one each second ($made)");
cmp_ok($made, '<=', int(time - $begin) + 2, 'and no more');

# The worker is killed, the server dies, and what is uncommitted is committed still.
for my $signal ('TERM', 'KILL', 'immediate')
{
    query(q(SELECT kvs.put('a', to_jsonb(clock_timestamp()), branch => 'i')));
    my $pid = query(q(SELECT pid FROM kvs.workers WHERE name = 'maintenance'));
    if    ($signal eq 'immediate') { $node->stop('immediate'); $node->start; }
    elsif ($signal eq 'KILL')      { kill_backend($node, $pid); }
    else                           { query("SELECT pg_terminate_backend($pid, 10000)"); }
    query(q(SELECT kvs.put('b', to_jsonb(clock_timestamp()), branch => 'i')));
    wait_until("the commit after $signal", sub { uncommitted('i') eq 0 });
}

# An interval that is long: not at once; and when the server was down at its moment, as soon as there is a worker.
new_branch('long', '366 days');
query(q(SELECT kvs.put('a', '1', branch => 'long'), kvs.commit('young', branch => 'long'), kvs.put('a', '2', branch => 'long')));
new_branch('old', '366 days');
query(q(SELECT kvs.put('a', '1', branch => 'old')));
wait_until('the commit that was missed', sub { commits('old') == 2 });
is(commits('long'), 2, 'no moment was missed by a branch that was committed since');

# A commit that is refused is tried again with pauses, and holds up neither other branches nor what expires.
query(<<'SQL');
CREATE FUNCTION public.refuse(told jsonb) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    IF told->>'branch' IN ('refused', 'refused-2') OR told->'changes' @? '$[*] ? (@.key == "held" && @.diff_type == "removed")' THEN RAISE EXCEPTION 'not now'; END IF;
END $$;
SELECT kvs.add_hook('refuse', 'pre_commit', 'public.refuse(jsonb)');
SQL
new_branch($_, '1 second') for 'refused', 'refused-2';
my $offset = -s $node->logfile;
query(q(SELECT kvs.put('a', '1', branch => b) FROM unnest(ARRAY['refused', 'refused-2', 'i']) AS b));
query(q(SELECT kvs.put('ends', '1', ttl => '500ms')));
wait_until('the error', sub { query(q(SELECT last_error FROM kvs.workers WHERE name = 'maintenance')) =~ /could not commit branch "refused(-2)?": not now/ });
wait_until('the other commit', sub { uncommitted('i') eq 0 });
wait_until('the entry to expire', sub { query(q(SELECT op FROM kvs.history('ends', 1))) eq 'expire' });
$begin = time;
usleep(5_000_000);
my @tries = slurp_file($node->logfile, $offset) =~ /could not commit branch "refused": not now/g;
cmp_ok(scalar @tries, '>=', 2, 'it is tried again');
cmp_ok(scalar @tries, '<=', 6, 'with pauses');
is(commits('refused'), 1, 'there is no commit');
query(q(SELECT kvs.drop_hook('refuse')));
wait_until('the commits', sub { uncommitted('refused') eq 0 && uncommitted('refused-2') eq 0 });

# An entry that expires on a branch of commits: that is one, too. One whose commit is refused keeps no other from its end.
query(<<'SQL');
SELECT kvs.add_hook('refuse', 'pre_commit', 'public.refuse(jsonb)');
SELECT kvs.put('held', '1', ttl => '300ms', branch => 't'), kvs.put('free', '1', ttl => '400ms', branch => 't');
SQL
wait_until('the free entry to expire', sub { query(q(SELECT op FROM kvs.history('free', 1, branch => 't'))) eq 'expire' });
is(query(q(SELECT op FROM kvs.history('held', 1, branch => 't'))), 'set', 'the other is refused');
is(uncommitted('t'), 0, 'its end is a commit');
query(q(SELECT kvs.drop_hook('refuse')));

# Who flushes or commits by hand, and goes on, holds his branch; the others go on without it.
my $session = $node->background_psql('postgres', on_error_stop => 1);
query(q(SELECT kvs.put('ends', '1', ttl => '1500ms', branch => b) FROM unnest(ARRAY['t', 'main']) AS b));
$session->query_safe(q(BEGIN; SELECT kvs.flush(b) FROM unnest(ARRAY['t', 'i', 'refused']) AS b));
query(q(SELECT kvs.put('c', to_jsonb(clock_timestamp()), branch => b) FROM unnest(ARRAY['i', 'refused-2']) AS b));
wait_until('the free branch', sub { uncommitted('refused-2') eq 0 });
wait_until('the entry of the other branch', sub { query(q(SELECT op FROM kvs.history('ends', 1, branch => 'main'))) eq 'expire' });
is(uncommitted('i'), 1, 'the branch that is held waits');
is(query(q(SELECT op FROM kvs.history('ends', 1, branch => 't'))), 'set', 'and so does its entry');
$session->query_safe('COMMIT');
$session->quit;
wait_until('the held branch', sub { uncommitted('i') eq 0 });
wait_until('its entry', sub { query(q(SELECT op FROM kvs.history('ends', 1, branch => 't'))) eq 'expire' });

# Meanwhile the branch is renamed, deleted, or is to be committed no more, or sooner.
query(q(SELECT kvs.rename_branch('i', 'renamed'), kvs.put('a', '"renamed"', branch => 'renamed')));
wait_until('the renamed branch', sub { uncommitted('renamed') eq 0 });
query(q(SELECT kvs.delete_branch('renamed', force => true), kvs.set_branch_option('refused', 'autocommit', 'off')));
query(q(SELECT kvs.put('a', '"off"', branch => 'refused')));
query(q(SELECT kvs.set_branch_option('long', 'autocommit', '2 seconds')));
wait_until('the branch with the shorter interval', sub { uncommitted('long') eq 0 });
usleep(1_200_000);
is(uncommitted('refused'), 1, 'a branch is not committed any more');
is(query(q(SELECT count(*) FROM kvs.workers WHERE last_error NOT LIKE '%not now')), 0, 'nothing else has failed');

# A dump has the options.
my $options = q(SELECT name, autocommit FROM kvs.branches ORDER BY name);
my $dump    = $node->basedir . '/dump.sql';
$node->command_ok([ 'pg_dump', '--no-sync', '--file', $dump, 'postgres' ], 'dumped');
add_database($node, 'restored');
$node->command_ok([ 'psql', '-X', '-q', '-v', 'ON_ERROR_STOP=1', '-f', $dump, 'restored' ], 'restored');
is($node->safe_psql('restored', $options), query($options), 'the restored store has the same options');
$node->safe_psql('restored', q(SELECT kvs.put('a', '"restored"', branch => b) FROM unnest(ARRAY['t', 'refused-2']) AS b));
wait_until('a commit in the restored store', sub { $node->safe_psql('restored', q(SELECT sum(working_changes) FROM kvs.branches WHERE autocommit <> 'off')) == 0 });

# What is at rest is flushed, however little it is; what is written all the time is not, for long; and what a worker finds when
# it begins is.
sub flushed { my ($branch) = @_; return query("SELECT coalesce(sum(rows), 0) FROM kvs.snapshots WHERE branch = '$branch'") }
query(q(SELECT kvs.create_branch('aged'), kvs.put('age:1', '1', branch => 'aged'), kvs.put('age:2', '1', branch => 'aged')));
query('SELECT kvs.wait_for()');
wait_until('the worker to follow', sub { query(q(SELECT lag FROM kvs.workers WHERE name = 'maintenance')) eq 0 });
usleep(1_500_000);
is(flushed('aged'), 0, 'after 5 minutes only');
# It is followed before the setting changes, which makes the others due at once.
query(q(SELECT kvs.put('age:3', '1', branch => 'aged')));
query('SELECT kvs.wait_for()');
wait_until('the worker to follow', sub { query(q(SELECT lag FROM kvs.workers WHERE name = 'maintenance')) eq 0 });
$node->append_conf('postgresql.conf', 'kvs.flush_age = 1s');
$node->reload;
wait_until('the flush', sub { flushed('aged') == 3 });
$begin = time;
my ($written_at, $longest) = (Time::HiRes::time(), 0);
while (time < $begin + 4)
{
    query(q(SELECT kvs.put('age:' || i, '2', branch => 'aged') FROM generate_series(1, 2) AS i));
    usleep(100_000);
    my $now = Time::HiRes::time();
    ($written_at, $longest) = ($now, $longest > $now - $written_at ? $longest : $now - $written_at);
}
SKIP:
{
    skip 'the machine was too slow to write all the time', 1 if $longest > 0.8;
    is(flushed('aged'), 3, 'a branch that is written all the time is not flushed yet');
}
wait_until('the flush at rest', sub { flushed('aged') == 2 });
$node->append_conf('postgresql.conf', 'kvs.flush_age = -1');
$node->reload;
query(q(SELECT kvs.put('age:4', '1', branch => 'aged')));
usleep(1_500_000);
isnt(query(q(SELECT rows FROM kvs.snapshots WHERE branch = 'aged')), 1, 'and not at all');
$node->append_conf('postgresql.conf', 'kvs.flush_age = 1s');
$node->restart;
wait_until('the flush of what was there', sub { query(q(SELECT rows FROM kvs.snapshots WHERE branch = 'aged')) eq 1 });
is(query(q(SELECT kvs.count_keys('age:', branch => 'aged'))), 4, 'nothing is lost');

finish($node, databases => [ 'postgres', 'restored' ], allow => qr/terminated by signal|WARNING:/);
done_testing();

# Kills of the server in the middle of large merges, resets and rebases: afterwards the branch is as it was, or as it
# was to become, and the operation runs. A staged merge and its decisions survive a crash, a dump and a restore.

use strict;
use warnings FATAL => 'all';

use FindBin;
use lib "$FindBin::RealBin/lib";
use IPC::Run;
use Kvs;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;
use Time::HiRes qw(time usleep);

my $keys   = number_of_rows(60_000, 500_000);
my $rounds = small_or_long(3, 20);
my $seed   = $ENV{KVS_SEED} || int(rand(1_000_000_000));
srand($seed);
note("KVS_SEED=$seed");

my $node = new_node('main', preload => 1);
my $dir  = PostgreSQL::Test::Utils::tempdir;

sub import_sql
{
    my ($branch, $from, $to, $value) = @_;
    return "SELECT kvs.import('SELECT ''key:'' || lpad(i::text, 7, ''0''), to_jsonb(''$value '' || i) "
      . "FROM generate_series($from, $to) AS i', branch => '$branch', message => '$value')";
}

# Both sides change half of the keys, and few keys both; ours and theirs are what all rounds begin with.
my $half = int($keys / 2);
$node->safe_psql('postgres', join(";\n",
        q(SELECT kvs.create_branch('ours')),
        import_sql('ours', 1, $keys, 'base'),
        q(SELECT kvs.create_branch('theirs', 'ours')),
        import_sql('ours',   1,     $half, 'ours'),
        import_sql('theirs', $half, $keys, 'theirs')));

sub state_of
{
    my ($branch) = @_;
    return $node->safe_psql('postgres', <<SQL);
SELECT b.head, (SELECT count(*) FROM kvs.reflog WHERE branch = b.name),
       (SELECT md5(string_agg(s::text, ' ')) FROM kvs.scan(branch => b.name) AS s),
       (SELECT count(*) FROM kvs.status(b.name)), (SELECT count(*) FROM kvs.conflicts AS c WHERE c.branch = b.name)
FROM kvs.branches AS b WHERE name = '$branch'
SQL
}

# Contents, whatever the versions, times and hashes.
sub content_of
{
    my ($branch) = @_;
    return $node->safe_psql('postgres',
        "SELECT root, (SELECT count(*) FROM kvs.status('$branch')) FROM kvs.log('$branch', 1)");
}

# The processes whose parent a process is.
sub children
{
    my ($parent) = @_;
    my @children = ();
    foreach my $file (glob '/proc/[0-9]*/stat')
    {
        open(my $stat, '<', $file) or next;    # gone meanwhile
        my ($pid, $of) = (<$stat> // '') =~ /^(\d+) \(.*\) \w (\d+)/;
        push @children, $pid if defined $of && $of == $parent;
    }
    return @children;
}

# Lets a statement run for a while, kills the server, starts it again.
sub run_and_kill
{
    my ($sql, $seconds) = @_;
    my $client = IPC::Run::start(
        [ $node->installed_command('psql'), '-XAtq', '-d', $node->connstr('postgres'), '-c', $sql ],
        '>', "$dir/out", '2>', "$dir/err");
    usleep(1_000_000 * $seconds);
    my ($postmaster) = slurp_file($node->data_dir . '/postmaster.pid') =~ /^(\d+)/;
    my @backends = children($postmaster);
    $node->kill9;
    # Without it they would go on until they wait for something.
    kill 'KILL', @backends;
    wait_until('the server to go', sub { !grep { kill(0, $_) } $postmaster, @backends });
    $client->finish;
    $node->start;
    return -s "$dir/out";
}

my $merged;
my %operations = (
    merge  => q(SELECT commit FROM kvs.merge('theirs', target => 'work', strategy => 'ours')),
    reset  => q(SELECT kvs.reset('HEAD~1', branch => 'work')),
    rebase => q(SELECT count(*) FROM kvs.rebase('work', 'theirs', strategy => 'theirs')),
    stash  => q(SELECT kvs.stash(branch => 'work')),
);
foreach my $name (sort keys %operations)
{
    my $prepare = "SELECT kvs.create_branch('work', 'ours')";
    $prepare .= q(; SELECT kvs.import('SELECT key, to_jsonb(''work''::text) FROM kvs.scan(branch => ''work'')',
                                      branch => 'work'))
      if $name eq 'stash' || $name eq 'reset';
    my $remove = q(SELECT kvs.delete_branch('work', force => true); SELECT kvs.stash_drop(id) FROM kvs.stashes);

    # Undisturbed: how long it takes, and what comes out.
    $node->safe_psql('postgres', $prepare);
    my $before = content_of('work');
    my $start  = time();
    $node->safe_psql('postgres', $operations{$name});
    my $duration = time() - $start;
    my $after    = content_of('work');
    isnt($after, $before, "$name changes something");
    $node->safe_psql('postgres', $remove);

    my ($problems, $done) = ('', 0);
    foreach my $round (1 .. $rounds)
    {
        $node->safe_psql('postgres', $prepare);
        my $old  = state_of('work');
        my $acknowledged = run_and_kill($operations{$name}, $duration * rand(1.2));
        my $new  = state_of('work');
        if ($new eq $old)
        {
            $problems .= "$name was acknowledged and is gone\n" if $acknowledged;
            $node->safe_psql('postgres', $operations{$name});
        }
        else
        {
            $done++;
        }
        my $found = content_of('work');
        $problems .= "$name left $found, not $after\n" if $found ne $after;
        $node->safe_psql('postgres', $remove);
    }
    is($problems, '', "$name: all of it or nothing, $rounds kills");
    note("$name: $done of $rounds came through, " . sprintf('%.0f ms', 1000 * $duration));
    check_store($node, 'postgres', "$name: kvs.check()");
}

# A staged merge.
$node->safe_psql('postgres', q(SELECT kvs.create_branch('work', 'ours')));
$node->safe_psql('postgres', q(SELECT kvs.put('key:0000001', '"late"', branch => 'theirs'),
    kvs.put('key:0000002', '"late"', branch => 'theirs');
    SELECT kvs.commit('late', branch => 'theirs')));
$node->safe_psql('postgres', q(SELECT kvs.merge('theirs', target => 'work')));
$node->safe_psql('postgres', q(SELECT kvs.resolve('key:0000001', 'theirs', branch => 'work'),
    kvs.resolve('key:0000002', 'value', '"mine"', branch => 'work')));
$node->safe_psql('postgres', q(SELECT kvs.put('stashed', '1', branch => 'ours');
    SELECT kvs.stash('aside', branch => 'ours')));
$node->safe_psql('postgres', q(SELECT kvs.set_merge_policy('list:*', 'append')));
my $staged = q(SELECT c.* FROM kvs.conflicts AS c ORDER BY branch, key, path; SELECT * FROM kvs.stashes;
    SELECT * FROM kvs.merge_policies);
my $expected = $node->safe_psql('postgres', $staged);
is(scalar(split /\n/, $expected), 5, 'three conflicts are staged, a stash, a policy');
run_and_kill('SELECT pg_sleep(100)', 0.1);
is($node->safe_psql('postgres', $staged), $expected, 'and survive a crash');

my $dump = "$dir/dump";
$node->command_ok([ 'pg_dump', '-Fc', '-f', $dump, 'postgres' ], 'pg_dump');
$node->safe_psql('postgres', q(CREATE DATABASE restored TEMPLATE template0 ENCODING 'UTF8'));
$node->command_ok([ 'pg_restore', '--exit-on-error', '-d', 'restored', $dump ], 'pg_restore');
foreach my $database ('restored', 'postgres')
{
    is($node->safe_psql($database, $staged), $expected, "$database: the same is staged");
    is($node->safe_psql($database, q(SELECT kvs.resolve(key, 'ours', branch => 'work') FROM kvs.conflicts
        WHERE resolution IS NULL)),
        't', "$database: the third is decided");
    is($node->safe_psql($database, q(SELECT commit IS NOT NULL, conflicts FROM kvs.merge_continue(branch => 'work'))),
        't|0', "$database: merge_continue");
    is($node->safe_psql($database, <<SQL), qq("late"|"mine"|"ours $half"|"theirs $keys"), "$database: as decided");
SELECT kvs.get('key:0000001', branch => 'work'), kvs.get('key:0000002', branch => 'work'),
       kvs.get('key:' || lpad('$half', 7, '0'), branch => 'work'),
       kvs.get('key:' || lpad('$keys', 7, '0'), branch => 'work')
SQL
    is($node->safe_psql($database, q(SELECT merged FROM kvs.stash_pop((SELECT id FROM kvs.stashes), branch => 'ours');
        SELECT kvs.get('stashed', branch => 'ours'))), "1\n1", "$database: the stash is popped");
}

finish($node, databases => [ 'postgres', 'restored' ], allow => qr/terminated by signal/);
done_testing();

# Merging costs what was changed, not what is stored: how many chunks a new session without a shared cache reads to
# merge two branches with few disjoint changes, counted by the scans of the chunk table's index, for a store and for
# one that is twice as large.

use strict;
use warnings FATAL => 'all';

use FindBin;
use lib "$FindBin::RealBin/lib";
use Kvs;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

my $keys    = number_of_rows(200_000, 1_000_000);
my $changes = 100;

my $node = new_node('main');

# The scans that a statement needs in a session of its own.
sub scans_of
{
    my ($database, $sql) = @_;
    my $count = q(SELECT coalesce(pg_stat_get_numscans('_kvs.chunk_pkey'::regclass), 0));
    my $before = $node->safe_psql($database, $count);
    my $result = $node->safe_psql($database, "$sql;\nSELECT pg_stat_force_next_flush();\nSELECT 1");
    my $after  = $node->safe_psql($database, $count);
    return ($after - $before, (split /\n/, $result)[0]);
}

# A store of so many keys, with two branches that changed as many of them each, all over the store.
sub make_store
{
    my ($database, $size) = @_;
    add_store($node, $database);
    my $step = int($size / $changes / 2);
    $node->safe_psql($database, <<SQL);
SELECT kvs.import('SELECT ''key:'' || lpad(i::text, 8, ''0''), jsonb_build_object(''n'', i, ''text'', md5(i::text))
                   FROM generate_series(1, $size) AS i', message => 'import');
SELECT kvs.create_branch('theirs', 'HEAD');
SELECT kvs.patch('key:' || lpad((2 * i * $step + 1)::text, 8, '0'), '{"ours": true}')
FROM generate_series(0, $changes - 1) AS i;
SELECT kvs.patch('key:' || lpad(((2 * i + 1) * $step + 1)::text, 8, '0'), '{"theirs": true}', branch => 'theirs')
FROM generate_series(0, $changes - 1) AS i;
SELECT kvs.commit('ours'), kvs.commit('theirs', branch => 'theirs');
SELECT kvs.create_branch('rebased', 'theirs'), kvs.create_branch('reverted', 'theirs'),
       kvs.create_branch('behind', 'HEAD~1');
SQL
    return;
}

my %operations = (
    'preview_merge' => q(SELECT count(*) FROM kvs.preview_merge('theirs')),
    'merge'         => q(SELECT merged FROM kvs.merge('theirs')),
    'fast-forward'  => q(SELECT merged FROM kvs.merge('theirs', target => 'behind')),
    'rebase'        => q(SELECT count(*) FROM kvs.rebase('rebased', 'main@{1}')),
    'revert'        => q(SELECT count(kvs.revert('HEAD', branch => 'reverted'))),
    'reset'         => q(SELECT count(kvs.reset('HEAD~1', branch => 'reverted'))));
my %result = (
    'preview_merge' => 0, 'merge' => $changes, 'fast-forward' => $changes, 'rebase' => 1, 'revert' => 1, 'reset' => 1);

make_store('once',  $keys);
make_store('twice', 2 * $keys);
foreach my $name ('preview_merge', 'merge', 'fast-forward', 'rebase', 'revert', 'reset')
{
    my ($once, $first)   = scans_of('once',  $operations{$name});
    my ($twice, $second) = scans_of('twice', $operations{$name});
    is("$first $second", "$result{$name} $result{$name}", "$name does it");
    cmp_ok($once,  '>', 0,              "$name: scans of chunks are counted");
    cmp_ok($once,  '<', 20 * $changes,  "$name: chunks in proportion to the changes");
    cmp_ok($twice, '<', 1.5 * $once,    "$name: whatever the size of the store");
    note("$name of $changes changes on each side: $once chunks of $keys keys, $twice of " . 2 * $keys);
}

# Two ranges that one side each has made: taken over whole, whatever their size.
foreach my $database ('once', 'twice')
{
    my $size = $database eq 'once' ? $keys : 2 * $keys;
    $node->safe_psql($database, <<SQL);
SELECT kvs.create_branch('mine', 'HEAD'), kvs.create_branch('yours', 'HEAD');
SELECT kvs.import('SELECT ''mine:'' || lpad(i::text, 8, ''0''), jsonb_build_object(''n'', i, ''text'', md5(i::text))
                   FROM generate_series(1, $size) AS i', branch => 'mine', message => 'import');
SELECT kvs.import('SELECT ''yours:'' || lpad(i::text, 8, ''0''), jsonb_build_object(''n'', i, ''text'', md5(i::text))
                   FROM generate_series(1, $size) AS i', branch => 'yours', message => 'import');
SQL
}
foreach my $operation (q(SELECT count(*) FROM kvs.preview_merge('yours', target => 'mine')),
    q(SELECT merged FROM kvs.merge('yours', target => 'mine')))
{
    my ($once)          = scans_of('once',  $operation);
    my ($twice, $count) = scans_of('twice', $operation);
    note("$operation: $once chunks, $twice in a store of twice the size");
    cmp_ok($twice, '<', 1.2 * $once + 20, 'merging two large ranges costs their ends');
    is($count, $operation =~ /preview/ ? 0 : 2 * $keys, 'and counts them');
}

finish($node, databases => [ 'once', 'twice' ]);
done_testing();

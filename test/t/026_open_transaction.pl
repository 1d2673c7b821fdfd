# A transaction that somebody holds open costs the others nothing: what a flush has folded must not be met again, although
# nothing of it can be removed as long as that transaction may see it. Counted are the blocks that statements touch after
# bursts of puts with a commit behind each: beside a transaction of another database that has an identifier of its own,
# and beside a snapshot that is open in the same database. They must be those of a store with nobody beside.

use strict;
use warnings FATAL => 'all';

use FindBin;
use lib "$FindBin::RealBin/lib";
use Kvs;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

my $keys = number_of_rows(5_000, 100_000);

# Autovacuum would help where the transaction is in another database, sooner or later.
my $node = new_node('main', conf => 'autovacuum = off');
my $other = 'other';
add_database($node, $other);

my @steps = (
    [ commit => q(SELECT kvs.commit('one')) ],
    [ status => q(SELECT * FROM kvs.status()) ],
    [ scan   => q(SELECT * FROM kvs.scan('key:00001', max_rows => 100)) ],
    [ table  => q(SELECT * FROM kvs.entries WHERE key >= 'key:00001' ORDER BY key LIMIT 100) ],
    [ diff   => q(SELECT * FROM kvs.diff()) ],
    [ get    => q(SELECT count(kvs.get('key:' || lpad(i::text, 8, '0'))) FROM generate_series(1, 1000, 10) AS i) ],
    [ put    => q(SELECT count(kvs.put('key:' || lpad(i::text, 8, '0'), '"put"')) FROM generate_series(1, 1000, 10) AS i) ],
    [ flush  => q(SELECT kvs.flush()) ]);

# A store of its own for each case, so that none inherits anything.
sub make_store
{
    my ($database) = @_;
    add_store($node, $database);
    $node->safe_psql($database, <<SQL);
CREATE FUNCTION blocks(statement text) RETURNS bigint LANGUAGE plpgsql AS \$\$
DECLARE plan json;
BEGIN
    EXECUTE 'EXPLAIN (ANALYZE, BUFFERS, FORMAT JSON) ' || statement INTO plan;
    RETURN (plan -> 0 -> 'Plan' ->> 'Shared Hit Blocks')::bigint + (plan -> 0 -> 'Plan' ->> 'Shared Read Blocks')::bigint;
END \$\$;
SELECT kvs.import('SELECT ''key:'' || lpad(i::text, 8, ''0''), to_jsonb(i) FROM generate_series(1, $keys) AS i', message => 'base');
SQL
    return;
}

# Every key is written, and folded.
sub burst
{
    my ($database, $text) = @_;
    $node->safe_psql($database, <<SQL);
SELECT kvs.mput(array_agg('key:' || lpad(i::text, 8, '0')), array_agg('"$text"'::jsonb)) FROM generate_series(1, $keys) AS i;
SELECT kvs.commit('$text');
SQL
    return;
}

# The blocks of each step, in a session that has done them before. One key is changed for the commit.
sub measure
{
    my ($database) = @_;
    my $round = join("\n", q(SELECT kvs.put('key:00000007', '1');),
        map { my ($name, $sql) = @$_; "SELECT '$name', blocks(\$\$$sql\$\$);" } @steps);
    my $out = $node->safe_psql($database, "$round\n\\echo measured\n$round\nSELECT kvs.commit('measured')");
    my %blocks = $out =~ /measured.*/s ? $& =~ /^(\w+)\|(\d+)$/mg : ();
    return \%blocks;
}

sub measure_after_bursts
{
    my ($database, $bursts) = @_;
    burst($database, "burst $_") foreach 1 .. $bursts;
    return measure($database);
}

make_store('alone');
my $alone = measure_after_bursts('alone', 1);
is(scalar(keys %$alone), scalar(@steps), 'everything is counted');

my %cases = (
    'another database' => sub { return ($other,   'BEGIN; SELECT pg_current_xact_id() IS NOT NULL') },
    'a snapshot'       => sub { return ($_[0], q(BEGIN ISOLATION LEVEL REPEATABLE READ; SELECT kvs.get('key:00000007'))) });
my $n = 0;
foreach my $case (sort keys %cases)
{
    my $database = 'beside' . ++$n;
    make_store($database);
    my ($where, $begin) = $cases{$case}->($database);
    my $session = $node->background_psql($where);
    my $seen    = $session->query_safe($begin);
    foreach my $bursts (1, 3)
    {
        my $beside = measure_after_bursts($database, $bursts);
        foreach my $step (map { $_->[0] } @steps)
        {
            cmp_ok($beside->{$step}, '<=', 1.25 * $alone->{$step} + 20,
                "$case: $step after " . ($bursts == 1 ? 'a burst' : 'three more'));
        }
        note("$case, blocks of " . join(', ', map { "$_->[0] $beside->{$_->[0]} against $alone->{$_->[0]}" } @steps));
    }
    # What an old snapshot sees is its own.
    is($session->query_safe(q(SELECT kvs.get('key:00000007'))), $seen, "$case: it sees what it saw") if $where eq $database;
    is($session->query_safe(q(SELECT count(*) FILTER (WHERE value = to_jsonb(right(key, 8)::int)) FROM kvs.scan())),
        $keys, "$case: in every key") if $where eq $database;
    $session->query_safe('COMMIT');
    $session->quit;
}

# After a commit the epoch before is looked into in vain only until a session has learnt that nothing is there: the puts and
# gets of new keys touch what they touch in a store that has no older epoch.
make_store('older');
sub first_writes
{
    my ($from) = @_;
    my @ranges = map { my $start = $from + $_ * 100; "generate_series($start, " . ($start + 99) . ') AS i' } 0 .. 2;
    my $key = q('key:' || lpad(i::text, 8, '0'));
    my $blocks = $node->safe_psql('older', join("\n",
        "SELECT count(kvs.get($key)), count(kvs.put($key, '0')) FROM $ranges[0];",
        "SELECT blocks(\$\$SELECT count(kvs.put($key, '1')) FROM $ranges[1]\$\$);",
        "SELECT blocks(\$\$SELECT count(kvs.get($key)) FROM $ranges[2]\$\$);"));
    return (split /\n/, $blocks)[1, 2];
}
my ($put_before, $get_before) = first_writes(1001);
$node->safe_psql('older', q(SELECT kvs.commit('one')));
isnt($node->safe_psql('older', q(SELECT older_epochs FROM _kvs.branch WHERE name = 'main')), '', 'there is an older epoch');
my ($put_after, $get_after) = first_writes(2001);
cmp_ok($put_after, '<=', 1.1 * $put_before, 'a first put behind a commit');
cmp_ok($get_after, '<=', 1.1 * $get_before, 'a get behind a commit');
note("100 first puts: $put_before blocks, $put_after behind a commit; 100 gets: $get_before, $get_after");

finish($node, databases => [ 'alone', 'older', map { "beside$_" } 1 .. $n ]);
done_testing();

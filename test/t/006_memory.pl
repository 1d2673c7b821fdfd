# Backend memory is bounded: it does not grow with the documents that import, commit, scan, diff and the rest go
# through, beyond the node cache and a fixed allowance.

use strict;
use warnings FATAL => 'all';

use FindBin;
use lib "$FindBin::RealBin/lib";
use Kvs;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

my $rows      = number_of_rows(200_000, 1_000_000);
my $cache     = 16;                                   # MB
my $allowance = 64;                                   # MB
my $shared    = 16;                                   # MB of shared_buffers, which count once they are touched

my $node = new_node('main', conf => <<CONF);
shared_buffers = ${shared}MB
maintenance_work_mem = 16MB
work_mem = 4MB
max_wal_size = 2GB
kvs.node_cache_size = ${cache}MB
CONF

# The most memory that the session ever had, in kB.
$node->safe_psql('postgres', <<'SQL');
CREATE FUNCTION peak() RETURNS int LANGUAGE sql AS $$
    SELECT (regexp_match(pg_read_file('/proc/self/status'), 'VmHWM:\s+(\d+)'))[1]::int
$$
SQL

# Runs statements in one new session, and compares the most memory that it ever had with what it had at first.
sub grows_at_most
{
    my ($name, $limit, @statements) = @_;
    my $output = $node->safe_psql('postgres', join("\n",
            q(SELECT kvs.get('absent') \gset),
            q(SELECT peak() AS before \gset),
            (map { "$_ \\gset" } @statements),
            q(SELECT peak() AS after \gset),
            q(\echo :before :after)));
    my ($before, $after) = $output =~ /(\d+) (\d+)/;
    cmp_ok(($after - $before) / 1024, '<=', $limit, sprintf('%s: %.0f MB', $name, ($after - $before) / 1024));
    return;
}

my $limit = $cache + $allowance + $shared;
grows_at_most('import', $limit,
    "SELECT kvs.import('SELECT ''doc:'' || i, jsonb_build_object(''n'', i, ''text'', repeat(md5(i::text), 10)) "
      . "FROM generate_series(1, $rows) AS i')");
grows_at_most('commit', $limit, q(SELECT kvs.commit('all')));
$node->safe_psql('postgres', q(SELECT kvs.create_branch('empty', 'HEAD~1')));

is($node->safe_psql('postgres', q(SELECT count(*) FROM kvs.scan())), $rows, 'all are there');
grows_at_most('scan',            $limit, q(SELECT count(*), sum(length(value::text)) FROM kvs.scan()));
grows_at_most('scan, backwards', $limit, q(SELECT count(*) FROM kvs.scan(reverse => true)));
grows_at_most('entries',         $limit, q(SELECT count(*), sum(length(value::text)) FROM kvs.entries));
grows_at_most('keys',            $limit, q(SELECT count(*) FROM kvs.keys('doc:+')));
grows_at_most('diff',            $limit, q(SELECT sum(length(to_value::text)) FROM kvs.diff('empty', 'main')));
grows_at_most('diff_stat',       $limit, q(SELECT * FROM kvs.diff_stat('empty', 'main')));
grows_at_most('show',            $limit, q(SELECT count(*) FROM kvs.show('HEAD')));
grows_at_most('check',           $limit, q(SELECT count(*) FROM kvs.check()));
grows_at_most('inspect_tree',    $limit, q(SELECT length(kvs.inspect_tree('HEAD')::text)));
grows_at_most('import again',    $limit,
    "SELECT kvs.import('SELECT ''doc:'' || i, to_jsonb(-i) FROM generate_series(1, $rows, 2) AS i')");
grows_at_most('import elsewhere', $limit,
    "SELECT kvs.import('SELECT ''doc:'' || i, to_jsonb(i) FROM generate_series(1, $rows) AS i', branch => 'empty')");

# Key by key, with uncommitted work of so many rows.
my $few = int($rows / 5);
grows_at_most('put', $limit,
    "SELECT count(kvs.put('put:' || i, jsonb_build_object('n', i, 'text', repeat('x', 200)))) "
      . "FROM generate_series(1, $few) AS i");
grows_at_most('scan of uncommitted work', $limit, q(SELECT count(*) FROM kvs.scan()));
grows_at_most('status',        $limit, q(SELECT count(*) FROM kvs.status()));
grows_at_most('flush',         $limit, q(SELECT kvs.flush()));
grows_at_most('get',           $limit, "SELECT count(kvs.get('doc:' || i)) FROM generate_series(1, $few) AS i");
grows_at_most('restore',       $limit, q(SELECT kvs.restore('put:*', 'HEAD')));
grows_at_most('delete_prefix', $limit, q(SELECT kvs.delete_prefix('doc:1')));

# The same again and again in one session: nothing is left behind by a call.
grows_at_most('commits', $limit,
    q(SELECT count(kvs.commit(n::text))
      FROM (SELECT i, kvs.put('again', to_jsonb(i)) AS n FROM generate_series(1, 200) AS i) AS p));
grows_at_most('histories', $limit, <<'SQL');
DO $$
BEGIN
    FOR i IN 1 .. 200 LOOP
        PERFORM * FROM kvs.history('again');
    END LOOP;
END $$; SELECT 1 AS done
SQL
grows_at_most('errors', $limit, <<'SQL');
DO $$
BEGIN
    FOR i IN 1 .. 20000 LOOP
        BEGIN
            PERFORM kvs.put('again', '1', expected_version => 1000000);
        EXCEPTION WHEN SQLSTATE 'KV001' THEN
        END;
    END LOOP;
END $$; SELECT 1 AS done
SQL

# Operations that are cancelled give back what they had. Measured is memory of the session's own, once the node cache is
# full; between two looks the allocator may keep or have given back some MB.
my @cancelled = (
    q(SELECT count(*) FROM kvs.scan()),
    q(SELECT count(*) FROM kvs.diff('empty', 'main')),
    q(SELECT kvs.import($$SELECT 'new:' || i, to_jsonb(i) FROM generate_series(1, 100000) AS i$$)),
    q(SELECT kvs.delete_prefix('doc:2')),
    q(SELECT kvs.restore('doc:3*', 'empty')),
    q(SELECT count(*) FROM kvs.check()));
my $number = 0;
my $cancel_some = sub {
    return map {
        my $sql = $cancelled[ $number++ % @cancelled ];
        sprintf("SET statement_timeout = %d;\nBEGIN;\n%s;\nROLLBACK;\n", 2 + $number % 37, $sql)
    } 1 .. shift;
};
my $own = "RESET statement_timeout;\n"
  . q(SELECT 'own', (regexp_match(pg_read_file('/proc/self/status'), 'RssAnon:\s+(\d+)'))[1];) . "\n";
$node->psql('postgres',
    join('', "SELECT count(*) FROM kvs.scan();\n", $cancel_some->(60), $own, $cancel_some->(small_or_long(300, 6000)), $own),
    stdout => \my $looks, stderr => \my $errors, on_error_stop => 0);
my ($first, $last) = $looks =~ /^own\|(\d+)$/mg;
my $count = () = $errors =~ /canceling statement/g;
cmp_ok($count, '>=', small_or_long(150, 3000), "cancelled: $count");
cmp_ok(($last - $first) / 1024, '<=', 16, sprintf('cancelled operations: %.0f MB', ($last - $first) / 1024));

finish($node);

done_testing();

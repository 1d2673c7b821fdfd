# Equal contents have one root, whatever their way into the store: order, batch sizes, put, mput, import, flush and
# commit in between, deletions and second insertions, savepoints, branches, restore. Through SQL.

use strict;
use warnings FATAL => 'all';

use FindBin;
use lib "$FindBin::RealBin/lib";
use Kvs;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

my $entries = number_of_rows(3_000, 50_000);
my $orders  = 20;

my $node = new_node('main', preload => 1, conf => "synchronous_commit = off\n");
my $seed = $ENV{KVS_TEST_SEED} || int(rand(1_000_000));
note("KVS_TEST_SEED=$seed");

# The entries: keys in several namespaces and shapes, values of all sizes and kinds, some larger than a leaf can hold.
$node->safe_psql('postgres', <<SQL);
CREATE TABLE entry AS
SELECT i, CASE i % 5 WHEN 0 THEN 'user:' || i
                     WHEN 1 THEN 'orders/' || i % 7 || ':' || lpad(i::text, 8, '0')
                     WHEN 2 THEN md5(i::text)
                     WHEN 3 THEN 'grüße/日本:' || repeat('k', i % 300) || i
                     ELSE to_hex(hashint4(i) & 65535) || ':' || i END AS key,
       CASE WHEN i % 50 = 0 THEN jsonb_build_object('large', repeat(md5(i::text), 100 + i % 200))
            WHEN i % 11 = 0 THEN to_jsonb(i * 0.001)
            WHEN i % 13 = 0 THEN 'null'
            ELSE jsonb_build_object('n', i, 'text', repeat('v', i % 90), 'list', jsonb_build_array(i, i::text))
       END AS value
FROM generate_series(1, $entries) AS i;
ALTER TABLE entry ADD PRIMARY KEY (key);
ANALYZE entry;

-- Some of the entries in an order that depends on the seed.
CREATE FUNCTION shuffled(seed int, first float8, behind float8) RETURNS SETOF entry LANGUAGE sql AS \$\$
    SELECT i, key, value FROM (SELECT *, hashtextextended(key, seed) AS h FROM entry) AS s
    WHERE (h / 2::float8^64 + 0.5) >= first AND (h / 2::float8^64 + 0.5) < behind ORDER BY h
\$\$;

-- In batches of random sizes.
CREATE PROCEDURE put_batches(seed int, first float8, behind float8, largest int, on_branch text)
LANGUAGE plpgsql AS \$\$
DECLARE
    size int;
    keys text[] := '{}';
    vals jsonb[] := '{}';
    e entry;
BEGIN
    size := 1 + random() * largest;
    FOR e IN SELECT * FROM shuffled(seed, first, behind) LOOP
        keys := keys || e.key;
        vals := vals || e.value;
        IF cardinality(keys) >= size THEN
            PERFORM kvs.mput(keys, vals, branch => on_branch);
            keys := '{}';
            vals := '{}';
            size := 1 + random() * largest;
            IF random() < 0.1 THEN
                PERFORM kvs.flush(on_branch);
            END IF;
        END IF;
    END LOOP;
    PERFORM kvs.mput(keys, vals, branch => on_branch);
END
\$\$;
SQL

# Each way fills branch 'b' from an empty tree.
my @ways = (
    [ 'put one by one', q(SELECT count(kvs.put(key, value, branch => 'b')) FROM shuffled(:seed, 0, 1)) ],
    [ 'mput in batches, flushes in between', q(CALL put_batches(:seed, 0, 1, 200, 'b')) ],
    [ 'import at once', q(SELECT kvs.import('SELECT key, value FROM entry ORDER BY random()', branch => 'b')) ],
    [ 'import in parts', q(
        SELECT kvs.import(format('SELECT key, value FROM shuffled(%s, %s, %s)', :seed, p / 7.0, (p + 1) / 7.0),
                          branch => 'b')
        FROM generate_series(0, 6) AS p) ],
    [ 'import in parts, key by key', q(
        SET kvs.bulk_log_threshold = 1000000000;
        SELECT kvs.import(format('SELECT key, value FROM shuffled(%s, %s, %s)', :seed, p / 3.0, (p + 1) / 3.0),
                          branch => 'b')
        FROM generate_series(0, 2) AS p) ],
    [ 'put and import by turns, commits in between', q(
        SELECT count(kvs.put(key, value, branch => 'b')) FROM shuffled(:seed, 0, 0.2);
        SELECT kvs.import('SELECT key, value FROM shuffled(' || :seed || ', 0.2, 0.5)', branch => 'b');
        SELECT kvs.commit('one', branch => 'b') IS NOT NULL;
        SELECT count(kvs.put(key, value, branch => 'b')) FROM shuffled(:seed, 0.5, 0.7);
        SELECT kvs.flush('b');
        SELECT kvs.import('SELECT key, value FROM shuffled(' || :seed || ', 0.7, 1)',
                          branch => 'b', message => 'two')) ],
    [ 'sizes growing and shrinking', q(
        SELECT kvs.import('SELECT key, to_jsonb(repeat(''x'', i % 7000)) FROM entry', branch => 'b');
        SELECT kvs.flush('b');
        CALL put_batches(:seed, 0, 0.5, 50, 'b');
        SELECT kvs.import('SELECT key, ''1''::jsonb FROM shuffled(' || :seed || ', 0.4, 1)', branch => 'b');
        CALL put_batches(:seed, 0.4, 1, 1000, 'b')) ],
    [ 'deletions and second insertions', q(
        SELECT kvs.import('SELECT key, value FROM entry', branch => 'b');
        SELECT count(kvs.delete(key, branch => 'b')) FROM shuffled(:seed, 0, 0.3);
        SELECT kvs.flush('b');
        SELECT kvs.delete_prefix('orders/', branch => 'b');
        SELECT kvs.commit('fewer', branch => 'b') IS NOT NULL;
        SELECT count(kvs.put(key, value, branch => 'b')) FROM shuffled(:seed, 0, 0.3) WHERE key NOT LIKE 'orders/%';
        CALL put_batches(:seed, 0, 0.2, 300, 'b');
        SELECT kvs.import('SELECT key, value FROM entry WHERE key LIKE ''orders/%''', branch => 'b')) ],
    [ 'more than that, and deleted again', q(
        SELECT kvs.import('SELECT key || ''+'' || x, ''1''::jsonb FROM entry, generate_series(1, 2) AS x
                           WHERE i % 3 = 0',
                          branch => 'b');
        CALL put_batches(:seed, 0, 1, 400, 'b');
        SELECT kvs.commit('more', branch => 'b') IS NOT NULL;
        SELECT count(kvs.delete(key || '+' || x, branch => 'b'))
        FROM shuffled(:seed, 0, 1), generate_series(1, 2) AS x WHERE i % 3 = 0) ],
    [ 'emptied and filled again', q(
        SELECT kvs.import('SELECT key, value FROM entry', branch => 'b');
        SELECT kvs.delete_prefix('', branch => 'b');
        SELECT kvs.commit('all and none', branch => 'b') IS NULL;
        SELECT kvs.count_keys(branch => 'b');
        CALL put_batches(:seed, 0, 1, 100, 'b')) ],
    [ 'savepoints and transactions rolled back', q(
        BEGIN;
        SELECT kvs.import('SELECT key || ''?'', value FROM entry', branch => 'b');
        ROLLBACK;
        BEGIN;
        CALL put_batches(:seed, 0, 0.5, 100, 'b');
        SAVEPOINT s;
        SELECT count(kvs.delete(key, branch => 'b')) FROM shuffled(:seed, 0.2, 0.6);
        SELECT kvs.flush('b');
        SELECT kvs.put('only here', '1', branch => 'b');
        ROLLBACK TO SAVEPOINT s;
        SELECT kvs.import('SELECT key, value FROM shuffled(' || :seed || ', 0.5, 1)', branch => 'b');
        COMMIT) ],
    [ 'branches of branches, and restore', q(
        SELECT kvs.import('SELECT key, value FROM shuffled(' || :seed || ', 0, 0.5)',
                          branch => 'b', message => 'half');
        SELECT kvs.create_branch('c', 'b');
        SELECT kvs.import('SELECT key, ''"other"''::jsonb FROM shuffled(' || :seed || ', 0.3, 1)',
                          branch => 'c', message => 'other');
        SELECT kvs.create_branch('d', 'c');
        SELECT kvs.import('SELECT key, value FROM shuffled(' || :seed || ', 0.5, 1)',
                          branch => 'd', message => 'rest');
        SELECT kvs.restore('#', 'b', branch => 'c');
        CALL put_batches(:seed, 0.5, 1, 500, 'c');
        SELECT count(*) FROM kvs.diff('b', 'c');
        SELECT count(kvs.put(key, value, branch => 'b')) FROM shuffled(:seed, 0.5, 1)) ],
);

sub content
{
    my ($branch) = @_;
    return $node->safe_psql('postgres',
        'SELECT count(*), count(*) FILTER (WHERE e.value = s.value) FROM entry AS e '
          . "FULL JOIN kvs.scan(branch => '$branch') AS s USING (key)");
}

my %roots = ();
for my $order (0 .. $orders - 1)
{
    my ($name, $sql) = @{ $ways[ $order % @ways ] };
    $node->safe_psql('postgres', q(SELECT kvs.create_branch('b')));
    $node->safe_psql('postgres',
        "\\set seed " . ($seed + $order) . "\nSELECT setseed(0." . ($seed + $order) . ");\n$sql;");
    $node->safe_psql('postgres', q(SELECT kvs.flush('b')));
    my $working = $node->safe_psql('postgres',
        q(SELECT encode(working_data_root, 'hex') FROM _kvs.branch WHERE name = 'b'));
    is(content('b'), "$entries|$entries", "order $order, $name: the entries");
    $node->safe_psql('postgres', q(SET client_min_messages = warning; SELECT kvs.commit('done', branch => 'b')));
    my $committed = $node->safe_psql('postgres', q(SELECT root FROM kvs.log('b') LIMIT 1));
    is($committed, $working, "order $order, $name: the root of the commit is the working root");
    push @{ $roots{$committed} }, "$order, $name";
    if ($name =~ /branches/)
    {
        is(content('c'), "$entries|$entries", "order $order, $name: restored") or next;
        $node->safe_psql('postgres', q(SELECT kvs.flush('c')));
        is($node->safe_psql('postgres',
            q(SELECT encode(working_data_root, 'hex') FROM _kvs.branch WHERE name = 'c')),
            $committed, "order $order, $name: the restored branch has it too");
    }
    $node->safe_psql('postgres',
        q(SELECT kvs.delete_branch(name, force => true) FROM kvs.branches WHERE name <> 'main'));
}
is(scalar(keys %roots), 1, "$orders ways, one root") or diag(explain(\%roots));

# Other contents have another root: one value, one key, one more, one less.
my ($root) = keys %roots;
$node->safe_psql('postgres',
    q(SELECT kvs.create_branch('b');
      SELECT kvs.import('SELECT key, value FROM entry', branch => 'b', message => 'base')));
foreach my $change (
    q(SELECT kvs.put((SELECT min(key) FROM entry), '"other"', branch => 'b')),
    q(SELECT kvs.delete((SELECT max(key) FROM entry), branch => 'b')),
    q(SELECT kvs.put('one more', '1', branch => 'b')))
{
    my $other = $node->safe_psql('postgres',
        "BEGIN; $change \\gset\nSELECT kvs.flush('b') \\gset\n"
          . "SELECT encode(working_data_root, 'hex') FROM _kvs.branch WHERE name = 'b';\nROLLBACK;");
    isnt($other, $root, "another root after: $change");
}

finish($node);

done_testing();

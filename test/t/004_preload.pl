# With and without shared_preload_libraries everything works. With it the node cache is shared and the worker flushes
# the WAL behind batched durability.

use strict;
use warnings FATAL => 'all';

use FindBin;
use lib "$FindBin::RealBin/lib";
use Kvs;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

my $rows = number_of_rows(2_000, 100_000);

# Where the WAL ends at the end of a page, the next record begins so many bytes behind; a write takes more.
my $headers = 100;

# The server's own WAL writer is slowed down, so that what is flushed in time was flushed by the worker.
my $conf = "wal_writer_delay = 10s\nwal_writer_flush_after = 1GB\nautovacuum = off\n";

my $plain   = new_node('plain', conf => $conf);
my $preload =
  new_node('preload', preload => 1, conf => "${conf}kvs.batch_interval = 20\nkvs.node_cache_size = 32MB\n");

# How many workers the postmaster has. They connect to no database, so pg_stat_activity does not have them.
sub workers
{
    my ($node) = @_;
    my ($postmaster) = slurp_file($node->data_dir . '/postmaster.pid') =~ /^(\d+)/;
    my $found = 0;
    foreach my $file (glob '/proc/[0-9]*/stat')
    {
        my ($pid) = $file =~ m{/proc/(\d+)/};
        # A process may go while one looks.
        my ($parent) = eval { slurp_file($file) =~ /\) \S (\d+) / };
        next if !$parent || $parent != $postmaster;
        $found++ if (eval { slurp_file("/proc/$pid/cmdline") } // '') =~ /kvs WAL flusher/;
    }
    return $found;
}

# How many chunks a new session reads from the table for a scan. Large values are not cached, so it avoids them.
sub chunks_read
{
    my ($node) = @_;
    my $reads = q(SELECT pg_stat_get_numscans('_kvs.chunk_pkey'::regclass));
    my $before = $node->safe_psql('postgres', $reads);
    $node->safe_psql('postgres', q(SELECT count(*) FROM kvs.scan('doc:')));
    return $node->safe_psql('postgres', $reads) - $before;
}

is(workers($plain), 0, 'not preloaded: no worker');
wait_until('the worker', sub { workers($preload) });
is(workers($preload), 1, 'preloaded: the worker runs');

my %roots;
foreach my $node ($plain, $preload)
{
    my $name = $node->name;
    fill_store($node, 'postgres', $rows);
    $node->safe_psql('postgres', q(SELECT kvs.commit('all')));
    $roots{$name} = $node->safe_psql('postgres', 'SELECT root FROM kvs.log() LIMIT 1');
    is($node->safe_psql('postgres', q(SELECT count(*) FROM kvs.scan('doc:'))), $rows, "$name: scan");
    is($node->safe_psql('postgres',
        q(SELECT kvs.get('counted'), kvs.get('doc:0000002'),
                 kvs.get('doc:0000002', as_of => 'v1') = kvs.get_version('doc:0000002', 1))),
        '2|"again"|t', "$name: get");
}
is($roots{preload}, $roots{plain}, 'the same root');

# The shared cache: a new session finds what another has read.
cmp_ok(chunks_read($plain), '>', 10, 'not preloaded: every session reads its own chunks');
chunks_read($preload);
is(chunks_read($preload), 0, 'preloaded: a session finds the nodes that another has read');
is($preload->safe_psql('postgres',
    q(SELECT count(*) FROM pg_shmem_allocations WHERE name = 'kvs node cache' AND size > 30000000)),
    1, 'preloaded: the cache has its size');

# It counts what it is asked, of all sessions: what one has read is a hit of another.
sub node_cache
{
    my $count = shift;
    return $preload->safe_psql('postgres', "SELECT kvs.stats()->'node_cache'->>'$count'");
}
my ($hits, $misses) = (node_cache('hits'), node_cache('misses'));
chunks_read($preload);
cmp_ok(node_cache('hits'), '>', $hits + 10, 'hits are counted');
is(node_cache('misses'), $misses, 'no miss where nothing was read');
is(node_cache('evictions'), 0, 'it is large enough');

# It is sized when the server starts; without it each session has its own.
is(sqlstate_of($preload, 'postgres',
    q(SELECT kvs.get('k'); SET kvs.node_cache_size = '1MB')), '55P02', 'preloaded: its size is fixed');
is(sqlstate_of($plain, 'postgres',
    q(SELECT kvs.get('k'); SET kvs.node_cache_size = '1MB')), '', 'not preloaded: its size is the session\'s');

# The smallest cache holds next to nothing.
$preload->append_conf('postgresql.conf', "kvs.node_cache_size = '1MB'");
$preload->restart;
is($preload->safe_psql('postgres',
    q(SELECT count(*), count(value) FROM kvs.scan('doc:'))), "$rows|$rows", 'the smallest cache');
$preload->safe_psql('postgres', <<'SQL');
SELECT kvs.create_branch('wide');
SELECT kvs.import('SELECT ''w:'' || i, to_jsonb(md5(i::text)) FROM generate_series(1, 50000) AS i', branch => 'wide');
SQL
cmp_ok(node_cache('evictions'), '>', 0, 'evictions are counted');
cmp_ok(node_cache('misses'), '>', 0, 'so are misses');

# By itself it is a quarter of the shared buffers, and 64 MB at the least.
is($plain->safe_psql('postgres', q(SELECT kvs.get('k'); SHOW kvs.node_cache_size)), "\n64MB", 'the default of a session');
foreach (['512MB', '128MB', 'a quarter'], ['16MB', '64MB', 'the least'])
{
    my ($buffers, $size, $name) = @$_;
    $preload->append_conf('postgresql.conf', "kvs.node_cache_size = -1\nshared_buffers = $buffers");
    $preload->restart;
    is($preload->safe_psql('postgres', 'SHOW kvs.node_cache_size'), $size, "sized by itself: $name");
    my $bytes = "pg_size_bytes('$size')";
    is($preload->safe_psql('postgres',
        "SELECT size BETWEEN $bytes AND 1.02 * $bytes FROM pg_shmem_allocations WHERE name = 'kvs node cache'"),
        't', "so is its memory: $name");
    $preload->reload;
    is($preload->safe_psql('postgres', 'SHOW kvs.node_cache_size'), $size, "and stays so: $name");
}

# Batched durability: the worker flushes what the commit did not wait for.
my $position = $preload->safe_psql('postgres', <<'SQL');
SET kvs.durability = batched;
SELECT kvs.put('batched', '1') \gset
SELECT pg_current_wal_insert_lsn();
SQL
ok($preload->poll_query_until('postgres', "SELECT pg_wal_lsn_diff('$position', pg_current_wal_flush_lsn()) < $headers"),
    'batched: flushed by the worker');
$preload->stop('immediate');
$preload->start;
is($preload->safe_psql('postgres',
    q(SELECT kvs.get('batched'))), '1', 'batched: flushed means that a crash does not lose it');

# A clean stop loses nothing, with any durability.
foreach my $node ($plain, $preload)
{
    foreach my $durability ('batched', 'async', 'strict')
    {
        $node->safe_psql('postgres',
            "SET kvs.durability = $durability;"
              . join('', map { "SELECT kvs.put('clean:$durability:$_', '$_');" } 1 .. 50));
        $node->restart;
        is($node->safe_psql('postgres',
            "SELECT kvs.count_keys('clean:$durability:')"), 50, $node->name . ": $durability, clean stop");
    }
}

# strict waits for the disk even where the session does not ask for it, async and batched do not where it does. Other
# processes may flush at any moment what a session left, so that not waiting must be seen in one of many writes.
my $writes = 20;
foreach my $case ([ 'strict', 'off', 1 ], [ 'async', 'on', 0 ], [ 'batched', 'on', 0 ])
{
    my ($durability, $synchronous_commit, $waits) = @$case;
    my $flushed = grep { $_ eq 't' } split /\n/, $plain->safe_psql('postgres', <<SQL . <<SQL x $writes);
SET kvs.durability = $durability;
SET synchronous_commit = $synchronous_commit;
SQL
SELECT kvs.put('flushed', '1') \\gset
SELECT pg_wal_lsn_diff(pg_current_wal_insert_lsn(), pg_current_wal_flush_lsn()) < $headers;
SQL
    my $name = "$durability with synchronous_commit = $synchronous_commit";
    if ($waits) { is($flushed, $writes, "$name: every write is flushed") }
    else { cmp_ok($flushed, '<', $writes, "$name: no write waits") }
}

finish($plain);
finish($preload);

done_testing();

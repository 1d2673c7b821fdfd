# What the TAP tests share: servers with the extension, the checks that each of them ends with, and the sizes of their
# small and long forms. KVS_STRESS=1 asks for the long form; KVS_TEST_ROWS sets the number of documents.
package Kvs;

use strict;
use warnings FATAL => 'all';

use Exporter 'import';
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;
use Time::HiRes qw(usleep);

our @EXPORT = qw(
  add_database
  add_store
  check_indexes
  check_log
  check_store
  fill_store
  finish
  fingerprint
  kill_backend
  new_node
  number_of_rows
  pack_store
  small_or_long
  sqlstate_of
  wait_for_rounds
  wait_until
);

# What the test asks for, by the form in which it runs.
sub small_or_long
{
    my ($small, $long) = @_;
    return $ENV{KVS_STRESS} ? $long : $small;
}

sub number_of_rows
{
    my ($small, $long) = @_;
    return $ENV{KVS_TEST_ROWS} || small_or_long($small, $long);
}

# A running server, its database "postgres" in UTF-8 and with the extension.
# preload: with shared_preload_libraries; streaming: as a primary; conf: further settings; initdb: its arguments; bare: no extension;
# install_path: of another installation than that in the path.
sub new_node
{
    my ($name, %params) = @_;
    my $node = PostgreSQL::Test::Cluster->new($name, map { $_ => $params{$_} } grep { /^install_path$/ } keys %params);
    $node->init(
        allows_streaming => $params{streaming} ? 1 : 0,
        extra            => [ '--encoding=UTF8', '--locale=C.UTF-8', @{ $params{initdb} // [] } ]);
    $node->append_conf('postgresql.conf', <<CONF);
log_statement = none
jit = off
shared_buffers = 64MB
max_connections = 30
max_prepared_transactions = 10
max_worker_processes = 16
max_wal_size = 512MB
restart_after_crash = on
CONF
    $node->append_conf('postgresql.conf', "shared_preload_libraries = 'kvs'") if $params{preload};
    $node->append_conf('postgresql.conf', $params{conf})                      if $params{conf};
    $node->start;
    $node->safe_psql('postgres', 'CREATE EXTENSION kvs') unless $params{bare};
    return $node;
}

# One more database; owner: whose it is.
sub add_database
{
    my ($node, $database, %params) = @_;
    my $owner = $params{owner} ? "OWNER $params{owner}" : '';
    $node->safe_psql('postgres', "CREATE DATABASE $database TEMPLATE template0 ENCODING 'UTF8' $owner");
    return;
}

# The same with the extension.
sub add_store
{
    my ($node, $database, %params) = @_;
    add_database($node, $database, %params);
    $node->safe_psql($database, 'CREATE EXTENSION kvs');
    return;
}

# Waits for a condition, at most the time limit of the tests.
sub wait_until
{
    my ($what, $condition) = @_;
    for (1 .. 20 * $PostgreSQL::Test::Utils::timeout_default)
    {
        return 1 if $condition->();
        usleep(50_000);
    }
    die "timed out waiting for $what";
}

# Kills a process of the server, which takes all sessions with it, and waits until the server has recovered. Its log tells:
# who connects meanwhile may be turned away, or be among those that are taken along. Nothing happens if the process has
# ended by itself before.
sub kill_backend
{
    my ($node, $pid) = @_;
    my $offset = -s $node->logfile;
    kill('KILL', $pid) or return;
    wait_until('the process to go', sub { !kill(0, $pid) });
    usleep(200_000);
    return if slurp_file($node->logfile, $offset) !~ /terminated by signal 9/;
    $node->wait_for_log(qr/database system is ready to accept connections/, $offset);
    return;
}

# Waits until the launcher of background work has been to every database twice from now on: for what must not have
# happened then. Either kvs.autogc or kvs.autorepack is on, or there are no rounds. The postmaster tells at this level
# of each worker that it starts, and the launcher starts one when that before has ended.
sub wait_for_rounds
{
    my ($node) = @_;
    my $databases = $node->safe_psql('postgres', 'SELECT count(*) FROM pg_database WHERE datallowconn AND NOT datistemplate');
    my $offset    = -s $node->logfile;
    $node->append_conf('postgresql.conf', 'log_min_messages = debug1');
    $node->reload;
    wait_until(
        'two rounds of background work',
        sub {
            my @started = slurp_file($node->logfile, $offset) =~ /starting background worker process "kvs collector"/g;
            return @started > 2 * $databases;
        });
    $node->append_conf('postgresql.conf', 'log_min_messages = log');
    $node->reload;
    return;
}

# The SQLSTATE that a script ends with; empty if it succeeds.
sub sqlstate_of
{
    my ($node, $database, $sql, %params) = @_;
    my $stderr = '';
    $node->psql($database, $sql, %params, stdout => \my $stdout, stderr => \$stderr,
        extra_params => [ '-v', 'VERBOSITY=sqlstate' ]);
    return $stderr =~ /(?:ERROR|FATAL):\s+(\w{5})/ ? $1 : $stderr;
}

# A store with a bit of everything: commits, branches, a tag, work that is flushed and work that is not, large values,
# bytes, deletions, metadata.
sub fill_store
{
    my ($node, $database, $documents) = @_;
    $node->safe_psql($database, <<SQL);
SET kvs.author = 'test';
SELECT kvs.import(\$\$
    SELECT 'doc:' || lpad(i::text, 7, '0'), jsonb_build_object('n', i, 'text', repeat(md5(i::text), 1 + i % 5))
    FROM generate_series(1, $documents) AS i\$\$, message => 'import');
SELECT kvs.put('large', to_jsonb((SELECT string_agg(md5(i::text), ' ') FROM generate_series(1, 2000) AS i)));
SELECT kvs.put_bytes('bytes', sha256('bytes'), tags => '{binary,small}', comment => 'not JSON');
SELECT kvs.put('counted', '0');
SELECT kvs.commit('second', author => 'somebody else');
SELECT kvs.increment('counted');
SELECT kvs.delete('doc:0000002');
SELECT kvs.flush();
SELECT kvs.increment('counted');
SELECT kvs.create_tag('v1', 'HEAD', 'the tag');
SELECT kvs.create_branch('feature', 'HEAD');
SELECT kvs.put('doc:0000001', '"feature"', branch => 'feature');
SELECT kvs.patch('doc:0000003', '{"more": {"numbers": [12345678901234567890.123456789, 1e-30]}}',
                 branch => 'feature');
SELECT kvs.commit('on the branch', branch => 'feature');
SELECT kvs.delete('doc:0000004', branch => 'feature');
SELECT kvs.put('doc:0000002', '"again"');
SQL
    return;
}

# A branch "packed", with a history whose chunks are stored in every way: raw, with a dictionary, in packs.
sub pack_store
{
    my ($node, $database) = @_;
    $node->safe_psql($database, <<'SQL');
SELECT kvs.create_branch('packed', encode(_kvs.initial_commit(), 'hex'));
SELECT kvs.import($$
    SELECT 'packed:' || lpad(i::text, 7, '0'), jsonb_build_object('n', i, 'text', md5(i::text))
    FROM generate_series(1, 5000) AS i$$, branch => 'packed', message => 'packed');
SELECT * FROM kvs.train_dictionaries();
SQL
    foreach my $n (1 .. 4)
    {
        $node->safe_psql($database, <<SQL);
SET kvs.branch = 'packed';
SELECT kvs.mput(array_agg('packed:' || lpad(i::text, 7, '0')), array_agg(jsonb_build_object('n', -i, 'text', md5('$n ' || i))))
FROM generate_series($n, 5000, 100) AS i;
SELECT kvs.put('large', to_jsonb((SELECT string_agg(md5(i::text), ' ') FROM generate_series($n, 1000) AS i)));
SELECT kvs.commit('packed $n');
SQL
    }
    $node->safe_psql($database, 'SELECT * FROM kvs.repack()');
    is( $node->safe_psql($database, q(SELECT count(*) FILTER (WHERE get_byte(body, 0) = 2) > 0 FROM _kvs.chunk
            UNION ALL SELECT sum(cardinality(addresses)) > 100 FROM _kvs.pack)),
        "t\nt", 'chunks are stored in every way');
    return;
}

# All that can be read of a store, as text: equal for equal stores, wherever they lie.
sub fingerprint
{
    my ($node, $database) = @_;
    return $node->safe_psql($database, <<'SQL');
SET timezone = 'UTC';
SELECT 'branch', name, head, message, committed_at, working_changes FROM kvs.branches ORDER BY name;
SELECT 'tag', name, commit, message, tagger, created_at FROM kvs.tags ORDER BY name;
SELECT 'snapshot', s.* FROM kvs.snapshots AS s ORDER BY branch;
SELECT 'reflog', r.* FROM kvs.reflog AS r ORDER BY branch, n;
SELECT 'log', b.name, l.* FROM kvs.branches AS b, LATERAL kvs.log(b.name) AS l
ORDER BY b.name, l.committed_at, l.hash;
SELECT 'entries', b.name, count(*), md5(string_agg(e::text, E'\n'))
FROM kvs.branches AS b, LATERAL kvs.scan(branch => b.name) AS e GROUP BY b.name ORDER BY b.name;
SELECT 'backwards', count(*), md5(string_agg(e::text, E'\n')) FROM kvs.scan(reverse => true) AS e;
SELECT 'at tags', t.name, count(*), md5(string_agg(e::text, E'\n'))
FROM kvs.tags AS t, LATERAL kvs.scan(as_of => t.name) AS e GROUP BY t.name ORDER BY t.name;
SELECT 'at commits', l.hash, count(*), md5(string_agg(e::text, E'\n'))
FROM (SELECT DISTINCT l.hash FROM kvs.branches AS b, LATERAL kvs.log(b.name) AS l) AS l,
     LATERAL kvs.scan(as_of => l.hash) AS e GROUP BY l.hash ORDER BY l.hash;
SELECT 'table', count(*), md5(string_agg(e::text, E'\n' ORDER BY key)) FROM kvs.entries AS e;
SELECT 'table key', key, value, version FROM kvs.entries WHERE key = 'counted';
SELECT 'count', kvs.count_keys(), kvs.count_keys('doc:');
SELECT 'keys', count(*) FROM kvs.keys('doc:*');
SELECT 'get', kvs.get('counted'), kvs.get('doc:0000002'), kvs.get('doc:0000002', as_of => 'HEAD'),
       md5(kvs.get('large')::text), kvs.get_bytes('bytes');
SELECT 'on the branches', b.name, kvs.count_keys('doc:', branch => b.name), kvs.get('doc:0000003', branch => b.name),
       kvs.rev_parse(b.name), kvs.merge_base('main', b.name)
FROM kvs.branches AS b ORDER BY b.name;
SELECT 'mget', key, version, value FROM kvs.mget(ARRAY['counted', 'absent', 'doc:0000004']);
SELECT 'diff', d.* FROM kvs.diff() AS d;
SELECT 'diff of branches', b.name, d.* FROM kvs.branches AS b, LATERAL kvs.diff('main', b.name) AS d
ORDER BY b.name, d.key;
SELECT 'diff_stat', d.* FROM kvs.diff_stat('HEAD', 'WORKING') AS d;
SELECT 'status', s.* FROM kvs.status() AS s;
SELECT 'history', k, h.*
FROM unnest(ARRAY['counted', 'doc:0000001', 'doc:0000002', 'bytes']) AS k, LATERAL kvs.history(k) AS h;
SELECT 'errors', c.* FROM kvs.check() AS c WHERE severity = 'error';
SQL
}

# kvs.check() finds nothing wrong.
sub check_store
{
    my ($node, $database, $name) = @_;
    my $found = $node->safe_psql($database, "SELECT * FROM kvs.check() WHERE severity = 'error' LIMIT 20");
    is($found, '', $name // "kvs.check() of $database");
    return;
}

# Tables and indexes agree.
sub check_indexes
{
    my ($node, $database) = @_;
    $node->command_ok([ 'pg_amcheck', '--install-missing', '--heapallindexed', '--database', $database ],
        "pg_amcheck of $database");
    return;
}

# Nothing in the server's log that must not be there; allow: a pattern of lines that the test has provoked.
sub check_log
{
    my ($node, %params) = @_;
    my @bad =
      grep { /WARNING:|PANIC:|TRAP:|terminated by signal|leak: |leaked|resource was not closed|still referenced/ }
      split(/\n/, slurp_file($node->logfile));
    @bad = grep { $_ !~ $params{allow} } @bad if $params{allow};
    is(join("\n", @bad[ 0 .. ($#bad < 9 ? $#bad : 9) ]), '', 'server log of ' . $node->name);
    return;
}

# What every test ends with, for each of its databases.
sub finish
{
    my ($node, %params) = @_;
    foreach my $database (@{ $params{databases} // ['postgres'] })
    {
        check_store($node, $database);
        check_indexes($node, $database);
    }
    $node->stop;
    check_log($node, %params);
    return;
}

1;

# What is known of operations: counts and durations in shared memory, the log of slow and sampled ones, metrics in
# Prometheus' format. Exact under concurrency, of each database alone, gone with the server; nobody sees what others did.

use strict;
use warnings FATAL => 'all';

use FindBin;
use lib "$FindBin::RealBin/lib";
use Kvs;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

my $rounds = small_or_long(100, 5_000);    # transactions of each client
my $size   = 200;                          # entries of the log

my $node = new_node('main', preload => 1, conf => "kvs.operation_log_size = $size\n");

sub sql { return $node->safe_psql('postgres', @_) }

# Runs a script with settings; what it raises does not matter.
sub run_with
{
    my ($settings, $script) = @_;
    $node->psql('postgres', join('', map { "SET $_;\n" } @$settings) . $script, on_error_stop => 0);
    return;
}

sub tracked { return run_with(['kvs.track_operations = on'], @_) }

# "calls|errors" of an operation since the last reset.
sub counts
{
    my ($operation) = @_;
    return sql("SELECT calls, errors FROM kvs.stat_operations WHERE operation = '$operation'");
}

sub reset_stats { return sql('SELECT kvs.reset_stats()') }

# --- without preloading ---------------------------------------------------------------------------------------------

my $plain = new_node('plain', conf => "kvs.track_operations = on\nkvs.log_sample_rate = 1\n");
foreach my $view ('kvs.stat_operations', 'kvs.operation_log')
{
    $plain->psql('postgres', "SELECT kvs.put('a', '1'); SELECT count(*) FROM $view", stdout => \my $rows, stderr => \my $notice);
    like($rows,   qr/^1\n0$|^\d+\n0$/,                "not preloaded: $view is empty");
    like($notice, qr/HINT:  Add kvs to shared_preload_libraries/, "not preloaded: $view says why");
}
is($plain->safe_psql('postgres', 'SELECT kvs.reset_stats()'), 'f', 'not preloaded: nothing to reset');
like($plain->safe_psql('postgres', 'SELECT kvs.metrics()'), qr/^kvs_branches\{database="postgres"\} 1$/m, 'not preloaded: metrics');
finish($plain);

# --- counts ---------------------------------------------------------------------------------------------------------

sql(q(SELECT kvs.put('a', '1'); SELECT kvs.put('b', '2'); SELECT kvs.put('c', '3')));
is(sql('SELECT count(*) FROM kvs.stat_operations'), 0, 'off by default');
is(sql('SELECT count(*) FROM kvs.operation_log'),   0, 'so is the log');

# All clients count into the same rows, and none is lost, as where two of them count short calls at the same moment.
my $script = PostgreSQL::Test::Utils::tempdir . '/calls.sql';
append_to_file($script, <<'SQL');
SELECT kvs.get('a'), kvs.get('b');
SELECT kvs.put('client:' || :client_id, '1');
SQL
my $short = PostgreSQL::Test::Utils::tempdir . '/short.sql';
append_to_file($short, q(SELECT count(kvs.serialize_key('{a}', i::text)) FROM generate_series(1, 20000) AS i;));

sub pgbench
{
    my ($clients, $transactions, $file) = @_;
    $node->command_ok([ 'pgbench', '-n', '-c', $clients, '-j', 2, '-t', $transactions, '-f', $file, '-h', $node->host, '-p', $node->port, 'postgres' ],
        "$clients clients");
    return;
}

sql('ALTER SYSTEM SET kvs.track_operations = on');
$node->reload;
pgbench(8, $rounds, $script);
pgbench(24, 10, $short);
sql('ALTER SYSTEM RESET kvs.track_operations');
$node->reload;
is(counts('serialize_key'), 24 * 10 * 20000 . '|0', 'every short call of 24 clients');
is(counts('get'), 16 * $rounds . '|0', 'every get of eight clients is counted');
is(counts('put'), 8 * $rounds . '|0',  'every put');
is( sql(q(SELECT bool_and(0 < min_ms AND min_ms <= p50_ms AND p50_ms <= p99_ms AND p99_ms <= max_ms AND min_ms <= mean_ms AND mean_ms <= max_ms
          AND abs(total_ms - calls * mean_ms) < 1e-6 * total_ms) FROM kvs.stat_operations)),
    't', 'durations are in order');

# Of each database alone.
add_store($node, 'other');
is($node->safe_psql('other', 'SELECT count(*) FROM kvs.stat_operations'), 0, 'another database has its own');
$node->safe_psql('other', q(SET kvs.track_operations = on; SELECT kvs.get('a')));
is($node->safe_psql('other', q(SELECT operation, calls FROM kvs.stat_operations WHERE operation = 'get')), 'get|1', 'which it counts');
is($node->safe_psql('other', 'SELECT kvs.reset_stats()'), 't', 'and resets');
is($node->safe_psql('other', 'SELECT count(*) FROM kvs.stat_operations'), 0, 'they are gone');
is(counts('get'), 16 * $rounds . '|0', 'the first one is as it was');
reset_stats();
is(sql('SELECT count(*) FROM kvs.stat_operations'), 0, 'reset');

# Durations: a put that waits for another.
my $session = $node->background_psql('postgres');
$session->query_safe(q(BEGIN; SELECT kvs.put('a', '2')));
my $waiting = $node->background_psql('postgres');
$waiting->query_safe('SET kvs.track_operations = on; SET kvs.log_min_duration = 100');
$waiting->query_until(qr/waits/, "\\echo waits\nSELECT kvs.put('a', '3');\n");
$node->poll_query_until('postgres', q(SELECT count(*) = 1 FROM pg_locks WHERE NOT granted)) or die 'nobody waits';
sql('SELECT pg_sleep(0.3)');
$session->query_safe('COMMIT');
$session->quit;
$waiting->query_safe(q(SELECT kvs.get('a')));
$waiting->quit;
is(sql(q(SELECT max_ms BETWEEN 300 AND 60000, abs(p50_ms - max_ms) <= 0.12 * max_ms FROM kvs.stat_operations WHERE operation = 'put')),
    't|t', 'a put that waited');
is(sql(q(SELECT operation, key, branch, role, duration > '300 ms', now() - started_at BETWEEN duration AND '1 min', sqlstate IS NULL, error IS NULL
         FROM kvs.operation_log)),
    'put|a|main|' . sql('SELECT current_user') . '|t|t|t|t', 'it alone is in the log of slow ones');
reset_stats();

# Errors, wherever they are raised: before the C++ part, by the core, by the server inside of it, in a subtransaction.
tracked(<<'SQL');
SELECT kvs.put('a', NULL);
SELECT kvs.put('a', '1', expected_version => 77);
SELECT kvs.put('a', '1', branch => 'nobody');
DO $$ BEGIN PERFORM kvs.put(':', '1'); EXCEPTION WHEN OTHERS THEN NULL; END $$;
SELECT kvs.put('a', '1');
SELECT kvs.import('SELECT key, value FROM nobody');
SELECT kvs.import('SELECT ''i'', to_jsonb(kvs.get(''a'', branch => ''nobody''))');
SQL
is(counts('put'),    '5|4', 'errors are calls, and are counted');
is(counts('import'), '2|2', 'so are those of what a function runs');
is(counts('get'),    '1|1', 'a function that a function calls is counted itself');
reset_stats();

# Sets that come row by row are one call, however the query ends.
sql(q(SELECT kvs.mput(array_agg('r:' || i), array_agg(to_jsonb(i))) FROM generate_series(1, 50) AS i));
tracked(q(SELECT count(*) FROM kvs.scan('r:')));
tracked(q(SELECT * FROM kvs.scan('r:') LIMIT 1));
tracked(q(BEGIN; DECLARE c CURSOR FOR SELECT * FROM kvs.scan('r:'); FETCH 5 FROM c; FETCH 5 FROM c; CLOSE c; COMMIT));
tracked(q(BEGIN; DECLARE c CURSOR FOR SELECT * FROM kvs.scan('r:'); FETCH 5 FROM c; ROLLBACK));
tracked(q(SELECT 1 / (10 - (value)::int) FROM kvs.scan('r:')));
tracked(q(SELECT * FROM kvs.scan('r:') AS a, LATERAL (SELECT * FROM kvs.scan(a.key) LIMIT 1) AS b LIMIT 3));
is(counts('scan'), '9|0', 'scans: whole, with a limit, by cursors, cut by an error of the query, nested');
tracked(q(SELECT * FROM kvs.scan(max_rows => -1)));
is(counts('scan'), '10|1', 'one that fails at its beginning');
reset_stats();
tracked(q(SELECT pg_sleep(0.02) FROM kvs.scan('r:') LIMIT 5));
is(sql(q(SELECT calls, max_ms >= 80 FROM kvs.stat_operations WHERE operation = 'scan')), '1|t', 'one lasts until its query ends');
# What the scan comes to in the end is damaged.
add_store($node, 'damaged');
$node->safe_psql('damaged', <<'SQL');
SELECT kvs.put('d:' || i, to_jsonb(i)) FROM generate_series(1, 5) AS i;
SELECT kvs.put('d:9', to_jsonb((SELECT string_agg(md5(i::text), '') FROM generate_series(1, 1000) AS i)));
SELECT kvs.commit('large');
DELETE FROM _kvs.chunk WHERE octet_length(body) > 5000;
SQL
is(sqlstate_of($node, 'damaged', q(SET kvs.track_operations = on; SELECT count(value) FROM kvs.scan('d:'))), 'XX001', 'a scan fails on its way');
is($node->safe_psql('damaged', q(SELECT calls, errors FROM kvs.stat_operations WHERE operation = 'scan')), '1|1', 'which is counted');
reset_stats();

# Scans of foreign tables.
tracked(<<'SQL');
SELECT count(*) FROM kvs.entries WHERE key LIKE 'r:%';
SELECT key FROM kvs.entries LIMIT 1;
EXPLAIN SELECT key FROM kvs.entries;
BEGIN; DECLARE c CURSOR FOR SELECT key FROM kvs.entries; FETCH 2 FROM c; ROLLBACK;
PREPARE p AS SELECT key FROM kvs.entries LIMIT $1;
EXECUTE p(-1);
SQL
is(counts('scan (foreign table)'), '4|1', 'scans of a foreign table');
reset_stats();

# What views and other functions are made of is no operation.
tracked(q(SELECT count(*) FROM kvs.branches; SELECT count(*) FROM kvs.stat_operations; SELECT count(*) FROM kvs.reflog));
is(sql('SELECT count(*) FROM kvs.stat_operations'), 0, 'views are no operations');

# --- the log --------------------------------------------------------------------------------------------------------

my $log = q(SELECT operation, key, branch, sqlstate, error FROM kvs.operation_log WHERE id > %s ORDER BY id);
sub last_id { return sql('SELECT coalesce(max(id), 0) FROM kvs.operation_log') }

my $before = last_id();
run_with(['kvs.log_min_duration = 0'], <<'SQL');
SELECT kvs.create_branch('side');
BEGIN;
SELECT kvs.put('rolled back', '1', branch => 'side');
SELECT kvs.put('fails', '1', expected_version => 77);
ROLLBACK;
SELECT count(*) FROM kvs.scan('r:');
SELECT kvs.count_keys();
SELECT kvs.get(repeat('ä', 300));
SELECT kvs.get(NULL);
SQL
is(sql(sprintf $log, $before), <<'ROWS' =~ s/\n$//r . "\nget|" . ('ä' x 128) . "|main||\nget||main||", 'what is logged');
create_branch||main||
put|rolled back|side||
put|fails|main|KV001|key "fails" does not exist, expected version 77
scan|r:|main||
count_keys||main||
ROWS

# The trace that the call belongs to, which is the session's when it ends.
my $trace = '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01';
$before = last_id();
run_with(['kvs.log_sample_rate = 1'], "SET kvs.traceparent = '$trace'; SELECT kvs.get('a'); RESET kvs.traceparent; SELECT kvs.get('a')");
is(sql("SELECT traceparent FROM kvs.operation_log WHERE id > $before ORDER BY id"), "$trace\n", 'the trace of a call');

# Sampled.
$before = last_id();
run_with(['kvs.log_sample_rate = 0.5'], q(SELECT count(kvs.get('a')) FROM generate_series(1, 200)));
my $sampled = last_id() - $before;
cmp_ok($sampled, '>', 50,  "a sample of 200: $sampled");
cmp_ok($sampled, '<', 150, 'but not all');

# Only the last ones are kept, in order, whoever writes them.
sql('ALTER SYSTEM SET kvs.log_sample_rate = 1');
$node->reload;
pgbench(8, 100, $script);
sql('ALTER SYSTEM RESET kvs.log_sample_rate');
$node->reload;
is(sql(q(SELECT count(*), max(id) - min(id) + 1, count(DISTINCT id), bool_and(operation IN ('get', 'put') AND key ~ '^(a|b|client:\d)$') FROM kvs.operation_log)),
    "$size|$size|$size|t", 'the log is a ring');

# What others did is theirs.
sql(<<'SQL');
CREATE ROLE alice;
CREATE ROLE bob;
CREATE ROLE monitor;
CREATE ROLE nobody;
GRANT SELECT, INSERT, UPDATE ON kvs.entries TO alice, bob;
GRANT pg_read_all_stats TO monitor;
SQL
run_with(['kvs.log_sample_rate = 1'], q(SET ROLE alice; SELECT kvs.put('secret of alice', '1'); SET ROLE bob; SELECT kvs.put('secret of bob', '1')));
my $secrets = q(SELECT string_agg(role || ': ' || key, ', ' ORDER BY id) FROM kvs.operation_log WHERE key ~ 'secret' OR role <> 'bob');
is(sql("SET ROLE bob; $secrets"),     'bob: secret of bob', 'a role sees its own operations alone');
is(sql("SET ROLE nobody; $secrets"),  '',                   'and without any it sees none');
like(sql("SET ROLE monitor; $secrets"), qr/alice: secret of alice, bob: secret of bob/, 'pg_read_all_stats sees all');
is($node->safe_psql('other', 'SELECT count(*) FROM kvs.operation_log'), 0, 'another database has none of them');
foreach my $figures ('TABLE kvs.stat_operations', 'SELECT kvs.metrics()')
{
    is(sqlstate_of($node, 'postgres', "SET ROLE nobody; $figures"),  '42501', "without a privilege: $figures");
    is(sqlstate_of($node, 'postgres', "SET ROLE bob; $figures"),     '',      "a reader: $figures");
    is(sqlstate_of($node, 'postgres', "SET ROLE monitor; $figures"), '',      "pg_read_all_stats: $figures");
}
is(sqlstate_of($node, 'postgres', 'SET ROLE bob; SELECT kvs.reset_stats()'), '42501', 'reset_stats is the owner\'s');
is(sqlstate_of($node, 'postgres', "SELECT kvs.get('a'); SET ROLE bob; SET $_"), '42501', "$_ is a superuser's")
  foreach 'kvs.track_operations = on', 'kvs.log_min_duration = 0', 'kvs.log_sample_rate = 1';
is(sqlstate_of($node, 'postgres', 'SET kvs.operation_log_size = 100'), '55P02', 'the size of the log is fixed');

# --- metrics --------------------------------------------------------------------------------------------------------

tracked(q(SELECT kvs.get('a'); SELECT kvs.get('a', branch => 'nobody'); SELECT kvs.put('a', '1')));
sql(q(SELECT kvs.commit('all'); SELECT kvs.get('a', as_of => 'HEAD')));

# A binding that has failed at one of two keys, and rests; each of its figures is another.
sql(q(CREATE TABLE bound (id int PRIMARY KEY, n int);
      SELECT kvs.bind_table('odd "one"', 'bound:{id}', 'bound', '{"id": "{id}", "n": "/n"}', direction => 'both');
      SELECT kvs.put('bound:1', '{"n": 1}'), kvs.put('bound:2', '{"n": "none"}')));
$node->poll_query_until('postgres', q(SELECT parked = 1 AND lag_events = 0 FROM kvs.bindings)) or die 'nothing is parked';
sql(q(SELECT kvs.pause_binding('odd "one"')));
sql(q(SELECT kvs.put('bound:' || i, '{}') FROM generate_series(3, 6) AS i; UPDATE bound SET n = 2; INSERT INTO bound VALUES (7), (8)));
sql(q(SELECT kvs.wait_for(timeout => '60s'); SELECT pg_sleep(0.1)));

my $metrics = sql('SELECT kvs.metrics()');
foreach my $line (
    'kvs_branches{database="postgres"} 2',
    'kvs_operations_total{database="postgres",operation="get"} 2',
    'kvs_operation_errors_total{database="postgres",operation="get"} 1',
    'kvs_operation_duration_seconds_bucket{database="postgres",operation="get",le="+Inf"} 2',
    'kvs_operation_duration_seconds_count{database="postgres",operation="get"} 2')
{
    like($metrics, qr/^\Q$line\E$/m, $line);
}
my ($looked_up) = map { $_->[0] + $_->[1] } [ $metrics =~ /^kvs_node_cache_(?:hits|misses)_total\{database="postgres"\} (\d+)$/mg ];
cmp_ok($looked_up, '>', 0, 'the node cache');
like($metrics, qr/^kvs_disk_bytes\{database="postgres",table="chunk"\} [1-9]\d*$/m, 'disk space');
my $binding = '{database="postgres",binding="odd \"one\""}';
foreach my $line ("lag_events$binding 4", "marks$binding 3", "parked$binding 1", "paused$binding 1")
{
    like($metrics, qr/^kvs_binding_\Q$line\E$/m, "binding: $line");
}
like($metrics, qr/^kvs_binding_lag_seconds\Q$binding\E (0\.[1-9]|[1-9])/m, 'binding: for how long');

# A name that the format has to escape.
add_database($node, '"a\""b"');
my $odd = 'a\"b';
$node->safe_psql($odd, 'CREATE EXTENSION kvs');
my $odd_metrics = $node->safe_psql($odd, q(SET kvs.track_operations = on; SELECT kvs.get('a'); SELECT kvs.metrics()));
like($odd_metrics, qr/^kvs_branches\{database="a\\\\\\"b"\} 1$/m, 'the name of a database is escaped');

SKIP:
{
    skip 'promtool is not there', 2 if !grep { -x "$_/promtool" } split /:/, $ENV{PATH};
    foreach my $text ($metrics, $odd_metrics =~ s/^\d*\n//r)
    {
        my ($stdout, $stderr) = ('', '');
        my $ok = IPC::Run::run([ 'promtool', 'check', 'metrics' ], '<', \"$text\n", '>', \$stdout, '2>', \$stderr);
        ok($ok && $stdout . $stderr eq '', 'promtool finds nothing') or diag("$stdout$stderr");
    }
}

# --- room -----------------------------------------------------------------------------------------------------------

# Calls every function with NULLs, whatever becomes of it: each is an operation that takes room.
my $all = <<'SQL';
SET kvs.track_operations = on;
SET client_min_messages = error;
DO $$
DECLARE
    f record;
BEGIN
    FOR f IN SELECT p.proname AS name, array_to_string(array_fill('NULL'::text, ARRAY[p.pronargs::int]), ', ') AS arguments
             FROM pg_proc AS p WHERE p.pronamespace = 'kvs'::regnamespace AND p.proname NOT IN ('gc', 'repair', 'repack', 'reset_stats')
    LOOP
        BEGIN
            EXECUTE format('SELECT * FROM kvs.%I(%s)', f.name, f.arguments);
        EXCEPTION WHEN OTHERS THEN NULL;
        END;
    END LOOP;
END
$$;
SQL
my $offset = -s $node->logfile;
my $full   = 0;
for my $i (1 .. 20)
{
    $node->safe_psql('postgres', "CREATE DATABASE many$i TEMPLATE other");
    $node->safe_psql("many$i", $all);
    $full = $i;
    last if $node->safe_psql("many$i", 'SELECT count(*) FROM kvs.stat_operations') < 40;
}
cmp_ok($full, '<', 20, "$full databases fill the room");
my @told = slurp_file($node->logfile, $offset) =~ /(there is no room to count more operations of kvs)/g;
is(scalar(@told), 1, 'which the log tells once');
is(counts('get'), '2|1', 'what had room is counted');
$node->safe_psql('postgres', 'DROP DATABASE many1');
$node->safe_psql("many$full", $all);
cmp_ok($node->safe_psql("many$full", 'SELECT count(*) FROM kvs.stat_operations'), '>=', 40, 'a database that goes makes room');

# What was dropped is not to be met in the recovery.
sql('CHECKPOINT');

# --- crash ----------------------------------------------------------------------------------------------------------

my $victim = $node->background_psql('postgres', on_error_stop => 0);
kill_backend($node, $victim->query_safe('SELECT pg_backend_pid()'));
eval { $victim->quit };
is(sql('SELECT (SELECT count(*) FROM kvs.stat_operations), (SELECT count(*) FROM kvs.operation_log)'), '0|0', 'after a crash all begins anew');
run_with([ 'kvs.track_operations = on', 'kvs.log_sample_rate = 1' ], q(SELECT kvs.get('a')));
is(counts('get'), '1|0', 'and goes on');
is(sql('SELECT id, operation FROM kvs.operation_log'), '1|get', 'with the log too');

finish($node, allow => qr/terminated by signal/);

done_testing();

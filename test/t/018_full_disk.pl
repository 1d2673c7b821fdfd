# Where the disk ends, an operation says so and leaves no trace, the session goes on, and the store is whole. A worker of
# bindings waits until there is room again, and loses nothing. The end of the disk is a limit on the size of files.

use strict;
use warnings FATAL => 'all';

use FindBin;
use lib "$FindBin::RealBin/lib";
use Kvs;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

plan skip_all => 'needs prlimit' if system('prlimit --pid $$ --fsize >/dev/null 2>&1');

my $rows = number_of_rows(20_000, 200_000);

# The WAL goes on, since its files are smaller than what is allowed: without it every server stops. Memory that processes share
# is a file, too, so imports do without.
my $room = 1024 * 1024 + 4096;
my $node = new_node('main', preload => 1, initdb => ['--wal-segsize=1'], conf => "kvs.autogc = off\nkvs.autotrain = off\nkvs.autorepack = off\nmax_parallel_maintenance_workers = 0\n");
my $full = qr/could not (?:extend|write).*(?:File too large|wrote only \d+ of \d+ bytes)/;

fill_store($node, 'postgres', $rows);
$node->safe_psql('postgres', <<'SQL');
SELECT kvs.commit('all', branch => name) FROM kvs.branches WHERE name IN ('main', 'feature');
CREATE TABLE bundle AS SELECT array_agg(b) AS b FROM kvs.export_bundle('main') AS b;
SELECT kvs.create_subscription('all', from_pos => 0);
SELECT kvs.wait_for(timeout => '60s');
SQL

my $documents = "'doc:' || lpad(i::text, 7, '0') AS key, to_jsonb(md5(i::text) || md5((i + 1)::text)) AS value FROM generate_series(1, $rows) AS i";
my $mput      = "SELECT kvs.mput(array_agg(key), array_agg(value)) FROM (SELECT $documents) AS d";
# Name, what comes before the disk is full, what comes then, and whether it needs more than there is.
my @operations = (
    [ 'put',           '',    "SELECT count(kvs.put(key, value)) FROM (SELECT $documents) AS d",                         1 ],
    [ 'mput',          '',    $mput,                                                                                     1 ],
    [ 'flush',         $mput, q(SELECT kvs.flush()),                                                                     1 ],
    [ 'commit',        $mput, q(SELECT kvs.commit('c')),                                                                 1 ],
    [ 'import',        '',    "SELECT kvs.import(\$\$SELECT $documents\$\$)",                                            1 ],
    [ 'rows, import',  '',    "SET LOCAL kvs.bulk_log_threshold = $rows; SELECT kvs.import(\$\$SELECT $documents\$\$)",  1 ],
    [ 'merge',         '',    q(SELECT * FROM kvs.merge('feature')),                                                     0 ],
    [ 'restore',       $mput, q(SELECT kvs.restore('doc:*', 'HEAD')),                                                    1 ],
    [ 'delete_prefix', '',    q(SELECT kvs.delete_prefix('doc:')),                                                       1 ],
    [ 'repack',        $mput, q(SELECT kvs.commit('c'); SELECT * FROM kvs.repack()),                                     1 ],
    [ 'import_bundle', '',    q(SELECT kvs.import_bundle(b) FROM bundle),                                                0 ],
    [ 'poll',          '',    q(SELECT count(*) FROM kvs.poll('all', max_rows => 1000)),                                 0 ],
    [ 'gc',            '',    q(SELECT * FROM kvs.gc()),                                                                 0 ],
    [ 'scan',          '',    q(SELECT count(*) FROM kvs.scan()),                                                        0 ],
);

my $state = q(SELECT count(*), sum(version), (SELECT head FROM kvs.branches WHERE name = 'main'),
    (SELECT count(*) FROM _kvs.working), (SELECT count(*) FROM _kvs.change) FROM kvs.scan());
my $before = $node->safe_psql('postgres', $state);
foreach my $operation (@operations)
{
    my ($name, $first, $sql, $needs_room) = @$operation;
    my ($stdout, $stderr) = ('', '');
    $node->psql('postgres', <<SQL, stdout => \$stdout, stderr => \$stderr, on_error_stop => 0);
BEGIN;
$first;
CHECKPOINT;
SELECT pg_backend_pid() AS pid \\gset
\\setenv PID :pid
\\! prlimit --pid \$PID --fsize=$room:
$sql;
\\! prlimit --pid \$PID --fsize=unlimited:
ROLLBACK;
BEGIN;
SELECT 'next', kvs.get('counted'), kvs.put('after', '1') > 0;
ROLLBACK;
SQL
    my @errors = grep { !/current transaction is aborted/ } $stderr =~ /(?:ERROR|FATAL|PANIC):\s+(.*)/g;
    is(join("\n", grep { $_ !~ $full } @errors), '', "$name: success or a full disk");
    cmp_ok(scalar(@errors), '>', 0, "$name: the disk was full") if $needs_room;
    like($stdout, qr/^next\|2\|t$/m, "$name: the next operation works") or diag($stderr);
    note("$name: @errors");
}
is($node->safe_psql('postgres', $state), $before, 'nothing has left a trace');

# A bound table that cannot grow: its worker tries again.
$node->safe_psql('postgres', <<'SQL');
CREATE TABLE item (id text PRIMARY KEY, text text);
SELECT kvs.bind_table('items', 'item:{id}', 'item', '{"id": "{id}", "text": "/text"}');
SQL
my $worker = q(SELECT pid FROM pg_stat_activity WHERE backend_type = 'kvs bindings');
$node->poll_query_until('postgres', "SELECT EXISTS ($worker)") or die 'no worker of bindings';
my $pid = $node->safe_psql('postgres', $worker);
system("prlimit --pid $pid --fsize=$room:") == 0 or die 'prlimit';
my $offset = -s $node->logfile;
$node->safe_psql('postgres', "SELECT kvs.import(\$\$SELECT 'item:' || i, jsonb_build_object('text', repeat('x', 200)) FROM generate_series(1, $rows) AS i\$\$)");
$node->wait_for_log($full, $offset);
is($node->safe_psql('postgres', $worker), $pid, 'the worker goes on');
is($node->safe_psql('postgres', 'SELECT state, parked FROM kvs.bindings'), 'active|0', 'the binding is not paused, and no row is to blame');
like($node->safe_psql('postgres', q(SELECT last_error FROM kvs.workers WHERE name = 'bindings')), $full, 'the view says why');
system("prlimit --pid $pid --fsize=unlimited:") == 0 or die 'prlimit';
$node->poll_query_until('postgres', 'SELECT lag_events = 0 FROM kvs.bindings') or die 'the binding does not go on';
is($node->safe_psql('postgres', 'SELECT count(*) FROM item'), $rows, 'every row is there when there is room again');

finish($node);

done_testing();

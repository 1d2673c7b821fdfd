# Where a backend's memory ends, an operation says so (53200) or succeeds. The server stays up, the session goes on, and
# the store is whole. The end is an address space limited to what the backend has and a bit more.

use strict;
use warnings FATAL => 'all';

use FindBin;
use lib "$FindBin::RealBin/lib";
use Kvs;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

plan skip_all => 'needs prlimit and /proc' if system('prlimit --pid $$ --as >/dev/null 2>&1') || !-r '/proc/self/statm';

my $node = new_node('main', conf => "kvs.autogc = off\nkvs.node_cache_size = 4MB\nshared_buffers = 16MB\n");
add_store($node, 'trained');

# Two stores, one of them with dictionaries and packs. In both: two branches that can be merged, work to fold, a bundle.
foreach my $database ('postgres', 'trained')
{
    fill_store($node, $database, 3000);
    pack_store($node, $database) if $database eq 'trained';
    $node->safe_psql($database, <<'SQL');
SELECT kvs.commit('all', branch => name) FROM kvs.branches WHERE name IN ('main', 'feature');
CREATE TABLE bundle AS SELECT array_agg(b) AS b FROM kvs.export_bundle('main') AS b;
SQL
}

my $mput = q(SELECT kvs.mput(array_agg('doc:' || lpad(i::text, 7, '0')), array_agg(to_jsonb(md5(i::text))))
    FROM generate_series(1, 3000, 10) AS i);
# Name, what comes before memory is short, what comes then.
my @operations = (
    [ 'commit',             $mput, q(SELECT kvs.commit('c')) ],
    [ 'flush',              $mput, q(SELECT kvs.flush()) ],
    [ 'mput',               '',    $mput ],
    [ 'import',             '',    q(SELECT kvs.import($$SELECT 'new:' || i, to_jsonb(md5(i::text)) FROM generate_series(1, 3000) AS i$$)) ],
    [ 'merge',              '',    q(SELECT * FROM kvs.merge('feature')) ],
    [ 'restore',            '',    q(SELECT kvs.restore('doc:*', 'HEAD~1')) ],
    [ 'scan',               '',    q(SELECT count(*), sum(length(value::text)) FROM kvs.scan()) ],
    [ 'entries',            '',    q(SELECT count(*) FROM kvs.entries WHERE value->>'n' <> 'x') ],
    [ 'diff',               '',    q(SELECT count(*) FROM kvs.diff('HEAD~1', 'HEAD')) ],
    [ 'history',            '',    q(SELECT count(*) FROM kvs.history('counted')) ],
    [ 'export',             '',    q(SELECT sum(length(b)) FROM kvs.export_bundle('main') AS b) ],
    [ 'import_bundle',      '',    q(SELECT kvs.import_bundle(b) FROM bundle) ],
    [ 'gc',                 '',    q(SELECT * FROM kvs.gc()) ],
    [ 'repack',             $mput, q(SELECT kvs.commit('c'); SELECT * FROM kvs.repack()) ],
    [ 'train_dictionaries', '',    q(SELECT * FROM kvs.train_dictionaries()) ],
    [ 'check',              '',    q(SELECT count(*) FROM kvs.check()) ],
);
# kB beyond what the backend has: from where the first block is refused to where most operations get through.
my @rooms = small_or_long([ 100, 350, 3000, 16700 ], [ map { int(16 * 1.18**$_) } 0 .. 46 ])->@*;

# In a session of its own, which goes on afterwards. The whole transaction is rolled back: after a savepoint a lock that
# PostgreSQL's LockAcquireExtended was about to take would be left without its list of owners, and crash it. Returns the SQLSTATE, empty if all was well.
sub run_with_room
{
    my ($database, $operation, $room) = @_;
    my ($name, $before, $sql) = @$operation;
    my ($stdout, $stderr) = ('', '');
    $node->psql($database, <<SQL, stdout => \$stdout, stderr => \$stderr, on_error_stop => 0,
\\set VERBOSITY sqlstate
SELECT kvs.exists('doc:0000001');
BEGIN;
$before;
SELECT pg_backend_pid() AS pid \\gset
\\setenv PID :pid
\\! prlimit --pid \$PID --as=\$((\$(cut -d' ' -f1 /proc/\$PID/statm) * \$(getconf PAGESIZE) + $room * 1024)):
$sql;
\\! prlimit --pid \$PID --as=unlimited:
ROLLBACK;
BEGIN;
SELECT 'next', kvs.get('counted'), kvs.put('after', '1') > 0;
ROLLBACK;
SQL
        timeout => 4 * $PostgreSQL::Test::Utils::timeout_default);
    like($stdout, qr/^next\|2\|t$/m, "$database, $name, $room kB: the next operation works") or diag($stderr);
    return join ',', $stderr =~ /(?:ERROR|FATAL):\s+(\w{5})/g;
}

foreach my $database ('postgres', 'trained')
{
    my $before = $node->safe_psql($database, q(SELECT count(*), sum(version) FROM kvs.scan()));
    foreach my $operation (@operations)
    {
        my %outcomes = map { $_ => run_with_room($database, $operation, $_) } @rooms;
        is(join(' ', grep { $_ !~ /^(53200)?(,25P02)*$/ } values %outcomes), '',
            "$database, $operation->[0]: success or out of memory");
        note("$operation->[0]: " . join(' ', map { "$_ kB " . ($outcomes{$_} || 'ok') } @rooms));
    }
    is($node->safe_psql($database, q(SELECT count(*), sum(version) FROM kvs.scan())), $before, "$database: as before");
}

# Training ends in a process of its own, which may crash.
finish($node, databases => [ 'postgres', 'trained' ], allow => qr/ended early/);

done_testing();

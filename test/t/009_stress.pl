# The stress test of the put and flush protocols in its small form; KVS_STRESS=1 asks for the long one.

use strict;
use warnings FATAL => 'all';

use FindBin;
use lib "$FindBin::RealBin/lib";
use Kvs;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

my $seconds = small_or_long(4, 120);

my $node = new_node('main', preload => 1, bare => 1, conf => <<CONF);
max_pred_locks_per_transaction = 256
synchronous_commit = off
autovacuum_naptime = 1s
CONF

my ($stdout, $stderr) = ('', '');
my $result;
{
    local %ENV = $node->_get_env();
    $result = IPC::Run::run([ "$FindBin::RealBin/../stress/put_flush.sh", $seconds ], '>', \$stdout, '2>', \$stderr);
}
note($stdout);
foreach my $level ('read committed', 'repeatable read', 'serializable')
{
    like($stdout, qr/^put_flush $level: \d+ changes, 0 problems$/m,            "$level: 0 problems");
    like($stdout, qr/^put_flush $level, committed: \d+ changes, 0 problems$/m, "$level: 0 problems in the trees");
}
like($stdout, qr/^put_flush: (\d+) of \1 planted errors found$/m, 'the checker can fail');
ok($result, 'exit status') or diag("$stdout\n$stderr");

$node->stop;
check_log($node);

done_testing();

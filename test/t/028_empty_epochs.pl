# The background worker drops the epochs of working rows that have run empty, and none in which something is left or may
# yet come: rows that a writer is inserting, has prepared, or has committed behind the flush.

use strict;
use warnings FATAL => 'all';

use FindBin;
use lib "$FindBin::RealBin/lib";
use Kvs;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

my $node = new_node('main', preload => 1, conf => <<CONF);
kvs.autogc = on
kvs.autogc_naptime = 1
max_prepared_transactions = 5
CONF

sub ask { return $node->safe_psql('postgres', $_[0]) }

sub older { return ask(q(SELECT coalesce(cardinality(older_epochs), 0) FROM _kvs.branch WHERE name = 'main')) }

sub runs_empty
{
    my ($what) = @_;
    ok($node->poll_query_until('postgres', q(SELECT older_epochs IS NULL FROM _kvs.branch WHERE name = 'main')), $what);
    return;
}

# The worker has been there at least once more.
sub worker_came
{
    ask(q(SELECT kvs.create_branch('marker', 'main'); SELECT kvs.put('m', '1', branch => 'marker'); SELECT kvs.flush('marker')));
    ok($node->poll_query_until('postgres', q(SELECT older_epochs IS NULL FROM _kvs.branch WHERE name = 'marker')),
        'the worker came');
    ask(q(SELECT kvs.delete_branch('marker', force => true)));
    return;
}

ask(q(SELECT kvs.put('a', '1'); SELECT kvs.commit('one')));
runs_empty('after a commit');
my $epoch = ask(q(SELECT epoch FROM _kvs.branch WHERE name = 'main'));

# Somebody is inserting a row while the branch moves, one is prepared.
my $writer = $node->background_psql('postgres');
$writer->query_safe(q(BEGIN; SELECT kvs.put('slow', '"slow"')));
ask(q(BEGIN; SELECT kvs.put('prepared', '"prepared"'); PREPARE TRANSACTION 'p'));
ask(q(SELECT kvs.put('b', '1'); SELECT kvs.commit('two')));
worker_came();
is(ask(q(SELECT older_epochs FROM _kvs.branch WHERE name = 'main')), "{$epoch}", 'an epoch with unfinished rows stays');
$writer->query_safe('COMMIT');
worker_came();
is(older(), 1, 'one in which a row is left does, too');
is(ask(q(SELECT kvs.get('slow'))), '"slow"', 'the row is there');
ask(q(SELECT kvs.commit('three')));
worker_came();
is(ask(q(SELECT older_epochs[cardinality(older_epochs)] FROM _kvs.branch WHERE name = 'main')), $epoch,
    'the prepared one is waited for');
ask(q(COMMIT PREPARED 'p'));
is(ask(q(SELECT kvs.get('prepared'))), '"prepared"', 'its row is there');
ask(q(SELECT kvs.commit('four')));
runs_empty('after the last one was folded');
is(ask(q(SELECT string_agg(key, ' ' ORDER BY key) FROM kvs.scan(as_of => 'HEAD'))), 'a b prepared slow', 'all is committed');

# A writer that rolls back leaves nothing.
$writer->query_safe(q(BEGIN; SELECT kvs.put('never', '1')));
ask(q(SELECT kvs.put('b', '2'); SELECT kvs.commit('five')));
$writer->query_safe('ROLLBACK');
runs_empty('after a rollback');

# Nor does the worker stand in the way of a commit of one snapshot.
$writer->query_safe(q(BEGIN ISOLATION LEVEL REPEATABLE READ; SELECT kvs.put('b', '3')));
ask(q(SELECT kvs.put('c', '1', branch => 'main')));
worker_came();
like($writer->query_safe(q(SELECT kvs.commit('six'))), qr/^[0-9a-f]{64}$/, 'a commit at REPEATABLE READ');
$writer->query_safe('COMMIT');
is(ask(q(SELECT kvs.get('c'))), '1', 'what was written meanwhile is there');
$writer->quit;

finish($node);
done_testing();

# Transfers whose other end waits for a lock: the server does not see that this transaction waits for that session, so
# no deadlock is detected. Each ends with an error within kvs.branch_lock_timeout.

use strict;
use warnings FATAL => 'all';

use FindBin;
use lib "$FindBin::RealBin/lib";
use Kvs;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

my $node = new_node('node');
add_store($node, $_) foreach 'west', 'east', 'north', 'south';
foreach my $remote ([ 'west', 'me', 'west' ], [ 'west', 'other', 'east' ], [ 'north', 'other', 'south' ],
    [ 'south', 'other', 'north' ])
{
    my ($database, $name, $target) = @$remote;
    (my $conninfo = $node->connstr($target)) =~ s/'/''/g;
    $node->safe_psql($database, "SELECT kvs.add_remote('$name', '$conninfo')");
}

# A wait without end would be 57014.
my $bounded = "SET statement_timeout = '60s'; SET kvs.branch_lock_timeout = '200ms';";

sub state_of
{
    my ($sql) = @_;
    return sqlstate_of($node, 'west', "$bounded $sql");
}

# To the very database

foreach my $call (q(clone('me')), q(fetch('me')), q(pull('me', 'main')))
{
    is(state_of("BEGIN; LOCK TABLE _kvs.branch; SELECT kvs.$call"), '55P03', "$call behind a lock of the same transaction");
}
is(state_of(q(BEGIN; SELECT kvs.put('a', '1'), kvs.commit('a'); SELECT kvs.push('me', 'main'))), '55000',
    'push of a commit of the same transaction');
is(state_of(q(BEGIN; SELECT kvs.create_branch('new'); SELECT kvs.push('me', 'new'))), '55000', 'of a branch that it made');
is(state_of(q(SELECT kvs.create_branch('old'))), '', 'a branch');
is(state_of(q(BEGIN; SELECT kvs.rename_branch('old', 'renamed'); SELECT kvs.push('me', 'renamed'))), '55000',
    'of a branch that it renamed');
is(state_of(q(BEGIN; SELECT kvs.put('a', '1', branch => 'old'), kvs.commit('a', branch => 'old');
        SELECT kvs.push('me', 'old', force => true))), '55000', 'by force');
is(state_of(q(BEGIN; SELECT kvs.put('a', '1'); SELECT kvs.fetch('me'), kvs.push('me', 'old'), kvs.push('me', 'main'))),
    '', 'what has not moved');
is(state_of(q(BEGIN; SELECT kvs.put('a', '1'), kvs.commit('a'); SELECT kvs.fetch('me'))), '', 'fetch beside a commit');
is(state_of(q(BEGIN; SELECT kvs.put('a', '1', branch => 'old'), kvs.commit('a', branch => 'old');
        SELECT kvs.pull('me', 'old'))), '', 'pull beside a commit');

# Two stores that push equal contents to each other

my %session = map { $_ => $node->background_psql($_, on_error_stop => 0) } 'north', 'south';
foreach my $session (values %session)
{
    $session->query_safe("\\set VERBOSITY sqlstate\n$bounded");
    $session->query_safe(q(BEGIN; SELECT kvs.put('same', '"contents"'), kvs.commit('same')));
}
$session{north}->query_until(qr/pushing/, "\\echo pushing\nSELECT kvs.push('other', 'main');\n");
my %error = ();
foreach my $name ('south', 'north')
{
    $session{$name}->query($name eq 'south' ? q(SELECT kvs.push('other', 'main')) : '\echo ended');
    $error{$name} = $session{$name}->{stderr};
    $session{$name}->{stderr} = '';
}
# The one that gives up first lets the other one go on.
like($error{$_}, qr/^(?:.*ERROR:  55P03\n?)?$/, "the push from $_ ends") foreach 'north', 'south';
like(join('', values %error), qr/55P03/, 'one of them by its limit');
foreach my $name ('north', 'south')
{
    $session{$name}->query_safe('ROLLBACK');
    $session{$name}->quit;
}

# The message names the cause, and one after the other they go through.
my $pusher = $node->background_psql('east');
$pusher->query_safe(q(BEGIN; SELECT kvs.put('same', '"contents"'), kvs.commit('same')));
$node->safe_psql('west', q(SELECT kvs.put('same', '"contents"'), kvs.commit('same')));
$node->psql('west', "$bounded SELECT kvs.push('other', 'main')", stderr => \my $stderr);
like($stderr, qr/remote "other": .* lock timeout.*DETAIL:  A transaction there did not end in time/s, 'the cause is named');
$pusher->query_safe('ROLLBACK');
$pusher->quit;
is(state_of(q(SELECT kvs.push('other', 'main'))), '', 'and it goes through when that has ended');

# A remote's own limit stays where it is smaller.
$node->safe_psql('postgres', q(ALTER DATABASE east SET lock_timeout = '50ms'));
$pusher = $node->background_psql('east');
$pusher->query_safe(q(BEGIN; SELECT kvs.put('other', '1'), kvs.commit('other')));
$node->safe_psql('west', q(SELECT kvs.put('other', '1'), kvs.commit('other')));
is(sqlstate_of($node, 'west', q(SET statement_timeout = '60s'; SET kvs.branch_lock_timeout = 0; SELECT kvs.push('other', 'main'))),
    '55P03', 'the limit of the other side');
$pusher->query_safe('ROLLBACK');
$pusher->quit;

finish($node, databases => [ 'west', 'east', 'north', 'south' ]);

done_testing();

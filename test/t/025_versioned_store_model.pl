# Random operations on the extension and on the in-memory versioned store, which is their oracle: every answer is the
# same, whether an entry with its metadata, a history, a difference, a log or an error. test/model/versioned_store_script.cpp
# tells the operations and the answers; KVS_VERSIONED_STORE_SCRIPT is what it was built into, KVS_SEED repeats a run.

use strict;
use warnings FATAL => 'all';

use FindBin;
use lib "$FindBin::RealBin/lib";
use IPC::Run;
use Kvs;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

my $teller = $ENV{KVS_VERSIONED_STORE_SCRIPT}
  or die 'KVS_VERSIONED_STORE_SCRIPT is not set; scripts/check.sh builds it: the target versioned_store_script';
my $runs  = small_or_long(40, 2_000);
my $steps = 60;
my $seed  = $ENV{KVS_SEED} || int(rand(1_000_000_000));
note("KVS_SEED=$seed");

my $node = new_node('main', conf => "synchronous_commit = off\n");
my %heard;

# The first answer that is not the oracle's, with the statements of its step; empty if there is none.
sub first_difference
{
    my ($run) = @_;
    IPC::Run::run([ $teller, $seed + $run, $steps, "r${run}_" ], '>', \my $told) or die "$teller failed";
    my @script   = $told =~ /^S (.*)$/mg;
    my @expected = $told =~ /^E (.*)$/mg;
    $node->psql('postgres', join("\n", @script), stdout => \my $stdout, stderr => \my $stderr, on_error_stop => 0);
    my @heard = split /\n/, $stdout;
    $heard{$_}++ foreach map { /^(\w+)\|/ ? $1 : $_ } @heard;
    my $step = 0;
    while (@expected || @heard)
    {
        my ($expected, $heard) = (shift(@expected) // 'the end', shift(@heard) // 'the end');
        if ($expected ne $heard)
        {
            my ($statements) = join("\n", @script, '\echo step') =~ /^(\\echo step ${step}\n.*?)^\\echo step/ms;
            return join("\n", "expected: $expected", "heard:    $heard", $statements // '', "stderr:   $stderr");
        }
        $step = $1 if $heard =~ /^step (\d+)/;
    }
    return '';
}

my $differences = 0;
foreach my $run (0 .. $runs - 1)
{
    my $difference = first_difference($run);
    next if $difference eq '';
    is($difference, '', 'run with KVS_SEED=' . ($seed + $run));
    last if ++$differences == 3;
}
is($differences, 0, "$runs runs of $steps steps give the answers of the oracle");

# Nothing was left out.
is(join(' ', grep { !$heard{$_} } qw(entry history diff log tag root KV001 42704 42710 42804)), '', 'and all were heard');

finish($node);
done_testing();

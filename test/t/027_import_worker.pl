# The process that compresses for an import: it is used where there is room for one and changes nothing of what is stored;
# an import goes on without it where there is none, and when it is ended; and it does not outlive an import that fails.

use strict;
use warnings FATAL => 'all';

use FindBin;
use lib "$FindBin::RealBin/lib";
use Kvs;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;
use Time::HiRes qw(usleep);

my $rows = number_of_rows(100_000, 1_000_000);
my $node = new_node('main', conf => "log_min_messages = debug1\nmax_parallel_workers = 4\nmax_worker_processes = 4");
my $postmaster = (slurp_file($node->data_dir . '/postmaster.pid') =~ /^(\d+)/)[0];

# Documents, and some that are blobs: smaller and larger than the worker takes.
my $query = <<SQL;
SELECT 'doc:' || lpad(i::text, 8, '0'),
       jsonb_build_object('n', i, 'text', CASE WHEN i % 5000 = 0 THEN repeat(md5(i::text), 300 + i % 3 * 1500) ELSE md5(i::text) END)
FROM generate_series(1, $rows) AS i
SQL
my $contents = q(SELECT count(*), md5(string_agg(key || value, '' ORDER BY key)) FROM kvs.scan());

my $n = 0;

# Imports into a new branch with these settings; the contents then, and how many workers were started.
sub import_with
{
    my ($settings) = @_;
    my $offset = -s $node->logfile;
    $n++;
    my $result = $node->safe_psql('postgres', <<SQL);
SELECT kvs.create_branch('import-$n', encode(_kvs.initial_commit(), 'hex'));
SET kvs.branch = 'import-$n';
$settings
SELECT kvs.import(\$\$$query\$\$, message => 'import');
\\echo contents
$contents
SQL
    my @started = slurp_file($node->logfile, $offset) =~ /starting background worker process "kvs compressor"/g;
    return ($result =~ /contents\n(.*)/s ? $1 : '', scalar @started);
}

sub compressors
{
    my %parent = map { /^\s*(\d+)\s+(\d+)\s/ ? ($1 => $2) : () } grep { /kvs compressor/ } `ps -eo pid,ppid,args`;
    return grep { $parent{$_} == $postmaster } keys %parent;
}

my ($alone, $started) = import_with('SET max_parallel_maintenance_workers = 0;');
like($alone, qr/^$rows\|/, 'an import without a worker');
is($started, 0, 'max_parallel_maintenance_workers');
my $helped;
($helped, $started) = import_with('');
is($started, 1, 'with one worker');
is($helped, $alone, 'is the same');
($helped, $started) = import_with('SET max_parallel_workers = 0;');
is("$started $helped", "0 $alone", 'max_parallel_workers');
($helped, $started) = import_with('BEGIN ISOLATION LEVEL SERIALIZABLE;');
is("$started $helped", "1 $alone", 'in a serializable transaction');

# Ended in the middle: the import takes over what the worker had. Looked for until one was hit.
my $ended = 0;
for (my $try = 0; $try < 20 && !$ended; $try++)
{
    my $offset  = -s $node->logfile;
    my $session = $node->background_psql('postgres');
    $session->query_safe("SELECT kvs.create_branch('ended$try', encode(_kvs.initial_commit(), 'hex')); SET kvs.branch = 'ended$try'");
    $session->query_until(qr/importing/, "\\echo importing\nSELECT kvs.import(\$\$$query\$\$, message => 'import');\n\\echo imported\n");
    wait_until(
        'a worker',
        sub {
            kill 'TERM', $_ for compressors();
            return $session->{run}->pump_nb && $session->{stdout} =~ /imported/
              || slurp_file($node->logfile, $offset) =~ /terminating background worker "kvs compressor"/;
        });
    is($session->query_safe($contents) =~ s/.*\n//sr, $alone, 'an import whose worker is ended');
    $session->quit;
    $ended = slurp_file($node->logfile, $offset) =~ /terminating background worker "kvs compressor"/;
}
ok($ended, 'a worker was ended');

# Cancelled sooner and later, until it is finished before.
$node->safe_psql('postgres', q(SELECT kvs.create_branch('cancelled', encode(_kvs.initial_commit(), 'hex'))));
my ($code, $cancelled) = ('', 0);
for (my $delay = 100; $delay < 60_000; $delay += int($delay / 3))
{
    $code = sqlstate_of($node, 'postgres',
        "SET kvs.branch = 'cancelled'; BEGIN; SET LOCAL statement_timeout = $delay; SELECT kvs.import(\$\$$query\$\$)");
    last if $code ne '57014';
    $cancelled++;
}
is($code, '', 'an import that is not cancelled');
cmp_ok($cancelled, '>', 0, 'some were');
wait_until('the workers of imports that failed', sub { !compressors() });

($helped, $started) = import_with('SELECT count(*) FROM kvs.train_dictionaries();');
is("$started $helped", "0 $alone", 'with dictionaries this process compresses');

finish($node);
done_testing();

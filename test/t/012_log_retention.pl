# Retention of the change log: by itself in the background, through kills, prepared transactions, dumps and on a
# standby. Whatever is removed, no write is lost and nothing looks damaged.

use strict;
use warnings FATAL => 'all';

use FindBin;
use lib "$FindBin::RealBin/lib";
use IPC::Run;
use Kvs;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;
use Time::HiRes qw(usleep);

my $rounds = small_or_long(3, 20);
my $dir    = PostgreSQL::Test::Utils::tempdir;
my $node   = new_node('main', preload => 1, streaming => 1, conf => <<CONF);
kvs.autogc = off
kvs.autotrain = off
kvs.autogc_naptime = 1
kvs.reflog_retention = 0
log_min_messages = log
CONF

my $states = q(SELECT string_agg(format('%s %s', member, CASE WHEN condemned_at IS NOT NULL THEN 'condemned'
    WHEN closed_at IS NOT NULL THEN 'closed' WHEN first_seq = (SELECT max(first_seq) FROM _kvs.change_member) THEN 'current'
    ELSE 'closing' END), ', ' ORDER BY first_seq) FROM _kvs.change_member WHERE first_seq IS NOT NULL);

# Collects with this retention until the members are in these states: a step may have to wait for autovacuum.
sub collect_until
{
    my ($retention, $wanted, $database) = @_;
    wait_until(
        $wanted,
        sub {
            $node->safe_psql($database // 'postgres', "SET kvs.change_retention = '$retention'; SELECT * FROM kvs.gc()");
            return $node->safe_psql($database // 'postgres', $states) eq $wanted;
        });
    return;
}

# A new store has one member, the first.
fill_store($node, 'postgres', 500);
collect_until('1d', '0 closed, 1 current');

# A prepared transaction is a writer like any other: neither a rotation nor a crash makes one forget it.
$node->safe_psql('postgres', q(SELECT kvs.put('other', '1')));
$node->safe_psql('postgres', q(UPDATE _kvs.change_member SET started_at = started_at - interval '1 day' WHERE member = 1));
$node->safe_psql('postgres', q(BEGIN; SELECT kvs.put('prepared', '"first"'); PREPARE TRANSACTION 'writer'));
my $collect = q(SET kvs.change_retention = '1d'; SELECT * FROM kvs.gc());
$node->safe_psql('postgres', $collect) for 1 .. 3;
is($node->safe_psql('postgres', $states), '0 closed, 1 closing, 2 current', 'prepared: its member is not closed');
$node->stop('immediate');
$node->start;
$node->safe_psql('postgres', $collect) for 1 .. 3;
is($node->safe_psql('postgres', $states), '0 closed, 1 closing, 2 current', 'prepared: nor after a crash');
$node->safe_psql('postgres', q(COMMIT PREPARED 'writer'));
collect_until('1d', '0 closed, 1 closed, 2 current');
is($node->safe_psql('postgres', q(SELECT kvs.put('prepared', '"second"'))), '2', 'prepared: written again');
is($node->safe_psql('postgres', q(SELECT string_agg(tableoid::regclass || ' ' || version, ', ' ORDER BY seq)
    FROM _kvs.change WHERE key = 'prepared')), '_kvs.change_1 1, _kvs.change_2 2', 'prepared: each where it was to go');
is($node->safe_psql('postgres', q(SELECT string_agg(version::text, ' ') FROM kvs.history('prepared'))), '2 1', 'prepared: both are found');

# A rotation that is prepared holds up others, and is none until it is committed.
$node->safe_psql('postgres', q(UPDATE _kvs.change_member SET started_at = started_at - interval '1 day' WHERE member = 2));
$node->safe_psql('postgres', q(BEGIN; SET LOCAL kvs.change_retention = '1d'; SELECT * FROM kvs.gc(); PREPARE TRANSACTION 'rotation'));
is($node->safe_psql('postgres', $states), '0 closed, 1 closed, 2 current', 'a rotation that is prepared is none yet');
$node->safe_psql('postgres', q(SELECT kvs.put('prepared', '"third"')));
is(sqlstate_of($node, 'postgres', q(SET kvs.gc_lock_timeout = 100; SELECT * FROM kvs.gc())), '55P03', 'others wait for it');
$node->safe_psql('postgres', q(COMMIT PREPARED 'rotation'));
$node->safe_psql('postgres', q(SELECT kvs.put('prepared', '"fourth"')));
is($node->safe_psql('postgres', q(SELECT string_agg(tableoid::regclass::text, ', ' ORDER BY seq)
    FROM _kvs.change WHERE key = 'prepared')), '_kvs.change_1, _kvs.change_2, _kvs.change_2, _kvs.change_3', 'then it is one');
check_store($node, 'postgres');

# A dump whose snapshot is older than the removal has all of it, and what it restores is whole. So is one that is made
# of the half of a log, and the mark goes with it.
my $exporter = $node->background_psql('postgres');
my $snapshot = $exporter->query_safe(q(BEGIN ISOLATION LEVEL REPEATABLE READ; SELECT pg_export_snapshot()));
my $versions = $node->safe_psql('postgres', q(SELECT count(*) FROM kvs.history('counted')));
$node->safe_psql('postgres', q(SELECT kvs.increment('counted')));
$node->safe_psql('postgres', q(UPDATE _kvs.change_member SET closed_at = closed_at - interval '2 days' WHERE member = 0));
collect_until('1d', '0 condemned, 1 closed, 2 closed, 3 current');
my $log = $node->safe_psql('postgres', 'SELECT count(*) FROM ONLY _kvs.change');
$node->safe_psql('postgres', $collect) for 1 .. 3;
is($node->safe_psql('postgres', 'SELECT count(*) FROM ONLY _kvs.change'), $log, 'an exported snapshot keeps what it sees');
$node->command_ok([ 'pg_dump', '-Fc', "--snapshot=$snapshot", '-f', "$dir/older", 'postgres' ], 'pg_dump of the older state');
$exporter->query_safe('COMMIT');
$exporter->quit;
collect_until('1d', '1 closed, 2 closed, 3 current');
is($node->safe_psql('postgres', 'SELECT count(*) FROM ONLY _kvs.change'), 0, 'then it is removed');
check_store($node, 'postgres');
$node->command_ok([ 'pg_dump', '-Fc', '-f', "$dir/newer", 'postgres' ], 'pg_dump of the newer state');
foreach my $dump ('older', 'newer')
{
    $node->safe_psql('postgres', "CREATE DATABASE $dump TEMPLATE template0 ENCODING 'UTF8'");
    $node->command_ok([ 'pg_restore', '--exit-on-error', '-d', $dump, "$dir/$dump" ], "pg_restore of the $dump state");
    check_store($node, $dump, "the $dump state is whole");
}
is($node->safe_psql('older', q(SELECT count(*) FROM kvs.history('counted'))), $versions, 'the older state has its history');
is(fingerprint($node, 'newer'), fingerprint($node, 'postgres'), 'the newer state is what it was');
my $mark = q(SELECT kvs.stats()->'log'->>'low_water_mark');
is($node->safe_psql('newer', $mark), $node->safe_psql('postgres', $mark), 'with the low-water mark');
is(sqlstate_of($node, 'newer', q(SELECT kvs.get_version('doc:0000002', 1))), '', 'what a commit has is there');
is(sqlstate_of($node, 'newer', q(SELECT kvs.get_version('counted', 2))), '55000', 'what nothing has is an error');
is($node->safe_psql('newer', q(SELECT kvs.put('counted', '1') > 1)), 't', 'it can be written');
collect_until('1d', '1 closed, 2 closed, 3 current', 'newer');
$node->safe_psql('newer', q(UPDATE _kvs.change_member SET closed_at = closed_at - interval '2 days'));
collect_until('1d', '3 current', 'newer');
check_store($node, 'newer', 'it is collected further');
$node->safe_psql('postgres', "DROP DATABASE $_") for 'older', 'newer';

# A standby reads what is kept, and what is gone is gone, not damaged: also for a snapshot that the removal has
# overtaken there.
$node->backup('backup');
my $standby = PostgreSQL::Test::Cluster->new('standby');
$standby->init_from_backup($node, 'backup', has_streaming => 1);
$standby->append_conf('postgresql.conf', "max_standby_streaming_delay = -1\nhot_standby_feedback = off\n");
$standby->start;
my $reader = $standby->background_psql('postgres', on_error_stop => 0);
$reader->query(q(BEGIN ISOLATION LEVEL REPEATABLE READ; SELECT kvs.get('prepared')));
$node->safe_psql('postgres', q(UPDATE _kvs.change_member SET closed_at = closed_at - interval '2 days'));
collect_until('1d', '3 current');
$node->wait_for_catchup($standby);
is($standby->safe_psql('postgres', q(SELECT string_agg(version::text, ' ') FROM kvs.history('prepared'))), '4', 'standby: history is what is kept');
is($reader->query(q(SELECT string_agg(version::text, ' ') FROM kvs.history('prepared'))), '4', 'standby: also for an older snapshot');
is(sqlstate_of($standby, 'postgres', q(SELECT kvs.get_version('prepared', 1))), '55000', 'standby: what is gone is an error');
is($reader->query(q(SELECT count(*) FROM kvs.check() WHERE severity = 'error')), '0', 'standby: nor is it damage');
like($reader->query(q(\set VERBOSITY verbose
SELECT kvs.get_version('prepared', 1))) . $reader->{stderr}, qr/55000/, 'standby: also for an older snapshot');
$reader->query('ROLLBACK');
$reader->quit;
check_store($standby, 'postgres', 'standby');
is($standby->safe_psql('postgres', q(SET kvs.change_retention = 0; SELECT changes_removed FROM kvs.gc(dry_run => true))), '0', 'standby: a dry run');
$standby->stop;

# Writers, and readers of the log, beside collections that remove all they can; and a crash in the middle. What was
# acknowledged is there after it.
sub client
{
    my ($name, $sql, $statements) = @_;
    append_to_file("$dir/$name.sql", $sql x $statements);
    return IPC::Run::start(
        [ $node->installed_command('psql'), '-XAtq', '-d', $node->connstr('postgres'), '-f', "$dir/$name.sql" ],
        '>', "$dir/$name.out", '2>', "$dir/$name.err");
}
my $removed = 0;
foreach my $round (1 .. $rounds)
{
    my $before = $node->safe_psql('postgres', q(SELECT max(low_seq) FROM _kvs.change_member));
    my @clients = (
        (map { client("writer$round.$_", "SELECT kvs.put('crash:$round:$_', '1');\n", 100_000) } 1 .. 2),
        client("transaction$round", "BEGIN; SELECT kvs.put('crash:$round:3', '1'); SAVEPOINT s; SELECT kvs.put('crash:$round:3', '0'); ROLLBACK TO s; SELECT kvs.put('crash:$round:3', '1'); COMMIT;\n", 50_000),
        client("flusher$round", "SELECT kvs.flush(); SELECT pg_sleep(0.02);\n", 50_000),
        client("reader$round", "SELECT 'holes' FROM kvs.history('crash:$round:1', max_rows => 50) HAVING max(version) - min(version) + 1 <> count(*) AND max(version) > 50 AND count(*) = 50; SELECT 'error', * FROM kvs.check() WHERE severity = 'error';\nSELECT pg_sleep(0.1) \\g /dev/null\n", 20_000),
        client("collector$round", "SET kvs.change_retention = 0; SELECT changes_removed FROM kvs.gc(); SELECT pg_sleep(0.01);\n", 50_000));
    my $marks = 0;
    wait_until(
        'some rotations',
        sub {
            my $now = $node->safe_psql('postgres', q(SELECT max(low_seq) FROM _kvs.change_member));
            $marks++ if $now > $before;
            $before = $now;
            return $marks >= 5;
        });
    $node->stop('immediate');
    $_->finish foreach @clients;
    $node->start;
    check_store($node, 'postgres', "crash $round");
    foreach my $writer (1 .. 2)
    {
        my @acks = split /\n/, slurp_file("$dir/writer$round.$writer.out");
        my $version = $node->safe_psql('postgres', "SELECT version FROM kvs.get_entry('crash:$round:$writer')");
        cmp_ok($version, '>=', scalar(@acks), "crash $round: what was acknowledged to writer $writer is there");
        cmp_ok($version, '<=', @acks + 1, "crash $round: and no more");
        is(join(' ', grep { $acks[ $_ - 1 ] != $_ } 1 .. @acks), '', "crash $round: each version once");
    }
    is(slurp_file("$dir/reader$round.out"), '', "crash $round: no reader saw a hole or damage");
    unlike(slurp_file("$dir/$_$round.err"), qr/ERROR/, "crash $round: no error of the $_") foreach 'reader', 'collector', 'transaction';
    $removed += $_ foreach grep { /^\d+$/ } split /\n/, slurp_file("$dir/collector$round.out");
    is($node->safe_psql('postgres', "SELECT kvs.put('crash:$round:1', '2') > 1"), 't', "crash $round: writing goes on");
}
cmp_ok($removed, '>', 0, "$removed changes were removed meanwhile");

# In the background, whether or not there is anything else to collect: the switch, the setting, the trees of records.
$node->safe_psql('postgres', q(SELECT kvs.create_branch('imported', (SELECT hash FROM kvs.log() WHERE parents = '{}'));
SELECT kvs.import($$SELECT 'doc:' || i, to_jsonb(repeat(md5(i::text), 10)) FROM generate_series(1, 2000) AS i$$, branch => 'imported');
SELECT kvs.delete_branch('imported', force => true);
SELECT kvs.gc()));
my $chunks = $node->safe_psql('postgres', 'SELECT count(*) FROM _kvs.chunk');
my $kept   = $node->safe_psql('postgres', 'SELECT count(*) FROM _kvs.change');
$node->append_conf('postgresql.conf', 'kvs.autogc = on');
$node->reload;
my $offset = -s $node->logfile;
wait_for_rounds($node);
is($node->safe_psql('postgres', 'SELECT count(*) FROM _kvs.change'), $kept, 'background: nothing is removed by default');
$node->append_conf('postgresql.conf', "kvs.change_retention = 1\nlog_min_messages = log");
$node->reload;
ok($node->poll_query_until('postgres', q(SELECT count(*) = 0 FROM _kvs.change)), 'background: all that is old goes');
$node->wait_for_log(qr/automatic kvs collection in database "postgres": removed \d+ changes from the log/, $offset);
ok($node->poll_query_until('postgres', "SELECT count(*) < $chunks - 100 FROM _kvs.chunk"), 'background: and the trees of its records');
ok($node->poll_query_until('postgres', q(SELECT count(*) = 0 FROM pg_stat_activity WHERE backend_type = 'kvs collector')), 'background: it ends');

finish($node, allow => qr/terminated by signal/);
done_testing();

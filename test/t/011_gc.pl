# Garbage collection by itself, in each database that has grown; and kills in the middle of it: the store is whole
# afterwards, and the next collection finds what is left.

use strict;
use warnings FATAL => 'all';

use FindBin;
use lib "$FindBin::RealBin/lib";
use IPC::Run;
use Kvs;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

my $documents = number_of_rows(60_000, 600_000);
my $rounds    = small_or_long(2, 20);

my $conf = "kvs.reflog_retention = 0\nkvs.autogc_naptime = 1\nkvs.autogc_threshold = 50\nkvs.autogc_growth = 10\nkvs.autorepack = off\nkvs.autotrain = off\n";
# The other kind of background work is on at first, so that there are rounds, and never has reason to begin.
my $node = new_node('main', preload => 1, streaming => 1,
    conf => "${conf}kvs.autogc = off\nkvs.autorepack = on\nkvs.autorepack_threshold = 1000000000\nlog_min_messages = log\n");

# A branch with an import, and then without: nothing refers to its chunks any more.
sub make_garbage
{
    my ($database, $rows, $server) = @_;
    ($server // $node)->safe_psql($database, <<SQL);
SELECT kvs.create_branch('garbage', (SELECT hash FROM kvs.log() WHERE parents = '{}'));
SELECT kvs.import(\$\$SELECT 'doc:' || lpad(i::text, 7, '0'), jsonb_build_object('n', i, 'text', repeat(md5(random()::text), 60))
    FROM generate_series(1, $rows) AS i\$\$, branch => 'garbage', message => 'import');
SELECT kvs.delete_branch('garbage', force => true);
-- What the record of the import says is kept with the log; so that it becomes garbage here, it is forgotten, and what
-- leads to its entries.
DELETE FROM _kvs.change WHERE branch_id NOT IN (SELECT id FROM _kvs.branch);
DELETE FROM _kvs.reflog WHERE branch = 'garbage';
SQL
    return;
}

sub garbage
{
    my ($database) = @_;
    return $node->safe_psql($database, 'SELECT objects_removed FROM kvs.gc(dry_run => true)');
}

sub collections
{
    my ($database) = @_;
    return $node->safe_psql($database, 'SELECT count(*) FROM _kvs.collection');
}

sub workers
{
    my ($server, $type) = @_;
    return $server->safe_psql('postgres', "SELECT count(*) FROM pg_stat_activity WHERE backend_type = '$type'");
}

sub switch_autogc
{
    my ($setting) = @_;
    $node->append_conf('postgresql.conf', "kvs.autogc = $setting\nkvs.autorepack = off");
    $node->reload;
    return;
}

# Waits in the server, so that nothing is missed; the process id of the collection that fulfils the condition.
sub collection_where
{
    my ($database, $condition) = @_;
    return $node->safe_psql($database, <<SQL);
CREATE FUNCTION pg_temp.collection() RETURNS int LANGUAGE plpgsql AS \$\$
DECLARE
    found_pid int;
BEGIN
    FOR i IN 1 .. 100000 LOOP
        SELECT pid INTO found_pid FROM kvs.gc_progress WHERE $condition;
        IF found_pid IS NOT NULL THEN
            RETURN found_pid;
        END IF;
        PERFORM pg_sleep(0.001);
    END LOOP;
    RAISE 'no collection';
END \$\$;
SELECT pg_temp.collection();
SQL
}

fill_store($node, 'postgres', 500);
$node->safe_psql('postgres', 'CREATE DATABASE empty');
add_store($node, 'other');
fill_store($node, 'other', 500);

# All but the reflog, of which a part is collected too.
sub contents
{
    my ($database) = @_;
    return join("\n", grep { !/^reflog\|/ } split /\n/, fingerprint($node, $database));
}
my %before = map { $_ => contents($_) } 'postgres', 'other';
sub unchanged
{
    my ($name) = @_;
    foreach my $database ('postgres', 'other')
    {
        is(contents($database), $before{$database}, "$name: $database is what it was");
    }
    return;
}

# The switch.
make_garbage('postgres', 2000);
make_garbage('other',    2000);
cmp_ok(garbage('postgres'), '>', 100, 'there is garbage');
ok($node->poll_query_until('postgres', "SELECT count(*) = 1 FROM pg_stat_activity WHERE backend_type = 'kvs gc launcher'"),
    'the launcher runs');
wait_for_rounds($node);
is(collections('postgres'), 0, 'autogc = off: nothing is collected');
switch_autogc('on');
foreach my $database ('postgres', 'other')
{
    ok($node->poll_query_until($database, 'SELECT count(*) > 0 FROM _kvs.collection'), "autogc = on: $database is collected");
    is(garbage($database), 0, "$database: all of it");
}
like(slurp_file($node->logfile), qr/automatic kvs collection in database "other": removed \d{3,} objects/, 'it is logged');
unchanged('collected');

# Without growth it does not collect again; by the owner of the extension, whoever that is.
my $done = collections('postgres');
wait_for_rounds($node);
is(collections('postgres'), $done, 'no growth, no collection');
is($node->safe_psql('postgres', 'SELECT count(*) FROM kvs.gc_progress'), 0, 'nothing runs');

# A database that goes away, and one without kvs, do no harm.
$node->safe_psql('postgres', "CREATE DATABASE gone$_ TEMPLATE template0") for 1 .. 3;
$node->safe_psql('postgres', "DROP DATABASE gone$_ WITH (FORCE)") for 1 .. 3;
make_garbage('other', 2000);
ok($node->poll_query_until('other', 'SELECT count(*) > 1 FROM _kvs.collection'), 'other databases come and go');

# Builders that never end are not disturbed, and what they hold up is done later.
switch_autogc('off');
make_garbage('postgres', 2000);
$node->safe_psql('postgres', 'ALTER DATABASE postgres SET kvs.gc_lock_timeout = 100');
my $builder = $node->background_psql('postgres');
$builder->query_safe(q(BEGIN; SELECT kvs.put('built', '1'); SELECT kvs.flush();));
switch_autogc('on');
$node->wait_for_log(qr/stopped, because somebody was building trees all the time/);
$builder->query_safe('ROLLBACK');
$builder->quit;
ok($node->poll_query_until('postgres', "SELECT count(*) > $done FROM _kvs.collection"), 'after the builder');
is(garbage('postgres'), 0, 'all of it');
$node->safe_psql('postgres', 'ALTER DATABASE postgres RESET kvs.gc_lock_timeout');
unchanged('beside a builder');

# A launcher that is told to end comes again.
$node->safe_psql('postgres', "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE backend_type = 'kvs gc launcher'");
make_garbage('other', 2000);
my $other = collections('other');
ok($node->poll_query_until('other', "SELECT count(*) > $other FROM _kvs.collection"), 'the launcher came again');

# A collector that is told to end, and a crash in the middle of one.
switch_autogc('off');
foreach my $round (1 .. $rounds)
{
    make_garbage('postgres', $documents);
    my $all = garbage('postgres');
    switch_autogc('on');
    my $pid = collection_where('postgres', 'chunks_removed > 10000');
    kill 'TERM', $pid;
    switch_autogc('off');
    $node->poll_query_until('postgres', "SELECT count(*) = 0 FROM pg_stat_activity WHERE backend_type = 'kvs collector'");
    check_store($node, 'postgres', "terminated $round");
    my $left = garbage('postgres');
    cmp_ok($left, '<', $all, "terminated $round: what is done is done");

    make_garbage('postgres', $documents);
    $all = garbage('postgres');
    switch_autogc('on');
    $pid = collection_where('postgres', 'chunks_removed > 10000');
    kill_backend($node, $pid);
    switch_autogc('off');
    check_store($node, 'postgres', "crash of a collector $round");
    note("of $all objects " . garbage('postgres') . ' are left');

    make_garbage('postgres', $documents) if garbage('postgres') < 1000;
    $all = garbage('postgres');
    my $gc = IPC::Run::start(
        [ $node->installed_command('psql'), '-XAtq', '-d', $node->connstr('postgres'), '-c', 'SELECT * FROM kvs.gc()' ],
        '>', \my $stdout, '2>', \my $stderr);
    $pid = collection_where('postgres', "phase = 'removing'");
    kill_backend($node, $pid);
    $gc->finish;
    check_store($node, 'postgres', "crash of kvs.gc() $round");
    is(garbage('postgres'), $all, "crash of kvs.gc() $round: all or nothing");
    is(sqlstate_of($node, 'postgres', q(SET statement_timeout = '30ms'; SELECT * FROM kvs.gc())), '57014', "cancelled $round");
    check_store($node, 'postgres', "cancelled $round");
    is($node->safe_psql('postgres', 'SELECT objects_removed FROM kvs.gc()'), $all, "collected $round");
    is(garbage('postgres'), 0, "collected $round: all of it");
    check_store($node, 'postgres', "collected $round");
}
unchanged('after kills');

# On a standby there is no launcher; what would be removed can be asked there.
$node->backup('backup');
make_garbage('postgres', 2000);
my $standby = PostgreSQL::Test::Cluster->new('standby');
$standby->init_from_backup($node, 'backup', has_streaming => 1);
$standby->append_conf('postgresql.conf', 'kvs.autogc = on');
$standby->start;
$node->wait_for_catchup($standby);
is(workers($standby, 'kvs gc launcher'), 0, 'standby: no launcher');
is($standby->safe_psql('postgres', 'SELECT objects_removed FROM kvs.gc(dry_run => true)'), garbage('postgres'),
    'standby: a dry run');
is(sqlstate_of($standby, 'postgres', 'SELECT * FROM kvs.gc()'), '25006', 'standby: no collection');
is(sqlstate_of($standby, 'postgres', 'SELECT * FROM kvs.repair()'), '25006', 'standby: no repair');
is($standby->safe_psql('postgres', 'SELECT count(*) FROM kvs.gc_progress'), 0, 'standby: the view');
$standby->promote;
make_garbage('postgres', 2000, $standby);
ok($standby->poll_query_until('postgres', 'SELECT objects_removed = 0 FROM kvs.gc(dry_run => true)'), 'promoted: collected');
$standby->stop;

# No room for another worker.
switch_autogc('on');
$node->append_conf('postgresql.conf', 'max_worker_processes = 3');
my $offset = -s $node->logfile;
$node->restart;
$node->wait_for_log(qr/could not start a kvs collector: no free background worker/, $offset);
is($node->safe_psql('postgres', q(SELECT kvs.get('counted') IS NOT NULL)), 't', 'no worker, no harm');

# Without preloading there is nothing to see, and kvs.gc() works.
my $plain = new_node('plain', conf => "kvs.reflog_retention = 0\n");
fill_store($plain, 'postgres', 500);
$plain->safe_psql('postgres', q(SELECT kvs.put('doc:0000001', '1'); SELECT kvs.flush(); SELECT kvs.put('doc:0000001', '2'); SELECT kvs.flush()));
is($plain->safe_psql('postgres', 'SELECT objects_removed > 0 FROM kvs.gc()'), 't', 'not preloaded: collected');
is($plain->safe_psql('postgres', 'SELECT count(*) FROM kvs.gc_progress'), 0, 'not preloaded: an empty view');

my $provoked = qr/terminated by signal|terminating connection because of crash|crash of another server process/;
finish($node, databases => [ 'postgres', 'other' ], allow => $provoked);
finish($plain);

done_testing();

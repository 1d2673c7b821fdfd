# Repacking by itself, in the background; beside readers of old commits and a collection; and kills in the middle of
# it: a chunk is where it was or in its pack, and the next run goes on.

use strict;
use warnings FATAL => 'all';

use FindBin;
use lib "$FindBin::RealBin/lib";
use IPC::Run;
use Kvs;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

my $documents = number_of_rows(20_000, 200_000);
my $rounds    = small_or_long(2, 20);

# The other kind of background work is on at first, so that there are rounds, and never has reason to begin.
my $node = new_node('main', preload => 1, conf => <<'CONF');
kvs.autogc = on
kvs.autogc_threshold = 1000000000
kvs.autorepack = off
kvs.autotrain = off
kvs.autogc_naptime = 1
kvs.autorepack_threshold = 100
kvs.node_cache_size = 1MB
log_min_messages = log
CONF

sub commits
{
    my ($count) = @_;
    $node->safe_psql('postgres', <<SQL);
DO \$\$ BEGIN
    FOR c IN 1 .. $count LOOP
        PERFORM kvs.mput(array_agg('doc:' || lpad(i::text, 7, '0')), array_agg(jsonb_build_object('n', i, 'text', md5(random()::text))))
        FROM generate_series(1 + (random() * 50)::int, $documents, 50) AS i;
        PERFORM kvs.put('blob', to_jsonb((SELECT string_agg(md5((i + floor(random() * 1.02))::text), ' ') FROM generate_series(1, 500) AS i)));
        PERFORM kvs.commit('c ' || c);
    END LOOP;
END \$\$;
INSERT INTO expected SELECT l.hash, digest(l.hash) FROM kvs.log() AS l WHERE l.hash NOT IN (SELECT hash FROM expected);
SQL
    return;
}

sub members
{
    return $node->safe_psql('postgres', 'SELECT coalesce(sum(cardinality(addresses)), 0) FROM _kvs.pack');
}

sub switch_autorepack
{
    my ($setting) = @_;
    $node->append_conf('postgresql.conf', "kvs.autorepack = $setting\nkvs.autogc = off");
    $node->reload;
    return;
}

# Every commit is what it was when it was made, and the store has no fault.
sub unchanged
{
    my ($name) = @_;
    is($node->safe_psql('postgres', 'SELECT count(*) FROM expected WHERE digest(hash) <> contents'), 0, "$name: contents");
    check_store($node, 'postgres', "$name: check");
    return;
}

# Waits in the server, so that nothing is missed; the process id of the repacking that has packed so many.
sub repacking_beyond
{
    my ($count) = @_;
    return $node->safe_psql('postgres', <<SQL);
DO \$\$ BEGIN
    FOR i IN 1 .. 100000 LOOP
        PERFORM set_config('test.pid', (SELECT pid::text FROM kvs.gc_progress WHERE phase = 'packing' AND chunks_packed > $count), false);
        EXIT WHEN current_setting('test.pid') <> '';
        PERFORM pg_sleep(0.001);
    END LOOP;
END \$\$;
SELECT current_setting('test.pid');
SQL
}

sub psql_in_background
{
    my ($sql) = @_;
    my %run = (out => '', err => '');
    $run{harness} = IPC::Run::start(
        [ $node->installed_command('psql'), '-XAtq', '-v', 'ON_ERROR_STOP=1', '-d', $node->connstr('postgres'), '-c', $sql ],
        '>', \$run{out}, '2>', \$run{err});
    return \%run;
}

$node->safe_psql('postgres', <<SQL);
CREATE FUNCTION digest(commit text) RETURNS text LANGUAGE sql AS \$\$
    SELECT md5(string_agg(concat_ws(' ', s.key, s.version, s.value), ',' ORDER BY s.key)) FROM kvs.scan(as_of => commit) AS s
\$\$;
CREATE TABLE expected (hash text PRIMARY KEY, contents text);
SELECT kvs.import(\$\$SELECT 'doc:' || lpad(i::text, 7, '0'), jsonb_build_object('n', i, 'text', md5(i::text))
    FROM generate_series(1, $documents) AS i\$\$, message => 'import');
SQL
commits(10);

# Dictionaries train themselves: once, and those that pay are kept.
wait_for_rounds($node);
my $trained = 'SELECT count(*) FROM _kvs.training';
is($node->safe_psql('postgres', $trained), 0, 'autotrain = off: nothing is trained');
$node->append_conf('postgresql.conf', 'kvs.autotrain = on');
$node->reload;
ok($node->poll_query_until('postgres', "SELECT ($trained) = 1"), 'autotrain = on: trained');
$node->wait_for_log(qr/automatic kvs training in database "postgres": leaf chunks that took \d+ bytes take \d+ with a dictionary/);
is($node->safe_psql('postgres', 'SELECT (SELECT kept FROM _kvs.training) = count(*) FROM _kvs.dictionary'), 't', 'what pays is kept');
wait_for_rounds($node);
is($node->safe_psql('postgres', $trained), 1, 'once');
commits(1);
unchanged('trained');

# The switch.
sub bytes
{
    my ($relation) = @_;
    return $node->safe_psql('postgres', "SELECT pg_relation_size('$relation')");
}
my %written = map { $_ => bytes($_) } '_kvs.chunk', '_kvs.chunk_pkey';
wait_for_rounds($node);
is(members(), 0, 'autorepack = off: nothing is packed');
switch_autorepack('on');
ok($node->poll_query_until('postgres', 'SELECT count(*) > 0 FROM _kvs.repacking WHERE is_complete'), 'autorepack = on: a run');
cmp_ok(members(), '>', 1000, 'what history needs is packed');
$node->wait_for_log(qr/automatic kvs repacking in database "postgres": packed \d{4,} chunks of \d+ bytes, which take \d+ bytes now\n/);
unchanged('packed');
is($node->safe_psql('postgres', 'SELECT chunks_rewritten FROM kvs.repack()'), 0, 'all of it');

# Nobody commits, so what was emptied goes back to the system: rows at the end are moved, the index is built anew.
foreach my $relation (sort keys %written)
{
    ok($node->poll_query_until('postgres', "SELECT pg_relation_size('$relation') < $written{$relation} / 2"), "$relation is smaller");
}
is($node->safe_psql('postgres', 'SELECT count(*) FILTER (WHERE get_byte(body, 0) = 2) > count(*) / 2 FROM _kvs.chunk'), 't',
    'most chunks have the dictionary');
unchanged('moved');
my $inserted = 'SELECT chunks_inserted FROM _kvs.repacking ORDER BY at DESC LIMIT 1';
ok($node->poll_query_until('postgres', "SELECT pg_stat_get_tuples_inserted('_kvs.chunk'::regclass) = ($inserted)"), 'what was moved is no growth');

# What a burst of puts leaves of the index of working rows goes back too.
$node->safe_psql('postgres', <<'SQL');
SELECT kvs.create_branch('burst', 'HEAD');
SELECT kvs.mput(array_agg('burst:' || i), array_agg(to_jsonb(i)), branch => 'burst') FROM generate_series(1, 20000) AS i;
SELECT kvs.delete_branch('burst', force => true);
SQL
cmp_ok(bytes('_kvs.working_pkey'), '>', 500_000, 'a large index of working rows');
$node->safe_psql('postgres', 'VACUUM _kvs.working');
ok($node->poll_query_until('postgres', "SELECT pg_relation_size('_kvs.working_pkey') < 20000"), 'which is built anew');
unchanged('after a burst');

# Without growth it does not run again; with growth it goes on behind what is there.
my $runs = $node->safe_psql('postgres', 'SELECT count(*) FROM _kvs.repacking');
wait_for_rounds($node);
is($node->safe_psql('postgres', 'SELECT count(*) FROM _kvs.repacking'), $runs, 'no growth, no run');
my $packed = members();
my $packs  = $node->safe_psql('postgres', 'SELECT count(*) FROM _kvs.pack');
commits(3);
ok($node->poll_query_until('postgres', "SELECT sum(cardinality(addresses)) > $packed FROM _kvs.pack"), 'new commits are packed');
ok($node->poll_query_until('postgres', "SELECT count(*) > $runs FROM _kvs.repacking WHERE is_complete"), 'to the end');
cmp_ok((members() - $packed) / 4, '>', $node->safe_psql('postgres', 'SELECT count(*) FROM _kvs.pack') - $packs, 'into the packs that are there');
unchanged('grown');

# It waits for nobody.
switch_autorepack('off');
my $collector = $node->background_psql('postgres');
$collector->query_safe('BEGIN; SELECT * FROM kvs.gc();');
my $offset = -s $node->logfile;
$node->append_conf('postgresql.conf', 'kvs.autorepack_threshold = 0');
switch_autorepack('on');
$node->wait_for_log(qr/stopped, because of a collection or repacking/, $offset);
$collector->query_safe('ROLLBACK');
$collector->quit;
switch_autorepack('off');

# Readers of old commits beside repackings, collections and vacuum, at every level of isolation.
my @readers = map { psql_in_background(<<SQL) } ('READ COMMITTED', 'REPEATABLE READ', 'SERIALIZABLE');
BEGIN ISOLATION LEVEL $_;
DO \$\$
DECLARE
    e record;
BEGIN
    WHILE NOT EXISTS (SELECT FROM pg_locks WHERE locktype = 'advisory' AND objid = 4711) LOOP
        PERFORM pg_sleep(0.01);
    END LOOP;
    FOR i IN 1 .. 200 LOOP
        SELECT * INTO e FROM expected ORDER BY random() LIMIT 1;
        IF digest(e.hash) <> e.contents THEN
            RAISE 'commit % is not what it was', e.hash;
        END IF;
        EXIT WHEN EXISTS (SELECT FROM pg_locks WHERE locktype = 'advisory' AND objid = 4712);
    END LOOP;
END \$\$;
COMMIT;
SELECT 'all read';
SQL
my $lock = $node->background_psql('postgres');
$lock->query_safe('SELECT pg_advisory_lock(4711)');
foreach my $round (1 .. 4)
{
    commits(2);
    $node->safe_psql('postgres', "SELECT kvs.create_branch('side$round', 'HEAD~3'); SELECT kvs.put('side', '$round', branch => 'side$round');
        SELECT kvs.commit('side', branch => 'side$round')");
    $node->safe_psql('postgres', 'SELECT * FROM kvs.repack(500)');
    $node->safe_psql('postgres', 'SELECT * FROM kvs.repack()');
    $node->safe_psql('postgres', "SELECT kvs.delete_branch('side$round', force => true)");
    $node->safe_psql('postgres', 'SET kvs.reflog_retention = 0; SELECT * FROM kvs.gc()');
    $node->safe_psql('postgres', 'VACUUM _kvs.chunk, _kvs.pack');
}
$lock->query_safe('SELECT pg_advisory_lock(4712)');
foreach my $reader (@readers)
{
    $reader->{harness}->finish;
    is($reader->{out}, "all read\n", 'a reader of old commits');
    is($reader->{err}, '', 'without an error');
}
$lock->quit;
unchanged('beside readers');
# What the branches that are gone had kept is found by a look at the whole history.
$node->safe_psql('postgres', 'SELECT * FROM kvs.repack()');

# Crashes, of a call and of the worker; and a worker that is told to end.
foreach my $round (1 .. $rounds)
{
    commits(5);
    my $before = members();
    my $repack = psql_in_background('SELECT * FROM kvs.repack()');
    kill_backend($node, repacking_beyond(500));
    $repack->{harness}->finish;
    is(members(), $before, "crash of kvs.repack() $round: all or nothing");
    unchanged("crash of kvs.repack() $round");

    is(sqlstate_of($node, 'postgres', q(SET statement_timeout = '60ms'; SELECT * FROM kvs.repack())), '57014', "cancelled $round");
    is(members(), $before, "cancelled $round: all or nothing");

    switch_autorepack('on');
    kill_backend($node, repacking_beyond(100));
    switch_autorepack('off');
    unchanged("crash of a worker $round");

    commits(5);
    switch_autorepack('on');
    kill 'TERM', repacking_beyond(100);
    switch_autorepack('off');
    $node->poll_query_until('postgres', "SELECT count(*) = 0 FROM pg_stat_activity WHERE backend_type = 'kvs collector'");
    unchanged("terminated $round");
    switch_autorepack('on');
    my $done = $node->safe_psql('postgres', 'SELECT count(*) FROM _kvs.repacking WHERE is_complete');
    ok($node->poll_query_until('postgres', "SELECT count(*) > $done FROM _kvs.repacking WHERE is_complete"), "goes on $round");
    switch_autorepack('off');
    is($node->safe_psql('postgres', 'SELECT chunks_rewritten FROM kvs.repack()'), 0, "goes on $round: all of it");
    unchanged("goes on $round");
}

finish($node, allow => qr/terminated by signal|terminating connection because of crash|crash of another server process/);

done_testing();

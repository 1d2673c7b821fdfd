# Two servers: clone, fetch, pull, push, by force and not; only what is missing is sent; transfers that are interrupted
# go on; senders that are damaged or lie are refused; passwords show up nowhere.

use strict;
use warnings FATAL => 'all';

use FindBin;
use lib "$FindBin::RealBin/lib";
use Kvs;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

my $rows = number_of_rows(120_000, 1_000_000);

my $hub  = new_node('hub');
my $desk = new_node('desk');
fill_store($hub, 'postgres', 2_000);
# What travels may come out of packs.
cmp_ok($hub->safe_psql('postgres', 'SELECT chunks_rewritten FROM kvs.repack()'), '>', 0, 'the hub has packs');
$hub->safe_psql('postgres',
    q(SELECT kvs.commit('third'), kvs.commit('third on the branch', branch => 'feature'), kvs.create_branch('team/x', 'v1')));
add_store($hub,  'other');
add_store($desk, $_) foreach 'second', 'third';
$hub->safe_psql('postgres', 'CREATE DATABASE without');

sub remote
{
    my ($database, $user) = @_;
    return $hub->connstr($database) . ($user ? " user=$user" : '');
}

sub add_remote
{
    my ($database, $name, $conninfo) = @_;
    $conninfo =~ s/'/''/g;
    $desk->safe_psql($database, "SELECT kvs.add_remote('$name', '$conninfo')");
    return;
}

# (ref, whether it moved, chunks) of a transfer.
sub moves
{
    my ($database, $call) = @_;
    return $desk->safe_psql($database,
        "SELECT ref, old_commit IS DISTINCT FROM new_commit, chunks FROM kvs.$call ORDER BY 1");
}

sub chunks_of
{
    my ($node, $database) = @_;
    return $node->safe_psql($database,
        'SELECT (SELECT count(*) FROM _kvs.chunk) + (SELECT coalesce(sum(cardinality(addresses)), 0) FROM _kvs.pack)');
}

# What travels of a store: all but uncommitted work and the identity of its log.
my $committed = <<'SQL';
SET timezone = 'UTC';
SELECT 'branch', name, head, message, committed_at FROM kvs.branches ORDER BY name;
SELECT 'tag', name, commit, message, tagger, created_at FROM kvs.tags ORDER BY name;
SELECT 'log', b.name, l.* FROM kvs.branches AS b, LATERAL kvs.log(b.name) AS l ORDER BY b.name, l.committed_at, l.hash;
SELECT 'entries', b.name, count(*), md5(string_agg(e::text, E'\n'))
FROM kvs.branches AS b, LATERAL kvs.scan(branch => b.name) AS e GROUP BY b.name ORDER BY b.name;
SELECT 'diff', d.* FROM kvs.diff('v1', 'feature') AS d;
SQL

# Clone

add_remote('postgres', 'origin', remote('postgres'));
my $all = chunks_of($hub, 'postgres');
my $sent = $desk->safe_psql('postgres', q(SELECT sum(chunks) FROM kvs.clone('origin')));
is($desk->safe_psql('postgres', $committed), $hub->safe_psql('postgres', $committed), 'clone: the same store');
is($sent, chunks_of($desk, 'postgres'), 'what is stored is what was sent');
cmp_ok($sent, '<=', $all, 'no chunk was sent twice');
is($desk->safe_psql('postgres', q(SELECT name, head = kvs.rev_parse(branch) FROM kvs.remote_branches ORDER BY 1)),
    "origin/feature|t\norigin/main|t\norigin/team/x|t", 'remote branches');
is($desk->safe_psql('postgres', q(SELECT kvs.rev_parse('origin/team/x') = kvs.rev_parse('v1'))), 't', 'are refs');
is($desk->safe_psql('postgres', q(SELECT branch, operation FROM kvs.reflog ORDER BY 1)),
    "feature|create\nmain|clone\nteam/x|create", 'reflog');
is(sqlstate_of($desk, 'postgres', q(SELECT kvs.clone('origin'))), '55000', 'a second clone is refused');
# What was written and taken back is not in the way, but for its versions, which go on.
add_store($desk, 'used');
add_remote('used', 'origin', remote('postgres'));
$desk->safe_psql('used', q(SELECT kvs.put('doc:0000010', '0'), kvs.put('other', '0'), kvs.commit('mine')));
is(sqlstate_of($desk, 'used', q(SELECT kvs.clone('origin'))), '55000', 'nor over commits');
$desk->safe_psql('used', q(SELECT kvs.reset('main~1'), kvs.put('other', '1')));
$desk->psql('used', q(SELECT kvs.clone('origin')), stderr => \my $in_the_way);
like($in_the_way, qr/the store is not empty.*DETAIL:  Branch "main" has entries.*HINT:.*kvs.reset/s, 'nor over entries');
$desk->safe_psql('used', q(SELECT kvs.delete('other')));
$desk->safe_psql('used', q(SELECT kvs.clone('origin')));
is($desk->safe_psql('used', q(SELECT count(*), md5(string_agg(key || value::text, '')) FROM kvs.scan(); SELECT count(*) FROM kvs.status())),
    $hub->safe_psql('postgres', q(SELECT count(*), md5(string_agg(key || value::text, '')) FROM kvs.scan(as_of => 'HEAD'))) . "\n0",
    'but over an emptied store');
is($desk->safe_psql('used', q(SELECT version > 1 FROM kvs.get_entry('doc:0000010'))), 't', 'with versions that go on');
is(moves('postgres', q(fetch('origin'))), "origin/feature|f|0\norigin/main|f|0\norigin/team/x|f|0", 'nothing to fetch');
# A history goes on in its commits.
is($desk->safe_psql('postgres', q(SELECT version, value FROM kvs.history('counted'))),
    $hub->safe_psql('postgres', q(SELECT version, value FROM kvs.history('counted') WHERE version <> 2)),
    'history, of what was committed');

# Forward, in both directions, and from packs to packs

cmp_ok($desk->safe_psql('postgres', 'SELECT chunks_rewritten FROM kvs.repack()'), '>', 0, 'the desk has packs');

$desk->safe_psql('postgres', q(SELECT kvs.put('doc:0000010', '"desk"'), kvs.commit('from the desk')));
my $before = chunks_of($hub, 'postgres');
my ($moved, $chunks) = $desk->safe_psql('postgres',
    q(SELECT old_commit <> new_commit, chunks FROM kvs.push('origin', 'main'))) =~ /^(\w)\|(\d+)$/;
is($moved, 't', 'push');
cmp_ok($chunks, '<=', 12, 'a change of one document costs a path in either tree');
is(chunks_of($hub, 'postgres') - $before, $chunks, 'and only that was sent');
is($hub->safe_psql('postgres', q(SELECT kvs.get('doc:0000010'), (SELECT count(*) FROM kvs.status()))),
    '"desk"|0', 'the hub has it');
is($hub->safe_psql('postgres', q(SELECT n, operation FROM kvs.reflog WHERE branch = 'main' ORDER BY n LIMIT 1)),
    '0|push', 'reflog of the hub');
is($hub->safe_psql('postgres', q(SELECT kvs.put('doc:0000010', '"hub"', expected_version => 2))), '3',
    'versions follow');
is(moves('postgres', q(push('origin', 'main'))), 'origin/main|f|0', 'nothing to push');

$hub->safe_psql('postgres', q(SELECT kvs.commit('from the hub'), kvs.create_tag('v2')));
like(moves('postgres', q(pull('origin', 'main'))), qr/^main\|t\|[1-9]\d?$/, 'pull');
is($desk->safe_psql('postgres', q(SELECT kvs.get('doc:0000010'), kvs.get_tag('v2') = kvs.rev_parse('main'),
        kvs.rev_parse('origin/main') = kvs.rev_parse('main'), (SELECT version FROM kvs.get_entry('doc:0000010')))),
    '"hub"|t|t|3', 'with tag and versions');
is(moves('postgres', q(pull('origin', 'main'))), 'main|f|0', 'nothing to pull');

$desk->safe_psql('postgres', q(SELECT kvs.create_branch('work/new'), kvs.put('new', '1', branch => 'work/new'),
    kvs.commit('new', branch => 'work/new')));
like(moves('postgres', q(push('origin', 'work/new'))), qr/^origin\/work\/new\|t\|[1-9]\d?$/, 'push of a new branch');
is($hub->safe_psql('postgres', q(SELECT kvs.get('new', branch => 'work/new'))), '1', 'is there');

# Histories that went apart

$hub->safe_psql('postgres', q(SELECT kvs.put('apart', '"hub"'), kvs.put('doc:0000011', '"hub"'), kvs.commit('hub')));
$desk->safe_psql('postgres', q(SELECT kvs.put('apart', '"desk"'), kvs.commit('desk')));
is(sqlstate_of($desk, 'postgres', q(SELECT kvs.push('origin', 'main'))), '55000', 'push that is no step forward');
is($desk->safe_psql('postgres', q(SELECT old_commit = new_commit FROM kvs.pull('origin', 'main'))), 't',
    'pull that meets a conflict');
is($desk->safe_psql('postgres', q(SELECT key, ours, theirs FROM kvs.conflicts)), 'apart|"desk"|"hub"', 'is staged');
is($desk->safe_psql('postgres', q(SELECT kvs.merge_abort())), 't', 'and can be forgotten');
is($hub->safe_psql('postgres', q(SELECT kvs.get('apart'))), '"hub"', 'nothing has moved');
is($desk->safe_psql('postgres', q(SELECT kvs.get('apart'))), '"desk"', 'neither here');
is(moves('postgres', q(fetch('origin', 'main'))), 'origin/main|f|0', 'what is there was fetched');
is(sqlstate_of($desk, 'postgres', q(SELECT kvs.push('origin', 'main'))), '55000', 'and still not be overwritten');
like(moves('postgres', q(push('origin', 'main', force => true))), qr/^origin\/main\|t\|/, 'but by force');
is($hub->safe_psql('postgres', q(SELECT value, version FROM kvs.mget('{apart,doc:0000011}') ORDER BY key)),
    qq("desk"|2\n{"n": 11, "text": ")
      . $hub->safe_psql('postgres', q(SELECT kvs.get('doc:0000011')->>'text')) . qq("}|3),
    'versions do not rewind');
is($hub->safe_psql('postgres', q(SELECT kvs.get('doc:0000011', as_of => 'main@{1}'))), '"hub"', 'nothing is lost');

# Uncommitted work of the other side

$hub->safe_psql('postgres', q(SELECT kvs.put('uncommitted', '1')));
$desk->safe_psql('postgres', q(SELECT kvs.put('more', '1'), kvs.commit('more')));
is(sqlstate_of($desk, 'postgres', q(SELECT kvs.push('origin', 'main'))), '55000', 'uncommitted work there');
is($hub->safe_psql('postgres', q(SELECT kvs.get('uncommitted'), kvs.exists('more'))), '1|f', 'is kept');
my $writer = $hub->background_psql('postgres');
$writer->query_safe(q(BEGIN; SELECT kvs.put('writing', '1')));
$hub->safe_psql('postgres', q(ALTER DATABASE postgres SET kvs.branch_lock_timeout = '50ms'));
is(sqlstate_of($desk, 'postgres', q(SELECT kvs.push('origin', 'main', force => true))), '55P03', 'a busy branch');
$writer->query_safe('ROLLBACK');
$writer->quit;
like(moves('postgres', q(push('origin', 'main', force => true))), qr/^origin\/main\|t\|/, 'force discards it');
is($hub->safe_psql('postgres', q(SELECT kvs.exists('uncommitted'), kvs.get('more'),
        (SELECT discarded_root IS NOT NULL FROM kvs.reflog WHERE branch = 'main' AND n = 0))),
    'f|1|t', 'the reflog has it');
is(sqlstate_of($desk, 'postgres', <<'SQL'), '55000', 'uncommitted work here is not pulled over');
SELECT kvs.put('mine', '1');
SELECT kvs.create_branch('keep');
SELECT kvs.commit('mine');
SELECT kvs.push('origin', 'main');
SELECT kvs.create_branch('behind', 'main~1');
SELECT kvs.put('dirty', '1', branch => 'behind');
SELECT kvs_remote.move_branch('behind', decode(kvs.rev_parse('main'), 'hex'), false);
SQL

# A transfer in steps: what has come is not sent again

$hub->safe_psql('other', "SELECT kvs.import('SELECT ''doc:'' || i, jsonb_build_object(''text'', md5(i::text)) "
      . "FROM generate_series(1, $rows) AS i', message => 'import')");
$hub->safe_psql('other', q(SELECT kvs.put('doc:7', '7'), kvs.commit('one more')));
my $large = chunks_of($hub, 'other');
cmp_ok($large, '>', 3500, "a store of $large chunks");
add_remote('second', 'origin', remote('other'));
my ($steps, $total) = (0, 0);
for (my $whole = 0; !$whole; $steps++)
{
    my $step = $desk->safe_psql('second',
        q(SELECT new_commit IS NOT NULL, chunks FROM kvs.fetch('origin', 'main', max_bytes => 300000)));
    ($whole, $chunks) = $step =~ /^(\w)\|(\d+)$/;
    $whole = $whole eq 't';
    $total += $chunks;
    # Half way nothing points to what is not whole; and what is interrupted takes nothing back.
    if ($steps == 0)
    {
        ok(!$whole, 'the first step is not enough');
        is($desk->safe_psql('second', q(SELECT count(*) FROM kvs.remote_branches)), '0', 'no ref yet');
        check_store($desk, 'second', 'check half way');
        is(sqlstate_of($desk, 'second', q(BEGIN; SELECT kvs.fetch('origin', 'main', 100000); SELECT 1/0)),
            '22012', 'a step that is rolled back');
    }
}
cmp_ok($steps, '>', 2, "$steps steps");
is($total, $large, 'each chunk was sent once');
is($desk->safe_psql('second', q(SELECT sum(chunks) FROM kvs.clone('origin'))), '0', 'a clone of what is here');
is($desk->safe_psql('second', $committed =~ s/^SELECT 'diff'.*//mr), $hub->safe_psql('other', $committed =~ s/^SELECT 'diff'.*//mr),
    'the same store');

# A push that is interrupted

add_store($hub, 'target');
add_remote('second', 'target', remote('target'));
# Lets so many batches in; then the next one never ends.
sub block_after
{
    my ($batches) = @_;
    $hub->safe_psql('target', <<SQL);
ALTER FUNCTION kvs_remote.receive_chunks RENAME TO receive_chunks_really;
CREATE SEQUENCE public.batches;
CREATE FUNCTION kvs_remote.receive_chunks(frames bytea[]) RETURNS bigint LANGUAGE plpgsql AS \$\$
BEGIN
    IF nextval('public.batches') > $batches THEN
        PERFORM pg_sleep(1000);
    END IF;
    RETURN kvs_remote.receive_chunks_really(frames);
END \$\$;
SQL
    return;
}

sub unblock
{
    $hub->safe_psql('target', <<'SQL');
SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = 'target' AND pid <> pg_backend_pid();
DROP FUNCTION kvs_remote.receive_chunks;
DROP SEQUENCE public.batches;
ALTER FUNCTION kvs_remote.receive_chunks_really RENAME TO receive_chunks;
SQL
    return;
}

my $stored = 0;
foreach my $how ('pg_cancel_backend', 'pg_terminate_backend')
{
    block_after(1);
    my ($stdout, $stderr) = ('', '');
    my $client = IPC::Run::start(
        [ $desk->installed_command('psql'), '-XAtq', '-v', 'VERBOSITY=sqlstate', '-d', $desk->connstr('second'),
            '-c', q(SELECT kvs.push('target', 'main')) ],
        '>', \$stdout, '2>', \$stderr, IPC::Run::timeout($PostgreSQL::Test::Utils::timeout_default));
    wait_until('the second batch', sub {
        $hub->safe_psql('postgres',
            q(SELECT count(*) FROM pg_stat_activity WHERE datname = 'target' AND wait_event = 'PgSleep')) eq '1';
    });
    $desk->safe_psql('postgres',
        "SELECT $how(pid) FROM pg_stat_activity WHERE datname = 'second' AND query ~ 'kvs.push' AND pid <> pg_backend_pid()");
    $client->finish;
    like($stderr, $how eq 'pg_cancel_backend' ? qr/57014/ : qr/57P01|terminated|closed/, "a push meets $how");
    unblock();
    cmp_ok(chunks_of($hub, 'target'), '>', $stored, 'what was sent before is kept');
    $stored = chunks_of($hub, 'target');
    is($hub->safe_psql('target', q(SELECT count(*) FROM kvs.log())), '1', 'and no ref has moved');
    check_store($hub, 'target', 'check after it');
}
is($desk->safe_psql('second', q(SELECT chunks FROM kvs.push('target', 'main'))), $large - $stored,
    "the rest is sent, $stored chunks are not sent again");
is(chunks_of($hub, 'target'), $large, 'all is there');
is($hub->safe_psql('target', q(SELECT kvs.rev_parse('main'), kvs.count_keys())),
    $desk->safe_psql('second', q(SELECT kvs.rev_parse('main'), kvs.count_keys())), 'and the branch has moved');

# While a push runs, somebody commits there: whose commit is not overwritten.
$desk->safe_psql('second', q(SELECT kvs.put('racing', '1'), kvs.commit('racing')));
$hub->safe_psql('target', <<'SQL');
ALTER FUNCTION kvs_remote.receive_chunks RENAME TO receive_chunks_really;
CREATE FUNCTION kvs_remote.receive_chunks(frames bytea[]) RETURNS bigint LANGUAGE plpgsql AS $$
BEGIN
    PERFORM kvs.put('overtaken', '1'), kvs.commit('overtaken');
    RETURN kvs_remote.receive_chunks_really(frames);
END $$;
SQL
is(sqlstate_of($desk, 'second', q(SELECT kvs.push('target', 'main'))), '55000', 'somebody else was faster');
is($hub->safe_psql('target', q(SELECT kvs.get('overtaken'), kvs.exists('racing'))), '1|f', 'and is not overwritten');
$hub->safe_psql('target', q(DROP FUNCTION kvs_remote.receive_chunks;
    ALTER FUNCTION kvs_remote.receive_chunks_really RENAME TO receive_chunks));

# Tags: made there, and moved by force alone

$desk->safe_psql('second', q(SELECT kvs.create_tag('pushed', 'main~1', message => 'by the desk')));
like(moves('second', q(push('target', 'pushed'))), qr/^pushed\|t\|0$/, 'push of a tag');
is($hub->safe_psql('target', q(SELECT commit, message, tagger, created_at FROM kvs.tags)),
    $desk->safe_psql('second', q(SELECT commit, message, tagger, created_at FROM kvs.tags)), 'is the same tag there');
is(moves('second', q(push('target', 'pushed'))), 'pushed|f|0', 'and not pushed again');
$desk->safe_psql('second', q(SELECT kvs.delete_tag('pushed'), kvs.create_tag('pushed')));
is(sqlstate_of($desk, 'second', q(SELECT kvs.push('target', 'pushed'))), '55000', 'a tag that has moved');
$desk->psql('second', q(SELECT kvs.fetch('target')), stderr => \my $notice);
like($notice, qr/NOTICE:  tag "pushed" of remote "target" was not brought.*It stands at commit \w+ there, and at \w+ here/s,
    'a fetch tells of it');
like(moves('second', q(push('target', 'pushed', force => true))), qr/^pushed\|t\|/, 'is moved by force');
is($hub->safe_psql('target', q(SELECT kvs.get_tag('pushed'))),
    $desk->safe_psql('second', q(SELECT kvs.rev_parse('main'))), 'to where it stands here');
$hub->safe_psql('target', q(SELECT kvs.create_branch('both')));
$desk->safe_psql('second', q(SELECT kvs.create_tag('both')));
is(sqlstate_of($desk, 'second', q(SELECT kvs.push('target', 'both'))), '42710', 'a branch of that name is there');
is(sqlstate_of($desk, 'second', q(SELECT kvs.push('target', 'neither'))), '42704', 'neither a branch nor a tag');

# Branches that are gone on the remote

is($desk->safe_psql('second', q(SELECT count(*) FROM kvs.fetch('target'))), '2', 'two branches are fetched');
$hub->safe_psql('target', q(SELECT kvs.delete_branch('both')));
is($desk->safe_psql('second', q(SELECT count(*) FROM kvs.fetch('target'))), '1', 'one is fetched');
is($desk->safe_psql('second', q(SELECT string_agg(name, ' ') FROM kvs.remote_branches WHERE remote = 'target')),
    'target/both target/main', 'the other one is remembered');
is(sqlstate_of($desk, 'second', q(SELECT kvs.fetch('target', 'both'))), '42704', 'and cannot be fetched');
is($desk->safe_psql('second', q(SELECT ref, new_commit IS NULL FROM kvs.fetch('target', prune => true) ORDER BY 1)),
    "target/both|t\ntarget/main|f", 'prune');
is($desk->safe_psql('second', q(SELECT string_agg(name, ' ') FROM kvs.remote_branches WHERE remote = 'target')),
    'target/main', 'forgets it');

# Names of a remote's branches are no names of branches

is(sqlstate_of($desk, 'second', $_), '22023', $_) foreach q(SELECT kvs.create_branch('target/main')),
    q(SELECT kvs.create_tag('target/v1')), q(SELECT kvs.create_branch('bundle/main')),
    q(BEGIN; SELECT kvs.create_branch('x'); SELECT kvs.rename_branch('x', 'target/x'));
is(sqlstate_of($desk, 'second', q(BEGIN; SELECT kvs.create_branch('team/x'); SELECT kvs.add_remote('team', 'host=x'))),
    '42710', 'nor the other way round');

# Senders that are damaged, lie or go away

is($desk->safe_psql('third', q(SELECT kvs.rev_parse('main@{now}') = kvs.rev_parse('main'))), 't',
    'a branch that has not moved stands where it is');
add_remote('third', 'origin', remote('other'));
sub refused
{
    my ($state, $what, $sender) = @_;
    $hub->safe_psql('other', <<SQL);
ALTER FUNCTION kvs_remote.chunks RENAME TO chunks_really;
CREATE FUNCTION kvs_remote.chunks(addresses bytea[]) RETURNS SETOF bytea LANGUAGE plpgsql AS \$\$
BEGIN
    $sender
END \$\$;
SQL
    is(sqlstate_of($desk, 'third', q(SELECT kvs.fetch('origin'))), $state, $what);
    is($desk->safe_psql('third', q(SELECT (SELECT count(*) FROM _kvs.chunk), (SELECT count(*) FROM _kvs.commit),
            (SELECT count(*) FROM _kvs.remote_ref))), '0|0|0', 'nothing of it stays');
    $hub->safe_psql('other', q(DROP FUNCTION kvs_remote.chunks; ALTER FUNCTION kvs_remote.chunks_really RENAME TO chunks));
    return;
}
my $real = 'kvs_remote.chunks_really(addresses) WITH ORDINALITY AS c(frame, n)';
refused('XX001', 'a chunk with a flipped bit',
    "RETURN QUERY SELECT set_byte(frame, length(frame) - 1, get_byte(frame, length(frame) - 1) # 1) FROM $real;");
refused('XX001', 'chunks in another order', "RETURN QUERY SELECT frame FROM $real ORDER BY n DESC;");
refused('XX001', 'no chunks', 'RETURN;');
refused('XX001', 'a chunk in an unknown form', "RETURN QUERY SELECT '\\x07'::bytea;");
refused('08006', 'a connection that breaks', "PERFORM pg_terminate_backend(pg_backend_pid()); RETURN;");
refused('P0001', 'an error of the other side', "RAISE 'no'; RETURN;");

# Damage in the sender's table, where the sender finds it.
$hub->safe_psql('other', <<'SQL');
CREATE TABLE public.saved AS SELECT hash, body FROM _kvs.chunk ORDER BY hash LIMIT 1;
UPDATE _kvs.chunk SET body = set_byte(body, length(body) - 1, get_byte(body, length(body) - 1) # 1)
WHERE hash = (SELECT hash FROM public.saved);
SQL
is(sqlstate_of($desk, 'third', q(SELECT kvs.fetch('origin'))), 'XX001', 'a damaged chunk on the sender');
is(chunks_of($desk, 'third'), '0', 'nothing of it stays');
$hub->safe_psql('other', q(UPDATE _kvs.chunk AS c SET body = s.body FROM public.saved AS s WHERE s.hash = c.hash));

# Canceled fetch: all of it is rolled back, the session goes on.
is(sqlstate_of($desk, 'third', q(SET statement_timeout = '30ms'; SELECT kvs.fetch('origin'))), '57014', 'a canceled fetch');
is(moves('third', q(fetch('origin'))), "origin/main|t|$large", 'and one that is not');

# Other ends

add_remote('third', 'without', remote('without'));
is(sqlstate_of($desk, 'third', q(SELECT kvs.fetch('without'))), '55000', 'a database without kvs');
add_remote('third', 'absent', remote('absent'));
is(sqlstate_of($desk, 'third', q(SELECT kvs.fetch('absent'))), '08001', 'no such database');
is(sqlstate_of($desk, 'third', q(SELECT kvs.fetch('origin', 'nothing'))), '42704', 'no such branch');
# To itself.
add_remote('third', 'self', $desk->connstr('third'));
is(sqlstate_of($desk, 'third', q(SELECT kvs.fetch('self'); SELECT kvs.push('self', 'main'))), '', 'a remote that is this store');

# Roles and passwords

$hub->safe_psql('postgres', q(CREATE ROLE reader LOGIN; GRANT SELECT ON kvs.entries TO reader;
    CREATE ROLE ada LOGIN PASSWORD 'correct horse'; GRANT SELECT, INSERT, UPDATE, DELETE ON kvs.entries TO ada));
my $hba = slurp_file($hub->data_dir . '/pg_hba.conf');
unlink $hub->data_dir . '/pg_hba.conf';
$hub->append_conf('pg_hba.conf', "local all ada scram-sha-256\nhost all ada all scram-sha-256\n$hba");
$hub->reload;
add_remote('postgres', 'reading', remote('postgres', 'reader'));
is(moves('postgres', q(fetch('reading', 'main'))), 'reading/main|t|0', 'a reader may be fetched from');
$desk->safe_psql('postgres', q(SELECT kvs.put('reader', '1'), kvs.commit('for a reader')));
is(sqlstate_of($desk, 'postgres', q(SELECT kvs.push('reading', 'main'))), '42501', 'and not be pushed to');

my $passfile = PostgreSQL::Test::Utils::tempdir . '/passfile';
append_to_file($passfile, "*:*:*:ada:correct horse\n");
chmod 0600, $passfile;
add_remote('postgres', 'passfile', remote('postgres', 'ada') . " passfile=$passfile");
is(moves('postgres', q(fetch('passfile', 'main'))), 'passfile/main|t|0', 'a password file');

my ($host, $port) = ($hub->host, $hub->port);
$desk->safe_psql('postgres', <<SQL);
CREATE FOREIGN DATA WRAPPER remotes;
CREATE SERVER hub FOREIGN DATA WRAPPER remotes OPTIONS (host '$host', port '$port', dbname 'postgres');
CREATE ROLE worker LOGIN;
GRANT SELECT, INSERT, UPDATE, DELETE ON kvs.entries TO worker;
GRANT EXECUTE ON FUNCTION kvs.add_remote, kvs.fetch, kvs.push TO worker;
GRANT USAGE ON FOREIGN SERVER hub TO worker;
CREATE USER MAPPING FOR worker SERVER hub OPTIONS ("user" 'ada', password 'correct horse');
SQL
my @worker = (extra_params => [ '-U', 'worker' ]);
is($desk->safe_psql('postgres', q(SELECT kvs.add_remote('mapped', 'foreign_server=hub');
        SELECT ref FROM kvs.push('mapped', 'main')), @worker), "t\nmapped/main", 'a user mapping');
is(sqlstate_of($desk, 'postgres', q(SET ROLE worker; SELECT kvs.fetch('origin'))), '2F003',
    'nobody rides on what the server may reach');
$desk->safe_psql('postgres', q(ALTER USER MAPPING FOR worker SERVER hub OPTIONS (SET "user" 'reader')));
is(sqlstate_of($desk, 'postgres', q(SET ROLE worker; SELECT kvs.fetch('mapped'))), '2F003',
    'nor with a password that nobody asks for');
$desk->safe_psql('postgres', q(ALTER USER MAPPING FOR worker SERVER hub OPTIONS (SET "user" 'ada', SET password 'wrong battery')));
is(sqlstate_of($desk, 'postgres', q(SET ROLE worker; SELECT kvs.fetch('mapped'))), '08001', 'a wrong password');
# A string with a password is refused, and not logged as the statement that failed.
is(sqlstate_of($desk, 'postgres', q(SELECT kvs.add_remote('secret', 'host=x password=staple'))), '22023', 'no secrets');
unlike($desk->safe_psql('postgres', q(SELECT * FROM kvs.remotes; SELECT * FROM kvs.remote_branches;
        SELECT * FROM _kvs.remote; SELECT application_name, query FROM pg_stat_activity WHERE pid <> pg_backend_pid())),
    qr/horse|battery|staple/, 'no password in a view');
unlike(slurp_file($_->logfile), qr/horse|battery|staple/, 'nor in the log of ' . $_->name) foreach $hub, $desk;

# What a bundle brings is the same

my $bundle = $hub->safe_psql('postgres', q(SELECT encode(part, 'hex') FROM kvs.export_bundle('main') AS part));
my $parts = join(',', map { "'\\x$_'::bytea" } split(/\n/, $bundle));
is($desk->safe_psql('third', "SELECT kvs.import_bundle(ARRAY[$parts])"),
    $hub->safe_psql('postgres', q(SELECT kvs.rev_parse('main'))), 'a bundle');
is($desk->safe_psql('third', q(SELECT count(*), md5(string_agg(e::text, '')) FROM kvs.scan(as_of => 'bundle/main') AS e)),
    $hub->safe_psql('postgres', q(SELECT count(*), md5(string_agg(e::text, '')) FROM kvs.scan(as_of => 'main') AS e)), 'brings it all');

# Remotes are dumped and restored.
my $dump = PostgreSQL::Test::Utils::tempdir . '/dump';
$desk->command_ok([ 'pg_dump', '-Fc', '-f', $dump, 'second' ], 'pg_dump');
$desk->safe_psql('postgres', q(CREATE DATABASE restored TEMPLATE template0 ENCODING 'UTF8'));
$desk->command_ok([ 'pg_restore', '--exit-on-error', '-d', 'restored', $dump ], 'pg_restore');
my $remotes = q(SELECT * FROM kvs.remotes ORDER BY name; SELECT * FROM kvs.remote_branches ORDER BY name);
is($desk->safe_psql('restored', $remotes), $desk->safe_psql('second', $remotes), 'remotes are restored');

finish($desk, databases => [ 'postgres', 'second', 'third', 'used', 'restored' ]);
finish($hub,  databases => [ 'postgres', 'other', 'target' ]);

done_testing();

# Listeners as users have them: a program over libpq that hears each event once and in order, whoever may read; a long
# poll through PgBouncer in transaction mode; listeners that sleep, die, or let the queue of notifications fill up, and
# hold up nobody.

use strict;
use warnings FATAL => 'all';

use FindBin;
use lib "$FindBin::RealBin/lib";
use IPC::Run;
use Kvs;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;
use Time::HiRes qw(time usleep);

my $program = $ENV{KVS_LISTENER} or die 'KVS_LISTENER names the program of examples/listener.c';
my $node    = new_node('main', preload => 1, conf => "max_connections = 120");
my $dir     = PostgreSQL::Test::Utils::tempdir;

# Starts the program and waits until it is live.
my $listeners = 0;

sub listen_to
{
    my ($pattern, $count, $user) = @_;
    my $name    = 'listener' . $listeners++;
    my $connstr = $node->connstr('postgres') . ($user ? " user=$user" : '');
    my $handle  = IPC::Run::start([ $program, '-d', $connstr, '-r', '-n', $count, '-t', 20, $pattern ],
        '>', "$dir/$name.out", '2>', "$dir/$name.err");
    wait_until("$name to be live", sub { -s "$dir/$name.err" });
    is(slurp_file("$dir/$name.err"), "live\n", "$name is live");
    return { handle => $handle, out => "$dir/$name.out" };
}

# The payloads that it got, when it has got them all.
sub heard
{
    my ($listener) = @_;
    $listener->{handle}->finish;
    return split(/\n/, slurp_file($listener->{out}));
}

sub field
{
    my ($name, @payloads) = @_;
    return join ' ', map { /"$name":"?([^",}]*)/ ? $1 : '-' } @payloads;
}

# Everything, once, in order, from the moment on when it is live.
$node->safe_psql('postgres', q(SELECT kvs.put('before', '1')));
my $all  = listen_to('#',      7);
my $user = listen_to('user:+', 3);
$node->safe_psql('postgres', <<'SQL');
SELECT kvs.put('user:1', '{"a": 1}');
BEGIN;
SELECT kvs.put('other', '1');
SELECT kvs.put('user:2', '1');
ROLLBACK;
BEGIN;
SELECT kvs.patch('user:1', '{"b": 2}');
SELECT kvs.put('other', '"äöü \"\\"');
COMMIT;
SELECT kvs.create_branch('side');
SELECT kvs.put('user:1', '1', branch => 'side');
SELECT kvs.delete('user:1');
SELECT kvs.put('other', to_jsonb(repeat('x', 9000)));
SELECT kvs.import('SELECT ''i:'' || i, to_jsonb(i) FROM generate_series(1, 2) AS i');
SQL
my @events = heard($all);
is(field('key', @events), 'user:1 user:1 other user:1 other i:1 i:2', 'keys');
is(field('op', @events), 'set patch set delete set import import', 'operations');
is(field('version', @events), '1 2 1 3 2 1 1', 'versions');
my @positions = split(/ /, field('pos', @events));
is_deeply(\@positions, [ sort { $a <=> $b } @positions ], 'positions ascend');
like($events[1], qr/"old":\{"a": 1\},"new":\{"a": 1, "b": 2\}/, 'old and new');
like($events[2], qr/"new":"äöü \\"\\\\"/,                       'text is quoted');
like($events[4], qr/"truncated":true\}$/,                       'what is too long is cut');
is( $node->safe_psql('postgres', "SELECT length(kvs.event($positions[4])->>'new')"), '9000', 'and can be asked for');
is(field('op', heard($user)), 'set patch delete', 'one pattern');

# What each event says of the key's value before and after it is what the stream says, also where one follows the other
# closely, beside a branch that goes its own way, around deletes and bulk operations.
my $churn = listen_to('churn:#', 400 + 267 + 3 * 20 + 11);
$node->safe_psql('postgres', <<'SQL');
SELECT kvs.import('SELECT ''churn:'' || i, to_jsonb(i) FROM generate_series(1, 20) AS i');
SELECT setseed(0.5);
DO $$
DECLARE pick text;
BEGIN
    FOR i IN 1 .. 400 LOOP
        pick := 'churn:' || 1 + (random() * 19)::int;
        PERFORM kvs.put(pick, jsonb_build_object('i', i, 'text', repeat('x', (random() * 300)::int)));
        COMMIT;
        IF i % 100 = 0 THEN
            PERFORM kvs.commit('churn');
        END IF;
    END LOOP;
END $$;
SELECT kvs.create_branch('churning');
SELECT kvs.mput(array_agg('churn:' || i), array_agg(to_jsonb(-i))) FROM generate_series(1, 20) AS i;
SELECT kvs.mput(array_agg('churn:' || i), array_agg(to_jsonb(-i)), branch => 'churning') FROM generate_series(1, 20) AS i;
DO $$
BEGIN
    FOR i IN 1 .. 400 LOOP
        PERFORM kvs.put('churn:' || 1 + (random() * 19)::int, to_jsonb(i), branch => CASE i % 3 WHEN 0 THEN 'churning' END);
        COMMIT;
    END LOOP;
END $$;
SELECT count(kvs.delete('churn:' || i)) FROM generate_series(1, 5) AS i;
SELECT kvs.put('churn:1', 'null');
SELECT kvs.put_bytes('churn:2', '\xff00');
SELECT kvs.import('SELECT ''churn:'' || i, to_jsonb(i) FROM generate_series(1, 20) AS i');
SELECT kvs.put('churn:1', to_jsonb(repeat('x', 9000)));
SELECT kvs.put('churn:1', (SELECT jsonb_agg(i) FROM generate_series(1, 100000) AS i));
SELECT kvs.put('churn:1', '1');
SELECT kvs.put('churn:1', '2');
SQL
append_to_file("$dir/churn", join("\n", map { s/\\/\\\\/gr } heard($churn)) . "\n");
$node->safe_psql('postgres', "CREATE TABLE heard (payload jsonb); COPY heard FROM '$dir/churn'");
is($node->safe_psql('postgres', <<'SQL'), '738|3|0', 'old and new are those of the stream, but for what is too long');
SELECT count(*), count(*) FILTER (WHERE payload ? 'truncated'),
       count(*) FILTER (WHERE payload->>'key' <> key OR payload->>'data_hash' <> kvs.data_hash(new_value) OR NOT payload ? 'truncated'
                        AND (payload->'old' IS DISTINCT FROM coalesce(old_value, to_jsonb(old_bytes::text))
                             OR payload->'new' IS DISTINCT FROM coalesce(new_value, to_jsonb(new_bytes::text))))
FROM heard JOIN kvs.events(0, 'churn:#', NULL) ON pos = (payload->'pos')::bigint;
SQL

# Privileges are asked with each event.
$node->safe_psql('postgres', 'CREATE ROLE reader LOGIN; GRANT SELECT ON kvs.entries TO reader');
my $reader = listen_to('p:#', 2, 'reader');
$node->safe_psql('postgres', q(SELECT kvs.put('p:1', '1')));
$node->safe_psql('postgres', 'SELECT kvs.wait_for()');
$node->safe_psql('postgres', 'REVOKE SELECT ON kvs.entries FROM reader');
$node->safe_psql('postgres', q(SELECT kvs.put('p:2', '1')));
$node->safe_psql('postgres', 'SELECT kvs.wait_for()');
$node->safe_psql('postgres', 'GRANT SELECT ON kvs.entries TO reader');
$node->safe_psql('postgres', q(SELECT kvs.put('p:3', '1')));
is(field('key', heard($reader)), 'p:1 p:3', 'who may not read hears nothing');

# Ended sessions leave nothing for long.
my $dying = listen_to('#', 1000);
$dying->{handle}->kill_kill;
$node->safe_psql('postgres', q(SELECT kvs.put('after', '1')));
$node->poll_query_until('postgres', 'SELECT count(*) = 0 FROM _kvs.listener') or die;
pass('what ended sessions have left is removed');

# Many listeners, one event: each hears it.
my @many = map { listen_to("many:$_", 1) } 1 .. 3;
push @many, map { listen_to('many:#', 1) } 1 .. 3;
$node->safe_psql('postgres', q(SELECT kvs.mput('{many:1,many:2,many:3}', '{1,2,3}')));
is(join(' ', map { field('key', heard($_)) } @many), 'many:1 many:2 many:3 many:1 many:1 many:1', 'each hears what it asked for');

# A listener that does not listen, in a transaction that does not end, and a queue that fills up: writers go on.
my $sleeper = $node->background_psql('postgres');
$sleeper->query(q(SELECT kvs.subscribe('load:#')));
$sleeper->query('BEGIN; SELECT 1');
my $begin = time;
for my $n (1 .. 20)
{
    $node->safe_psql('postgres', "SELECT kvs.mput(array_agg('load:' || i), array_agg(to_jsonb($n))) FROM generate_series(1, 2000) AS i");
}
cmp_ok(time - $begin, '<', 60, 'writers do not wait for who does not listen');
is($node->safe_psql('postgres', q(SELECT kvs.wait_for(timeout => '60s'))), 't', 'nor does the stream');
cmp_ok($node->safe_psql('postgres', 'SELECT pg_notification_queue_usage()'), '<', 0.3, 'the queue is not full');
$sleeper->query('COMMIT');
$sleeper->quit;

# A long poll through a pooler in transaction mode, which LISTEN does not survive.
SKIP:
{
    my ($pgbouncer) = grep { -x $_ } map { "$_/pgbouncer" } split(/:/, $ENV{PATH}), '/usr/sbin';
    skip 'no PgBouncer here', 3 unless $pgbouncer;
    my $port = PostgreSQL::Test::Cluster::get_free_port();
    my $host = $node->host;
    append_to_file("$dir/users", qq("postgres" ""\n"@{[ scalar getpwuid($>) ]}" ""\n));
    append_to_file("$dir/pgbouncer.ini", <<INI);
[databases]
postgres = host=$host port=@{[ $node->port ]} dbname=postgres
[pgbouncer]
listen_addr =
listen_port = $port
unix_socket_dir = $dir
auth_type = trust
auth_file = $dir/users
pool_mode = transaction
default_pool_size = 2
logfile = $dir/pgbouncer.log
INI
    my $pooler = IPC::Run::start([ $pgbouncer, '-q', "$dir/pgbouncer.ini" ], '>', "$dir/bouncer.out", '2>', "$dir/bouncer.err");
    wait_until('PgBouncer', sub { -e "$dir/.s.PGSQL.$port" });
    my $connstr = "host=$dir port=$port dbname=postgres";
    my $ask     = sub {
        my ($after, $wait) = @_;
        my ($out, $err) = ('', '');
        IPC::Run::run([ 'psql', '-XAtq', '-d', $connstr, '-c', "SELECT pos, key FROM kvs.events($after, 'poll:#', wait => '$wait')" ],
            '>', \$out, '2>', \$err);
        is($err, '', 'no errors through the pooler');
        return $out;
    };
    my $position = $node->safe_psql('postgres', 'SELECT kvs.position()');
    is($ask->($position, '100ms'), '', 'nothing within the time');
    my $writer = IPC::Run::start([ 'psql', '-XAtq', '-d', $node->connstr('postgres'), '-c', q(SELECT pg_sleep(1)), '-c', q(SELECT kvs.put('poll:1', '1')) ],
        '>', \my $ignored);
    my $start = time;
    like($ask->($position, '30s'), qr/^\d+\|poll:1\n$/, 'the event comes through the pooler');
    cmp_ok(time - $start, '<', 20, 'as soon as it is there');
    $writer->finish;
    $pooler->kill_kill;
}

done_testing();

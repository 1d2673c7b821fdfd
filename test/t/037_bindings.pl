# Native tables bound to keys, while both sides are written at random and the worker is killed: at rest both are equal and
# nothing is written any more. Logical replication into a bound table, a dump, a copy.

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

my $kills = small_or_long(3, 50);
my $node  = new_node('main', preload => 1, conf => "wal_level = logical\nmax_worker_processes = 40\nkvs.autogc = off\nkvs.autotrain = off\nkvs.autorepack = off");
my $dir   = PostgreSQL::Test::Utils::tempdir;

# Until nothing is left to do.
sub settle
{
    my ($db, $name) = @_;
    $node->safe_psql($db, q(SELECT kvs.wait_for(timeout => '180s')));
    $node->poll_query_until($db,
        "SELECT state = 'paused' OR state = 'active' AND lag_events = 0 AND marks = 0 FROM kvs.bindings WHERE name = '$name'")
        or die "binding $name does not come to rest";
}

# Where both sides differ; keys that are parked may.
sub differences
{
    my ($db) = @_;
    return $node->safe_psql($db, <<'SQL');
SELECT key, e.value, to_jsonb(t) FROM kvs.entries AS e FULL JOIN (SELECT 'item:' || id AS key, n, note, tags FROM item) AS t USING (key)
WHERE (key LIKE 'item:%' OR t.key IS NOT NULL) AND key NOT IN (SELECT key FROM kvs.parked)
  AND (e.value IS NULL OR t.n IS DISTINCT FROM (e.value ->> 'n')::int OR t.note IS DISTINCT FROM (e.value ->> 'note')
       OR to_jsonb(t.tags) IS DISTINCT FROM nullif(e.value -> 'tags', 'null')) LIMIT 10;
SQL
}

append_to_file("$dir/store", <<'SCRIPT');
\set a random(1, 40)
\set b random(1, 40)
\set fate random(1, 6)
BEGIN;
\if :fate = 1
SELECT kvs.delete('item:' || :a);
\else
SELECT kvs.put('item:' || least(:a, :b), jsonb_build_object('n', :b, 'note', 'store ' || :fate, 'rest', :a, 'tags', '["a", null]'::jsonb));
SELECT kvs.put('item:' || greatest(:a, :b), jsonb_build_object('n', :b));
\endif
\if :fate = 2
ROLLBACK;
\else
COMMIT;
\endif
SCRIPT
append_to_file("$dir/table", <<'SCRIPT');
\set a random(1, 40)
\set b random(1, 40)
\set fate random(1, 8)
BEGIN;
\if :fate = 1
DELETE FROM item WHERE id = :a;
\elif :fate = 2
SELECT move(:a, :b);
\else
INSERT INTO item VALUES (least(:a, :b), :b, 'Table ' || :fate, '{x}') ON CONFLICT (id) DO UPDATE SET n = excluded.n, note = excluded.note;
SAVEPOINT s;
UPDATE item SET n = n + 1, tags = NULL WHERE id = greatest(:a, :b);
\endif
\if :fate = 3
ROLLBACK TO s;
\endif
COMMIT;
SCRIPT

# A trigger that changes what is written, and another that changes it again.
my $schema = <<'SQL';
CREATE EXTENSION kvs;
CREATE TABLE item (id int PRIMARY KEY, n int, note text, tags text[]);
CREATE FUNCTION tidy() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN NEW.note := lower(NEW.note); NEW.n := NEW.n % 30; RETURN NEW; END $$;
CREATE FUNCTION move(a int, b int) RETURNS void LANGUAGE plpgsql AS $$
BEGIN UPDATE item SET id = b WHERE id = a; EXCEPTION WHEN unique_violation THEN NULL; END $$;
CREATE TRIGGER tidy BEFORE INSERT OR UPDATE ON item FOR EACH ROW EXECUTE FUNCTION tidy();
SQL

foreach my $policy (qw(last_write_wins store_wins table_wins error))
{
    $node->safe_psql('postgres', "CREATE DATABASE $policy");
    $node->safe_psql($policy,    $schema);
    $node->safe_psql($policy,    <<"SQL");
SELECT kvs.bind_table('items', 'item:{id}', 'item', '{"id": "{id}", "n": "/n", "note": "/note", "tags": "/tags"}', direction => 'both', conflict => '$policy');
SQL
    my @load;
    foreach my $script ("$dir/store", "$dir/table")
    {
        push @load, IPC::Run::start(
            [ $node->installed_command('pgbench'), '--no-vacuum', '--client=2', '--jobs=1', '--time=600', '--max-tries=1000',
                '-f', $script, $node->connstr($policy) ], '>', "$dir/out", '2>', "$dir/err");
    }
    my $killed = 0;
    foreach my $round (1 .. $kills)
    {
        usleep(1000 * (400 + int(rand(600))));
        my $pid = $node->safe_psql('postgres',
            "SELECT pid FROM pg_stat_activity WHERE backend_type = 'kvs bindings' AND datname = '$policy' LIMIT 1");
        $killed += $node->safe_psql('postgres', "SELECT pg_terminate_backend($pid)") eq 't' if $pid ne '';
    }
    $_->signal('TERM') foreach @load;
    $_->finish foreach @load;
    cmp_ok($killed, '>', 0, "$policy: the worker was killed $killed times");
    settle($policy, 'items');
    is(differences($policy), '', "$policy: both sides are equal at rest");
    my $figures = q(SELECT written, returned, conflicts, state, last_error FROM kvs.bindings);
    my $before  = $node->safe_psql($policy, $figures);
    usleep(500000);
    is($node->safe_psql($policy, $figures), $before, "$policy: nothing goes on: $before");
    cmp_ok($node->safe_psql($policy, 'SELECT written + returned + parked FROM kvs.bindings'), '>', 0, "$policy: something was done");
    check_store($node, $policy);
    # What was parked is settled by whoever decides, here in favour of the store.
    if ($policy eq 'error')
    {
        cmp_ok($node->safe_psql($policy, 'SELECT parked FROM kvs.bindings'), '>', 0, 'conflicts are parked');
        $node->safe_psql($policy, <<'SQL');
DELETE FROM item WHERE 'item:' || id IN (SELECT key FROM kvs.parked);
UPDATE _kvs.binding SET conflict = 'store_wins';
SELECT kvs.resume_binding('items');
SQL
        settle($policy, 'items');
        is($node->safe_psql($policy, 'SELECT parked FROM kvs.bindings'), '0', 'nothing is parked any more');
        is(differences($policy), '', 'both sides are equal then');
    }
}

# What logical replication applies is a change of the table like others.
my $db = 'last_write_wins';
my $publisher = new_node('publisher', conf => "wal_level = logical\nmax_wal_senders = 5\nmax_replication_slots = 5");
$publisher->safe_psql('postgres', 'CREATE TABLE item (id int PRIMARY KEY, n int, note text, tags text[]); CREATE PUBLICATION p FOR TABLE item');
$node->safe_psql($db, 'TRUNCATE item');
settle($db, 'items');
is($node->safe_psql($db, q(SELECT count(*) FROM kvs.entries WHERE key LIKE 'item:%')), '0', 'a truncated table leaves no entries');
$publisher->safe_psql('postgres', q(INSERT INTO item SELECT i, i, 'copied' FROM generate_series(1, 20) AS i));
my $connstr = $publisher->connstr('postgres');
$node->safe_psql($db, "CREATE SUBSCRIPTION s CONNECTION \$c\$$connstr\$c\$ PUBLICATION p");
$node->wait_for_subscription_sync($publisher, 's');
$publisher->safe_psql('postgres', q(UPDATE item SET note = 'replicated' WHERE id <= 5; DELETE FROM item WHERE id = 20));
$publisher->wait_for_catchup('s');
settle($db, 'items');
is($node->safe_psql($db, q(SELECT value ->> 'note', count(*) FROM kvs.entries WHERE key LIKE 'item:%' GROUP BY 1 ORDER BY 1)),
    "copied|14\nreplicated|5", 'replicated rows come into the store');
$node->safe_psql($db, 'DROP SUBSCRIPTION s');
$publisher->stop;

# A dump carries a binding with all that it has not done yet; elsewhere it goes on by itself.
$node->safe_psql($db, q(SELECT kvs.pause_binding('items')));
$node->safe_psql($db, q(UPDATE item SET note = 'before the dump' WHERE id = 1; SELECT kvs.put('item:2', '{"note": "in the store"}')));
$node->command_ok([ 'pg_dump', '--format=custom', "--file=$dir/dump", $node->connstr($db) ], 'it is dumped');
$node->safe_psql('postgres', 'CREATE DATABASE restored');
$node->command_ok([ 'pg_restore', '--exit-on-error', '--dbname', $node->connstr('restored'), "$dir/dump" ], 'and restored');
$node->safe_psql('restored', q(SELECT kvs.resume_binding('items')));
settle('restored', 'items');
is($node->safe_psql('restored', q(SELECT value ->> 'note' FROM kvs.entries WHERE key = 'item:1')), 'before the dump', 'what the table had waiting');
is($node->safe_psql('restored', q(SELECT note FROM item WHERE id = 2)), 'in the store', 'and what the store had');
$node->safe_psql('restored', q(UPDATE item SET note = 'after' WHERE id = 3; SELECT kvs.put('item:4', '{"note": "after"}')));
settle('restored', 'items');
is(differences('restored'), '', 'both sides are equal there');
is($node->safe_psql('restored', q(SELECT count(*) FROM kvs.entries WHERE value ->> 'note' = 'after')), '2', 'and follow one another');
check_store($node, 'restored');

# So does a copy of the database, with a number of its own for the table.
$node->safe_psql('postgres', 'CREATE DATABASE copied TEMPLATE restored');
$node->safe_psql('copied', q(UPDATE item SET note = 'copy' WHERE id = 5; SELECT kvs.put('item:6', '{"note": "copy"}')));
settle('copied', 'items');
is(differences('copied'), '', 'a copy goes on, too');

# A row that somebody holds is waited for by nobody but its key.
$node->safe_psql('copied', q(SELECT kvs.put('item:7', '{"n": 0}'), kvs.put('item:8', '{"n": 0}')));
settle('copied', 'items');
my $session = $node->background_psql('copied');
$session->query_safe('BEGIN');
$session->query_safe('UPDATE item SET n = 1 WHERE id = 7');
$node->safe_psql('copied', q(SELECT kvs.put('item:7', '{"n": 2}'), kvs.put('item:8', '{"n": 2}')));
$node->poll_query_until('copied', 'SELECT n = 2 FROM item WHERE id = 8');
$session->query_safe('SELECT kvs.get(\'item:7\')');
$session->query_safe('COMMIT');
$session->quit;
settle('copied', 'items');
is(differences('copied'), '', 'and afterwards it is brought together as well');

# The table is dropped under it, and the binding with the extension.
$node->safe_psql('copied', 'DROP TABLE item');
$node->safe_psql('copied', q(SELECT kvs.put('item:9', '{}')));
settle('copied', 'items');
is($node->safe_psql('copied', 'SELECT state, reason, target::oid FROM kvs.bindings'), 'paused|the bound table does not exist any more|0', 'told');
$node->safe_psql('restored', 'DROP EXTENSION kvs CASCADE');
is($node->safe_psql('restored', q(SELECT count(*) FROM pg_trigger WHERE tgname LIKE 'kvs%')), '0', 'the triggers go with the extension');
$node->safe_psql('restored', q(INSERT INTO item VALUES (99)));

# The clients may run into deadlocks with one another.
unlike(slurp_file($node->logfile), qr/Process \d+: kvs: /, 'the worker had part in no deadlock');
done_testing();

# Durable subscriptions: members that are killed in the middle of a lease, events that always fail, a crash of the server,
# a thousand members, and who is woken by whom. Nothing is lost, and what comes again is what was not acknowledged.

use strict;
use warnings FATAL => 'all';

use FindBin;
use lib "$FindBin::RealBin/lib";
use Kvs;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;
use Time::HiRes qw(time usleep);

my $seconds = small_or_long(4, 120);
my $members = small_or_long(100, 1000);

my $node = new_node('main', preload => 1, conf => <<CONF);
max_connections = 50
autovacuum_naptime = 1s
CONF

sub ask { return $node->safe_psql('postgres', $_[0]) }

sub ordered { return is(ask(q(SELECT kvs.wait_for(timeout => '60s'))), 't', 'all that is committed has its position') }

# --- A key that a member has had for long does not hold up the others: its later events are set aside. See the end.
ask(q(SELECT kvs.create_subscription('slow', 's:+')));
ask(q(SELECT kvs.put('s:slow', '1')));
ordered();
my $slow = ask(q(SELECT pos FROM kvs.poll('slow', 'snail', lease => '1h')));
my $slow_since = time();

# --- Stress, with members that die.
{
    local %ENV = $node->_get_env();
    my ($stdout, $stderr) = ('', '');
    my $result = IPC::Run::run([ "$FindBin::RealBin/../stress/subscriptions.sh", $seconds ], '>', \$stdout, '2>', \$stderr);
    note($stdout);
    like($stdout, qr/^subscriptions: \d+ events, 0 problems$/m, '0 problems');
    like($stdout, qr/^subscriptions: (\d+) of \1 planted errors found$/m, 'the checker can fail');
    ok($result, 'exit status') or diag("$stdout\n$stderr");
}

# --- One event in 1,000 is poison: it is parked, and holds its key; all others go on.
ask(q(SELECT kvs.create_subscription('poison', 'p:+', max_deliveries => 3)));
ask(q(SELECT count(kvs.put('p:' || (g % 50), to_jsonb(g))) FROM generate_series(1, 1000) AS g));
ordered();
ask(q(CREATE FUNCTION work() RETURNS bigint LANGUAGE plpgsql AS $$
    DECLARE
        event kvs.delivery;
        events bigint := 0;
    BEGIN
        FOR event IN SELECT * FROM kvs.poll('poison') LOOP
            BEGIN
                events := events + 1;
                IF event.new_value = '500' THEN
                    PERFORM kvs.nack('poison', event.pos);
                ELSE
                    PERFORM kvs.ack('poison', event.pos);
                END IF;
            EXCEPTION WHEN object_not_in_prerequisite_state THEN
                NULL;  -- given back with one before it
            END;
        END LOOP;
        RETURN events;
    END $$));
my $idle = 0;
$idle = ask('SELECT work()') eq '0' ? $idle + 1 : 0 while $idle < 2;
is(ask(q(SELECT key, deliveries, reason FROM kvs.parked WHERE name = 'poison')),
    'p:0|3|not acknowledged after 3 deliveries', 'exactly one is parked');
is(ask(q(SELECT lag_events, in_flight, parked, held FROM kvs.subscriptions WHERE name = 'poison')),
    '0|0|1|10', 'the later ones of its key wait behind it, and nothing else');
is(ask(q(SELECT kvs.replay_parked('poison', 'p:0'))), '1', 'it is put back');
is(ask(q(SELECT string_agg(new_value::text, ',' ORDER BY pos) FROM kvs.poll('poison', 'other'))),
    join(',', map { $_ * 50 } 10 .. 20), 'and comes with those, in their order');

# --- A member is killed in the middle of its transaction: what it had is free at once. After its poll is committed: when the
# lease runs out. Who waits is woken by either.
ask(q(SELECT kvs.create_subscription('dying', 'd:+')));
my $member = $node->background_psql('postgres');
my $pid    = $member->query_safe('SELECT pg_backend_pid()');
ask(q(SELECT kvs.put('d:1', '1')));
ordered();
is($member->query_safe(q(BEGIN; SELECT key FROM kvs.poll('dying', 'm1', lease => '1h'))), 'd:1', 'a member has it');
is(ask(q(SELECT count(*) FROM kvs.poll('dying', 'm2'))), '0', 'nobody else gets it');
my $waiter = $node->background_psql('postgres');
my $begin  = time();
$waiter->query_until(qr/waiting/, "\\echo waiting\nSELECT key, delivery_count FROM kvs.poll('dying', 'm2', wait => '60s', lease => '300ms');\n\\echo done\n");
ok($node->poll_query_until('postgres', q(SELECT count(*) = 1 FROM pg_stat_activity WHERE query LIKE '%m2%60s%' AND wait_event_type = 'Extension' AND pid <> pg_backend_pid())),
    'another waits');
ask("SELECT pg_terminate_backend($pid)");
eval { $member->quit };
like($waiter->query_until(qr/done/, ''), qr/d:1\|1/, 'it gets the event when the member has died');
cmp_ok(time() - $begin, '<', 30, 'at once');
is(ask(q(SELECT key, delivery_count FROM kvs.poll('dying', 'm3', wait => '60s', lease => '1h'))), 'd:1|2', 'and another one when its lease has run out');
# An acknowledgement frees the key for others.
ask(q(SELECT kvs.put('d:1', '2')));
ordered();
$begin = time();
$waiter->query_until(qr/waiting/, "\\echo waiting\nSELECT new_value FROM kvs.poll('dying', 'm2', wait => '60s');\n\\echo done\n");
ask(q(SELECT kvs.ack('dying', pos, 'm3') FROM kvs.events(kvs.position() - 2, 'd:+') WHERE new_value = '1'));
like($waiter->query_until(qr/done/, ''), qr/^2$/m, 'who waits gets the next event of a key when the one before is acknowledged');
cmp_ok(time() - $begin, '<', 4, 'at once');
$waiter->quit;

# --- A crash: what was acknowledged does not come again, what was only handed out does.
ask(q(SELECT kvs.create_subscription('crash', 'c:+')));
ask(q(SELECT count(kvs.put('c:' || g, to_jsonb(g))) FROM generate_series(1, 30) AS g));
ordered();
is(ask(q(SELECT count(*) FROM kvs.poll('crash', 'm1', 20, '1h'))), '20', 'a member gets some');
is(ask(q(SELECT count(kvs.ack('crash', pos, 'm1')) FROM kvs.events(kvs.position() - 30, 'c:+') WHERE new_value::int <= 10)),
    '10', 'and acknowledges half of them');
my $open = $node->background_psql('postgres');
is($open->query_safe(q(BEGIN; SELECT count(*) FROM kvs.poll('crash', 'm2', lease => '1h'))), '10', 'another has the rest, uncommitted');
ask('CHECKPOINT');  # the database of the stress test was dropped
$node->stop('immediate');
$node->start;
eval { $open->quit };
is(ask(q(SELECT string_agg(format('%s:%s', new_value, delivery_count), ' ' ORDER BY pos) FROM kvs.poll('crash', 'm3', lease => '1h'))),
    join(' ', map { "$_:1" } 21 .. 30), 'what was handed out by nobody who committed comes as if for the first time');
ask(q(SELECT kvs.extend('crash', '1 ms', 'm1')));
is(ask(q(SELECT string_agg(format('%s:%s', new_value, delivery_count), ' ' ORDER BY pos) FROM kvs.poll('crash', 'm3', wait => '60s'))),
    join(' ', map { "$_:2" } 11 .. 20), 'what was not acknowledged comes again when the lease has run out');

# --- Many members: each gets something, and none of it twice.
ask(q(SELECT kvs.create_subscription('many', 'm:+')));
ask("SELECT count(kvs.put('m:' || g, to_jsonb(g))) FROM generate_series(1, 3 * $members) AS g");
ordered();
is(ask("SELECT count(*), count(DISTINCT p.pos) FROM generate_series(1, $members) AS m, kvs.poll('many', 'm' || m, 3) AS p"),
    (3 * $members) . '|' . (3 * $members), "$members members have three events each");
is(ask(q(SELECT in_flight, members FROM kvs.subscriptions WHERE name = 'many')), 3 * $members . "|$members", 'as the view tells');
is( ask(qq(SELECT sum(kvs.ack_many('many', (SELECT array_agg(e.pos) FROM kvs.events(kvs.position() - 3 * $members, max_rows => NULL) AS e
               WHERE (e.new_value::int - 1) / 3 + 1 = m), 'm' || m)) FROM generate_series(1, $members) AS m)),
    3 * $members, 'and acknowledge them');
is(ask(q(SELECT count(*) FROM kvs.poll('many', 'last'))), '0', 'nothing is left');
is(ask(q(SELECT lag_events, in_flight FROM kvs.subscriptions WHERE name = 'many')), '0|0', 'and nothing in flight');
# Members that were not seen for long, and have nothing, are forgotten.
ask(q(UPDATE _kvs.subscription_member SET seen_at = seen_at - interval '1 day' WHERE member LIKE 'm%'));
ask("SELECT kvs.put('m:x', to_jsonb(g)) FROM generate_series(1, $members) AS g");
ordered();
ask("SELECT kvs.ack('many', p.pos, 'last') FROM generate_series(1, $members) AS g, kvs.poll('many', 'last', least(g, 1)) AS p");
is(ask(q(SELECT string_agg(member, ',') FROM _kvs.subscription_member AS m JOIN _kvs.subscription AS s ON s.id = m.subscription WHERE s.name = 'many')),
    'last', 'idle members are forgotten');

# --- The slow one.
usleep(1_000_000 * ($slow_since + 11 - time())) if time() < $slow_since + 11;
ask(q(SELECT count(kvs.put('s:' || CASE g % 2 WHEN 0 THEN 'slow' ELSE 'quick' END, to_jsonb(g))) FROM generate_series(2, 9) AS g));
ordered();
is(ask(q(SELECT string_agg(new_value::text, ' ' ORDER BY pos) FROM kvs.poll('slow', 'hare'))), '3 5 7 9', 'other keys go on');
is(ask(q(SELECT in_flight, parked, held FROM kvs.subscriptions WHERE name = 'slow')), '5|0|4', 'the later events of the slow one are set aside');
is(ask(q(SELECT count(*) FROM kvs.poll('slow', 'tortoise'))), '0', 'and nobody gets them');
is(ask(q(SELECT string_agg(new_value::text, ' ' ORDER BY pos) FROM kvs.poll('slow', 'snail', max_rows => 2))), '2 4', 'but who has the key');
ask("SELECT kvs.ack('slow', $slow, 'snail')");
is(ask(q(SELECT count(*) FROM kvs.poll('slow', 'tortoise'))), '0', 'as long as he has some of it');
ask(q(SELECT kvs.nack('slow', pos, member => 'snail') FROM kvs.events(kvs.position() - 8, 's:slow') WHERE new_value = '2'));
is(ask(q(SELECT string_agg(new_value::text || ':' || delivery_count, ' ' ORDER BY pos) FROM kvs.poll('slow', 'tortoise'))),
    '2:2 4:2 6:1 8:1', 'then they come in order');

finish($node);
done_testing();

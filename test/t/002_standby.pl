# A physical standby answers every read as the primary does and refuses every write; once promoted it goes on where
# the primary was, as a log of its own.

use strict;
use warnings FATAL => 'all';

use FindBin;
use lib "$FindBin::RealBin/lib";
use Kvs;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

my $primary = new_node('primary', streaming => 1, preload => 1);
fill_store($primary, 'postgres', number_of_rows(2_000, 200_000));
pack_store($primary, 'postgres');

$primary->backup('backup');
my $standby = PostgreSQL::Test::Cluster->new('standby');
$standby->init_from_backup($primary, 'backup', has_streaming => 1);
$standby->start;

# What was written before the backup and what comes by streaming.
$primary->safe_psql('postgres', <<'SQL');
SELECT kvs.put('streamed', '1');
SELECT kvs.flush();
SELECT kvs.put('streamed', '2');
SELECT kvs.import('SELECT ''streamed:'' || i, to_jsonb(i) FROM generate_series(1, 3000) AS i', message => 'streamed');
SELECT kvs.put('streamed', '3');
SQL
$primary->wait_for_catchup($standby);
is(fingerprint($standby, 'postgres'), fingerprint($primary, 'postgres'), 'the standby reads what the primary reads');
is( $standby->safe_psql('postgres',
    q(SET kvs.as_of = 'HEAD~1'; SELECT kvs.get('streamed'), kvs.count_keys('streamed:'))),
    '|0', 'the standby reads the past');
like($standby->safe_psql('postgres', 'SELECT kvs.metrics()'), qr/^kvs_changes_total\{database="postgres"\} [1-9]\d*$/m, 'the standby has metrics');

# Dictionaries and packs that come by streaming, in a session that has read what was there before.
$primary->safe_psql('postgres', <<'SQL');
SELECT kvs.mput(array_agg('packed:' || i), array_agg(jsonb_build_object('wholly', md5(i::text), 'other', repeat('documents ', 9))), 'packed')
FROM generate_series(1, 3000) AS i;
SELECT kvs.commit('other documents', branch => 'packed');
SELECT * FROM kvs.train_dictionaries();
SELECT kvs.put('packed:0000001', '"changed"', branch => 'packed');
SELECT kvs.commit('changed', branch => 'packed');
SELECT * FROM kvs.repack();
SQL
$primary->wait_for_catchup($standby);
is(fingerprint($standby, 'postgres'), fingerprint($primary, 'postgres'), 'the standby reads repacked chunks');

# One reader all the while: what it has cached must not hide what arrives.
my $reader = $standby->background_psql('postgres', on_error_stop => 0);
is($reader->query(q(SELECT kvs.get('streamed'))), '3', 'a session on the standby');
$primary->safe_psql('postgres',
    q(SELECT kvs.put('streamed', '4'); SELECT kvs.commit('four'); SELECT kvs.create_branch('late')));
$primary->wait_for_catchup($standby);
is( $reader->query(
        q(SELECT kvs.get('streamed'), kvs.get('streamed', as_of => 'HEAD'), kvs.get('streamed', branch => 'late'))),
    '4|4|4', 'the session sees what has arrived');
is($reader->query(q(SELECT kvs.switch_branch('feature'))), 'feature', 'the session can switch branches');
$reader->query(q(SELECT kvs.switch_branch('main')));

foreach my $write (
    q(kvs.put('k', '1')),                    q(kvs.put_bytes('k', '\x00')),
    q(kvs.delete('streamed')),               q(kvs.patch('k', '{}')),
    q(kvs.json_patch('streamed', '[]')),     q(kvs.increment('k')),
    q(kvs.cas('k', 0, '1')),                 q(kvs.touch('streamed', '1 hour')),
    q(kvs.mput('{k}', '{1}')),               q(kvs.delete_prefix('streamed')),
    q(kvs.restore('streamed', 'HEAD~1')),    q(kvs.import('SELECT ''k'', ''1''::jsonb')),
    q(kvs.commit('m')),                      q(kvs.flush()),
    q(kvs.create_branch('b')),               q(kvs.delete_branch('late')),
    q(kvs.rename_branch('late', 'later')),   q(kvs.create_tag('t')),
    q(kvs.delete_tag('v1')),                 q(kvs.lock('#')),
    q(kvs.repack()),                         q(kvs.train_dictionaries()))
{
    is(sqlstate_of($standby, 'postgres', "SELECT $write"), '25006', "refused on a standby: $write");
}
is(fingerprint($standby, 'postgres'), fingerprint($primary, 'postgres'), 'nothing has changed');

# The primary goes; what it had not sent is not there, all else is.
my $before = fingerprint($primary, 'postgres');
my $last   = $primary->safe_psql('postgres', 'SELECT max(seq) FROM _kvs.change');
$primary->stop('immediate');
$standby->promote;
is(fingerprint($standby, 'postgres'), $before, 'the promoted server has it all');
is($reader->query(q(SELECT kvs.put('streamed', '5'))), '5', 'versions go on, in a session that began on the standby');
is($standby->safe_psql('postgres',
    q(SELECT kvs.put('streamed', '6'), kvs.increment('counted'))), '6|3', 'and in a new one');
is($standby->safe_psql('postgres', q(SELECT string_agg(version || '=' || value, ' ') FROM kvs.history('streamed'))),
    '6=6 5=5 4=4 3=3 2=2 1=1', 'the history goes on');

is($standby->safe_psql('postgres', 'SELECT epoch, timeline FROM _kvs.store ORDER BY epoch'),
    "1|1\n2|2", 'a new epoch has begun');
is( $standby->safe_psql('postgres', <<'SQL'), 't|t|t', 'with an identity of its own, which new changes carry');
SELECT (SELECT count(DISTINCT log_id) = 2 FROM _kvs.store),
       bool_and(h.log_id = (SELECT log_id FROM _kvs.store WHERE epoch = CASE WHEN h.version > 4 THEN 2 ELSE 1 END)),
       bool_and(h.version <= 4 OR h.seq >= (SELECT first_seq FROM _kvs.store WHERE epoch = 2))
FROM kvs.history('streamed') AS h
SQL
cmp_ok($standby->safe_psql('postgres', 'SELECT first_seq FROM _kvs.store WHERE epoch = 2'),
    '>', $last, 'no number comes twice');
is($standby->safe_psql('postgres',
    q(SELECT kvs.commit('after promotion') IS NOT NULL, kvs.flush())), 't|0', 'commit after promotion');
$reader->quit;

finish($standby);
check_log($primary);

done_testing();

# Logical replication of other tables beside a store: what publications carry, and how a subscriber that has stopped goes on.

use strict;
use warnings FATAL => 'all';

use FindBin;
use lib "$FindBin::RealBin/lib";
use Kvs;
use PostgreSQL::Test::Utils;
use Test::More;

my %params = (bare => 1, streaming => 1, conf => "wal_level = logical\nwal_retrieve_retry_interval = 100ms\n");
my $publisher  = new_node('publisher',  %params);
my $subscriber = new_node('subscriber', %params);
my $conninfo   = $publisher->connstr . ' dbname=postgres';
$_->safe_psql('postgres', 'CREATE TABLE public.t (id int PRIMARY KEY)') foreach $publisher, $subscriber;

sub insert_and_wait
{
    my ($id, $what) = @_;
    $publisher->safe_psql('postgres', "INSERT INTO t VALUES ($id); SELECT kvs.put('k', '$id'); SELECT kvs.commit('$id')");
    $publisher->wait_for_catchup('s');
    is($subscriber->safe_psql('postgres', 'SELECT max(id) FROM t'), $id, $what);
    return;
}

# Everything is published before the extension is there: it says so.
$publisher->safe_psql('postgres', 'CREATE PUBLICATION everything FOR ALL TABLES');
my (undef, undef, $said) = $publisher->psql('postgres', 'CREATE EXTENSION kvs');
like($said, qr/WARNING:  the tables of kvs are published too, by everything, which is FOR ALL TABLES/, 'CREATE EXTENSION warns');
$publisher->safe_psql('postgres', 'DROP EXTENSION kvs');

# A subscriber without the extension stops at the first write to the store.
$subscriber->safe_psql('postgres', "CREATE SUBSCRIPTION s CONNECTION '$conninfo' PUBLICATION everything");
$subscriber->wait_for_subscription_sync($publisher, 's');
$publisher->safe_psql('postgres', 'CREATE EXTENSION kvs');
$publisher->safe_psql('postgres', "SELECT kvs.put('k', '0'); INSERT INTO t VALUES (1)");
wait_until('the subscriber to stop',
    sub { slurp_file($subscriber->logfile) =~ /target relation "_kvs\.\w+" does not exist/ });
is($subscriber->safe_psql('postgres', 'SELECT count(*) FROM t'), '0', 'a subscriber without the extension stops');

# It goes on when it has the extension, without the rows of the store; and for good with another publication.
$subscriber->safe_psql('postgres', 'CREATE EXTENSION kvs');
insert_and_wait(2, 'it goes on with the extension');
is($subscriber->safe_psql('postgres', q(SELECT count(*) FROM kvs.entries)), '0', 'whose store stays empty');
$publisher->safe_psql('postgres', 'CREATE PUBLICATION shop FOR TABLES IN SCHEMA public');
insert_and_wait(3, 'and past the other publication');
$subscriber->safe_psql('postgres', 'ALTER SUBSCRIPTION s SET PUBLICATION shop');
insert_and_wait(4, 'switches to it');
$subscriber->safe_psql('postgres', 'DROP EXTENSION kvs');
insert_and_wait(5, 'and needs the extension no longer');
is($subscriber->safe_psql('postgres', 'SELECT count(*) FROM t'), '5', 'nothing was lost on the way');

# What the publications have.
is( $publisher->safe_psql('postgres', <<'SQL'), "everything|t|t\nshop|f|t", 'a publication by schema leaves the store out');
SELECT pubname, bool_or(schemaname = '_kvs'), bool_or(tablename = 't') FROM pg_publication_tables GROUP BY pubname ORDER BY pubname
SQL
$publisher->safe_psql('postgres', 'DROP PUBLICATION everything');

$subscriber->safe_psql('postgres', 'DROP SUBSCRIPTION s');
$subscriber->stop;
finish($publisher, allow => qr/the tables of kvs are published too/);

done_testing();

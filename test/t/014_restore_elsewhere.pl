# Dumps that meet another cluster: roles that are not there, or whose numbers belong to others; dumps of stores that were
# created in schema public; and roles that are no superusers.

use strict;
use warnings FATAL => 'all';

use FindBin;
use lib "$FindBin::RealBin/lib";
use Kvs;
use PostgreSQL::Test::Utils;
use Test::More;

my $here  = new_node('here',  bare => 1);
my $there = new_node('there', bare => 1);
my $dir   = PostgreSQL::Test::Utils::tempdir;

sub dump_store
{
    my ($database, @options) = @_;
    $here->command_ok([ 'pg_dump', @options, '-f', "$dir/$database", $database ], "pg_dump of $database");
    return;
}

sub restore_store
{
    my ($database, @options) = @_;
    $there->command_ok([ 'pg_restore', '--exit-on-error', @options, '-d', $database, "$dir/$database" ],
        "pg_restore of $database");
    return;
}

# Somebody who adds a hook.
sub allow_hooks
{
    my ($database, @roles) = @_;
    foreach my $role (@roles)
    {
        $here->safe_psql($database, <<SQL);
GRANT SELECT, INSERT, UPDATE, DELETE ON kvs.entries TO $role;
GRANT EXECUTE ON FUNCTION kvs.add_hook TO $role;
GRANT USAGE, CREATE ON SCHEMA public TO $role;
SQL
    }
    return;
}

# What a commit of one key says, as a role.
sub commit_says
{
    my ($node, $database, $role, $key) = @_;
    my (undef, undef, $stderr) =
      $node->psql($database, "SET ROLE $role; SELECT kvs.put('$key', to_jsonb(clock_timestamp())), kvs.commit('$key')");
    return $stderr;
}

# A role that is gone, and whose number has another role elsewhere: a superuser.
my $number = q(SELECT oid FROM pg_roles WHERE rolname = '%s');
$here->safe_psql('postgres', 'CREATE ROLE app; CREATE ROLE dev');
$there->safe_psql('postgres', 'CREATE ROLE boss SUPERUSER; CREATE ROLE dev');
is($here->safe_psql('postgres', sprintf($number, 'app')), $there->safe_psql('postgres', sprintf($number, 'boss')),
    'two roles have one number');
add_store($here, 'gone');
allow_hooks('gone', 'app', 'dev');
$here->safe_psql('gone', <<'SQL');
SET ROLE app;
CREATE FUNCTION public.check(changes jsonb) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    RAISE NOTICE 'hook as %', current_user;
END
$$;
SELECT kvs.add_hook('check', 'pre_commit', 'public.check(jsonb)', 'checked:#');
RESET ROLE;
REASSIGN OWNED BY app TO dev;
DROP OWNED BY app;
SQL
$here->safe_psql('postgres', 'DROP ROLE app');
my $unknown = qr/ERROR:  role "app", which created hook "check", does not exist/;
like(commit_says($here, 'gone', 'dev', 'checked:1'), $unknown, 'a hook of a role that is gone refuses');
dump_store('gone', '-Fc');
add_database($there, 'gone');
restore_store('gone');
is($there->safe_psql('gone', 'SELECT creator FROM kvs.hooks'), 'app', 'elsewhere the creator has the same name');
my $said = commit_says($there, 'gone', 'dev', 'checked:1');
like($said, $unknown, 'and is as unknown');
unlike($said, qr/hook as/, 'the hook is not called');

# A role that is there under the same name with another number is that role.
$there->safe_psql('postgres', 'CREATE ROLE app');
like(commit_says($there, 'gone', 'postgres', 'checked:2'), qr/role "app", which created hook "check", does not have SELECT/,
    'a role of that name has what it was granted');
$there->safe_psql('postgres', 'DROP ROLE app');

# A role that is not there: the hook is restored, and refuses what it matches.
$here->safe_psql('postgres', 'CREATE ROLE guard');
add_store($here, 'missing');
allow_hooks('missing', 'guard');
$here->safe_psql('missing', <<'SQL');
SET ROLE guard;
CREATE FUNCTION public.refuse(changes jsonb) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'refused by %', current_user;
END
$$;
SELECT kvs.add_hook('guard', 'pre_commit', 'public.refuse(jsonb)', 'guarded:#');
SQL
like(commit_says($here, 'missing', 'postgres', 'guarded:1'), qr/refused by guard/, 'the hook guards');
dump_store('missing', '-Fc');
add_database($there, 'missing');
restore_store('missing', '--no-owner', '--no-acl');
is($there->safe_psql('missing', 'SELECT name, creator, function_owner FROM kvs.hooks'), 'guard|guard|guard',
    'the hook is there');
like(commit_says($there, 'missing', 'postgres', 'guarded:1'),
    qr/ERROR:  role "guard", which created hook "guard", does not exist\n.*HINT:.*kvs\.drop_hook\('guard'\)/s,
    'and refuses what it matches');
is($there->safe_psql('missing', q(SELECT kvs.put('free', '1'), kvs.commit('free') IS NOT NULL)), '1|t',
    'but nothing else');
$there->safe_psql('postgres', 'CREATE ROLE guard');
$there->safe_psql('missing',  'GRANT SELECT ON kvs.entries TO guard');
like(commit_says($there, 'missing', 'postgres', 'guarded:1'),
    qr/function public\.refuse\(jsonb\) belongs to role "postgres", not to role "guard"/,
    'nor does it run a function that --no-owner gave to somebody else');
$there->safe_psql('missing', 'ALTER FUNCTION public.refuse OWNER TO guard');
like(commit_says($there, 'missing', 'postgres', 'guarded:1'), qr/refused by guard/, 'made whole, it guards again');
$there->safe_psql('missing', 'ALTER ROLE guard RENAME TO guard_2');
is($there->safe_psql('missing', q(SELECT kvs.drop_hook('guard'), kvs.put('guarded:1', '1'), kvs.commit('x') IS NOT NULL)),
    't|1|t', 'the owner of the extension removes it');

# A dump of a store that belongs to schema public, as all did once: into a database where the extension is there already.
add_store($here, 'old');
fill_store($here, 'old', number_of_rows(500, 50_000));
$here->safe_psql('old', <<'SQL');
CREATE FUNCTION public.refuse(changes jsonb) RETURNS boolean LANGUAGE sql AS 'SELECT false';
SELECT kvs.add_hook('guard', 'pre_commit', 'public.refuse(jsonb)', 'guarded:#');
UPDATE pg_extension SET extnamespace = 'public'::regnamespace WHERE extname = 'kvs';
INSERT INTO pg_depend (classid, objid, objsubid, refclassid, refobjid, refobjsubid, deptype)
SELECT 'pg_extension'::regclass, oid, 0, 'pg_namespace'::regclass, extnamespace, 0, 'n' FROM pg_extension WHERE extname = 'kvs';
SQL
my $before = fingerprint($here, 'old');
dump_store('old', '-Fc');
add_database($there, 'old');
$there->command_fails_like(
    [ 'pg_restore', '--exit-on-error', '-d', 'old', "$dir/old" ],
    qr/extension "kvs" must be installed in schema "pg_catalog"/,
    'a dump that has it in schema public');
$there->safe_psql('postgres', 'DROP DATABASE old');
add_store($there, 'old');
restore_store('old');
is(fingerprint($there, 'old'), $before, 'is restored whole where it is created before');
like(commit_says($there, 'old', 'postgres', 'guarded:1'), qr/hook "guard" rejects the commit/, 'hooks too');
$there->safe_psql('old', 'DROP SCHEMA public CASCADE');
is(fingerprint($there, 'old'), $before, 'and hangs on schema public no longer');

# The same as plain SQL, from when a hook's row did not tell to whom its function belongs.
$there->safe_psql('postgres', 'DROP DATABASE old');
add_store($there, 'old');
dump_store('old');
my $script = slurp_file("$dir/old");
like($script, qr/^CREATE EXTENSION IF NOT EXISTS kvs WITH SCHEMA public;$/m, 'the script creates it in schema public');
$script =~ s/^(COPY _kvs\.hook \(name, event, function, )function_owner, ([^\n]*\n[^\t]*\t[^\t]*\t[^\t]*\t)[^\t]*\t/$1$2/m
  or die 'no hook in the dump';
append_to_file("$dir/old.sql", $script);
$there->command_ok([ 'psql', '-Xq', '-v', 'ON_ERROR_STOP=1', '-o', '/dev/null', '-d', 'old', '-f', "$dir/old.sql" ],
    'psql on a script with older rows');
is(fingerprint($there, 'old'), $before, 'is restored whole');
like(commit_says($there, 'old', 'postgres', 'guarded:1'),
    qr/the role that function public\.refuse\(jsonb\) belonged to when it was added is not known/, 'a hook of which not all is known refuses');
is($there->safe_psql('old', q(SELECT kvs.drop_hook('guard'), kvs.add_hook('guard', 'pre_commit', 'public.refuse(jsonb)', 'guarded:#'))),
    't|t', 'until it is added again');

# The owner of a database, no superuser, dumps it with what operations.md grants him.
foreach my $node ($here, $there)
{
    $node->safe_psql('postgres', 'CREATE ROLE tenant LOGIN');
}
add_store($here, 'rented', owner => 'tenant');
$here->safe_psql('rented', 'GRANT ALL ON kvs.entries TO tenant');
fill_store($here, 'rented', 100);
$here->command_fails_like([ 'pg_dump', '-U', 'tenant', '-f', "$dir/none", 'rented' ],
    qr/permission denied for schema _kvs/, 'the owner of the database cannot dump the store');
$here->command_ok([ 'pg_dump', '-U', 'tenant', '--exclude-table-data=_kvs.*', '-f', "$dir/without", 'rented' ],
    'but the database without it');
$here->safe_psql('rented', 'CREATE ROLE auditor LOGIN; GRANT pg_read_all_data TO auditor');
$here->command_ok([ 'pg_dump', '-U', 'auditor', '-f', "$dir/audit", 'rented' ], 'who may read all data dumps it');
$here->safe_psql('rented', <<'SQL');
GRANT USAGE ON SCHEMA _kvs TO tenant;
GRANT SELECT ON ALL TABLES IN SCHEMA _kvs TO tenant;
GRANT SELECT ON ALL SEQUENCES IN SCHEMA _kvs TO tenant;
SQL
dump_store('rented', '-U', 'tenant', '-Fc');
is( sqlstate_of($here, 'rented', 'SET ROLE tenant; DELETE FROM _kvs.working'),
    '42501', 'what is granted does not write');
add_database($there, 'rented', owner => 'tenant');
restore_store('rented');
is(fingerprint($there, 'rented'), fingerprint($here, 'rented'), 'what he has dumped is whole');
$there->command_ok([ 'pg_dump', '-U', 'tenant', '-Fc', '-f', "$dir/again", 'rented' ],
    'and the privilege came along');

finish($_, databases => [ 'gone', 'missing', 'old', 'rented' ]) foreach $here, $there;

done_testing();

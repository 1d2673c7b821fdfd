# ALTER EXTENSION UPDATE: from every version that was released and is installed, a store comes to the catalog of a fresh
# installation with all that it holds.
#
# That the comparison finds what an upgrade script leaves out is shown with versions that never were: scripts of an older
# one, made from the script of today, and of upgrades from it, a right one and wrong ones. They lie beside the installed
# scripts in an installation of this test's own, which is the real one but for this directory and the programs that look
# for it from where they stand.

use strict;
use warnings FATAL => 'all';

use File::Basename qw(basename dirname);
use File::Copy qw(copy);
use File::Path qw(make_path);
use FindBin;
use lib "$FindBin::RealBin/lib";
use Kvs;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

# Kinds of objects that the description knows. One that an extension of tomorrow has must be described first.
my @known = ('composite type', 'foreign table', 'foreign-data wrapper', 'function', 'schema', 'sequence', 'server', 'table', 'type',
    'view');

# Where privileges are those that a fresh object has, the catalog may say so or say nothing.
sub privileges
{
    my ($acl, $kind, $owner) = @_;
    return "(SELECT string_agg(a::text, ' ' ORDER BY a::text) FROM unnest(coalesce($acl, acldefault('$kind', $owner))) AS a)";
}

# What the catalog says of the extension: lines of object, aspect and value, in which no number of an object occurs.
# Numbers of columns do: the library finds columns by them.
my $relation_acl = privileges('c.relacl', '%s', 'c.relowner');
my $description  = <<"SQL";
SET search_path = '';
CREATE TEMP TABLE member AS
SELECT d.classid, d.objid, i.type, i.identity
FROM pg_catalog.pg_extension AS e JOIN pg_catalog.pg_depend AS d
    ON d.refclassid = 'pg_catalog.pg_extension'::pg_catalog.regclass AND d.refobjid = e.oid AND d.deptype = 'e',
    LATERAL pg_catalog.pg_identify_object(d.classid, d.objid, 0) AS i
WHERE e.extname = 'kvs';
CREATE TEMP TABLE relation AS
SELECT m.type, m.identity, c.* FROM member AS m JOIN pg_catalog.pg_class AS c
    ON (m.classid = 'pg_catalog.pg_class'::pg_catalog.regclass AND c.oid = m.objid)
    OR (m.classid = 'pg_catalog.pg_type'::pg_catalog.regclass AND c.reltype = m.objid AND c.relkind = 'c');
SET search_path = pg_catalog, pg_temp;
SELECT format('%s %s: %s = %s', type, identity, aspect, regexp_replace(value, E'\\n', ' | ', 'g')) FROM (
    SELECT 'extension', extname, 'version, schema, owner', concat_ws(' ', extversion, extnamespace::regnamespace, extowner::regrole)
    FROM pg_extension WHERE extname = 'kvs'
    UNION ALL SELECT 'extension', extname, 'comment', obj_description(oid, 'pg_extension') FROM pg_extension WHERE extname = 'kvs'
    UNION ALL SELECT 'extension', extname, 'rows in a dump of ' || relation::regclass, condition
    FROM pg_extension, unnest(extconfig, extcondition) AS c(relation, condition) WHERE extname = 'kvs'
    UNION ALL SELECT type, identity, 'exists', 'yes' FROM member
    UNION ALL SELECT type, identity, 'comment', obj_description(objid, classid::regclass::name) FROM member
    UNION ALL SELECT m.type, m.identity, 'definition', pg_get_functiondef(p.oid)
    FROM member AS m JOIN pg_proc AS p ON m.classid = 'pg_proc'::regclass AND p.oid = m.objid
    UNION ALL SELECT m.type, m.identity, 'owner, privileges', concat_ws(' ', proowner::regrole, @{[privileges('proacl', 'f', 'proowner')]})
    FROM member AS m JOIN pg_proc AS p ON m.classid = 'pg_proc'::regclass AND p.oid = m.objid
    UNION ALL SELECT m.type, m.identity, 'owner, privileges', concat_ws(' ', nspowner::regrole, @{[privileges('nspacl', 'n', 'nspowner')]})
    FROM member AS m JOIN pg_namespace AS n ON m.classid = 'pg_namespace'::regclass AND n.oid = m.objid
    UNION ALL SELECT m.type, m.identity, 'definition', concat_ws(' ', fdwowner::regrole, fdwhandler::regproc, fdwvalidator::regproc, fdwoptions,
        @{[privileges('fdwacl', 'F', 'fdwowner')]})
    FROM member AS m JOIN pg_foreign_data_wrapper AS w ON m.classid = 'pg_foreign_data_wrapper'::regclass AND w.oid = m.objid
    UNION ALL SELECT m.type, m.identity, 'definition', concat_ws(' ', srvowner::regrole, fdwname, srvtype, srvversion, srvoptions,
        @{[privileges('srvacl', 'S', 'srvowner')]})
    FROM member AS m JOIN pg_foreign_server AS s ON m.classid = 'pg_foreign_server'::regclass AND s.oid = m.objid
        JOIN pg_foreign_data_wrapper AS w ON w.oid = srvfdw
    UNION ALL SELECT m.type, m.identity, 'definition', concat_ws(' ', typtype, typowner::regrole, typnotnull, typdefault,
        CASE WHEN typbasetype <> 0 THEN format_type(typbasetype, typtypmod) END, typcollation::regcollation,
        (SELECT string_agg(enumlabel, ' ' ORDER BY enumsortorder) FROM pg_enum WHERE enumtypid = t.oid),
        @{[privileges('typacl', 'T', 'typowner')]})
    FROM member AS m JOIN pg_type AS t ON m.classid = 'pg_type'::regclass AND t.oid = m.objid
    UNION ALL SELECT c.type, c.identity, 'relation', concat_ws(' ', relkind, relpersistence, relreplident, relrowsecurity, relforcerowsecurity,
        relowner::regrole, reloptions, (SELECT ftoptions FROM pg_foreign_table WHERE ftrelid = c.oid),
        CASE relkind WHEN 'S' THEN @{[sprintf $relation_acl, 's']} WHEN 'c' THEN '' ELSE @{[sprintf $relation_acl, 'r']} END)
    FROM relation AS c
    UNION ALL SELECT c.type, c.identity, format('column %s %s', attnum, attname), concat_ws(' ', format_type(atttypid, atttypmod),
        attcollation::regcollation, attnotnull, attstorage, attcompression, attidentity, attgenerated, nullif(attstattarget, -1), attfdwoptions,
        -- The server keeps a number of its own there.
        (SELECT string_agg(o, ' ' ORDER BY o) FROM unnest(attoptions) AS o WHERE o NOT LIKE 'pg!_attver=%' ESCAPE '!'),
        (SELECT string_agg(x::text, ' ' ORDER BY x::text) FROM unnest(attacl) AS x),
        (SELECT pg_get_expr(adbin, adrelid) FROM pg_attrdef WHERE adrelid = c.oid AND adnum = attnum), '-- ' || col_description(c.oid, attnum))
    FROM relation AS c JOIN pg_attribute ON attrelid = c.oid AND attnum > 0 AND NOT attisdropped
    UNION ALL SELECT c.type, c.identity, 'index', concat_ws(' ', pg_get_indexdef(indexrelid), indisvalid, indisprimary, indisreplident,
        obj_description(indexrelid, 'pg_class'))
    FROM relation AS c JOIN pg_index ON indrelid = c.oid
    UNION ALL SELECT c.type, c.identity, 'constraint ' || conname, concat_ws(' ', pg_get_constraintdef(k.oid), convalidated)
    FROM relation AS c JOIN pg_constraint AS k ON conrelid = c.oid
    UNION ALL SELECT c.type, c.identity, 'trigger', concat_ws(' ', pg_get_triggerdef(t.oid), tgenabled)
    FROM relation AS c JOIN pg_trigger AS t ON tgrelid = c.oid AND NOT tgisinternal
    UNION ALL SELECT c.type, c.identity, 'rule', concat_ws(' ', pg_get_ruledef(r.oid), ev_enabled)
    FROM relation AS c JOIN pg_rewrite AS r ON ev_class = c.oid
    UNION ALL SELECT c.type, c.identity, 'policy', concat_ws(' ', polname, polcmd, polpermissive, pg_get_expr(polqual, polrelid),
        pg_get_expr(polwithcheck, polrelid))
    FROM relation AS c JOIN pg_policy ON polrelid = c.oid
    UNION ALL SELECT c.type, c.identity, 'inherits', inhparent::regclass::text FROM relation AS c JOIN pg_inherits ON inhrelid = c.oid
    UNION ALL SELECT c.type, c.identity, 'sequence', concat_ws(' ', format_type(seqtypid, NULL), seqstart, seqincrement, seqmin, seqmax,
        seqcache, seqcycle)
    FROM relation AS c JOIN pg_sequence ON seqrelid = c.oid
    UNION ALL SELECT m.type, m.identity, 'privileges that a dump leaves out',
        (SELECT string_agg(a::text, ' ' ORDER BY a::text) FROM unnest(coalesce(
            (SELECT initprivs FROM pg_init_privs AS i WHERE i.classoid = m.classid AND i.objoid = m.objid AND i.objsubid = 0),
            CASE m.classid WHEN 'pg_proc'::regclass THEN acldefault('f', e.extowner) WHEN 'pg_namespace'::regclass THEN acldefault('n', e.extowner)
                WHEN 'pg_class'::regclass THEN acldefault(CASE m.type WHEN 'sequence' THEN 's' ELSE 'r' END::"char", e.extowner) END)) AS a)
    FROM member AS m, pg_extension AS e WHERE e.extname = 'kvs'
) AS d(type, identity, aspect, value)
WHERE value IS NOT NULL ORDER BY 1;
SQL

sub describe
{
    my ($node, $database) = @_;
    return $node->safe_psql($database, $description);
}

# What a store holds, by means that older versions have as well: by columns that are named here, and of each table those
# that it has now. Equal before and after, but for what an upgrade script means to write.
sub contents
{
    my ($node, $database, $columns) = @_;
    $$columns //= $node->safe_psql($database, <<'SQL');
SELECT format('SELECT %L, count(*), md5(string_agg(md5(ROW(%s)::text), '''' ORDER BY md5(ROW(%2$s)::text))) FROM %1$s;',
              c.oid::regclass, string_agg(quote_ident(attname), ', ' ORDER BY attnum))
FROM pg_extension JOIN pg_class AS c ON c.oid = ANY (extconfig) JOIN pg_attribute ON attrelid = c.oid AND attnum > 0 AND NOT attisdropped
WHERE extname = 'kvs' AND (relkind = 'r' OR relkind = 'S' AND attname <> 'log_cnt') GROUP BY c.oid ORDER BY c.oid::regclass::text
SQL
    return $node->safe_psql($database, $$columns . <<'SQL');
SET timezone = 'UTC';
SELECT 'branch', name, head, working_changes FROM kvs.branches ORDER BY name;
SELECT 'log', b.name, l.hash, l.root, l.message FROM kvs.branches AS b, LATERAL kvs.log(b.name) AS l ORDER BY b.name, l.committed_at, l.hash;
SELECT 'entries', b.name, count(*), md5(string_agg(ROW(key, version, type, value, bytes, updated_at, modified_by, tags)::text, E'\n'))
FROM kvs.branches AS b, LATERAL kvs.scan(branch => b.name) AS e GROUP BY b.name ORDER BY b.name;
SELECT 'versions', kvs.get_version('counted', v) FROM generate_series(1, 3) AS v;
SELECT 'tag', name, commit FROM kvs.tags ORDER BY name;
SQL
}

# The lines of two descriptions that only one has.
sub difference
{
    my ($of, $wanted) = @_;
    my %of     = map { $_ => 1 } split /\n/, $of;
    my %wanted = map { $_ => 1 } split /\n/, $wanted;
    return join("\n", (map { "- $_" } grep { !$of{$_} } sort keys %wanted), (map { "+ $_" } grep { !$wanted{$_} } sort keys %of));
}

# The installation that is in the path, with a directory of extensions that can be written to. Programs of the server
# find it from their own place; so these are copies, and all else is linked. Returns its path and that of the directory.
sub own_installation
{
    my ($root) = @_;
    my %real;
    foreach my $what (qw(bindir sharedir pkglibdir))
    {
        chomp($real{$what} = `pg_config --$what`);
    }
    make_path("$root$real{bindir}", "$root$real{sharedir}/extension", dirname("$root$real{pkglibdir}"));
    symlink $real{pkglibdir}, "$root$real{pkglibdir}" or die "symlink: $!";
    foreach my $program (glob "$real{bindir}/*")
    {
        my $place = "$root$real{bindir}/" . basename($program);
        if (basename($program) =~ /^(?:postgres|initdb|pg_ctl)$/)
        {
            copy($program, $place) or die "copy: $!";
            chmod 0755, $place;
        }
        else
        {
            symlink $program, $place or die "symlink: $!";
        }
    }
    foreach my $file (grep { basename($_) ne 'extension' } glob("$real{sharedir}/*"), glob("$real{sharedir}/extension/*"))
    {
        symlink $file, "$root$file" or die "symlink: $!";
    }
    return (dirname("$root$real{bindir}"), "$root$real{sharedir}/extension");
}

my ($installation, $extensions) = own_installation(PostgreSQL::Test::Utils::tempdir);
my $node = new_node('main', install_path => $installation, bare => 1);
add_store($node, 'fresh');
my $fresh   = describe($node, 'fresh');
my $current = $node->safe_psql('fresh', q(SELECT extversion FROM pg_extension WHERE extname = 'kvs'));

# Nothing is overlooked, and nothing depends on the database.
my $known = join(', ', map { "'$_'" } @known);
is($node->safe_psql('fresh', <<SQL), '', 'every kind of object is described');
SELECT string_agg(DISTINCT i.type, ', ') FROM pg_depend, LATERAL pg_identify_object(classid, objid, 0) AS i
WHERE refclassid = 'pg_extension'::regclass AND refobjid = (SELECT oid FROM pg_extension WHERE extname = 'kvs') AND deptype = 'e'
    AND i.type NOT IN ($known)
SQL
cmp_ok(scalar(split /\n/, $fresh), '>', 1000, 'and at length');
add_store($node, 'fresh_again');
is(difference(describe($node, 'fresh_again'), $fresh), '', 'two fresh installations are alike');

# An upgrade of a store that was filled. Returns what the catalog has otherwise than a fresh one, and whether what the
# store holds has changed.
my $databases = 0;

sub upgrade
{
    my ($version, $documents) = @_;
    my $database = 'upgraded' . ++$databases;
    add_database($node, $database);
    $node->safe_psql($database, "CREATE EXTENSION kvs VERSION '$version'");
    fill_store($node, $database, $documents);
    my $session = $node->background_psql($database);
    $session->query_safe(q(SELECT kvs.get('counted'), kvs.put('doc:session', '1')));
    my $before = contents($node, $database, \my $columns);
    $node->safe_psql($database, 'ALTER EXTENSION kvs UPDATE');
    my %upgraded = (
        database => $database,
        catalog  => difference(describe($node, $database), $fresh),
        contents => difference(contents($node, $database, \$columns), $before));
    $upgraded{session} = $session->query(q(SELECT kvs.get('counted'), kvs.put('doc:session', '2')));
    $session->quit;
    return %upgraded;
}

# What an upgrade must come to, and that the store can be written on.
sub upgrades_well
{
    my ($version, $documents) = @_;
    my %upgraded = upgrade($version, $documents);
    my $database = $upgraded{database};
    is($upgraded{catalog},  '',  "from $version: the catalog of a fresh installation");
    is($upgraded{contents}, '',  "from $version: the store holds what it held");
    is($upgraded{session},  '2|2', "from $version: an open session goes on");
    is($node->safe_psql($database, q(SELECT kvs.increment('counted'), kvs.put('new', '1'), kvs.commit('after the upgrade') IS NOT NULL)),
        '3|1|t', "from $version: and can be written");
    is($node->safe_psql($database, q(SELECT count(*) FROM kvs.status() UNION ALL SELECT count(*) FROM kvs.history('counted'))),
        "0\n4", "from $version: with a history");
    check_store($node, $database);
    check_indexes($node, $database);
    return;
}

# Versions that were released.
my @released = split /\n/, $node->safe_psql('fresh',
    "SELECT version FROM pg_available_extension_versions WHERE name = 'kvs' AND version <> '$current' ORDER BY version");
foreach my $version (@released)
{
    ok($node->safe_psql('fresh', "SELECT path FROM pg_extension_update_paths('kvs') WHERE source = '$version' AND target = '$current'"),
        "there is a way from $version");
    upgrades_well($version, number_of_rows(2_000, 200_000));
}
note(@released . ' released versions before ' . $current);

# A version that never was lacks the following, each of which its upgrade script brings. `edit` makes the older script,
# `older` is appended to it; `object` is in the report if the upgrade script leaves the step out, and those that need it.
sub from_fresh
{
    my ($sql) = @_;
    return $node->safe_psql('fresh', $sql);
}

sub definition_of
{
    my ($function) = @_;
    return from_fresh("SELECT pg_get_functiondef(oid) || E';\\n' || format('COMMENT ON FUNCTION %s IS %L;', oid::regprocedure,
        obj_description(oid, 'pg_proc')) FROM pg_proc WHERE oid = '$function'::regproc");
}

my @steps = (
    {
        what    => 'a function',
        older   => 'DROP FUNCTION kvs.data_hash;',
        upgrade => definition_of('kvs.data_hash'),
        object  => qr/^- function kvs\.data_hash/m
    },
    {
        what    => 'an attribute of a type',
        edit    => [ qr/,\n    traceparent text\n\);/, "\n);" ],
        upgrade => 'ALTER TYPE kvs.revision ADD ATTRIBUTE traceparent text;',
        object  => qr/^- (?:composite )?type kvs\.revision: column \d+ traceparent/m
    },
    {
        what    => 'a function that knows the attribute',
        needs   => 'an attribute of a type',
        upgrade => definition_of('kvs.history'),
        object  => qr/^- function kvs\.history/m
    },
    {
        what    => 'a column of a table',
        edit    => [ qr/,\n    kept   int NOT NULL\n\);/, "\n);" ],
        upgrade => 'ALTER TABLE _kvs.training ADD COLUMN kept int NOT NULL;',
        object  => qr/^- table _kvs\.training: column 3 kept/m
    },
    {
        what    => 'the comment of a column',
        needs   => 'a column of a table',
        edit    => [ qr/COMMENT ON COLUMN _kvs\.training\.kept IS .*;\n/, '' ],
        upgrade => from_fresh(q(SELECT format('COMMENT ON COLUMN _kvs.training.kept IS %L;', col_description('_kvs.training'::regclass, 3)))),
        object  => qr/^- table _kvs\.training: column 3 kept .*--/m
    },
    {
        what    => 'a comment',
        older   => 'COMMENT ON FUNCTION kvs.get IS NULL;',
        upgrade => from_fresh(q(SELECT format('COMMENT ON FUNCTION kvs.get IS %L;', obj_description('kvs.get'::regproc, 'pg_proc')))),
        object  => qr/^- function kvs\.get\(.*: comment/m
    },
    {
        what    => 'a privilege',
        older   => 'REVOKE SELECT ON kvs.branches FROM PUBLIC;',
        upgrade => 'GRANT SELECT ON kvs.branches TO PUBLIC;',
        object  => qr/^- view kvs\.branches: relation/m
    },
    {
        what    => 'a privilege less',
        older   => 'GRANT EXECUTE ON FUNCTION kvs.repair TO PUBLIC;',
        upgrade => 'REVOKE EXECUTE ON FUNCTION kvs.repair FROM PUBLIC;',
        object  => qr/^\+ function kvs\.repair\(\): owner, privileges/m
    },
    {
        what    => 'rows for dumps',
        older   => q(SELECT pg_catalog.pg_extension_config_dump('_kvs.stash', 'WHERE false');),
        upgrade => q(SELECT pg_catalog.pg_extension_config_dump('_kvs.stash', '');),
        object  => qr/^\+ extension kvs: rows in a dump of _kvs\.stash = WHERE false/m
    },
    {
        what    => 'a cost',
        older   => 'ALTER FUNCTION kvs.serialize_key COST 7777;',
        upgrade => from_fresh(q(SELECT format('ALTER FUNCTION kvs.serialize_key COST %s;', procost) FROM pg_proc
            WHERE oid = 'kvs.serialize_key'::regproc)),
        object  => qr/^\+ function kvs\.serialize_key.*7777/m
    },
    {
        what    => 'a barrier',
        older   => 'ALTER VIEW kvs.branches RESET (security_barrier);',
        upgrade => 'ALTER VIEW kvs.branches SET (security_barrier);',
        object  => qr/^- view kvs\.branches: relation/m
    },
    {
        what    => 'storage of a column',
        older   => 'ALTER TABLE _kvs.chunk ALTER COLUMN body SET STORAGE MAIN;',
        upgrade => 'ALTER TABLE _kvs.chunk ALTER COLUMN body SET STORAGE EXTERNAL;',
        object  => qr/^- table _kvs\.chunk: column \d+ body/m
    },
    {
        what    => 'an index',
        older   => 'ALTER INDEX _kvs.reflog_branch_id SET (fillfactor = 50);',
        upgrade => 'ALTER INDEX _kvs.reflog_branch_id RESET (fillfactor);',
        object  => qr/^\+ table _kvs\.reflog: index = .*fillfactor/m
    },
    {
        what    => 'a trigger',
        older   => 'DROP TRIGGER resolve ON kvs.conflicts;',
        upgrade => from_fresh(q(SELECT pg_get_triggerdef(oid) || ';' FROM pg_trigger WHERE tgrelid = 'kvs.conflicts'::regclass)),
        object  => qr/^- view kvs\.conflicts: trigger/m
    },
    {
        what    => 'a sequence',
        older   => 'ALTER SEQUENCE _kvs.reflog_id CACHE 10;',
        upgrade => 'ALTER SEQUENCE _kvs.reflog_id CACHE 1;',
        object  => qr/^\+ sequence _kvs\.reflog_id: sequence = .* 10 /m
    });

my $older = slurp_file("$extensions/kvs--$current.sql");
foreach my $edit (grep { $_ } map { $_->{edit} } @steps)
{
    $older =~ s/$edit->[0]/$edit->[1]/ or die "nothing in the script is like $edit->[0]";
}
$older .= "\n" . join("\n", grep { $_ } map { $_->{older} } @steps) . "\n";

# Writes the scripts of a version and of the upgrade from it.
sub add_version
{
    my ($version, @upgrade) = @_;
    my $file = "$extensions/kvs--$version";
    append_to_file("$file.sql",           $older);
    append_to_file("$file--$current.sql", join("\n", 'SET LOCAL search_path = pg_catalog, pg_temp;', @upgrade) . "\n");
    return $version;
}

# The way in one step and in two.
my @right = map { $_->{upgrade} } @steps;
upgrades_well(add_version('0.0.1', @right), 2_000);
append_to_file("$extensions/kvs--0.0.0.sql",        $older);
append_to_file("$extensions/kvs--0.0.0--0.0.1.sql", '');
upgrades_well('0.0.0', 200);

# The same with one step left out.
foreach my $i (0 .. $#steps)
{
    my ($what, $object) = @{ $steps[$i] }{qw(what object)};
    my @left = map { $_->{upgrade} } grep { $_->{what} ne $what && ($_->{needs} // '') ne $what } @steps;
    my $database = 'left_out' . $i;
    add_database($node, $database);
    $node->safe_psql($database, 'CREATE EXTENSION kvs VERSION ' . "'" . add_version("0.0.2.$i", @left) . "'; ALTER EXTENSION kvs UPDATE");
    my $found = difference(describe($node, $database), $fresh);
    like($found, $object, "$what is left out, and missed");
    cmp_ok(scalar(split /\n/, $found), '<=', 5, 'and nothing else') or diag($found);
    $node->safe_psql('postgres', "DROP DATABASE $database");
}

# One step too many.
my %upgraded = upgrade(add_version('0.0.3', @right, 'CREATE FUNCTION kvs.planted() RETURNS int LANGUAGE sql AS $$SELECT 1$$;'), 200);
like($upgraded{catalog}, qr/^\+ function kvs\.planted\(\): exists = yes/m, 'what is too much is found');
is($upgraded{contents}, '', 'and harms no store');

# Harm to what the store holds: a row that is gone, and one that has changed.
%upgraded = upgrade(add_version('0.0.4', @right, 'DELETE FROM _kvs.tag;'), 200);
is($upgraded{catalog}, '', 'the catalog does not tell');
like($upgraded{contents}, qr/^- tag\|v1/m,     'a tag that is gone is found');
like($upgraded{contents}, qr/^\+ _kvs\.tag\|/m, 'and the table');
%upgraded = upgrade(add_version('0.0.5', @right, 'UPDATE _kvs.working SET version = version + 1;'), 200);
like($upgraded{contents}, qr/^\+ _kvs\.working\|/m, 'a row that has changed is found');

# A script that fails changes nothing.
add_database($node, 'failed');
$node->safe_psql('failed', q(CREATE EXTENSION kvs VERSION ') . add_version('0.0.6', @right, 'SELECT 1 / 0;') . q('));
fill_store($node, 'failed', 200);
my ($catalog, $contents) = (describe($node, 'failed'), contents($node, 'failed', \my $columns));
is(sqlstate_of($node, 'failed', 'ALTER EXTENSION kvs UPDATE'), '22012',   'a script that fails');
is(describe($node, 'failed'),                                  $catalog,  'leaves the catalog');
is(contents($node, 'failed', \$columns),                       $contents, 'and the store');

finish($node, databases => ['upgraded' . (@released + 1)]);
done_testing();

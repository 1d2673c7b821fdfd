# Random histories, told to kvs and to git: after each step the branches hold the same, and merges, merge bases,
# conflicts, cherry-picks, reverts, rebases and logs agree. Values are JSON scalars, so that a document merges as git
# merges a line. KVS_SEED repeats a run.
#
# What is left out because it differs on purpose: the contents of a conflict (kvs has it as data), and criss-cross
# merges of criss-cross merges. Where two merge bases conflict with each other, git makes up a file with conflict
# markers, kvs takes what their own base says; there git is asked with that as the base.

use strict;
use warnings FATAL => 'all';

use FindBin;
use lib "$FindBin::RealBin/lib";
use GitRepository;
use Kvs;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

plan skip_all => 'git 2.38 or later is not here' unless GitRepository::available();

my $histories = small_or_long(60, 1_000);
my $steps     = 30;
my $seed      = $ENV{KVS_SEED} || int(rand(1_000_000_000));
my @keys      = map { "k$_" } 1 .. 6;
my @values    = ('0', '1', '2', '"x"', '"y"', 'true', 'null');
note("KVS_SEED=$seed");

my $node = new_node('main');
my $git  = GitRepository->new(PostgreSQL::Test::Utils::tempdir . '/git');

# Of one history: its commits by name, its branches, and what psql is told and has to answer.
my ($prefix, %commits, %names, %branches, $next_commit, @script, @expected, %count);

sub pick { return $_[ int(rand(@_)) ] }

sub ask    { push @script,   @_ }
sub expect { push @expected, @_ }

sub text_of
{
    my ($content) = @_;
    return join(' ', map { "$_=$content->{$_}" } sort keys %$content);
}

sub same { return text_of($_[0]) eq text_of($_[1]) }

sub changes
{
    my ($from, $to) = @_;
    my %all = (%$from, %$to);
    return scalar grep { ($from->{$_} // '') ne ($to->{$_} // '') } keys %all;
}

sub head { return $commits{ $branches{ $_[0] }{head} } }

sub is_clean { return same($branches{ $_[0] }{work}, head($_[0])->{content}) }

sub add_commit
{
    my ($content, @parents) = @_;
    my $name = 'c' . $next_commit++;
    $commits{$name} = {
        name    => $name,
        content => {%$content},
        parents => [@parents],
        git     => $git->commit($content, map { $commits{$_}{git} } @parents) };
    $names{ $commits{$name}{git} } = $name;
    return $name;
}

sub move
{
    my ($branch, $name) = @_;
    $branches{$branch} = { head => $name, work => { %{ $commits{$name}{content} } } };
    return;
}

sub sql_commit
{
    my ($branch) = @_;
    my $name = add_commit($branches{$branch}{work}, $branches{$branch}{head});
    move($branch, $name);
    ask("SELECT kvs.commit('$name', branch => '$branch') AS $name \\gset", "\\echo hash $name :$name");
    return;
}

# What a merge makes of its conflicts with a strategy, or with a decision for each.
sub decide
{
    my ($content, $conflicts, $decision) = @_;
    my %side   = (base => 0, ours => 1, theirs => 2);
    my %merged = %$content;
    foreach my $key (keys %$conflicts)
    {
        my $how = ref $decision ? $decision->{$key} : $decision;
        my $value =
            $how eq 'delete'      ? undef
          : $how =~ /^value (.*)/ ? $1
          :                         $conflicts->{$key}[ $side{$how} ];
        delete $merged{$key};
        $merged{$key} = $value if defined $value;
    }
    return \%merged;
}

# A merge of two commits as git does it; nothing where the two do not do the same.
sub merge_commits
{
    my ($ours, $theirs, @bases) = @_;
    return $git->merge($ours->{git}, $theirs->{git}) if @bases == 1;
    return if @bases > 2;
    my @own = $git->merge_bases(@bases);
    return if @own != 1;
    my ($virtual, $unclear) = $git->merge(@bases);
    return $git->merge_states(decide($virtual, $unclear, 'base'), $ours->{content}, $theirs->{content});
}

sub conflict_rows
{
    my ($conflicts) = @_;
    my @rows = ();
    foreach my $key (sort keys %$conflicts)
    {
        push @rows, join('|', 'conflict', $key, map { $_ // '-' } @{ $conflicts->{$key} }[ 0 .. 2 ]);
    }
    return @rows;
}

sub step_merge
{
    my ($target, $source) = @_;
    my ($ours, $theirs) = (head($target), head($source));
    my @bases    = $git->merge_bases($ours->{git}, $theirs->{git});
    my $strategy = pick('manual', 'manual', 'manual', 'ours', 'theirs');
    my $base     = join('|', map { $names{$_} } @bases);
    my ($content, $conflicts) = ({}, {});
    my $forward = grep { $_ eq $ours->{git} } @bases;
    my $nothing = grep { $_ eq $theirs->{git} } @bases;
    if (!$forward && !$nothing)
    {
        ($content, $conflicts) = merge_commits($ours, $theirs, @bases) or return;
        $count{'criss-cross'}++ if @bases > 1;
    }
    ask("SELECT 'base', kvs.merge_base('$target', '$source');",
        "SELECT 'preview', count(*) FROM kvs.preview_merge('$source', '$target');");
    expect(qr/^base\|(?:$base)$/, 'preview|' . keys %$conflicts);
    my $name = 'c' . $next_commit;
    ask("SELECT commit AS $name, fast_forward, merged, conflicts FROM kvs.merge('$source', target => '$target', "
          . "message => '$name', strategy => '$strategy') \\gset r_",
        '\echo merge :r_fast_forward :r_merged :r_conflicts');
    if ($nothing)
    {
        expect('merge f 0 0');
        $count{'up to date'}++;
        return;
    }
    if ($forward)
    {
        expect('merge t ' . changes($ours->{content}, $theirs->{content}) . ' 0');
        move($target, $theirs->{name});
        $count{'fast-forward'}++;
        return;
    }
    if (!%$conflicts || $strategy ne 'manual')
    {
        $content = decide($content, $conflicts, $strategy) if %$conflicts;
        expect('merge f ' . changes($ours->{content}, $content) . ' 0');
        move($target, add_commit($content, $ours->{name}, $theirs->{name}));
        ask("\\set $name :r_$name", "\\echo hash $name :$name");
        $count{merge}++;
        return;
    }
    $count{conflict}++;
    expect('merge f 0 ' . keys %$conflicts, conflict_rows($conflicts));
    ask("SELECT 'conflict', key, coalesce(base::text, '-'), coalesce(ours::text, '-'), coalesce(theirs::text, '-') "
          . "FROM kvs.conflicts WHERE branch = '$target' ORDER BY key;");
    if (rand() < 0.4)
    {
        ask("SELECT 'abort', kvs.merge_abort('$target');");
        expect('abort|t');
        return;
    }
    my %decision = map { $_ => pick('ours', 'theirs', 'base', 'delete', 'value ' . pick(@values)) } keys %$conflicts;
    foreach my $key (sort keys %decision)
    {
        my ($how, $value) = split / /, $decision{$key};
        ask("SELECT kvs.resolve('$key', '$how'"
              . (defined $value ? ", '$value'" : '')
              . ", branch => '$target') AS resolved \\gset");
    }
    $content = decide($content, $conflicts, \%decision);
    move($target, add_commit($content, $ours->{name}, $theirs->{name}));
    ask("SELECT commit AS $name, merged, conflicts FROM kvs.merge_continue(branch => '$target') \\gset r_",
        "\\echo continue :r_merged :r_conflicts", "\\set $name :r_$name", "\\echo hash $name :$name");
    expect('continue ' . changes($ours->{content}, $content) . ' 0');
    return;
}

# cherry-pick and revert: what lies between two states is put on top of a branch.
sub step_transplant
{
    my ($kind, $branch, $base, $theirs, $call, $strategy) = @_;
    my $ours = head($branch);
    my ($content, $conflicts) = $git->merge_states($base, $ours->{content}, $theirs);
    my $name = 'c' . $next_commit;
    ask("\\unset $name", "SELECT $call AS $name \\gset", "\\echo $kind :SQLSTATE");
    if (%$conflicts && $strategy eq 'manual')
    {
        expect("$kind 55000");
        $count{"$kind conflict"}++;
        return;
    }
    expect("$kind 00000");
    $content = decide($content, $conflicts, $strategy) if %$conflicts;
    if (same($content, $ours->{content}))
    {
        ask("\\echo $kind :{?$name}");
        expect("$kind FALSE");
        $count{"$kind of nothing"}++;
        return;
    }
    move($branch, add_commit($content, $ours->{name}));
    ask("\\echo hash $name :$name");
    $count{$kind}++;
    return;
}

sub step_cherry_pick
{
    my ($branch) = @_;
    my $commit   = pick(grep { @{ $_->{parents} } == 1 } map { $commits{$_} } sort keys %commits) or return;
    my $strategy = pick('manual', 'manual', 'ours', 'theirs');
    return step_transplant('cherry-pick', $branch, $commits{ $commit->{parents}[0] }{content}, $commit->{content},
        "kvs.cherry_pick(:'$commit->{name}', '$strategy', branch => '$branch')", $strategy);
}

sub step_revert
{
    my ($branch) = @_;
    my $commit   = pick(grep { @{ $_->{parents} } > 0 } map { $commits{$_} } sort keys %commits) or return;
    my $parent   = 1 + int(rand(@{ $commit->{parents} }));
    my $argument = @{ $commit->{parents} } > 1 ? ", parent => $parent" : '';
    my $before   = $commits{ $commit->{parents}[ $parent - 1 ] };
    return step_transplant('revert', $branch, $commit->{content}, $before->{content},
        "kvs.revert(:'$commit->{name}'$argument, branch => '$branch')", 'manual');
}

sub step_rebase
{
    my ($branch, $onto) = @_;
    my $strategy  = pick('manual', 'manual', 'theirs', 'ours');
    my %reachable = map { $_->[0] => 1 } $git->log(head($onto)->{git});
    my @old       = ();
    for (my $at = head($branch); !$reachable{ $at->{git} }; $at = $commits{ $at->{parents}[0] })
    {
        return if @{ $at->{parents} } != 1;
        unshift @old, $at;
    }
    my $call = "kvs.rebase('$branch', '$onto', '$strategy')";
    if (grep { $_ eq head($onto)->{git} } $git->merge_bases(head($branch)->{git}, head($onto)->{git}))
    {
        ask("SELECT 'rebase', count(*) FROM $call;");
        expect('rebase|0');
        $count{'rebase of nothing'}++;
        return;
    }
    my ($content, @new) = (head($onto)->{content});
    foreach my $commit (@old)
    {
        my ($merged, $conflicts) =
          $git->merge_states($commits{ $commit->{parents}[0] }{content}, $content, $commit->{content});
        if (%$conflicts && $strategy eq 'manual')
        {
            ask("SELECT count(*) FROM $call;", '\echo rebase :SQLSTATE');
            expect('rebase 55000');
            $count{'rebase conflict'}++;
            return;
        }
        $merged = decide($merged, $conflicts, $strategy) if %$conflicts;
        push @new, $merged unless same($merged, $content);
        $content = $merged;
    }
    my $first = $next_commit;
    move($branch, $branches{$onto}{head});
    move($branch, add_commit($_, $branches{$branch}{head})) foreach @new;
    my @made = map { "c$_" } $first .. $next_commit - 1;
    ask("SELECT count(*), count(new_commit) AS made, "
          . join(', ', map { "(array_agg(new_commit ORDER BY n) FILTER (WHERE new_commit IS NOT NULL))[$_] AS c"
                . ($first + $_ - 1) } 1 .. @made)
          . (@made ? '' : 'NULL AS none')
          . " FROM $call WITH ORDINALITY AS r (old_commit, new_commit, n) \\gset r_",
        '\echo rebase :r_count :r_made', map { ("\\set $_ :r_$_", "\\echo hash $_ :$_") } @made);
    expect('rebase ' . @old . ' ' . @made);
    $count{rebase}++;
    return;
}

sub step
{
    my ($branch) = pick(sort keys %branches);
    my $dice = rand();
    if ($dice < 0.35)
    {
        foreach (1 .. 1 + int(rand(3)))
        {
            my ($key, $value) = (pick(@keys), pick(@values));
            $branches{$branch}{work}{$key} = $value;
            ask("SELECT kvs.put('$key', '$value', branch => '$branch') AS version \\gset");
        }
    }
    elsif ($dice < 0.45)
    {
        my $key = pick(@keys);
        delete $branches{$branch}{work}{$key};
        ask("SELECT kvs.delete('$key', branch => '$branch') AS deleted \\gset");
    }
    elsif ($dice < 0.51 && keys %branches < 5)
    {
        my $from = pick(sort keys %commits);
        my $name = "${prefix}b" . keys %branches;
        move($name, $from);
        ask("SELECT kvs.create_branch('$name', :'$from') AS name \\gset");
    }
    elsif (!is_clean($branch))
    {
        return sql_commit($branch);
    }
    elsif ($dice < 0.75)
    {
        my $other = pick(grep { $_ ne $branch } sort keys %branches);
        return step_merge($branch, $other) if $other;
    }
    elsif ($dice < 0.84)
    {
        return step_cherry_pick($branch);
    }
    elsif ($dice < 0.91)
    {
        return step_revert($branch);
    }
    elsif ($dice < 0.95)
    {
        my $to = pick(sort keys %commits);
        move($branch, $to);
        ask("SELECT kvs.reset(:'$to', branch => '$branch') AS head \\gset");
        $count{reset}++;
    }
    else
    {
        my $other = pick(grep { $_ ne $branch } sort keys %branches);
        return step_rebase($branch, $other) if $other;
    }
    return;
}

sub check_states
{
    my ($step) = @_;
    ask("\\echo step $step", "SELECT 'state', name, kvs.rev_parse(name), (SELECT string_agg(key || '=' || value, ' ' "
          . "ORDER BY key) FROM kvs.scan(branch => name)) FROM kvs.branches WHERE starts_with(name, '$prefix') "
          . 'ORDER BY name;');
    expect("step $step");
    expect(map { "state|$_|$branches{$_}{head}|" . text_of($branches{$_}{work}) } sort keys %branches);
    return;
}

sub check_logs
{
    foreach my $branch (sort keys %branches)
    {
        ask("SELECT 'log', hash, array_to_string(parents, ' ') FROM kvs.log('$branch');");
        expect(map { my ($commit, @parents) = map { $names{$_} } @$_; "log|$commit|@parents" }
              $git->log(head($branch)->{git}));
    }
    return;
}

# Runs what was told; the first answer that is another one than git's, or nothing.
sub first_difference
{
    my ($stdout, $stderr) = ('', '');
    $node->psql('postgres', join("\n", 'SET client_min_messages = warning;', @script),
        stdout => \$stdout, stderr => \$stderr, on_error_stop => 0);
    my %name_of = $stdout =~ /^hash (\w+) (\w{64})$/mg;
    %name_of = reverse %name_of;
    $stdout =~ s/\b([0-9a-f]{64})\b/$name_of{$1} \/\/ $1/ge;
    my @heard = grep { !/^hash / } split /\n/, $stdout;
    my $last  = '';
    foreach my $expected (@expected)
    {
        my $heard = shift(@heard) // 'the end';
        return "after $last\nheard:    $heard\nexpected: $expected\nstderr:   $stderr\n" . join("\n", @script)
          if ref $expected ? $heard !~ $expected : $heard ne $expected;
        $last = $heard if $heard =~ /^step/;
    }
    return @heard ? "unexpected: $heard[0]" : '';
}

my $differences = 0;
foreach my $history (1 .. $histories)
{
    srand($seed + $history);
    $prefix = "h${history}_";
    ($next_commit, %commits, %names, %branches) = (0);
    @script = @expected = ();
    add_commit({});
    ask('SELECT encode(_kvs.initial_commit(), \'hex\') AS c0 \gset', '\echo hash c0 :c0');
    my $trunk = "${prefix}a";
    move($trunk, 'c0');
    ask("SELECT kvs.create_branch('$trunk', :'c0') AS name \\gset");
    foreach my $step (1 .. $steps)
    {
        step();
        check_states($step);
    }
    check_logs();
    ask("SELECT kvs.delete_branch(name, force => true) AS deleted FROM kvs.branches "
          . "WHERE starts_with(name, '$prefix') \\g /dev/null");
    my $difference = first_difference();
    next if $difference eq '';
    is($difference, '', "history $history of KVS_SEED=$seed");
    last if ++$differences == 3;
}
is($differences, 0, "$histories histories of $steps steps are those of git");
note(join(', ', map { "$_: $count{$_}" } sort keys %count));
is(join(' ', grep { !$count{$_} } 'merge', 'conflict', 'fast-forward', 'cherry-pick', 'revert', 'rebase', 'reset'),
    '', 'and nothing was left out');

finish($node);
done_testing();

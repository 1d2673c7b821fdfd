# Random operations on branches against a model of them, one session: after each step every branch holds what the model
# holds, committed and not; errors come where the model has them. A version of a key of a branch never comes back with
# another value, histories descend and begin with what is there (where a branch took over a commit they are the
# commit's), no commit has a lower version of a key than its parents, and the store is sound in the end. KVS_SEED
# repeats a run. Criss-cross merges are left to the comparison with git.

use strict;
use warnings FATAL => 'all';

use FindBin;
use lib "$FindBin::RealBin/lib";
use Kvs;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Storable qw(dclone);
use Test::More;

my $runs  = small_or_long(60, 1_000);
my $steps = 60;
my $seed  = $ENV{KVS_SEED} || int(rand(1_000_000_000));
my @keys  = map { "k$_" } 1 .. 5;
note("KVS_SEED=$seed");

my $node = new_node('main');

# Of one run. In the model: commits (content, parents), branches (head, work, reflog: newest first), stashes.
my ($prefix, $model, $next_commit, @script, @expected, %count);

sub pick   { return $_[ int(rand(@_)) ] }
sub ask    { push @script,   @_ }
sub expect { push @expected, @_ }

sub same_value { return ($_[0] // '-') eq ($_[1] // '-') }

sub text_of
{
    my ($content) = @_;
    return join(' ', map { "$_=$content->{$_}" } sort keys %$content);
}

sub same { return text_of($_[0]) eq text_of($_[1]) }

sub changed_keys
{
    my ($from, $to) = @_;
    my %all = (%$from, %$to);
    return grep { !same_value($from->{$_}, $to->{$_}) } sort keys %all;
}

# Documents are scalars and objects of scalars, as the server writes them.
sub members
{
    my ($text) = @_;
    return undef unless defined $text && $text =~ /^\{/;
    return { $text =~ /"(\w)": (\w+)/g };
}

sub object
{
    my ($members) = @_;
    return '{' . join(', ', map { "\"$_\": $members->{$_}" } sort keys %$members) . '}';
}

# Three-way merge of one document; conflicts are counted, and decided by the strategy.
sub merge_value
{
    my ($base, $ours, $theirs, $strategy, $conflicts) = @_;
    return $ours   if same_value($ours, $theirs) || same_value($base, $theirs);
    return $theirs if same_value($base, $ours);
    my ($our_members, $their_members) = (members($ours), members($theirs));
    if ($our_members && $their_members)
    {
        my $base_members = members($base) // {};
        my %all          = (%$our_members, %$their_members);
        my %merged       = ();
        foreach my $name (sort keys %all)
        {
            my $value = merge_value($base_members->{$name}, $our_members->{$name}, $their_members->{$name},
                $strategy, $conflicts);
            $merged{$name} = $value if defined $value;
        }
        return object(\%merged);
    }
    $$conflicts++ if $strategy eq 'manual';
    return $strategy eq 'theirs' ? $theirs : $ours;
}

sub merge_content
{
    my ($base, $ours, $theirs, $strategy) = @_;
    my $conflicts = 0;
    my %merged    = ();
    my %all       = (%$base, %$ours, %$theirs);
    foreach my $key (keys %all)
    {
        my $value = merge_value($base->{$key}, $ours->{$key}, $theirs->{$key}, $strategy, \$conflicts);
        $merged{$key} = $value if defined $value;
    }
    return (\%merged, $conflicts);
}

sub commit_of { return $model->{commits}{ $_[0] } }
sub branch_of { return $model->{branches}{ $_[0] } }
sub head_of   { return commit_of(branch_of($_[0])->{head}) }
sub is_clean  { return same(branch_of($_[0])->{work}, head_of($_[0])->{content}) }

sub add_commit
{
    my ($content, @parents) = @_;
    my $name = 'c' . $next_commit++;
    $model->{commits}{$name} = { name => $name, content => {%$content}, parents => [@parents] };
    return $name;
}

sub move
{
    my ($branch, $name, $work) = @_;
    branch_of($branch)->{head} = $name;
    branch_of($branch)->{work} = {%$work};
    unshift @{ branch_of($branch)->{reflog} }, $name;
    return;
}

sub ancestors
{
    my ($name) = @_;
    my %found  = ();
    my @open   = ($name);
    while (defined(my $at = shift @open))
    {
        push @open, @{ commit_of($at)->{parents} } unless $found{$at}++;
    }
    return \%found;
}

sub merge_bases
{
    my ($left, $right) = map { ancestors($_) } @_;
    my @common = grep { $right->{$_} } keys %$left;
    my %below  = map { my $name = $_; map { $_ => 1 } grep { $_ ne $name } keys %{ ancestors($name) } } @common;
    return grep { !$below{$_} } @common;
}

# The working state of a branch whose head's content becomes another; nothing if work is in the way.
sub carry_over
{
    my ($branch, $to) = @_;
    my ($head, $work) = (head_of($branch)->{content}, branch_of($branch)->{work});
    my %carried = %$work;
    foreach my $key (changed_keys($head, $to))
    {
        next if same_value($work->{$key}, $to->{$key});
        return unless same_value($work->{$key}, $head->{$key});
        delete $carried{$key};
        $carried{$key} = $to->{$key} if defined $to->{$key};
    }
    return \%carried;
}

# What a call that makes a commit, or fails, is told and answers.
sub ask_commit
{
    my ($name, $call, $sqlstate) = @_;
    ask("\\unset $name", "SELECT $call AS $name \\gset", '\echo made :SQLSTATE');
    expect("made $sqlstate");
    ask("\\echo hash $name :$name") if $sqlstate eq '00000';
    return;
}

sub step_put
{
    my ($branch) = @_;
    my $work = branch_of($branch)->{work};
    foreach (1 .. 1 + int(rand(3)))
    {
        my $key  = pick(@keys);
        my $dice = rand();
        if ($dice < 0.3)
        {
            my $value = pick(0 .. 3);
            $work->{$key} = "$value";
            ask("SELECT kvs.put('$key', '$value', branch => '$branch') AS version \\gset");
        }
        elsif ($dice < 0.8)
        {
            my ($name, $value) = (pick('a', 'b', 'c'), pick(0 .. 3));
            my %members = (%{ members($work->{$key}) // {} }, $name => $value);
            $work->{$key} = object(\%members);
            ask("SELECT kvs.patch('$key', '{\"$name\": $value}', branch => '$branch') AS version \\gset");
        }
        else
        {
            delete $work->{$key};
            ask("SELECT kvs.delete('$key', branch => '$branch') AS deleted \\gset");
        }
    }
    return;
}

sub step_commit
{
    my ($branch) = @_;
    if (is_clean($branch))
    {
        ask("SELECT 'nothing', kvs.commit('nothing', branch => '$branch') IS NULL;");
        expect('nothing|t');
        return;
    }
    my $work = branch_of($branch)->{work};
    my $name = add_commit($work, branch_of($branch)->{head});
    move($branch, $name, $work);
    ask_commit($name, "kvs.commit('$name', branch => '$branch')", '00000');
    return;
}

sub step_branch
{
    my $from = pick(sort keys %{ $model->{commits} });
    my $name = "${prefix}b" . keys %{ $model->{branches} };
    return if $model->{commits}{$from}{unnamed};
    $model->{branches}{$name} = { reflog => [] };
    move($name, $from, commit_of($from)->{content});
    ask("SELECT kvs.create_branch('$name', :'$from') AS name \\gset");
    return;
}

sub step_merge
{
    my ($target, $source) = @_;
    my ($ours, $theirs) = (head_of($target), head_of($source));
    my @bases = merge_bases($ours->{name}, $theirs->{name});
    return if @bases > 1 || $theirs->{unnamed};
    my $strategy = pick('manual', 'ours', 'theirs');
    my $name     = 'c' . $next_commit;
    my $outcome  = sub {
        my ($call, $sqlstate, @result) = @_;
        ask("\\unset r_$name", "SELECT commit AS $name, fast_forward, merged, conflicts FROM $call \\gset r_",
            '\echo merge :SQLSTATE');
        expect("merge $sqlstate");
        return if $sqlstate ne '00000';
        ask('\echo merge :r_fast_forward :r_merged :r_conflicts');
        expect("merge @result");
        return;
    };
    my $call = "kvs.merge('$source', target => '$target', message => '$name', strategy => '$strategy')";
    if ($bases[0] eq $theirs->{name})
    {
        $outcome->($call, '00000', 'f', 0, 0);
        return;
    }
    if ($bases[0] eq $ours->{name})
    {
        my $work = carry_over($target, $theirs->{content});
        $count{$work ? 'fast-forward' : 'fast-forward refused'}++;
        $outcome->($call, $work ? '00000' : '55000', 't',
            scalar(changed_keys($ours->{content}, $theirs->{content})), 0);
        move($target, $theirs->{name}, $work) if $work;
        return;
    }
    my $base = commit_of($bases[0])->{content};
    my ($content, $conflicts) = merge_content($base, $ours->{content}, $theirs->{content}, $strategy);
    if ($conflicts)
    {
        $outcome->($call, '00000', 'f', 0, $conflicts);
        $count{conflict}++;
        my $side = pick('ours', 'theirs', 'abort');
        if ($side eq 'abort')
        {
            ask("SELECT 'abort', kvs.merge_abort('$target');");
            expect('abort|t');
            return;
        }
        ask("UPDATE kvs.conflicts SET resolution = '$side' WHERE branch = '$target';");
        ($content, $conflicts) = merge_content($base, $ours->{content}, $theirs->{content}, $side);
        $call = "kvs.merge_continue(branch => '$target')";
    }
    my $work = carry_over($target, $content);
    $count{$work ? 'merge' : 'merge refused'}++;
    $outcome->($call, $work ? '00000' : '55000', 'f', scalar(changed_keys($ours->{content}, $content)), 0);
    if ($work)
    {
        move($target, add_commit($content, $ours->{name}, $theirs->{name}), $work);
        ask("\\set $name :r_$name", "\\echo hash $name :$name");
        return;
    }
    ask("SELECT kvs.merge_abort('$target') AS aborted \\gset");
    return;
}

# cherry-pick and revert.
sub step_transplant
{
    my ($branch, $kind) = @_;
    my @candidates = map { commit_of($_) } sort keys %{ $model->{commits} };
    @candidates = grep { @{ $_->{parents} } && !$_->{unnamed} } @candidates;
    @candidates = grep { @{ $_->{parents} } == 1 } @candidates if $kind eq 'cherry-pick';
    my $commit   = pick(@candidates) or return;
    my $name     = 'c' . $next_commit;
    my $strategy = $kind eq 'revert' ? 'manual' : pick('manual', 'ours', 'theirs');
    my $parent   = 1 + int(rand(@{ $commit->{parents} }));
    my ($base, $theirs) = (commit_of($commit->{parents}[ $parent - 1 ])->{content}, $commit->{content});
    ($base, $theirs) = ($theirs, $base) if $kind eq 'revert';
    my $call =
      $kind eq 'revert'
      ? "kvs.revert(:'$commit->{name}', parent => $parent, branch => '$branch')"
      : "kvs.cherry_pick(:'$commit->{name}', '$strategy', branch => '$branch')";
    my $ours = head_of($branch);
    my ($content, $conflicts) = merge_content($base, $ours->{content}, $theirs, $strategy);
    my $work = carry_over($branch, $content);

    if ($conflicts || !$work)
    {
        $count{"$kind refused"}++;
        ask_commit($name, $call, '55000');
        return;
    }
    if (same($content, $ours->{content}))
    {
        ask("SELECT 'nothing', $call IS NULL;");
        expect('nothing|t');
        return;
    }
    $count{$kind}++;
    move($branch, add_commit($content, $ours->{name}), $work);
    ask_commit($name, $call, '00000');
    return;
}

# To any commit, or back in the branch's own reflog.
sub step_reset
{
    my ($branch) = @_;
    my $mode = pick('hard', 'hard', 'soft');
    my $log  = branch_of($branch)->{reflog};
    my ($to, $ref);
    if (rand() < 0.5)
    {
        my $n = int(rand(@$log));
        ($to, $ref) = ($log->[$n], "'$branch@\{$n\}'");
        $count{'reset by reflog'}++;
    }
    else
    {
        $to = pick(grep { !commit_of($_)->{unnamed} } sort keys %{ $model->{commits} });
        $ref = ":'$to'";
    }
    my $head  = branch_of($branch)->{head};
    my $clean = is_clean($branch);
    ask("SELECT kvs.reset($ref, '$mode', branch => '$branch') AS $to \\gset", "\\echo hash $to :$to");
    delete commit_of($to)->{unnamed};
    $count{"reset $mode"}++;
    return if $to eq $head && ($mode eq 'soft' || $clean);
    if ($mode eq 'soft')
    {
        move($branch, $to, branch_of($branch)->{work});
        return;
    }
    if (!$clean)
    {
        # Only the reflog knows its hash.
        my $saved = add_commit(branch_of($branch)->{work}, $head);
        commit_of($saved)->{unnamed} = 1;
        unshift @$log, $saved;
    }
    move($branch, $to, commit_of($to)->{content});
    return;
}

sub step_stash
{
    my ($branch) = @_;
    if (rand() < 0.5 || !@{ $model->{stashes} })
    {
        my $clean = is_clean($branch);
        my $name  = 's' . @script;
        ask("\\unset $name", "SELECT kvs.stash('$name', branch => '$branch') AS $name \\gset",
            "\\echo stash :{?$name}");
        expect('stash ' . ($clean ? 'FALSE' : 'TRUE'));
        return if $clean;
        $count{stash}++;
        my $head = head_of($branch)->{content};
        push @{ $model->{stashes} }, { name => $name, base => $head, content => branch_of($branch)->{work} };
        branch_of($branch)->{work} = {%$head};
        return;
    }
    my $n     = int(rand(@{ $model->{stashes} }));
    my $stash = $model->{stashes}[$n];
    my $pop   = pick('pop', 'apply');
    my $work  = branch_of($branch)->{work};
    my ($content, $conflicts) = merge_content($stash->{base}, $work, $stash->{content}, 'manual');
    ask("SELECT '$pop', merged, conflicts FROM kvs.stash_$pop(:$stash->{name}, branch => '$branch');");
    if ($conflicts)
    {
        expect("$pop|0|$conflicts");
        $count{'stash conflict'}++;
        if (rand() < 0.5)
        {
            ask("UPDATE kvs.conflicts SET resolution = 'theirs' WHERE branch = '$branch';",
                "SELECT 'continue', commit IS NULL, conflicts FROM kvs.merge_continue(branch => '$branch');");
            expect('continue|t|0');
            ($content) = merge_content($stash->{base}, $work, $stash->{content}, 'theirs');
            branch_of($branch)->{work} = $content;
            return;
        }
        ask("SELECT 'abort', kvs.merge_abort('$branch');");
        expect('abort|t');
        return;
    }
    expect("$pop|" . changed_keys($work, $content) . '|0');
    $count{$pop}++;
    branch_of($branch)->{work} = $content;
    splice @{ $model->{stashes} }, $n, 1 if $pop eq 'pop';
    return;
}

sub step_squash
{
    my ($branch) = @_;
    my $head = branch_of($branch)->{head};
    my $from = pick(grep { !commit_of($_)->{unnamed} } sort keys %{ $model->{commits} });
    my $name = 'c' . $next_commit;
    my $call = "kvs.squash(:'$from', '$name', branch => '$branch')";
    if ($from eq $head || !ancestors($head)->{$from})
    {
        ask_commit($name, $call, '55000');
        return;
    }
    my $content = head_of($branch)->{content};
    if (same($content, commit_of($from)->{content}))
    {
        $count{'squash to nothing'}++;
        move($branch, $from, branch_of($branch)->{work});
        ask("SELECT 'squash', $call IS NULL;");
        expect('squash|t');
        return;
    }
    $count{squash}++;
    move($branch, add_commit($content, $from), branch_of($branch)->{work});
    ask_commit($name, $call, '00000');
    return;
}

sub step_rebase
{
    my ($branch, $onto) = @_;
    my $strategy = pick('manual', 'ours', 'theirs');
    my $target   = branch_of($onto)->{head};
    my $call     = "kvs.rebase('$branch', '$onto', '$strategy')";
    my $known    = ancestors($target);
    my @old      = ();
    for (my $at = branch_of($branch)->{head}; !$known->{$at}; $at = commit_of($at)->{parents}[0])
    {
        unshift @old, $at;
    }
    return if commit_of($target)->{unnamed};
    if (ancestors(branch_of($branch)->{head})->{$target})
    {
        ask("SELECT 'rebase', count(*) FROM $call;");
        expect('rebase|0');
        return;
    }
    my ($content, $refused, @new) = (commit_of($target)->{content}, !is_clean($branch));
    foreach my $name (@old)
    {
        my $commit = commit_of($name);
        my ($merged, $conflicts) =
          merge_content(commit_of($commit->{parents}[0])->{content}, $content, $commit->{content}, $strategy);
        $refused ||= $conflicts > 0;
        push @new, $merged unless same($merged, $content);
        $content = $merged;
    }
    if ($refused)
    {
        $count{'rebase refused'}++;
        ask("SELECT count(*) FROM $call;", '\echo rebase :SQLSTATE');
        expect('rebase 55000');
        return;
    }
    $count{rebase}++;
    my $first = $next_commit;
    my $top   = $target;
    $top = add_commit($_, $top) foreach @new;
    move($branch, $top, commit_of($top)->{content});
    my @made = map { "c$_" } $first .. $next_commit - 1;
    ask("SELECT count(*), count(new_commit) AS made, "
          . join(', ', (map { "(array_agg(new_commit ORDER BY n) FILTER (WHERE new_commit IS NOT NULL))[$_] AS c"
                . ($first + $_ - 1) } 1 .. @made), 'NULL AS none')
          . " FROM $call WITH ORDINALITY AS r (old_commit, new_commit, n) \\gset r_",
        '\echo rebase :r_count :r_made', map { ("\\set $_ :r_$_", "\\echo hash $_ :$_") } @made);
    expect('rebase ' . @old . ' ' . @made);
    return;
}

sub step
{
    my $branch = pick(sort keys %{ $model->{branches} });
    my $other  = pick(grep { $_ ne $branch } sort keys %{ $model->{branches} });
    my $dice   = rand();
    return step_put($branch)    if $dice < 0.32;
    return step_commit($branch) if $dice < 0.48;
    return step_branch()        if $dice < 0.52 && keys %{ $model->{branches} } < 5;
    return step_transplant($branch, pick('revert', 'cherry-pick')) if $dice < 0.62;
    return step_reset($branch)          if $dice < 0.69;
    return step_stash($branch)          if $dice < 0.77;
    return step_squash($branch)         if $dice < 0.79;
    return step_merge($branch, $other)  if $dice < 0.92 && $other;
    return step_rebase($branch, $other) if $dice < 0.96 && $other;
    ask("SELECT kvs.flush('$branch') AS rows \\gset");
    return;
}

# As the branches are: contents of the working state and of the head. What is rolled back says nothing of versions.
sub check_states
{
    my ($step, $kept) = @_;
    my $versions = $kept ? q(|| '@' || version) : '';
    ask("\\echo step $step", "SELECT 'state', name, kvs.rev_parse(name), "
          . "(SELECT string_agg(key $versions || '=' || value, ' ' ORDER BY key) FROM kvs.scan(branch => name)), "
          . "(SELECT string_agg(key || '=' || value, ' ' ORDER BY key) FROM kvs.scan(branch => name, as_of => 'HEAD')) "
          . "FROM kvs.branches WHERE starts_with(name, '$prefix') ORDER BY name;");
    expect("step $step");
    foreach my $branch (sort keys %{ $model->{branches} })
    {
        my $head = branch_of($branch)->{head};
        expect("state|$branch|" . (commit_of($head)->{unnamed} ? 'unnamed' : $head) . '|'
              . text_of(branch_of($branch)->{work}) . '|' . text_of(commit_of($head)->{content}));
    }
    return;
}

# The steps of one run; some in a transaction, some of those rolled back.
sub tell_run
{
    my $step = 0;
    while ($step < $steps)
    {
        my $dice = rand();
        if ($dice < 0.15)
        {
            my ($before, $commits) = (dclone($model), $next_commit);
            ask('BEGIN ISOLATION LEVEL ' . pick('READ COMMITTED', 'REPEATABLE READ', 'SERIALIZABLE') . ';',
                'SAVEPOINT a;');
            foreach (1 .. 1 + int(rand(3)))
            {
                step();
                check_states(++$step, 0);
            }
            ask('ROLLBACK TO a;');
            $model = $before;
            step();
            ask('COMMIT;');
        }
        elsif ($dice < 0.25)
        {
            ask('BEGIN;');
            step();
            step();
            ask('COMMIT;');
        }
        else
        {
            step();
        }
        check_states(++$step, 1);
    }
    my $list = join(',', map { "'$_'" } @keys);
    ask("SELECT 'history', name, k, version, value FROM kvs.branches, unnest(ARRAY[$list]) AS k, "
          . "LATERAL kvs.history(k, branch => name) WITH ORDINALITY AS h WHERE starts_with(name, '$prefix') "
          . 'ORDER BY name, k, ordinality;');
    return;
}

# Runs what was told; the first answer that is not the model's, or nothing.
sub first_difference
{
    my ($stdout, $stderr) = ('', '');
    $node->psql('postgres', join("\n", @script), stdout => \$stdout, stderr => \$stderr, on_error_stop => 0);
    my %name_of = reverse $stdout =~ /^hash (\w+) (\w{64})$/mg;
    $stdout =~ s/\b([0-9a-f]{64})\b/$name_of{$1} \/\/ 'unnamed'/ge;
    my @heard = grep { !/^hash / } split /\n/, $stdout;
    my ($last, %value_of, %newest, %entry, %below) = ('');
    my $report = sub {
        return join("\n", "after $last", @_, "stderr:   $stderr", @script);
    };
    foreach my $expected (@expected)
    {
        my $heard = shift(@heard) // 'the end';
        my ($branch, $work) = $heard =~ /^state\|(\w+)\|\w+\|([^|]*)/;
        my $has_versions = defined $work && ($work eq '' || $work =~ /@/);
        my $content      = $heard =~ s/@\d+=/=/gr;
        return $report->("heard:    $heard", "expected: $expected") if $content ne $expected;
        $last = $heard if $heard =~ /^step/;
        next unless $has_versions;
        delete $entry{$branch};
        while ($heard =~ /(k\d)@(\d+)=(\{.*?\}|\d+)/g)
        {
            my ($key, $version, $value) = ($1, $2, $3);
            $entry{$branch}{$key} = "$version|$value";
            my $seen = \$value_of{$branch}{$key}{$version};
            return $report->("version $version of $key on $branch was $$seen and is $value")
              if ($$seen // $value) ne $value;
            $$seen = $value;
            return $report->("$key on $branch went from version $newest{$branch}{$key} to $version")
              if ($newest{$branch}{$key} // 0) > $version;
            $newest{$branch}{$key} = $version;
        }
    }
    foreach my $line (@heard)
    {
        my ($branch, $key, $version, $value) = $line =~ /^history\|(\w+)\|(\w+)\|(\d+)\|(.*)$/
          or return $report->("unexpected: $line");
        my $above = $below{$branch}{$key};
        return $report->("history of $key on $branch: version $version follows $above")
          if defined $above && $version >= $above;
        my $now = $entry{$branch}{$key} // "deleted";
        return $report->("history of $key on $branch begins with version $version, $value; there is $now")
          if !defined $above && $now ne ($value eq '' ? 'deleted' : "$version|$value");
        $below{$branch}{$key} = $version;
    }
    return '';
}

my $differences = 0;
foreach my $run (1 .. $runs)
{
    srand($seed + $run);
    ($prefix, $next_commit) = ("r${run}_", 0);
    @script = @expected = ();
    $model  = { commits => {}, branches => {}, stashes => [] };
    add_commit({});
    ask('SET client_min_messages = warning;', '\set ON_ERROR_ROLLBACK on',
        'SET kvs.bulk_log_threshold = ' . pick(0, 2, 1000) . ';',
        q(SELECT encode(_kvs.initial_commit(), 'hex') AS c0 \gset), '\echo hash c0 :c0',
        "SELECT kvs.create_branch('${prefix}a', :'c0') AS name \\gset");
    $model->{branches}{"${prefix}a"} = { reflog => [] };
    move("${prefix}a", 'c0', {});
    tell_run();
    my $difference = first_difference();
    $node->safe_psql('postgres',
        "SELECT kvs.delete_branch(name, force => true) FROM kvs.branches WHERE starts_with(name, '$prefix')");
    next if $difference eq '';
    is($difference, '', "run $run of KVS_SEED=$seed");
    last if ++$differences == 3;
}
is($differences, 0, "$runs runs of $steps steps go as the model");
note(join(', ', map { "$_: $count{$_}" } sort keys %count));
is(join(' ', grep { !$count{$_} } 'merge', 'conflict', 'fast-forward', 'cherry-pick', 'revert', 'rebase', 'squash',
        'reset by reflog', 'stash', 'pop', 'merge refused'),
    '', 'and nothing was left out');

# What lets a merge take over whole subtrees.
my $rewound = $node->safe_psql('postgres', <<SQL);
SELECT encode(c.hash, 'hex'), encode(p, 'hex'), key, n.version, n.value, o.version, o.value
FROM _kvs.commit AS c, unnest(c.parents) AS p, LATERAL kvs.scan(as_of => encode(c.hash, 'hex')) AS n
     JOIN LATERAL kvs.scan(as_of => encode(p, 'hex')) AS o USING (key)
WHERE n.version < o.version OR n.version = o.version AND n.value <> o.value
LIMIT 3
SQL
is($rewound, '', 'no commit has a lower version of a key than a parent, nor the same one of another value');

finish($node);
done_testing();

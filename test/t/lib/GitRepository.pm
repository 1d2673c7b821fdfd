# A git repository to compare with: one file per key, whose only line is the key and the value. (The key, so that git
# does not take one file for another that was renamed.) Objects are written by this module itself and questions are
# asked of git's plumbing, so that a history costs few processes.
package GitRepository;

use strict;
use warnings FATAL => 'all';

use Compress::Zlib qw(compress uncompress);
use Digest::SHA qw(sha1_hex);

# Whether a git is here that can merge without a work tree.
sub available
{
    my $version = `git --version 2>/dev/null` // '';
    return $version =~ /^git version (\d+)\.(\d+)/ && ($1 > 2 || ($1 == 2 && $2 >= 38));
}

sub new
{
    my ($class, $dir) = @_;
    my $self = bless { dir => $dir, date => 1_700_000_000, values => {}, written => {} }, $class;
    system('git', 'init', '--quiet', '--bare', $dir) == 0 or die 'git init failed';

    return $self;
}

sub _write
{
    my ($self, $type, $content) = @_;
    my $object = "$type " . length($content) . "\0$content";
    my $hash   = sha1_hex($object);
    return $hash if $self->{written}{$hash}++;
    my ($folder, $file) = ("$self->{dir}/objects/" . substr($hash, 0, 2), substr($hash, 2));
    return $hash if -e "$folder/$file";    # git has made it meanwhile
    mkdir $folder;
    open(my $out, '>:raw', "$folder/$file") or die "$folder/$file: $!";
    print $out compress($object);
    close($out) or die $!;
    return $hash;
}

# A tree of keys and values.
sub tree
{
    my ($self, $content) = @_;
    my $tree = '';
    foreach my $key (sort keys %$content)
    {
        my $blob = $self->_write('blob', "$key $content->{$key}\n");
        $self->{values}{$blob} = $content->{$key};
        $tree .= "100644 $key\0" . pack('H*', $blob);
    }
    return $self->_write('tree', $tree);
}

# A commit; each is a second younger than the one before.
sub commit
{
    my ($self, $content, @parents) = @_;
    my $who  = 'somebody <somebody@example.org> ' . $self->{date}++ . ' +0000';
    my $text = 'tree ' . $self->tree($content) . "\n" . join('', map { "parent $_\n" } @parents);
    return $self->_write('commit', "${text}author $who\ncommitter $who\n\nmessage\n");
}

sub _git
{
    my ($self, @command) = @_;
    open(my $out, '-|', 'git', '--git-dir', $self->{dir}, @command) or die "git: $!";
    my @lines = <$out>;
    close($out);
    die "git @command failed" if $? >> 8 > 1;
    chomp @lines;
    return @lines;
}

# The keys and values of a tree; undef for what was not made by tree(), which is a file with conflict markers.
sub content
{
    my ($self, $tree) = @_;
    open(my $in, '<:raw', "$self->{dir}/objects/" . substr($tree, 0, 2) . '/' . substr($tree, 2)) or die "$tree: $!";
    my $object = uncompress(do { local $/ = undef; <$in> });
    close($in);
    $object =~ s/^tree \d+\0//s or die "$tree is no tree";
    my %content = ();
    while ($object =~ /\G100644 ([^\0]+)\0(.{20})/sg)
    {
        $content{$1} = $self->{values}{ unpack('H*', $2) };
    }
    return \%content;
}

sub merge_bases
{
    my ($self, @commits) = @_;
    return sort $self->_git('merge-base', '--all', @commits);
}

# Merges two commits: the keys and values that come out, and the conflicts: key => [base, ours, theirs].
sub merge
{
    my ($self, $ours, $theirs) = @_;
    my ($tree, @lines) = $self->_git('merge-tree', '--write-tree', '--no-messages', $ours, $theirs);
    my %conflicts = ();
    foreach my $line (grep { $_ ne '' } @lines)
    {
        my ($blob, $stage, $key) = $line =~ /^\d+ (\w+) ([123])\t(.*)$/ or die "git merge-tree said: $line";
        $conflicts{$key}[ $stage - 1 ] = $self->{values}{$blob};
    }
    return ($self->content($tree), \%conflicts);
}

# The same for three states.
sub merge_states
{
    my ($self, $base, $ours, $theirs) = @_;
    my $root = $self->commit($base);
    return $self->merge($self->commit($ours, $root), $self->commit($theirs, $root));
}

# The commits that a commit can reach, newest first, each with its parents.
sub log
{
    my ($self, $commit) = @_;
    return map { [ split / / ] } $self->_git('rev-list', '--date-order', '--parents', $commit);
}

1;

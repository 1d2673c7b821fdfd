#!/usr/bin/env perl
# Checks README.md and docs/ as far as no server is needed, and takes out what is to run on one.
#
#   documents.pl ROOT OUT
#
# Prints problems as DOCUMENT:LINE: TEXT and fails if there are any. For each document with SQL it writes a psql script
# of the same name below OUT, which has every statement on the line where the document has it:
#
#   - the blocks marked sql. A line before the block may say what is to be done with it:
#       <!-- check: skip -->        it is not run
#       <!-- check: alone SQL -->   it is run behind SQL (may be missing) in a transaction that is rolled back
#   - the SQL in strings of the blocks marked python, js and java, to be prepared
#
# Problems are: links to files or headings that are not there; names of files in code that are not there; make targets
# and scripts in sh blocks that are not there; blocks in no language or in one that is not known here.

use strict;
use warnings FATAL => 'all';

use File::Basename qw(dirname);
use File::Path qw(make_path);
use File::Spec;

my ($root, $out) = @ARGV;
die "usage: documents.pl ROOT OUT\n" if !defined $out;

my %is_shown   = map { $_ => 1 } qw(text json c cpp);        # neither run nor looked at
my %is_client  = map { $_ => 1 } qw(python js java);
my @pgxs_goals = qw(all install installcheck clean);
my $problems   = 0;

sub slurp_lines
{
    my ($file) = @_;
    open(my $in, '<:encoding(UTF-8)', $file) or die "$file: $!\n";
    my @lines = <$in>;
    chomp @lines;
    return \@lines;
}

sub problem
{
    my ($where, $text) = @_;
    print "$where: $text\n";
    $problems++;
    return;
}

# The anchor that GitHub gives to a heading.
sub anchor
{
    my ($heading) = @_;
    $heading =~ s/\[([^\]]*)\]\([^)]*\)/$1/g;
    $heading = lc $heading;
    $heading =~ s/[^\w -]//g;
    $heading =~ tr/ /-/;
    return $heading;
}

# The headings of a document, by anchor.
my %anchors_of;

sub anchors
{
    my ($file) = @_;
    return $anchors_of{$file} //= do {
        my %anchors;
        my $in_block = 0;
        foreach my $line (@{ slurp_lines($file) })
        {
            $in_block = !$in_block if $line =~ /^```/;
            next if $in_block || $line !~ /^#+ +(.*)/;
            my $anchor = anchor($1);
            my $n      = $anchors{$anchor}++;
            $anchors{"$anchor-$n"} = 1 if $n;
        }
        \%anchors;
    };
}

sub check_links
{
    my ($document, $where, $line) = @_;
    while ($line =~ /\]\(([^)\s]+)\)/g)
    {
        my ($path, $anchor) = split(/#/, $1, 2);
        next if $path =~ /^[a-z]+:/;
        my $target = $path eq '' ? "$root/$document" : File::Spec->catfile($root, dirname($document), $path);
        if (!-e $target)
        {
            problem($where, "links to $path, which is not there");
        }
        elsif (defined $anchor && !anchors($target)->{$anchor})
        {
            problem($where, "links to #$anchor, which is no heading of " . ($path eq '' ? $document : $path));
        }
    }
    return;
}

# Names of files in code, as seen from the root, from src or from include.
sub check_paths
{
    my ($where, $line) = @_;
    while ($line =~ m{`((?:src|include|test|scripts|sql|bench|docs|examples|expected|kvs|pg|core|sqlapi|fdw|worker)/[\w./*-]+)`}g)
    {
        my $path = $1;
        my @found = map { glob "$_/$path" } ($root, "$root/src", "$root/include");
        problem($where, "names $path, which is not there") if !grep { -e } @found;
    }
    return;
}

my %goals = map { $_ => 1 } @pgxs_goals;
foreach my $line (@{ slurp_lines("$root/Makefile") })
{
    $goals{$1} = 1 if $line =~ /^([a-z]+):/;
}

sub check_shell
{
    my ($where, $line) = @_;
    $line =~ s/(^|\s)#.*//;
    while ($line =~ /\bmake((?:\s+[\w=-]+)*)/g)
    {
        foreach my $goal (grep { !/=|^-/ } split(' ', $1))
        {
            problem($where, "make has no goal $goal") if !$goals{$goal};
        }
    }
    while ($line =~ m{(?<![\w/.])((?:scripts|bench|test|examples)/[\w./-]+)}g)
    {
        problem($where, "names $1, which is not there") if !-e "$root/$1";
    }
    return;
}

# The SQL strings of a line of a client program as statements to be prepared.
sub prepared
{
    my ($line) = @_;
    my @statements;
    return '' if $line =~ m{^\s*(#|//)};
    while ($line =~ /(["'`])((?:(?!\1)[^\\]|\\.)*)\1/g)
    {
        my $sql = $2;
        next if $sql !~ /^\s*(SELECT|INSERT|UPDATE|DELETE|WITH|SET|CREATE)\b/i;
        $sql =~ s/\\(.)/$1/g;
        my $n = 0;
        $sql =~ s/%s|\?/'$' . ++$n/ge;
        push @statements, "PREPARE snippet AS $sql; DEALLOCATE snippet;";
    }
    return join(' ', @statements);
}

sub check_document
{
    my ($document) = @_;
    my $lines = slurp_lines("$root/$document");
    my @script = ('') x @$lines;
    my ($language, $begun, $marker, $has_sql);
    for my $i (0 .. $#$lines)
    {
        my $line  = $lines->[$i];
        my $where = "$document:" . ($i + 1);
        if (!defined $language)
        {
            if ($line =~ /^```(.*)/)
            {
                ($language, $begun, $has_sql) = ($1, $where, 0);
                problem($where, $language eq '' ? 'a block in no language' : "a block in $language, which is not known")
                  if $language !~ /^(sql|sh)$/ && !$is_shown{$language} && !$is_client{$language};
                $script[$i] = "BEGIN; $1;" if defined $marker && $marker =~ /^alone *(.*)/;
                next;
            }
            problem($where, 'a mark without a block') if defined $marker;
            undef $marker;
            if ($line =~ /^<!-- check:/)
            {
                ($marker) = $line =~ /^<!-- check: (skip|alone(?: .*)?) -->$/;
                problem($where, 'a mark that is not known') if !defined $marker;
                next;
            }
            check_links($document, $where, $line);
            check_paths($where, $line);
            next;
        }
        if ($line =~ /^```/)
        {
            problem($begun, 'a block without SQL') if !$has_sql && ($language eq 'sql' || $is_client{$language});
            problem($where, 'a statement without an end') if $language eq 'sql' && $has_sql && $has_sql !~ /;\s*$/;
            $script[$i] = 'ROLLBACK;' if defined $marker && $marker =~ /^alone/;
            undef $language;
            undef $marker;
            next;
        }
        if ($language eq 'sql')
        {
            my ($code) = $line =~ /^(.*?)(?:\s*-- .*)?$/;
            $has_sql    = $code if $code =~ /\S/;
            $script[$i] = $line if !defined $marker || $marker ne 'skip';
            # What is not run need not be complete.
            $has_sql .= ';' if defined $marker && $marker eq 'skip' && $code =~ /\S/;
        }
        elsif ($is_client{$language})
        {
            $script[$i] = prepared($line);
            $has_sql ||= $script[$i] ne '';
        }
        elsif ($language eq 'sh')
        {
            check_shell($where, $line);
        }
    }
    problem($begun, 'a block without an end')             if defined $language;
    problem("$document:" . @$lines, 'a mark without a block') if defined $marker && !defined $language;
    return if !grep { $_ ne '' } @script;
    make_path(dirname("$out/$document"));
    open(my $file, '>:encoding(UTF-8)', "$out/$document") or die "$out/$document: $!\n";
    print $file map { "$_\n" } @script;
    close($file);
    return;
}

binmode(STDOUT, ':encoding(UTF-8)');
my @documents = grep { -e } map { glob "$root/$_" } ('README.md', 'docs/*.md', 'docs/*/*.md');
check_document(File::Spec->abs2rel($_, $root)) foreach @documents;
exit($problems ? 1 : 0);

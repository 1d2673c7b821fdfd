#!/usr/bin/perl
# Prints package records as lines for COPY: key, tab, JSON document.
#
#   packages.pl available    every package that apt knows (apt-cache dumpavail), at the version of the release
#   packages.pl updates      the packages of the security and updates suites, at their newer versions
#   packages.pl installed    the packages that are installed, as dpkg knows them
#
# Keys are pkg:NAME; dependencies are arrays, sizes are numbers, everything else is text.
use strict;
use warnings;

my %arrays = map { $_ => 1 } qw(Depends Pre-Depends Recommends Suggests Conflicts Breaks Replaces Provides);
my %numbers = map { $_ => 1 } qw(Size Installed-Size);
my %wanted = map { $_ => 1 }
    (qw(Package Version Section Priority Architecture Maintainer Homepage Description SHA256 Source), keys %arrays,
     keys %numbers);
my %escapes = ("\n" => '\n', "\t" => '\t', "\r" => '\r', '"' => '\"', '\\' => '\\\\');

sub quoted {
    my ($text) = @_;
    $text =~ s/([\n\t\r"\\])/$escapes{$1}/g;
    $text =~ s/([\x00-\x1f])/sprintf '\u%04x', ord $1/ge;
    return "\"$text\"";
}

# One stanza of "Field: value" lines to the name and the JSON text; nothing if it is not a package.
sub document {
    my ($stanza) = @_;
    my %fields;
    my $field;
    for my $line (split /\n/, $stanza) {
        if ($line =~ /^([^\s:]+):\s*(.*)$/) {
            $field = $1;
            $fields{$field} = $2 if $wanted{$field};
        } elsif ($line =~ /^\s+(.*)$/ && defined $field && $field eq 'Description') {
            # The long description; apt-cache dumpavail has the short one only.
            undef $field;
        }
    }
    return unless defined $fields{Package} && defined $fields{Version};
    my @members;
    for my $name (sort keys %fields) {
        my $value = $fields{$name};
        (my $member = lc $name) =~ tr/-/_/;
        if ($arrays{$name}) {
            $value = '[' . join(',', map { quoted($_) } split /\s*,\s*/, $value) . ']';
        } elsif (!$numbers{$name} || $value !~ /^\d+$/) {
            $value = quoted($value);
        }
        push @members, "\"$member\":$value";
    }
    return ($fields{Package}, '{' . join(',', @members) . '}');
}

# Calls back with name and document of every package that a command prints.
sub each_package {
    my ($callback, @command) = @_;
    open(my $input, '-|', @command) or die "cannot run $command[0]: $!\n";
    local $/ = '';
    while (my $stanza = <$input>) {
        my ($name, $document) = document($stanza);
        $callback->($name, $document) if defined $name;
    }
    close $input;
    return;
}

sub print_row {
    my ($name, $document) = @_;
    $document =~ s/\\/\\\\/g;    # COPY's own escape
    print "pkg:$name\t$document\n";
    return;
}

# The index files of the suites that publish newer versions, or of the release itself.
sub lists {
    my ($newer) = @_;
    my @files = grep { m{_Packages(\.\w+)?$} } glob '/var/lib/apt/lists/*_dists_*';
    @files = grep { m{_main_binary-} && m{debian} } @files;
    return grep { (m{-(?:security|updates)_main_binary-} ? 1 : 0) == $newer } @files;
}

sub read_lists {
    my ($newer) = @_;
    my %documents;
    each_package(sub { $documents{$_[0]} = $_[1] }, '/usr/lib/apt/apt-helper', 'cat-file', $_) for lists($newer);
    return \%documents;
}

# What apt offers, name by name. It is the newest version; the callback also gets the release's own document where
# that is another one.
sub each_available {
    my ($callback) = @_;
    my $release = lists(1) ? read_lists(0) : {};
    my %seen;
    each_package(
        sub {
            my ($name, $document) = @_;
            return if $seen{$name}++;
            my $original = $release->{$name};
            undef $original if defined $original && version_of($original) eq version_of($document);
            $callback->($name, $document, $original);
        },
        'apt-cache', 'dumpavail');
    return;
}

sub version_of {
    my ($document) = @_;
    return $document =~ /"version":"([^"]*)"/ ? $1 : '';
}

my $what = shift // '';
if ($what eq 'available') {
    each_available(sub { print_row($_[0], $_[2] // $_[1]) });
} elsif ($what eq 'updates') {
    each_available(sub { print_row($_[0], $_[1]) if defined $_[2] });
} elsif ($what eq 'installed') {
    my %seen;
    each_package(sub { print_row(@_) unless $seen{$_[0]}++ }, 'cat', '/var/lib/dpkg/status');
} else {
    die "usage: packages.pl available | updates | installed\n";
}

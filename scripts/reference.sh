#!/usr/bin/env bash
# Prints docs/reference.md: docs/reference.md.in with the functions, views, types and settings of the extension, as the
# database of the PG* environment says, in which it has been created.
#
#   createdb kvs && psql -d kvs -c 'CREATE EXTENSION kvs' && PGDATABASE=kvs scripts/reference.sh >docs/reference.md
#
# Lines of the template that begin with @ are replaced:
#
#   @function NAME [SQL]    the section of kvs.NAME; also @view, @type. The tests run its example after the SQL, in a
#                           transaction that is rolled back; "skip" instead of the SQL: they do not
#   @settings               the settings
#   @contents               a list of the sections below
#
# It is an error if the template leaves out an object, names one that does not exist, or has no row in its table of
# errors for an SQLSTATE that a function may raise.

source "$(dirname "$0")/lib.sh"

sections=$(psql -XAtq -v ON_ERROR_STOP=1 -f "$KVS_ROOT/scripts/reference.sql")

LC_ALL=C awk -v width=100 '
    function fail(message) { print "reference: " message >"/dev/stderr"; failed = 1 }

    # As GitHub makes it of a heading.
    function anchor(heading) {
        heading = tolower(heading)
        gsub(/[^a-z0-9_ -]/, "", heading)
        gsub(/ /, "-", heading)
        return heading
    }

    # A signature in lines that are not too long.
    function print_signature(text,    open, end, parts, n, i, line) {
        print "```text"
        open = index(text, "(")
        end = index(text, ")")
        if (length(text) <= width || end == open + 1) {
            print text
        } else {
            print substr(text, 1, open)
            n = split(substr(text, open + 1, end - open - 1), parts, ", ")
            line = "   "
            for (i = 1; i <= n; i++) {
                if (length(line parts[i]) + 2 > width) { print line; line = "   " }
                line = line " " parts[i] (i < n ? "," : "")
            }
            print line
            print substr(text, end)
        }
        print "```"
    }

    function print_section(name, before,    lines, n, i) {
        n = split(section[name], lines, "\n")
        for (i = 1; i < n; i++) {
            if (lines[i] ~ /^@signature /) print_signature(substr(lines[i], 12))
            else if (lines[i] == "@example") print "<!-- check: " (before == "skip" ? before : "alone" (before == "" ? "" : " " before)) " -->"
            else print lines[i]
        }
    }

    # The headings of the second level, each with the objects below it.
    function print_contents(    i, name, separator, first, line) {
        for (i = 1; i <= template_lines; i++) {
            line = template[i]
            if (line ~ /^## /) {
                printf "%s- [%s](#%s)", separator, substr(line, 4), anchor(substr(line, 4))
                separator = "\n"
                first = ": "
            } else if (line ~ /^@(function|view|type) /) {
                split(line, name, " ")
                printf "%s[%s](#%s)", first, name[2], anchor((name[1] == "@type" ? "type " : "") "kvs." name[2])
                first = ", "
            }
        }
        print ""
    }

    FNR == NR && /^@(function|view|type|settings) / { at = $1 " " $2; section[at] = ""; next }
    FNR == NR {
        section[at] = section[at] $0 "\n"
        if (/^\*\*Errors:/) {
            rest = $0
            while (match(rest, /`[0-9A-Z]+`/)) {
                raised[substr(rest, RSTART, RLENGTH)] = at
                rest = substr(rest, RSTART + RLENGTH)
            }
        }
        next
    }
    { template[++template_lines] = $0 }
    /^\| `[0-9A-Z]+` / { explained[$2] = 1 }

    END {
        for (i = 1; i <= template_lines; i++) {
            if (template[i] !~ /^@/) { print template[i]; continue }
            if (template[i] == "@contents") { print_contents(); continue }
            split(template[i], word, " ")
            name = word[1] " " (word[2] == "" ? "all" : word[2])
            if (!(name in section)) fail("there is no " substr(name, 2))
            else if (name in used) fail(substr(name, 2) " comes twice")
            used[name] = 1
            before = template[i]
            sub(/^@[a-z]+ ?[a-z_]* ?/, "", before)
            print_section(name, before)
        }
        for (name in section) if (!(name in used)) fail(substr(name, 2) " is not in the template")
        for (code in raised) if (!(code in explained)) fail(code " of " substr(raised[code], 2) " is not in the table of errors")
        exit failed
    }' <(printf "%s\n" "$sections") "$KVS_ROOT/docs/reference.md.in" | cat -s

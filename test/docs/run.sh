#!/usr/bin/env bash
# The documentation tells the truth: every SQL block of README.md and docs/ runs, from top to bottom, in one session and
# one new database per document; the SQL in the snippets for drivers can be prepared; links and names of files lead
# somewhere; docs/reference.md is what scripts/reference.sh makes of the extension. At last errors are planted, which
# must be found.
#
#   test/docs/run.sh
#
# Runs on the server of the PG* environment, as a superuser, in a database kvs_docs of its own. Roles that a document
# creates are dropped. What may stand in a document is described in documents.pl.

set -euo pipefail

here=$(cd "$(dirname "$0")" && pwd)
root=$(cd "$here/../.." && pwd)
work=$(mktemp -d /tmp/kvs-docs.XXXXXX)
trap 'rm -rf "$work"' EXIT
export PGDATABASE=kvs_docs
failures=0

sql() { psql -XAtq -v ON_ERROR_STOP=1 "$@"; }

roles() { sql -d postgres -c 'SELECT rolname FROM pg_roles' | LC_ALL=C sort; }

drop_store() {
    local role
    sql -d postgres -c 'SET client_min_messages = warning' -c 'DROP DATABASE IF EXISTS kvs_docs WITH (FORCE)'
    roles | LC_ALL=C comm -13 "$work/roles" - | while IFS= read -r role; do
        sql -d postgres -c "DROP ROLE \"$role\""
    done
}

new_store() {
    drop_store
    sql -d postgres -c "CREATE DATABASE kvs_docs TEMPLATE template0 ENCODING 'UTF8'"
    sql -c 'CREATE EXTENSION kvs'
}

# check_documents ROOT: prints what is wrong as DOCUMENT:LINE: TEXT, and at last how much was looked at.
check_documents() {
    local document status=0 count=0
    rm -rf "$work/scripts"
    mkdir "$work/scripts"
    "$here/documents.pl" "$1" "$work/scripts" || status=1
    while IFS= read -r document; do
        new_store
        count=$((count + 1))
        if ! (cd "$work/scripts" && psql -Xq -v ON_ERROR_STOP=1 -o /dev/null -f "$document") >"$work/output" 2>&1; then
            status=1
            # The line is that on which the statement ends.
            sed 's/^psql://' "$work/output" | tail -n 12
        elif grep 'WARNING: ' "$work/output"; then
            status=1
        fi
    done < <(cd "$work/scripts" && find . -name '*.md' -printf '%P\n' | LC_ALL=C sort)
    echo "docs: $count documents with SQL run"
    return $status
}

# check_reference FILE
check_reference() {
    new_store
    "$root/scripts/reference.sh" >"$work/reference.md" || return
    diff -U2 --label docs/reference.md --label 'as scripts/reference.sh makes it' "$1" "$work/reference.md"
}

# plant EXPECTED COMMAND...: the command must fail and say what is expected.
plant() {
    local expected=$1
    shift
    planted=$((planted + 1))
    if ! "$@" >"$work/found" 2>&1 && grep -qF -e "$expected" "$work/found"; then
        caught=$((caught + 1))
    else
        echo "docs: a planted error is not found ($expected), but: $(head -n 5 "$work/found")"
        failures=$((failures + 1))
    fi
}

# with TEXT: the check of a copy of the tree whose only document has this text.
with() {
    rm -rf "$work/copy"
    mkdir -p "$work/copy/docs"
    ln -s "$root"/{Makefile,include,src,scripts,sql,test} "$work/copy"
    printf '# Planted\n\n%b\n' "$1" >"$work/copy/docs/planted.md"
    check_documents "$work/copy"
}

plant_errors() {
    local planted=0 caught=0
    # A document without errors passes.
    if ! with "[here](#planted), \`src/pg\`\n\n\`\`\`sql\nSELECT kvs.put('a', '1'); -- one\n\`\`\`" >"$work/found" 2>&1; then
        cat "$work/found"
        failures=$((failures + 1))
    fi
    plant 'docs/planted.md:7: ERROR:  function kvs.putt(' with "\`\`\`sql\nSELECT 1;\n\nSELECT kvs.putt('a',\n    '1');\n\`\`\`"
    plant 'docs/planted.md:4: ERROR:  division by zero' with '<!-- check: alone SELECT 1/0 -->\n```sql\nSELECT 1;\n```'
    plant 'WARNING:  there is no transaction in progress' with '```sql\nCOMMIT;\n```'
    plant 'docs/planted.md:6: a statement without an end' with '```sql\nSELECT 1\n\n```'
    plant 'docs/planted.md:3: a mark that is not known' with '<!-- check: later -->\n```sql\nSELECT 1;\n```'
    plant 'docs/planted.md:3: a block in no language' with '```\nSELECT 1;\n```'
    plant 'docs/planted.md:3: a block without SQL' with '```python\nprint(1)\n```'
    plant 'docs/planted.md:4: ERROR:  function kvs.gett(' with '```js\nclient.query("SELECT kvs.gett($1)", [1]);\n```'
    plant 'docs/planted.md:4: ERROR:  function kvs.get(' with '```java\nprepare("SELECT kvs.get(?, ?, ?, ?)");\n```'
    plant 'links to nowhere.md' with 'See [there](nowhere.md#here).'
    plant 'links to #nowhere' with 'See [there](planted.md#nowhere).'
    plant 'names src/pg/nothing.h' with '`src/pg/nothing.h`'
    plant 'make has no goal everything' with '```sh\nmake everything # make nothing\n```'
    plant 'names scripts/nothing.sh' with '```sh\nscripts/nothing.sh\n```'
    sed 's/kvs\.put(/kvs.write(/' "$root/docs/reference.md" >"$work/stale.md"
    plant '+kvs.put(' check_reference "$work/stale.md"
    echo "docs: $caught of $planted planted errors found"
}

roles >"$work/roles"
check_documents "$root" || failures=$((failures + 1))
check_reference "$root/docs/reference.md" || failures=$((failures + 1))
plant_errors
drop_store
[ "$failures" -eq 0 ]

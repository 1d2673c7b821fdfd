#!/usr/bin/env bash
# Breaks the rules of bindings (src/pg/binding), one after the other, in copies of the sources, and demands that their
# stress test or their regression test fails each time.
#
#   test/planted/bindings.sh [SECONDS [RULE]]     default 20 for each rule; only rules with RULE in their text
#
# Part of make stress. lib.sh tells how. A row that comes while it is written leaves both sides equal, whoever wins: so ON CONFLICT DO NOTHING is not
# among them.

stress=bindings
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
begin_planting any regress:bindings

plant 'a row is locked while it is compared' any src/pg/binding/reconciler.cpp \
    's/target_->Read\(rows, binding_.WritesTable\(\)\)/target_->Read(rows, false)/'
plant 'an entry is written at the version that was read' any src/pg/binding/reconciler.cpp \
    's/^ *arguments.expected_version = .*$//'
plant 'what the table makes of a row goes back' any src/pg/binding/reconciler.cpp \
    's/pair.writes_entry = binding_.ReadsTable\(\) \&\& .*;/pair.writes_entry = false;/'
plant 'what somebody holds is looked at again' any src/pg/binding/applier.cpp \
    's/std::min\(next_due_, HoldKeys\(binding_.id, held\)\)/next_due_/'
plant 'what both were is remembered' regress:bindings src/pg/binding/reconciler.cpp \
    's/^    WriteBases\(binding_.id, bases\);$//'
plant 'marks of transactions that ended late are found' any src/pg/binding/mark_table.cpp \
    's/xid = ANY \(ARRAY\(SELECT pg_snapshot_xip\(\$2::pg_snapshot\)\)\)/false/'
plant 'other changes of the rows that are written are marked' any src/pg/binding/table_trigger.cpp \
    's/expected_keys->erase\(key\) > 0/true/'
plant 'a changed key is two marks' regress:bindings src/pg/binding/table_trigger.cpp \
    's/if \(before != after\)/if (false)/'
plant 'a deletion has its time' regress:bindings src/pg/binding/reconciler.cpp \
    's/DeletedAt\(\&reader, key->key\).value_or\(key->stored_at\)/0/'
[ "$missed" -eq 0 ]

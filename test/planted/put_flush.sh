#!/usr/bin/env bash
# Breaks the rules of put and flush, one after the other, in copies of the sources, and demands that the stress test of
# them (test/stress/put_flush.sh), or an isolation test, fails each time: a test that cannot fail proves nothing.
#
#   test/planted/put_flush.sh [SECONDS [RULE]]     per isolation level, default 20; only rules with RULE in their text
#
# Part of make stress. lib.sh tells how.

stress=put_flush
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
begin_planting

plant 'a row is completed only in the current epoch' 'repeatable read' src/pg/write/writer.cpp \
    's/: branch.InsertEpoch\(\) == view_->now.InsertEpoch\(\) \? Holds::kYes/: true ? Holds::kYes/'
plant 'a first write reads the branch again' 'read committed' src/pg/write/writer.cpp \
    's/row.unique \? StillHolds\(key, \*pass\) : Holds::kNo/row.unique ? Holds::kYes : Holds::kNo/'
plant 'a first write looks into older epochs' 'read committed' src/pg/write/writer.cpp \
    's/epoch != (view_->)?now.InsertEpoch\(\) \&\&/false \&\&/'
plant 'an epoch with an unfinished insertion stays' 'read committed' src/pg/write/flush.cpp \
    's/may_be_dropped_\[i\] = !unfinished\[i\]/may_be_dropped_[i] = true || !unfinished[i]/'
plant 'an epoch of which a flush has left something stays' 'read committed' src/pg/write/flush.cpp \
    's/may_be_dropped_\[i\] \&\& branch_.epochs.numbers\[i\] != epoch/may_be_dropped_[i]/'
plant 'insertions are looked for before the snapshot is taken' 'read committed' src/pg/write/flush.cpp \
    's/^                FindUnfinished\(\);/                Snapshot early = latest; latest = RegisterLatestSnapshot(); pg_usleep(20000); FindUnfinished(); snapshot_ = early; return;/'
plant 'the current epoch is never dropped' 'read committed' src/pg/table/branch_epochs.cpp \
    's/if \(i == 0 \|\| !may_be_dropped\[i\]\)/if (i > 0 \&\& !may_be_dropped[i])/'
plant 'who has moved a branch writes where others do' 'read committed' src/pg/table/branch_table.h \
    's/return moved_here \? written_epoch : epochs.current\(\);/return epochs.current();/'
plant 'a transaction sees what it wrote to later epochs' 'repeatable read' src/pg/table/branch_epochs.cpp \
    's/if \(!IsolationUsesXactSnapshot\(\) \|\| !TransactionIdIsValid\(GetTopTransactionIdIfAny\(\)\)\)/if (true)/'
plant 'what is read counts for later epochs' spec:serializable_epochs src/pg/table/working_table.cpp \
    's/if \(!IsolationIsSerializable\(\) \|\| epochs.count == 0\)/if (true)/'
newest='TM_FailureData failure; TM_Result result; while ((result = table_tuple_delete(working.heap, \&tid, GetCurrentCommandId(true), snapshot, InvalidSnapshot, false, \&failure, false)) == TM_Updated) { tid = failure.ctid; } return result;'
plant 'a flush deletes only what it has folded' 'read committed' src/pg/write/flush.cpp \
    "s/return Delete\(\&working, \&tid, snapshot, false\);/$newest/"
plant 'what a session knows to be empty is not for older snapshots' spec:older_epochs src/pg/table/empty_epochs.cpp \
    's/ \|\| !IsNotBefore\(MomentOf\(snapshot\), empty.since\)//'
plant 'who has deleted rows searches no epoch' spec:older_epochs src/pg/table/empty_epochs.cpp \
    's/\(TransactionIdIsValid\(xid\) \&\& xid == deleted_in\)/false/'
plant 'an epoch with an unfinished insertion is not known to be empty' spec:older_epochs src/pg/table/empty_epochs.cpp \
    's/empty\[i\] = empty\[i\] \&\& IsEmpty/empty[i] = IsEmpty/'
[ "$missed" -eq 0 ]

#!/usr/bin/env bash
# Breaks the rules of commits that transactions make by themselves, one after the other, in copies of the sources, and
# demands that a test of them fails each time.
#
#   test/planted/autocommit.sh [0 [RULE]]     only rules with RULE in their text
#
# Part of make stress. lib.sh tells how.

source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
begin_planting spec:autocommit regress:autocommit

plant 'above READ COMMITTED a commit takes the branch as it is' spec:autocommit src/pg/write/autocommit.cpp \
    's/: FlushSession::Reads::kLatest/: FlushSession::Reads::kOperation/'
plant 'hooks read what the snapshot shows' spec:autocommit src/pg/write/autocommit.cpp \
    's/\&\& !ReadHooks\(\).empty\(\)/\&\& false/'
plant 'branches come in one order' spec:autocommit src/pg/write/autocommit.cpp \
    's/^    std::sort\(branches.*$//'
plant 'who sets the option waits for writers' spec:autocommit src/pg/branch/branch_option.cpp \
    's/LockBranchBounded\((.*), ShareRowExclusiveLock\)/LockBranchBounded(\1, ShareUpdateExclusiveLock)/'
plant 'what is uncommitted is committed with the option' regress:autocommit src/pg/branch/branch_option.cpp \
    's/if \(autocommit == kAutocommitTransaction\)/if (false)/'
plant 'what a savepoint took back counts for nothing' regress:autocommit src/pg/write/autocommit.cpp \
    's/event == SUBXACT_EVENT_ABORT_SUB \|\|/false \&\&/'
plant 'what a released savepoint has changed is its parent'"'"'s' regress:autocommit src/pg/write/autocommit.cpp \
    's/\(event == SUBXACT_EVENT_ABORT_SUB \|\|/(event == SUBXACT_EVENT_ABORT_SUB || true ||/'
plant 'a branch that was deleted meanwhile is left out' regress:autocommit src/pg/write/autocommit.cpp \
    's/if \(IsCommittedByTransactions\(branch\)\)/if (true)/'
plant 'nothing is flushed in the middle' regress:autocommit src/pg/write/auto_flush.cpp \
    's/if \(IsCommittedByTransactions\(branch\)\)/if (false)/'
plant 'operations that rewrite a branch count' regress:autocommit src/pg/branch/branch_rewrite.cpp \
    's/if \(branch.autocommit == kAutocommitTransaction\)/if (false)/'
[ "$missed" -eq 0 ]

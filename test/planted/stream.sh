#!/usr/bin/env bash
# Breaks the rules of the sequencer, one after the other, in copies of the sources, and demands that the stress test of
# the stream (test/stress/stream.sh) fails each time.
#
#   test/planted/stream.sh [SECONDS [RULE]]     per isolation level, default 20; only rules with RULE in their text
#
# Part of make stress. lib.sh tells how.

stress=stream
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
begin_planting

plant 'numbers that were not seen are looked for again' 'read committed' src/pg/stream/sequencer.cpp \
    's/if \(gap.horizon <= ended.xmin\(\)\)/if (true)/'
plant 'a gap is read when a transaction below its horizon has ended' 'read committed' src/pg/stream/sequencer.cpp \
    's/if \(gap.horizon > first_ended\)/if (gap.horizon > first_ended + 100)/'
plant 'who had ended before is not ordered again' 'read committed' src/pg/stream/sequencer.cpp \
    's/if \(!ordered_.Has\(mark\)\)/if (true)/'
plant 'transactions come by their last change' 'read committed' src/pg/stream/sequencer.cpp \
    's/Int64GetDatum\(last_of_writer\)/Int64GetDatum(writer.second)/'
plant 'changes of a transaction come by number' 'read committed' src/pg/stream/sequencer.cpp \
    's/values\[kOrderedSeq - 1\] = Int64GetDatum\(seq\)/values[kOrderedSeq - 1] = Int64GetDatum(-seq)/; s/ItemOf\(ordered.Int8\(kOrderedSeq\)/ItemOf(std::abs(ordered.Int8(kOrderedSeq))/'
plant 'changes of a transaction come together' 'read committed' src/pg/stream/sequencer.cpp \
    's/Int64GetDatum\(last_of_writer\)/Int64GetDatum(seq)/'
plant 'a range record is counted' 'read committed' src/pg/stream/sequencer.cpp \
    's/        item.count\+\+;/        item.count += item.count < 5;/'
plant 'events of a range record are those behind the position' 'read committed' src/pg/stream/event_reader.cpp \
    's/for \(; skip_ > 0; skip_--, tick_item_.count--\)/for (tick_item_.count -= skip_; false;)/'
plant 'what a key held before is its change before' 'read committed' src/pg/stream/event_reader.cpp \
    's/old = Contents\(DatumGetPointer\(before.item\)\);/old = std::nullopt;/'
[ "$missed" -eq 0 ]

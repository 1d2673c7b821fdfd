// The sequencer: gives committed changes their positions in the stream.
//
// Each step takes what has become visible since the last one, orders it, and appends it to _kvs.tick as
// ticks. The order inside a step: transactions by the number of their last change, and within one by number.
// What that promises, and no more: a key's changes come in the order of its versions (a number is drawn after
// the key is held), each transaction comes whole, and T1 comes before T2 if T1 committed before T2 drew its
// last number.
//
// What is new is found without an index on transactions. Numbers are drawn in ascending order, so a step
// reads the rows behind the number that the step before has come to, and it remembers the gaps, numbers that
// were drawn and whose change it did not see, because their transaction had not ended or was rolled back:
//
//     numbers   1 2 3 4 5 6 7 8        next_ = 9
//     step 1    x x . x . . x x        gaps 3-3, 5-6, drawn before transaction 90 began
//     step 2    3 is there now: it is new. No transaction below 90 runs any more: 5 and 6 were rolled back
//
// A transaction has its own number before it draws one of a change (docs/decisions/0024-index-of-the-log.md),
// so a gap can be filled only by transactions below the one that was next when its numbers had been drawn.
// When all those have ended it is dropped; as long as none of them ends, it is not looked at.
//
// Invariant between two steps: every change that ended_ shows as committed has a position, and no other; all
// numbers below next_ that may still become a change lie in a gap. So ended_ tells what is new, also among
// rows that are read twice, and gaps may be joined when there are too many. A tick holds ended_ and the
// first of these numbers: that is all that a sequencer needs which begins anew. It reads from there, as if
// all that follows were one gap.
//
// In a database that was restored, copied or promoted the next tick begins an epoch of positions, which it
// opens with all changes that have none yet. Numbers of transactions are compared only where both are of one
// cluster and database.
//
// Errors: PgError, kCorruption. After one the transaction must be rolled back, and this object is to be made
// anew.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "kvs/event/tick.h"
#include "pg/stream/ordered_changes.h"
#include "pg/stream/xid_set.h"
#include "pg/table/change_log.h"
#include "pg/wall/row_sort.h"
#include "pg/wall/server.h"

namespace kvs::pg {

class Sequencer {
  public:
    // Orders what `snapshot`, taken just now, shows and the one before did not. The transaction around it
    // must be committed then. Returns how many events there were; their positions are the last ones up to
    // last_pos().
    uint64_t Step(Snapshot snapshot);

    int64 last_pos() const { return last_pos_; }

    // Whether changes may become visible without a signal, as those of prepared transactions.
    bool HasGaps() const { return !gaps_.empty(); }

  private:
    struct Gap {
        int64 first;
        int64 last;
        uint64_t horizon;  // transactions from here on cannot fill it
    };

    // Numbers, the first and the last.
    struct Run {
        int64 first;
        int64 last;
    };

    void Load(Snapshot snapshot);
    void BeginEpoch();
    uint64_t Collect(Snapshot snapshot, const XidSet& ended, int64 last_seq, RowSort* found);
    std::vector<Gap> TakeGapsToRead(const XidSet& ended);
    void KeepGaps(const std::vector<Gap>& read, std::vector<Run> seen, const XidSet& ended);
    void JoinGaps();
    int64 LowSeq() const { return gaps_.empty() ? next_ : gaps_.front().first; }
    uint64_t Append(Snapshot snapshot, const XidSet& ended, RowSort* found);
    void AppendTickOf(const TickWriter& items, const std::string& snapshot);
    TickItem ItemOf(int64 seq, bool is_range, Snapshot snapshot);

    bool loaded_ = false;
    OrderedChanges ordered_;
    int64 last_pos_ = 0;
    int64 next_ = 1;         // the first number that was not read yet
    std::vector<Gap> gaps_;  // below next_, ascending
};

}  // namespace kvs::pg

// Folds the working rows of branches into their trees, whoever wrote them: a session counts only its own
// (pg/write/auto_flush.h), and many that write a little each, or one that ends, would leave rows that reads
// pay for. A branch is flushed when it has kvs.flush_rows of them; and, however few, when nothing was written
// for kvs.flush_age, or when that is kRestless times as long ago for the first. So a branch that is written a
// little all the time, of which each flush rewrites a leaf for almost every row, is not flushed again and
// again.
//
// The events of the stream tell when it is worth looking at a branch. No lock is waited for.
#pragma once

#include <map>
#include <optional>

#include "pg/maintenance/expirer.h"
#include "pg/wall/server.h"

namespace kvs::pg {

class Flusher {
  public:
    // So many more changes were made on the branches; each may have left a row.
    void Add(const ChangeCounts& changes);

    // Flushes one branch that it is worth it. In a transaction of its own.
    Progress Flush();

    // When there is something to do next; DT_NOEND: at no known time.
    TimestampTz next() const;

    // After an error of Flush. True if that was one branch, which is put off.
    bool Reset();

  private:
    // What a branch may have, at the most.
    struct Pile {
        int64 rows;         // as far as changes were counted
        TimestampTz since;  // no row is older
        TimestampTz last;   // change
        TimestampTz not_before = DT_NOBEGIN;
    };

    static constexpr int kRestless = 12;

    static TimestampTz OldAt(const Pile& pile);
    void FindOld(TimestampTz now);

    std::map<int32, Pile> piles_;
    bool has_found_old_ = false;
    std::optional<int32> tried_;  // and not known to have ended well
};

}  // namespace kvs::pg

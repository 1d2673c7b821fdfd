// Commits the uncommitted work of branches from time to time (branch option autocommit = an interval): at the
// moments that are multiples of the interval, counted from the beginning of 2000 in UTC, where a branch
// differs from its head. So every change is in a commit an interval after it at the latest, and branches with
// one interval are committed together.
//
// Nothing is stored for it. A worker that begins makes up for the last moment, if a branch has had no commit
// since. No lock is waited for; a commit that fails is tried again after a pause, each twice as long as the
// one before, while other branches go on.
#pragma once

#include <optional>
#include <vector>

#include "pg/maintenance/expirer.h"
#include "pg/wall/server.h"

namespace kvs::pg {

class Autocommitter {
  public:
    // Commits one branch whose time it is. In a transaction of its own.
    Progress Commit();

    // When there is something to do next; DT_NOEND: at no known time.
    TimestampTz next() const;

    // After an error of Commit. True if that was one branch, which is put off.
    bool Reset();

  private:
    struct Due {
        int32 branch;
        int64 interval;
        TimestampTz at;
        int64 pause = 0;  // after the last failure; 0: there was none
    };

    void Read(TimestampTz now);
    Due* Find(int32 branch);

    std::vector<Due> branches_;
    TimestampTz read_at_ = DT_NOBEGIN;
    bool is_stale_ = true;
    std::optional<int32> tried_;  // and not known to have ended well
};

}  // namespace kvs::pg

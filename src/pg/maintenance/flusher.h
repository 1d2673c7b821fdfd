// Folds the working rows of branches into their trees, whoever wrote them: a session counts only its own
// (pg/write/auto_flush.h), and many that write a little each would leave rows that reads pay for.
//
// The events of the stream tell when it is worth counting a branch's rows. No lock is waited for.
#pragma once

#include <map>

#include "pg/maintenance/expirer.h"
#include "pg/wall/server.h"

namespace kvs::pg {

class Flusher {
  public:
    // So many more changes were made on the branches; each may have left a row.
    void Add(const ChangeCounts& changes);

    // Flushes one branch that has kvs.flush_rows rows. In a transaction of its own.
    Progress Flush();

    // After an error: whose branch is not to be tried again at once.
    void Reset();

  private:
    ChangeCounts rows_;  // at the most, as far as changes were counted
};

}  // namespace kvs::pg

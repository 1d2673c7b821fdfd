// The identities that the change log of this database has had (_kvs.store), to tell its changes from those of
// other stores as IsOwnChange does, but for many.
#pragma once

#include <vector>

#include "kvs/entry.h"
#include "pg/wall/server.h"

namespace kvs::pg {

class LogEpochs {
  public:
    // As the active snapshot shows them.
    LogEpochs();

    // Whether the change was made in this log: its number lies between the first one of its identity and the
    // first one of the next.
    bool Own(const ChangeId& change) const;

    // From this number on, changes were made by this database as it is, so that what they say of transactions
    // can be compared with the server. PG_INT64_MAX if there are none.
    int64 first_seq_here() const { return first_seq_here_; }

  private:
    struct Epoch {
        std::array<uint8_t, 16> log_id;
        int64 first_seq;
        int64 end;  // the first number of the next epoch
    };

    std::vector<Epoch> epochs_;  // the newest first
    int64 first_seq_here_ = PG_INT64_MAX;
};

}  // namespace kvs::pg

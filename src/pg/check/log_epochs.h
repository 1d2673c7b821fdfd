// The identities that the change log of this database has had (_kvs.store), to tell its changes from those of
// other stores as IsOwnChange does, but for many.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "kvs/entry.h"
#include "pg/table/change_log.h"
#include "pg/wall/server.h"

namespace kvs::pg {

class LogEpochs {
  public:
    // As the active snapshot shows them.
    LogEpochs();

    // Whether the change was made in this log: its number lies between the first one of its identity and the
    // first one of the next.
    bool Own(const ChangeId& change) const;

    // The metadata item of a change, of which the log holds a part (kvs/codec/item.h). What is malformed is
    // given back as it is.
    std::string WholeMetadata(std::string_view logged, int64 version, int64 seq) const;

    // From this number on, changes were made by this database as it is, so that what they say of transactions
    // can be compared with the server. PG_INT64_MAX if there are none.
    int64 first_seq_here() const { return first_seq_here_; }

  private:
    // Null if no epoch has the number.
    const LogEpoch* Find(int64 seq) const;

    std::vector<LogEpoch> epochs_;  // the newest first
    int64 first_seq_here_ = PG_INT64_MAX;
};

}  // namespace kvs::pg

#pragma once

#include "kvs/entry.h"
#include "pg/table/change_log.h"
#include "pg/wall/server.h"

namespace kvs::pg {

// The numbers that an operation's changes get in the log: one each if they are few, else one for all of them.
class ChangeNumbers {
  public:
    // `one_for_all`: the operation will be a range record.
    explicit ChangeNumbers(bool one_for_all);

    // For entries of commits that no branch's working state goes through, as when commits are copied one on
    // top of the other: names of their own, which lead to no log.
    static ChangeNumbers Unlogged();

    ChangeId Next();
    bool is_range() const { return is_range_; }
    int64 range_seq() const { return range_seq_; }
    const LogId& log() const { return log_; }

  private:
    ChangeNumbers() = default;

    LogId log_;
    bool is_range_ = false;
    int64 range_seq_ = 0;
    int64 unlogged_seq_ = -1;  // the last one given; -1: numbers are those of the log
};

}  // namespace kvs::pg

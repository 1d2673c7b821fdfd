// Which transactions had ended at some moment, as the server's pg_snapshot has it, to tell what has ended
// since. Numbers of transactions are those with the epoch, so that they never come round.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "pg/wall/server.h"

namespace kvs::pg {

class XidSet {
  public:
    // Before all transactions: none had ended.
    XidSet() = default;

    // What the snapshot, taken just now, shows as ended.
    static XidSet Of(Snapshot snapshot);

    // As pg_snapshot writes it: xmin:xmax:xip,... Errors: kCorruption.
    static XidSet Parse(std::string_view text);
    std::string ToText() const;

    // Whether the transaction had ended.
    bool Has(uint64_t xid) const;

    // All below had ended.
    uint64_t xmin() const { return xmin_; }

    // The lowest transaction that had not ended, and has in `later`; UINT64_MAX: none.
    uint64_t FirstEnded(const XidSet& later) const;

  private:
    uint64_t xmin_ = 1;
    uint64_t xmax_ = 1;          // all from here on had not ended
    std::vector<uint64_t> xip_;  // nor had these, ascending
};

}  // namespace kvs::pg

// The living entries whose keys match a pattern, in key order: an EntryScan over each range in which the
// pattern can match.
#pragma once

#include <optional>
#include <vector>

#include "kvs/pattern/pattern.h"
#include "pg/read/entry_scan.h"

namespace kvs::pg {

class PatternScan {
  public:
    PatternScan(const ReadView& view, Pattern pattern, bool with_meta);

    // Moves to the next match; false after the last.
    bool Next();

    // The scan that stands on it.
    EntryScan& entry() { return *scan_; }

    void set_snapshot(Snapshot snapshot);

  private:
    ReadView view_;
    Pattern pattern_;
    bool with_meta_;
    std::vector<Pattern::Range> ranges_;
    size_t next_range_ = 0;
    std::optional<EntryScan> scan_;
};

// A pattern's range as the tree knows it.
KeyRange ToKeyRange(const Pattern::Range& range);

}  // namespace kvs::pg

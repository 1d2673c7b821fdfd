// Deletes entries that have expired, in the order in which they do, and so lets everybody hear of it. Readers
// hide them before that already.
//
// Writers do not care for it: the worker follows the stream, and remembers when to look at an entry
// (expiry_table.h). What it finds then decides: an entry that has expired is deleted under the protocol of a
// put, by op expire; one that lives is looked at again when it ends; one that has no end is forgotten.
//
// Invariant: each entry with an end has a reminder of that moment or of an earlier one, on each branch that
// is not to be scanned, as far as the stream has been followed. Entries come to a branch by events, which are
// followed, or together with the branch itself, which is scanned then. A branch is compared with one that has
// its reminders, from which it has mostly all: what is alike there has the same reminders. A store of which
// nothing is known, because it was restored or because the stream has gone on without the worker for longer
// than it is kept, is scanned as a whole.
//
// Each call belongs into a transaction of its own, and takes its locks as a writer does, but waits for none.
// After an error call Reset.
#pragma once

#include <optional>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "pg/maintenance/expiry_table.h"
#include "pg/stream/event_reader.h"
#include "pg/table/branch_table.h"
#include "pg/wall/server.h"

namespace kvs::pg {

enum class Progress {
    kDone,
    kMore,   // there is more to do at once
    kLater,  // somebody is in the way
};

class Expirer {
  public:
    // Follows the stream, as far as `snapshot` shows it.
    Progress Follow(Snapshot snapshot);

    // The changes that were followed since the last call.
    ChangeCounts TakeCounts() { return std::exchange(counts_, {}); }

    // Scans a part of a branch that came without events.
    Progress Scan();

    // Deletes the next ones that have expired.
    Progress Expire();

    // When there is something to do next, as Expire has found it; DT_NOEND: at no known time.
    TimestampTz next() const { return next_; }

    // True if one entry has failed, which is put off.
    bool Reset();

  private:
    void BeginAnew(int64 pos);
    void Remind(std::vector<Reminder> reminders);
    bool FollowUpTo(Snapshot seen);
    void ScanPart(const BranchToScan& part, Snapshot snapshot);
    void ExpireOfBranch(std::span<Reminder> due, TimestampTz now);

    ChangeCounts counts_;
    std::optional<int64> pos_;  // up to which the stream is followed
    Reminder done_;             // no reminder that lies before it has to be looked at
    TimestampTz next_ = DT_NOEND;

    std::vector<int32> locked_;  // branches that somebody rewrites
    TimestampTz locked_at_ = 0;

    // One entry that cannot be deleted must not keep the others from it: after an error they come one by one.
    int batch_size_ = kBatchSize;
    std::optional<Reminder> tried_;   // alone, and not known to have ended well
    std::optional<Reminder> failed_;  // so that it is to be put off

    static constexpr int kBatchSize = 1000;
};

}  // namespace kvs::pg

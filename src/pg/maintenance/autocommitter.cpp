#include "pg/maintenance/autocommitter.h"

#include <algorithm>
#include <string>
#include <utility>

#include "kvs/error.h"
#include "kvs/util/quote.h"
#include "pg/table/branch_table.h"
#include "pg/table/locks.h"
#include "pg/table/owner_query.h"
#include "pg/table/table_watch.h"
#include "pg/wall/guard.h"
#include "pg/wall/snapshot.h"
#include "pg/write/autocommit.h"
#include "pg/write/flush.h"

namespace kvs::pg {

namespace {

// Somebody commits, or rewrites the branch: then it is tried again after so long.
constexpr int64 kWhenBusy = USECS_PER_SEC;

constexpr int64 kFirstPause = USECS_PER_SEC;
constexpr int64 kLongestPause = 60 * USECS_PER_SEC;

// Options that come by other ways than kvs.set_branch_option, as with a dump, are seen after so long.
constexpr int64 kReadAtLeast = 60 * USECS_PER_SEC;

TableWatch watch = {.table = Object::kBranch};

TimestampTz LastMoment(TimestampTz now, int64 interval) {
    return now - now % interval;
}

}  // namespace

Autocommitter::Due* Autocommitter::Find(int32 branch) {
    const auto found = std::find_if(branches_.begin(), branches_.end(),
                                    [branch](const Due& due) { return due.branch == branch; });
    return found == branches_.end() ? nullptr : &*found;
}

void Autocommitter::Read(TimestampTz now) {
    is_stale_ |= HasChanged(&watch);
    if (!is_stale_ && read_at_ <= now && now < read_at_ + kReadAtLeast) {
        return;
    }
    is_stale_ = false;
    read_at_ = now;
    std::vector<Due> read;
    OwnerQuery row(
        "SELECT b.id, b.autocommit, coalesce(c.committed_at, '-infinity')"
        " FROM _kvs.branch AS b LEFT JOIN _kvs.commit AS c ON c.hash = b.head"
        " WHERE b.autocommit > 0 ORDER BY b.id",
        {}, true);
    while (row.Next()) {
        const int32 branch = row.Int4(1);
        const int64 interval = row.Int8(2);
        const Due* known = Find(branch);
        const TimestampTz last = LastMoment(now, interval);
        read.push_back(known != nullptr && known->interval == interval
                           ? *known
                           : Due{branch, interval, row.Int8(3) < last ? now : last + interval});
    }
    row.Finish();
    branches_ = std::move(read);
}

Progress Autocommitter::Commit() {
    if (Due* last = tried_ ? Find(*tried_) : nullptr) {
        last->pause = 0;
    }
    tried_.reset();
    const TimestampTz now = GetCurrentTimestamp();
    Read(now);
    const auto due = std::find_if(branches_.begin(), branches_.end(), [now](const Due& each) {
        // The second where the clock was put back.
        return each.at <= now || each.at > now + std::max(each.interval, kLongestPause);
    });
    if (due == branches_.end()) {
        return Progress::kDone;
    }
    if (!TryLockChunksForBuild() || !TryLockBranch(due->branch, ShareUpdateExclusiveLock)) {
        due->at = now + kWhenBusy;
        return Progress::kMore;
    }
    due->at = LastMoment(now, due->interval) + due->interval;
    Snapshot latest = RegisterLatestSnapshot();
    Branch branch;
    const bool is_there = Guarded([&] { return ReadBranch(due->branch, latest, &branch); });
    ReleaseSnapshot(latest);
    if (!is_there || branch.autocommit != due->interval) {
        is_stale_ = true;
        return Progress::kMore;
    }
    tried_ = due->branch;
    try {
        CommitLockedBranch(due->branch, kAutocommitMessage, FlushSession::Reads::kOperation);
    } catch (const PgError& error) {
        throw Error(ErrorCode::kWrongState,
                    "could not commit branch " + Quoted(branch.name) + ": " + error.what());
    }
    return Progress::kMore;
}

TimestampTz Autocommitter::next() const {
    TimestampTz next = DT_NOEND;
    for (const Due& due : branches_) {
        next = std::min(next, due.at);
    }
    return next;
}

bool Autocommitter::Reset() {
    Due* failed = tried_ ? Find(*tried_) : nullptr;
    if (failed != nullptr) {
        failed->pause = failed->pause == 0 ? kFirstPause : std::min(2 * failed->pause, kLongestPause);
        failed->at = GetCurrentTimestamp() + failed->pause;
    }
    tried_.reset();
    is_stale_ = true;
    return failed != nullptr;
}

}  // namespace kvs::pg

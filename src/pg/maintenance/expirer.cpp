#include "pg/maintenance/expirer.h"

#include <algorithm>
#include <utility>

#include "kvs/error.h"
#include "pg/read/read_view.h"
#include "pg/stream/ordered_changes.h"
#include "pg/stream/tick_table.h"
#include "pg/stream/worker_table.h"
#include "pg/table/locks.h"
#include "pg/wall/convert.h"
#include "pg/wall/guard.h"
#include "pg/wall/snapshot.h"
#include "pg/write/writer.h"

namespace kvs::pg {

namespace {

// Of one call of Follow.
constexpr size_t kMostReminders = 10000;
constexpr int64 kMostPositions = 200000;

// Somebody changes a key, or rewrites a branch: then it is looked at again after so long.
constexpr int64 kWhenBusy = USECS_PER_SEC;

// An entry at which an error was raised.
constexpr int64 kWhenFailed = 60 * USECS_PER_SEC;

// How often, and how long each time, the sequencer is waited for.
constexpr int kPatience = 20;
constexpr long kPause = 5;  // ms

bool IsLost(const Error& error) {
    return error.code() == ErrorCode::kPositionGone || error.code() == ErrorCode::kPositionUnknown;
}

enum class Held { kYes, kNo, kGone };

// The branch, for writing; where that is a commit at the end of the transaction, also for the commit, so that
// nobody is waited for then.
Held HoldBranch(int32 branch_id) {
    if (!TryLockBranch(branch_id, RowExclusiveLock)) {
        return Held::kNo;
    }
    Branch branch;
    Snapshot latest = RegisterLatestSnapshot();
    const bool is_there = Guarded([&] { return ReadBranch(branch_id, latest, &branch); });
    ReleaseSnapshot(latest);
    if (!is_there) {
        return Held::kGone;
    }
    if (branch.autocommit != kAutocommitTransaction) {
        return Held::kYes;
    }
    return TryLockChunksForBuild() && TryLockBranch(branch_id, ShareUpdateExclusiveLock) ? Held::kYes
                                                                                         : Held::kNo;
}

// When the entry at the key ends, whether it has or not; DT_NOEND: never, or there is none.
TimestampTz EndOfEntry(EntryReader* reader, const std::string& key) {
    const Datum datum = Guarded([&] { return MakeVarlena(key); });
    const std::optional<FoundEntry> found = reader->Find(datum, false);
    return found && found->item.expires_at ? ToServerTime(*found->item.expires_at) : DT_NOEND;
}

}  // namespace

bool Expirer::Reset() {
    pos_.reset();
    done_ = {};
    batch_size_ = 1;
    failed_ = std::exchange(tried_, std::nullopt);
    return failed_.has_value();
}

void Expirer::BeginAnew(int64 pos) {
    ScanAllBranches();
    StoreWorkerPos(kMaintenanceName, pos);
    pos_ = pos;
}

void Expirer::Remind(std::vector<Reminder> reminders) {
    for (const Reminder& reminder : reminders) {
        if (reminder.look_at <= done_.look_at) {
            done_ = {.look_at = reminder.look_at};
        }
    }
    AddReminders(reminders);
}

Progress Expirer::Follow(Snapshot snapshot) {
    tried_.reset();
    const int64 last = Guarded([&] { return LastPosition(snapshot); });
    if (!pos_) {
        pos_ = ReadWorkerPos(kMaintenanceName);
    }
    if (!pos_) {
        BeginAnew(last);
    }
    if (*pos_ == last) {
        return Progress::kDone;
    }
    std::vector<Reminder> found;
    int64 pos = 0;
    try {
        EventFilter filter;
        filter.expiring = true;
        filter.counts = &counts_;
        EventReader reader(*pos_, std::move(filter), snapshot);
        while (found.size() < kMostReminders && reader.Next(*pos_ + kMostPositions)) {
            found.push_back({ToServerTime(reader.item()->expires_at.value()), reader.branch_id(),
                             std::string(reader.key())});
        }
        pos = reader.pos();
        reader.Close();
    } catch (const Error& error) {
        if (!IsLost(error)) {
            throw;
        }
        BeginAnew(last);
        return Progress::kDone;
    }
    Remind(std::move(found));
    StoreWorkerPos(kMaintenanceName, pos);
    pos_ = pos;
    return pos == last ? Progress::kDone : Progress::kMore;
}

// Whether all changes that `seen` shows have been followed.
bool Expirer::FollowUpTo(Snapshot seen) {
    for (int tries = 0; tries < kPatience; tries++) {
        Snapshot latest = RegisterLatestSnapshot();
        const bool is_ordered = AreOrdered(seen, latest);
        while (is_ordered && Follow(latest) == Progress::kMore) {
        }
        ReleaseSnapshot(latest);
        if (is_ordered) {
            return true;
        }
        Guarded([] {
            CHECK_FOR_INTERRUPTS();
            pg_usleep(kPause * 1000L);
        });
    }
    return false;
}

Progress Expirer::Scan() {
    const std::optional<BranchToScan> part = NextBranchToScan();
    if (!part) {
        return Progress::kDone;
    }
    Snapshot snapshot = RegisterLatestSnapshot();
    const bool is_followed = FollowUpTo(snapshot);
    if (is_followed) {
        ScanPart(*part, snapshot);
    }
    ReleaseSnapshot(snapshot);
    return is_followed ? Progress::kMore : Progress::kLater;
}

Progress Expirer::Expire() {
    tried_.reset();
    const TimestampTz now = GetCurrentTimestamp();
    if (!locked_.empty() && now >= locked_at_ + kWhenBusy) {
        locked_.clear();
        done_ = {};
    }
    if (failed_) {
        failed_->look_at = now + kWhenFailed;
        PutOffReminders({&*failed_, 1});
        failed_.reset();
    }
    std::vector<Reminder> due = DueReminders(done_, now, locked_, batch_size_);
    if (due.empty()) {
        next_ = NextReminder(now);
        if (!locked_.empty()) {
            next_ = std::min(next_, locked_at_ + kWhenBusy);
        }
        return Progress::kDone;
    }
    if (batch_size_ == 1) {
        tried_ = due.front();
    }
    done_ = due.back();
    for (size_t begin = 0, end = 0; begin < due.size(); begin = end) {
        while (end < due.size() && due[end].branch_id == due[begin].branch_id) {
            end++;
        }
        ExpireOfBranch(std::span(due).subspan(begin, end - begin), now);
    }
    PutOffReminders(due);
    // Where a clock goes back, or an entry was about to end, there may be something to do again.
    for (const Reminder& reminder : due) {
        if (reminder.look_at <= done_.look_at) {
            done_ = {.look_at = reminder.look_at};
        }
    }
    batch_size_ = std::min(2 * batch_size_, kBatchSize);
    return Progress::kMore;
}

// Looks at the entries, and makes the reminders tell when to look again.
void Expirer::ExpireOfBranch(std::span<Reminder> due, TimestampTz now) {
    const int32 branch_id = due.front().branch_id;
    const Held held = HoldBranch(branch_id);
    if (held == Held::kNo) {
        if (locked_.empty()) {
            locked_at_ = now;
        }
        locked_.push_back(branch_id);
        return;
    }
    if (held == Held::kGone) {
        for (Reminder& reminder : due) {
            reminder.look_at = DT_NOEND;
        }
        return;
    }
    const WriteRequest request{.kind = WriteKind::kExpire, .operation = Operation::kExpire};
    std::vector<Reminder*> unchanged;
    Writer writer(branch_id);
    for (Reminder& reminder : due) {
        const Datum key = Guarded([&] { return MakeVarlena(reminder.key); });
        switch (writer.Update(key, request).outcome) {
            case Written::Outcome::kChanged:
                reminder.look_at = DT_NOEND;
                break;
            case Written::Outcome::kUnchanged:
                unchanged.push_back(&reminder);
                break;
            case Written::Outcome::kBusy:
                reminder.look_at = now + kWhenBusy;
                break;
        }
    }
    writer.Finish();
    if (unchanged.empty()) {
        return;
    }
    Branch branch;
    Snapshot after = RegisterLatestSnapshot();
    Guarded([&] { RequireBranch(branch_id, after, &branch); });
    ReadView view = WorkingView(branch, after);
    view.now = PG_INT64_MIN;
    EntryReader reader(view);
    for (Reminder* reminder : unchanged) {
        reminder->look_at = EndOfEntry(&reader, reminder->key);
    }
    ReleaseSnapshot(after);
}

}  // namespace kvs::pg

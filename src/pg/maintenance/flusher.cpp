#include "pg/maintenance/flusher.h"

#include <algorithm>

#include "pg/table/branch_table.h"
#include "pg/table/locks.h"
#include "pg/table/owner_query.h"
#include "pg/table/working_batches.h"
#include "pg/wall/guard.h"
#include "pg/wall/settings.h"
#include "pg/wall/snapshot.h"
#include "pg/write/flush.h"

namespace kvs::pg {

namespace {

// Somebody commits, or rewrites the branch: then it is looked at again after so long.
constexpr int64 kWhenBusy = USECS_PER_SEC;

// After an error.
constexpr int64 kWhenFailed = 60 * USECS_PER_SEC;

bool HasMany(int64 rows) {
    return settings.flush_rows > 0 && rows >= settings.flush_rows;
}

// The rows of a branch, as far as `most`; 0 if it is gone.
int64 CountRows(int32 branch_id, int64 most) {
    Snapshot snapshot = RegisterLatestSnapshot();
    Branch branch;
    int64 count = 0;
    if (Guarded([&] { return ReadBranch(branch_id, snapshot, &branch); })) {
        WorkingBatches rows(snapshot, branch.epochs, {}, 0);
        while (count < most && rows.Peek() != nullptr) {
            rows.Take();
            count++;
        }
    }
    ReleaseSnapshot(snapshot);
    return count;
}

// When the branch was flushed or committed last.
TimestampTz FlushedAt(int32 branch_id) {
    OwnerQuery row(
        "SELECT coalesce(max(flushed_at), '-infinity') FROM _kvs.branch WHERE epoch BETWEEN $1 AND $2",
        {Parameter::Int8(FirstEpoch(branch_id)), Parameter::Int8(LastEpoch(branch_id))}, true);
    const TimestampTz flushed_at = row.Next() ? row.Int8(1) : DT_NOBEGIN;
    row.Finish();
    return flushed_at;
}

}  // namespace

void Flusher::Add(const ChangeCounts& changes) {
    const TimestampTz now = GetCurrentTimestamp();
    for (const auto& [branch, count] : changes) {
        Pile& pile = piles_.try_emplace(branch, Pile{0, now, now}).first->second;
        pile.rows += count;
        pile.last = now;
    }
}

// When the rows are old, as far as is known.
TimestampTz Flusher::OldAt(const Pile& pile) {
    const int64 age = settings.flush_age * USECS_PER_SEC;
    return age < 0 ? DT_NOEND : std::min(pile.last + age, pile.since + kRestless * age);
}

// What was written before this worker began to follow the stream.
void Flusher::FindOld(TimestampTz now) {
    OwnerQuery row(
        "SELECT b.id, least(b.flushed_at, $1)"
        " FROM (SELECT id, epoch, older_epochs, flushed_at FROM _kvs.branch"
        "       UNION ALL SELECT 1, 1::bigint << 32, NULL, NULL WHERE NOT EXISTS (SELECT FROM _kvs.branch)) "
        "AS b"
        " WHERE EXISTS (SELECT FROM _kvs.working AS w WHERE w.epoch = ANY (b.epoch || b.older_epochs))",
        {Parameter::Time(now)}, true);
    while (row.Next()) {
        Pile& pile = piles_.try_emplace(row.Int4(1), Pile{1, now, now}).first->second;
        pile.since = std::min(pile.since, TimestampTz{row.Int8(2)});
    }
    row.Finish();
    has_found_old_ = true;
}

Progress Flusher::Flush() {
    tried_.reset();
    const TimestampTz now = GetCurrentTimestamp();
    if (!has_found_old_) {
        FindOld(now);
    }
    const auto found = std::find_if(piles_.begin(), piles_.end(), [now](const auto& each) {
        const Pile& pile = each.second;
        return pile.not_before <= now && (HasMany(pile.rows) || OldAt(pile) <= now);
    });
    if (found == piles_.end()) {
        return Progress::kDone;
    }
    const auto& [branch, pile] = *found;
    tried_ = branch;
    // Mostly the same keys were changed again and again, or somebody has flushed them.
    const int64 rows = CountRows(branch, HasMany(pile.rows) ? settings.flush_rows : 1);
    if (rows == 0) {
        piles_.erase(found);
        return Progress::kMore;
    }
    found->second.since = std::max(pile.since, FlushedAt(branch));
    if (HasMany(pile.rows) && !HasMany(rows)) {
        found->second.rows = rows;
    }
    if (!HasMany(pile.rows) && OldAt(pile) > now) {
        return Progress::kMore;
    }
    if (!TryLockChunksForBuild() || !TryLockBranch(branch, ShareUpdateExclusiveLock)) {
        found->second.not_before = now + kWhenBusy;
        return Progress::kMore;
    }
    FlushSession session(branch);
    if (session.Fold() > 0) {
        session.Store();
    }
    session.Finish();
    piles_.erase(found);
    return Progress::kMore;
}

TimestampTz Flusher::next() const {
    TimestampTz next = DT_NOEND;
    for (const auto& [branch, pile] : piles_) {
        next = std::min(next, std::max(pile.not_before, HasMany(pile.rows) ? DT_NOBEGIN : OldAt(pile)));
    }
    return next;
}

bool Flusher::Reset() {
    const bool is_put_off = tried_.has_value();
    if (is_put_off) {
        const TimestampTz now = GetCurrentTimestamp();
        piles_.try_emplace(*tried_, Pile{1, now, now}).first->second.not_before = now + kWhenFailed;
    }
    tried_.reset();
    return is_put_off;
}

}  // namespace kvs::pg

// Reminders, _kvs.expiry: when to look whether an entry has expired. Only the maintenance worker writes them.
// A reminder that comes too early, or for an entry that has no end any more, costs a look.
#pragma once

#include <optional>
#include <span>
#include <string>
#include <vector>

#include "kvs/hash.h"
#include "kvs/tree/tree.h"
#include "pg/wall/server.h"

namespace kvs::pg {

struct Reminder {
    TimestampTz look_at = DT_NOBEGIN;
    int32 branch_id = 0;
    std::string key = {};
};

// Adds them; of two for one key the earlier one counts.
void AddReminders(std::span<const Reminder> reminders);

// Those up to `now` and behind `after`, in their order, at most so many; none of these branches.
std::vector<Reminder> DueReminders(const Reminder& after, TimestampTz now,
                                   const std::vector<int32>& but_branches, int max_count);

// The moment of the first one behind `now`; DT_NOEND: there is none.
TimestampTz NextReminder(TimestampTz now);

// Puts them off to the moments in them, or removes those with DT_NOEND.
void PutOffReminders(std::span<const Reminder> reminders);

// Gives a branch those that another one has in the range.
void CopyReminders(int32 from_branch, int32 to_branch, const KeyRange& keys);

// The key of the n-th one of a branch from `key` on; nullopt: there are not so many.
std::optional<std::string> ReminderBehind(int32 branch_id, const std::string& key, int n);

// A branch of which reminders may lack, from a key on.
struct BranchToScan {
    int32 branch_id;
    std::string next_key;
};

// The first one.
std::optional<BranchToScan> NextBranchToScan();

// All branches that there are, from their beginnings.
void ScanAllBranches();

// `next_key` nullopt: none lacks any more.
void NoteScanned(int32 branch_id, const std::optional<std::string>& next_key);

// A branch that is not to be scanned, one with this head if there is one; nullopt: there is none.
std::optional<int32> ScannedBranchLike(const Hash& head);

// What is remembered of a branch that is gone.
void ForgetBranch(int32 branch_id);

}  // namespace kvs::pg

// What branches hold, against their changes: the log of a branch, applied in order, must give the branch.
//
// Numbers of changes are drawn while the key is held, and those of an operation that rewrites a branch once
// nothing can come between, so the changes of a key on a branch, in the order of their numbers, are its
// history there. Therefore:
//
//   1. Versions ascend. A change names the one before it of the same key and branch, and is the next version.
//      Operations that join histories (merge, revert, reset) may skip versions, and may name another branch's
//      change, but never none.
//   2. Behind a range record the change before is the one that made the key's entry in the state that the
//      record left; behind the beginning of main there is none.
//   3. The newest change of a key is the entry of the branch: its uncommitted row, or if there is none, byte
//      for byte what the working trees hold.
//   4. What the working trees hold and no change since the last range record made is as that record left it.
//      (For main without one: there is nothing else. The state that another branch began with is not known.)
//
//     range 7 (a = 1)   change 8: a, version 2, follows 7   change 9: b, version 1, follows 0
//     branch: a is change 8 (3), b is change 9 (3), nothing else differs from the state after 7 (4)
//
// Changes below the low-water mark of the log may be gone, so nothing is concluded from what lies before it.
// Branches that do not exist any more have rules 1 and 2 only.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "kvs/entry.h"
#include "kvs/tree/tree_pair.h"
#include "pg/check/check_store.h"
#include "pg/check/log_epochs.h"
#include "pg/wall/row_sort.h"
#include "pg/wall/server.h"

namespace kvs::pg {

class ObjectCheck;

// These take over what the key is elsewhere, and may skip versions.
bool MaySkipVersions(Operation operation);

class BranchReplay {
  public:
    BranchReplay(ObjectCheck* objects, const LogEpochs* epochs, const FindingSink& sink);

    struct Change {
        int32 branch = 0;
        std::string_view key;
        int64 seq = 0;
        int64 prev_seq = 0;
        int64 version = 0;
        Operation operation = Operation::kSet;
        bool is_told = false;  // what is wrong with it was told: its own links are left alone
        std::string_view meta;
        std::optional<std::string_view> item;
    };
    void AddChange(const Change& change);

    // To be called in the order of numbers. `to`: the state that it left; nullopt if it does not say.
    void AddRange(int32 branch, int64 seq, const std::optional<TreePair>& to);

    // After everything was added and all trees were checked. `low_seq`: the low-water mark of the log.
    void Run(int64 low_seq);

  private:
    class Pass;

    struct Range {
        int64 seq;
        std::optional<TreePair> to;
    };

    ObjectCheck* objects_;
    const LogEpochs* epochs_;
    const FindingSink& sink_;
    RowSort changes_;
    std::map<int32, std::vector<Range>> ranges_;  // of each branch, ascending
};

}  // namespace kvs::pg

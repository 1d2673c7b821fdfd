// Repair of a damaged store: what is damaged is derived again from what is whole, where it follows without
// guessing; everything else is left as it is and told.
//
// Derived are:
//   - the columns of a commit's row from the commit, and the commit from the columns where they hash to it
//   - the ancestry of a commit, from its first parents
//   - the head of a branch that names no commit, from the branch's last move in the reflog
//   - the addresses in the row of a pack, from its members
//   - nodes that a cache still holds whole
//   - large values, from the rows of the change log and the working rows, which carry them inline
//   - the link of a change to the one before it, where the same branch has made the version before it
//   - uncommitted work that a branch has lost, from the newest changes of its keys
// What was derived of a pack stands in a row by itself, and no longer in the pack. Removed are uncommitted
// rows of branches that do not exist, chunks whose address is none, and, once nothing is damaged on which it
// depends what is in use, what nothing refers to.
//
// Not derived are, among others: nodes that no cache holds, a branch whose working trees are damaged though
// its head is whole (its uncommitted work may be more than the head has), data and metadata that disagree, a
// change that the log has lost (nothing else knows its operation and its transaction), a head and a reflog
// that name different commits.
#pragma once

#include <string>
#include <vector>

#include "pg/wall/server.h"

namespace kvs::pg {

struct RepairResult {
    int64 orphans_removed = 0;
    std::vector<std::string> errors;  // one line each, as kvs.check() tells them; of many the first
};

// Holds the locks of a collection until the transaction ends. The access guard has to be asked before.
// Errors: 55P03; 25001 above READ COMMITTED, where it could not see what it repairs.
RepairResult RepairStore();

}  // namespace kvs::pg

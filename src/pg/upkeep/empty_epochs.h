// Epochs of working rows that have run empty (table/epochs.h). The next move of a branch drops them anyway;
// where none comes for a while, readers would look into them in vain, and scans walk what was folded out of
// them. Errors: PgError.
#pragma once

#include <vector>

#include "pg/wall/server.h"

namespace kvs::pg {

std::vector<int32> BranchesWithOlderEpochs();

// Drops those of a branch that are empty for good, by the rule of a flush; nothing if the branch is locked by
// who moves it, or gone. Returns how many.
int DropEmptyEpochs(int32 branch_id);

}  // namespace kvs::pg

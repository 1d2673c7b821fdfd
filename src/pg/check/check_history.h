// The part of kvs.check that goes through the change log in the order of its numbers.
#pragma once

#include "pg/check/branch_replay.h"
#include "pg/check/change_claims.h"
#include "pg/check/check_objects.h"
#include "pg/check/check_store.h"
#include "pg/check/log_epochs.h"

namespace kvs::pg {

// Each change is what its metadata says, and of this log; it follows the one that it names, if that is not
// below the low-water mark of the log, where changes may have been removed. The trees of range records are
// whole, and an import gives each key its next version. `objects` checks those trees; `claims` and `replay`
// take the log to compare it with the states. `scratch` is reset after each change. Returns the low-water
// mark.
int64 CheckChangeLog(ObjectCheck* objects, const LogEpochs* epochs, ChangeClaims* claims,
                     BranchReplay* replay, MemoryContext scratch, const FindingSink& sink);

}  // namespace kvs::pg

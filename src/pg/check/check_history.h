// The part of kvs.check that looks at the change log and at the working rows.
#pragma once

#include "pg/check/check_objects.h"
#include "pg/check/check_store.h"

namespace kvs::pg {

// Each change follows the one that it names, if that is not below the low-water mark of the log, where
// changes may have been removed; versions ascend one by one and never repeat, and the trees of range records
// are whole. `objects` checks those trees; `scratch` is reset after each change.
void CheckChangeLog(ObjectCheck* objects, MemoryContext scratch, const FindingSink& sink);

// Working rows belong to a branch and say what their change says, if the log keeps it.
void CheckWorkingRows(const FindingSink& sink);

}  // namespace kvs::pg

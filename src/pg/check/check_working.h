// The part of kvs.check that looks at the working rows.
#pragma once

#include "pg/check/check_store.h"
#include "pg/check/log_epochs.h"

namespace kvs::pg {

// Working rows belong to a branch and say what their change says, if the log keeps it. That there is one
// where there should be is asked from the other side: branch_replay.h.
void CheckWorkingRows(const LogEpochs& epochs, const FindingSink& sink);

}  // namespace kvs::pg

// Whether the store has grown so much that background work is due. Errors: PgError.
#pragma once

#include "pg/wall/server.h"

namespace kvs::pg {

// Whether `chunks`, and `percent` of the objects that the last collection left, were stored since then.
bool IsCollectionDue(int64 chunks, int percent);

// Whether `chunks` were stored since the last repacking, or that is to be gone on with.
bool IsRepackingDue(int64 chunks);

// Whether there are enough chunks to train dictionaries on, and none were trained yet, or the store has grown
// tenfold since.
bool IsTrainingDue();

// Whether no branch has moved for so long.
bool IsAtRest(int seconds);

}  // namespace kvs::pg

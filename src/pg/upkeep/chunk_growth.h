// Whether the store has grown so much that background work is due. Errors: PgError.
#pragma once

#include "pg/wall/server.h"

namespace kvs::pg {

// Whether `chunks`, and `percent` of the objects that the last collection left, were stored since then.
bool IsCollectionDue(int64 chunks, int percent);

// Whether `chunks` were stored since the last repacking, or that is to be gone on with.
bool IsRepackingDue(int64 chunks);

}  // namespace kvs::pg

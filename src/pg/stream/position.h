// Positions as consumers bring them: whether what comes behind them can be told.
#pragma once

#include "kvs/error.h"
#include "pg/wall/server.h"

namespace kvs::pg {

// Errors: kPositionGone if events behind it are no longer kept; kPositionUnknown if it is of no event of this
// store: of another one, or of a server that had gone on while this one, a replica or a backup, had not;
// kInvalidArgument if it is negative.
void CheckPosition(int64 after);

// Behind this position all is kept that comes: the place from which the stream can be read in full.
int64 StartOfStream(Snapshot snapshot);

// The position behind which all comes that was ordered from a moment on.
int64 PositionBefore(TimestampTz moment);

// The error for who asked for what comes behind `after`, of which nothing is kept before `oldest`.
Error PositionGone(int64 after, int64 oldest);

}  // namespace kvs::pg

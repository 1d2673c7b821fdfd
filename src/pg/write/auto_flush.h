// Flushing without being asked: a session that has piled up kvs.flush_rows uncommitted rows on a branch folds
// them, so that reads do not pay for a working table that only grows.
#pragma once

#include "pg/wall/server.h"

namespace kvs::pg {

// A row was inserted into _kvs.working.
void NoteUncommittedRow(int32 branch);

// The branch's rows were folded.
void NoteFlushed(int32 branch);

// Flushes if it is time, nobody else is flushing or committing, and the isolation level allows it.
void FlushIfPiledUp(int32 branch);

}  // namespace kvs::pg

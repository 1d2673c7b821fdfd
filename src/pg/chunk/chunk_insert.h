// Inserting many chunks at once.
#pragma once

#include <vector>

#include "pg/chunk/chunk_table.h"

namespace kvs::pg {

// Inserts those of the chunks, which are no two alike, that _kvs.chunk does not have, and waits for
// transactions that are about to insert or delete one of them. Sees to it that the scans that follow in this
// transaction see them.
void InsertChunks(std::vector<NewChunk> chunks);

}  // namespace kvs::pg

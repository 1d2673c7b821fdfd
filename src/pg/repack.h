// Repacking: chunks that only history needs are stored as deltas against what replaced them, so that a small
// change of a large store keeps bytes, not whole leaves.
//
// The newest chunk of a place in a tree stays whole and the older ones hang on it in a chain, the oldest at
// its end: depths descend towards the newest (kvs/codec/frame.h), so the next run, which makes the newest of
// today a delta against that of tomorrow, adds a link at the near end and rewrites no other chunk. After
// kMaxDeltaDepth links a chunk stays whole for good, and a new chain begins.
//
// Frames are replaced in place; addresses, trees and commits stay as they are, and readers find the old frame
// or the new one.
#pragma once

#include <cstdint>

#include "pg/server.h"

namespace kvs::pg {

struct RepackResult {
    int64 chunks_rewritten = 0;
    int64 bytes_before = 0;  // of their frames
    int64 bytes_after = 0;
};

// Rewrites up to `max_chunks` chunks, the oldest first, in the current transaction. The access guard has to
// be asked before. Waits for other repackings and for garbage collection. Memory: maintenance_work_mem.
// Errors: kCorruption where a tree or a commit is damaged.
RepackResult Repack(int64 max_chunks);

}  // namespace kvs::pg

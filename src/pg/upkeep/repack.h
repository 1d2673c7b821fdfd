// Repacking: chunks that only history needs go from _kvs.chunk into packs, where the versions of one place of
// a tree are compressed together, so that a small change of a large store keeps bytes, not whole leaves.
//
// The versions of a place are a family: a chunk, what replaced it, what replaced that. A pack takes the cold
// ones of a family in their order until it is full; while it has room it notes what replaced its last member,
// so that this one is put behind it once it has become cold, in this run or another.
//
// A chunk is deleted from the one table and stored in the other by one transaction, so readers find it in the
// one or in the other (ChunkStore). What a branch or a tag has stays a row, and so does what a pack would not
// make smaller.
#pragma once

#include <cstdint>

#include "pg/upkeep/gc_progress.h"
#include "pg/wall/server.h"

namespace kvs::pg {

struct RepackResult {
    int64 chunks_rewritten = 0;
    int64 bytes_before = 0;  // of their frames
    int64 bytes_after = 0;   // by which packs have grown
    bool is_complete = false;
};

// Rewrites up to `max_chunks` chunks, the oldest first, in the current transaction: of the whole history, or
// of the commits that were made since the last complete repacking, in which case a part that was done is not
// looked at again. Notes what came of it in _kvs.repacking. The access guard has to be asked before, and the
// locks of LockChunksForBuild and LockUpkeep are held. Memory: maintenance_work_mem. Errors:
// kCorruption where a tree or a commit is damaged.
enum class RepackScope { kAll, kNewCommits };
RepackResult Repack(RepackScope scope, int64 max_chunks, GcReport* report);

}  // namespace kvs::pg

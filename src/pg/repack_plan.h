// Which chunks may be stored as deltas, and against which: the first half of kvs.repack.
//
// Each commit is compared with its parents: a node that the commit has replaced belongs to the node that took
// its place. Nodes that a branch (its head or its working state) or a tag still has are hot, and left out.
#pragma once

#include "pg/replacement_sort.h"
#include "pg/server.h"
#include "pg/stored_chunks.h"

namespace kvs::pg {

// Collects the cold nodes of the whole store in `plan`, which is sorted by generation then: each once, with
// what replaced it last. Reads the internal nodes of all commits, no leaf. `snapshot` is the active one;
// `memory` in kB. Errors: kCorruption where a tree or a commit is damaged.
void PlanRepacking(StoredChunks* chunks, Snapshot snapshot, int memory, ReplacementSort* plan);

}  // namespace kvs::pg

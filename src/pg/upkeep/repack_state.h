// _kvs.repacking: what each repacking did, and how far the history was taken.
#pragma once

#include <unordered_set>
#include <vector>

#include "kvs/hash.h"
#include "pg/upkeep/repack.h"

namespace kvs::pg {

// The tips of the commits that repackings have taken.
std::vector<Hash> ReadRepackFrontier();

// Notes what a repacking did. `frontier`: how far the history was taken; null: not beyond what was noted
// before. What follows one that is not complete is counted as its continuation.
void NoteRepacking(const RepackResult& result, const std::unordered_set<Hash, HashOfHash>* frontier);

}  // namespace kvs::pg

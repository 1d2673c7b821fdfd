// Which commits are whole: they, their ancestors and all chunks of theirs are in the store.
//
// That a commit or a chunk is there proves nothing of what it refers to: a collection may have removed part
// of what no ref reaches, and a transfer may have been given up. What is whole is what a branch, a tag or a
// branch of a remote reaches, and what this transaction has stored, because commits are stored last
// (docs/decisions/0015-remote-transfer.md). The caller holds the lock of BeginRefEdit as long as it relies on
// it.
#pragma once

#include <cstdint>
#include <queue>
#include <unordered_set>
#include <utility>
#include <vector>

#include "kvs/hash.h"
#include "pg/wall/server.h"

namespace kvs::pg {

class WholeCommits {
  public:
    // Reads the refs when the first question comes.
    explicit WholeCommits(Snapshot snapshot) : snapshot_(snapshot) {}

    // Each commit that is reached by a ref and younger than the one that is asked for is read once.
    bool Contains(const Hash& commit);

  private:
    void Add(const Hash& commit);

    Snapshot snapshot_;
    bool opened_ = false;
    std::unordered_set<Hash, HashOfHash> met_;
    // Those whose parents were not met yet, by generation.
    std::priority_queue<std::pair<uint64_t, Hash>> queue_;
};

}  // namespace kvs::pg

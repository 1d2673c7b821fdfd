// Which commits changed a key that matches a pattern.
//
// Most commits share with their parents all that could match: that their roots tell, without a leaf being
// read. Of the others the difference is looked for.
//
// No server resource is held between two calls.
#pragma once

#include <vector>

#include "kvs/pattern/pattern.h"
#include "kvs/tree/tree.h"
#include "kvs/version/commit.h"
#include "pg/chunk/chunk_store.h"
#include "pg/wall/server.h"

namespace kvs::pg {

class PatternChanges {
  public:
    PatternChanges(Pattern pattern, Snapshot snapshot);

    // Whether this commit, an ancestor of one that was read under `snapshot` (that of the statement), did. A
    // merge has changed what differs from every parent: what it took from one of them was changed there.
    // Errors: kCorruption.
    bool AreIn(const Commit& commit, Snapshot snapshot);

  private:
    bool Differ(const Commit& from, const Commit& to, Snapshot snapshot);

    Pattern pattern_;
    std::vector<KeyRange> ranges_;  // where a key can match
    ChunkStore chunks_;
};

}  // namespace kvs::pg

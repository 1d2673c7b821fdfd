// The commits that one commit can reach, newest first: by commit time, then by generation. A commit comes
// after the child through which it was found, whatever their clocks said.
//
// Streaming: a step reads the parents of the commit before. No server resource is held between two steps.
// Memory grows by the address of each commit that was met.
#pragma once

#include <optional>
#include <queue>
#include <unordered_set>
#include <vector>

#include "kvs/hash.h"
#include "pg/table/commit_table.h"
#include "pg/wall/server.h"

namespace kvs::pg {

class CommitWalk {
  public:
    struct Step {
        Hash hash;
        CommitRef commit;
    };

    CommitWalk(const Hash& start, Snapshot snapshot);

    // Moves to the next commit; false after the last. Errors: kCorruption where one is missing.
    bool Next();

    const Step& current() const { return *current_; }

    // The snapshot of the statement, to be set anew in each call of a function that spans several.
    void set_snapshot(Snapshot snapshot) { snapshot_ = snapshot; }

  private:
    struct Older {
        bool operator()(const Step& a, const Step& b) const;
    };

    void AddParent(const Hash& hash);

    Snapshot snapshot_;
    std::priority_queue<Step, std::vector<Step>, Older> queue_;
    std::unordered_set<Hash, HashOfHash> met_;
    std::optional<Step> current_;
};

}  // namespace kvs::pg

// Parts of the commit graph, as transfers take them: parents before their children, window by window.
#pragma once

#include <functional>
#include <optional>
#include <vector>

#include "kvs/hash.h"
#include "kvs/version/commit.h"
#include "kvs/version/object_walk.h"
#include "pg/wall/server.h"

namespace kvs::pg {

struct NamedCommit {
    Hash hash;
    Commit commit;
};

// How many commits are walked together: that many share the round trips of one.
constexpr size_t kCommitWindow = 64;

// Commits between a head and what is left out.
struct CommitRange {
    std::vector<Hash> commits;   // parents before their children
    std::vector<Hash> boundary;  // parents of theirs that were left out, by address
};

// What `head` reaches and none of `without` does. The initial commit is never in it, since every store has
// it. Errors: kCorruption where a commit is missing.
CommitRange CommitsBetween(const Hash& head, const std::vector<Hash>& without, Snapshot snapshot);

// Adds the trees of commits, each compared with those of the nearest ancestor by first parents outside of the
// window, which `trees_of` answers. Errors: kCorruption for a generation that does not fit; what `parent_of`
// throws.
using ParentReader = std::function<Commit(const Hash& parent)>;
void AddWindow(ObjectWalk* walk, const std::vector<NamedCommit>& window, const ParentReader& read_parent);

}  // namespace kvs::pg

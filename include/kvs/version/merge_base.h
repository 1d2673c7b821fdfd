// Questions about the commit graph. Generation numbers keep them from walking more of it than they must.
#pragma once

#include <vector>

#include "kvs/hash.h"
#include "kvs/version/commit_graph.h"

namespace kvs {

// The best common ancestors of two commits: those that are no ancestor of another common ancestor. One as a
// rule, several after criss-cross merges, none if the histories are unrelated; sorted by address. A commit
// counts as its own ancestor. Visits the commits from the younger one down to the bases' generation. Errors:
// Error(kCorruption) where a parent is not of a lower generation than its child.
std::vector<Hash> MergeBases(CommitGraph& graph, const Hash& left, const Hash& right);

// Whether `ancestor` can be reached from `descendant` (a commit from itself too). Errors as above.
bool IsAncestor(CommitGraph& graph, const Hash& ancestor, const Hash& descendant);

}  // namespace kvs

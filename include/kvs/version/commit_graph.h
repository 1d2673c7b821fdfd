// Where algorithms read the commit graph.
#pragma once

#include <cstdint>
#include <vector>

#include "kvs/hash.h"
#include "kvs/version/ancestry.h"

namespace kvs {

struct CommitLinks {
    uint64_t generation = 0;  // larger than that of every parent
    std::vector<Hash> parents;
};

// Errors: a commit that is missing throws Error(kCorruption).
class CommitGraph {
  public:
    virtual ~CommitGraph() = default;

    // Of an ancestor of a commit that was read before.
    virtual CommitLinks ReadLinks(const Hash& commit) = 0;

    // Of an ancestor as above, by way of which others are found: its ancestry, null if it is unknown, for
    // which the commit need not be read.
    virtual AncestryRef ReadAncestry(const Hash& /*commit*/) { return nullptr; }

    // Of a commit that a question names. A graph that remembers ancestors has to look whether this one is
    // there.
    virtual CommitLinks ReadTip(const Hash& commit) { return ReadLinks(commit); }
};

}  // namespace kvs

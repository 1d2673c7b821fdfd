// The n-th first parent of a commit, found in n steps or the logarithm of its depth, whichever is less.
//
// First parents make a list that grows at its head, and that branches share. Each commit keeps pointers to
// some of its ancestors, after the skew-binary lists of Myers ("An applicative random-access stack", 1983),
// with six subtrees in place of two: the list down to depth 1 is cut into perfect trees of 1, 7, 43, 259 ...
// commits, the largest last. Of a size there are at most five, or six of that of the first. In each tree the
// root comes first, then its subtrees one after the other. A commit is the root of the first tree of its own
// list, and points to
//
//     the roots of the other trees, and at last to the commit that has no parent
//     the roots of all but the first subtree of each commit down the left edge of its own tree
//
// The way to an ancestor goes to the root of its tree, and down that tree to the first parent, the root of
// the first subtree, or to the root of another one, where the pointers leave out what lies between:
//
//     depth      0   1   2     6             7             8     14                     43
//     leads to   -   0   1 0   5 4 3 2 1 0   5 4 3 2 1 0   7 0   12 11 10 9 8 7 0       40 ... 35 28 21 14 7
//     0
//
// From 44 down to 4: 44 -> 43 -> 7 -> 4. Which depths a commit points to depends on its depth alone, and all
// of them but the parent are those that its parent points to. What a step costs is the pages of the store
// that it touches first: with six subtrees it takes four steps to the thousandth ancestor, for twice the
// bytes of two subtrees and six to ten steps.
//
// An ancestry is derived from the graph, is no part of a commit, and may be unknown: then one goes by
// parents. It carries a checksum that names its commit, so that a damaged one, or that of another commit, is
// unknown rather than followed. What it leads to are ancestors, so they are in the store whenever the commit
// is.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "kvs/hash.h"

namespace kvs {

class CommitGraph;

struct Ancestry {
    uint64_t depth = 0;          // first parents up to the commit that has none
    std::vector<Hash> pointers;  // the ancestors of PointerDepths(depth)

    bool operator==(const Ancestry&) const = default;
};

using AncestryRef = std::shared_ptr<const Ancestry>;

// Descending; none for 0. About 14 at a depth of 10,000, 25 at a million; never more than 64.
std::vector<uint64_t> PointerDepths(uint64_t depth);

// Of a commit whose first parent is this one.
Ancestry AncestryOfChild(const Hash& parent, const Ancestry& of_parent);

// u8 format (2), u64 depth, the pointers, and the u64 checksum of the commit's address and all that stands
// before it: XXH3 with 64 bits.
std::string EncodeAncestry(const Hash& commit, const Ancestry& ancestry);

// nullopt for bytes that EncodeAncestry would not have written for this commit.
std::optional<Ancestry> DecodeAncestry(const Hash& commit, std::string_view encoded);

// Goes `*steps` first parents up from a commit that was read of the graph before. Where there are fewer, it
// ends at the commit that has no parent, and `*steps` says how many are left; otherwise that is 0.
// Of commits whose ancestry is known no more than that is read.
// Errors: what the graph throws; kCorruption where an ancestry contradicts the one that led to it.
Hash AncestorAlongFirstParents(CommitGraph& graph, const Hash& commit, uint64_t* steps);

}  // namespace kvs

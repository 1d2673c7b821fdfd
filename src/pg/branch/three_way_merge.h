// Merging the changes of one state since a base into another.
//
// The cost is that of theirs' changes, or less: in a merge that will be a range record what theirs alone
// changed is taken over as it is, whole subtrees unvisited, if the rules allow it
// (docs/decisions/0016-subtrees-are-taken-over.md).
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "kvs/merge/document_merge.h"
#include "kvs/merge/merge_policy.h"
#include "pg/branch/entry_edit.h"

namespace kvs::pg {

// Decides conflicts, key by key; an empty function leaves them all.
using KeyResolver = std::function<std::optional<Resolution>(std::string_view key, const MergeConflict&)>;

struct MergeRules {
    MergePolicies policies = {};
    KeyResolver resolve = {};
    std::string author = {};  // who has written what comes out of two changes of one key
    bool keeps_authors =
        true;  // who wrote what is taken from theirs, and when, comes along; else `author`, now
    // Versions come out above those that this state has, too: a working state that will take over what
    // changes.
    std::optional<TreePair> above = std::nullopt;
    // theirs' commit descends from the base's: its versions continue those of the base, so that what ours
    // left alone can be taken over as it is.
    bool continues_base = false;
};

// Three-way merge: ours with what theirs changed since base. Where a conflict stays, ours is kept.
RewrittenTrees MergeTrees(ChunkStore* chunks, const TreePair& base, const TreePair& ours,
                          const TreePair& theirs, const MergeRules& rules, ChangeNumbers* numbers);

// The conflicts that a merge would leave; writes nothing.
std::vector<KeyConflict> FindConflicts(ChunkStore* chunks, const TreePair& base, const TreePair& ours,
                                       const TreePair& theirs, const MergePolicies& policies);

}  // namespace kvs::pg

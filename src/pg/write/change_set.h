// What a hook is told of a commit, as jsonb.
//
// Always: branch, commit, parent (the first), parents, root, author, message, committed_at, pattern (the
// hook's). For pre_commit also truncated, and unless that is true, changes: an array with the columns of
// kvs.diff_row, the commit against its first parent, in the order of the keys. A column that is NULL there is
// missing here.
#pragma once

#include <string_view>

#include "kvs/hash.h"
#include "kvs/pattern/pattern.h"
#include "kvs/version/commit.h"
#include "pg/wall/server.h"

namespace kvs::pg {

struct HookedCommit {
    std::string_view branch;
    Hash hash;
    const Commit* commit;
};

// Whether a key that the pattern matches was changed; true for a pattern that matches every key, so that a
// commit without changes (a merge, perhaps) has its hooks too. Uses the active snapshot.
bool ChangesMatching(const HookedCommit& hooked, const Pattern& pattern);

// Without the changes.
Datum CommitDescription(const HookedCommit& hooked, const Pattern& pattern);

// With the changes that match, or truncated if there are more than kvs.hook_max_changes of them or their
// documents are larger than kMaxChangeSetBytes. Uses the active snapshot; what it needs for a while is
// allocated in the current memory context.
Datum ChangeSet(const HookedCommit& hooked, const Pattern& pattern);

constexpr size_t kMaxChangeSetBytes = size_t{8} << 20;

}  // namespace kvs::pg

#include "pg/transfer/whole_commits.h"

#include <optional>

#include "kvs/version/commit.h"
#include "pg/read/ref_list.h"
#include "pg/table/commit_table.h"
#include "pg/wall/scratch.h"

namespace kvs::pg {

void WholeCommits::Add(const Hash& commit) {
    if (met_.insert(commit).second) {
        queue_.emplace(ReadCommit(commit, snapshot_).generation, commit);
    }
}

bool WholeCommits::Contains(const Hash& commit) {
    if (commit == kInitialCommit || met_.contains(commit) || IsStoredHere(commit)) {
        return true;
    }
    Scratch scratch("kvs reachability");
    const std::optional<Commit> found = TryReadCommit(commit, snapshot_);
    if (found && !opened_) {
        opened_ = true;
        for (const ListedRef& ref : ListRefs(snapshot_)) {
            Add(ref.commit);
            scratch.Reset();
        }
    }
    // Only what is younger leads up to it.
    while (found && !queue_.empty() && queue_.top().first > found->generation) {
        const Hash next = queue_.top().second;
        queue_.pop();
        for (const Hash& parent : ReadCommit(next, snapshot_).parents) {
            Add(parent);
        }
        scratch.Reset();
    }
    scratch.Finish();
    return met_.contains(commit);
}

}  // namespace kvs::pg

#include "pg/write/commit_maker.h"

#include <algorithm>

#include "pg/table/commit_table.h"
#include "pg/table/reflog_table.h"
#include "pg/wall/convert.h"
#include "pg/wall/guard.h"

namespace kvs::pg {

CommitPlace PlaceOf(const Hash& commit, Snapshot snapshot) {
    LockCommitForReference(commit);
    return {commit, ReadCommit(commit, snapshot).generation};
}

CommitPlace MakeCommit(const PlannedCommit& planned, const CommitPlace& parent, Snapshot snapshot) {
    Commit commit;
    commit.parents = {parent.hash};
    commit.generation = parent.generation + 1;
    commit.parents.insert(commit.parents.end(), planned.further_parents.begin(),
                          planned.further_parents.end());
    for (const Hash& each : planned.further_parents) {
        commit.generation = std::max(commit.generation, PlaceOf(each, snapshot).generation + 1);
    }
    commit.data_root = planned.roots.data_root;
    commit.meta_root = planned.roots.meta_root;
    commit.author = planned.author;
    commit.committer = Guarded([] { return GetUserNameFromId(GetSessionUserId(), false); });
    commit.message = planned.message;
    commit.committed_at = FromServerTime(GetCurrentTimestamp());
    commit.log_id = Guarded([] { return CurrentLog(); });
    return {WriteCommit(commit, snapshot), commit.generation};
}

void KeepDiscarded(const Branch& branch, Snapshot snapshot) {
    const PlannedCommit kept = {branch.working,
                                {},
                                AuthorName({}),
                                "uncommitted work of branch \"" + std::string(branch.name) + "\""};
    const Hash hash = MakeCommit(kept, PlaceOf(branch.head, snapshot), snapshot).hash;
    AppendReflog(branch, &branch.head, &hash, "save", kept.author);
}

}  // namespace kvs::pg

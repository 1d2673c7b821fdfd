// The part of kvs.check that looks at refs and commits, and at the trees that they root.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <unordered_map>
#include <unordered_set>
#include <vector>

#include "kvs/hash.h"
#include "kvs/version/commit.h"
#include "pg/check/check_objects.h"
#include "pg/check/check_store.h"
#include "pg/table/commit_rows.h"
#include "pg/table/reflog_table.h"

namespace kvs::pg {

class CommitCheck {
  public:
    // `scratch` is reset after each step.
    CommitCheck(Snapshot snapshot, MemoryContext scratch, ObjectCheck* objects, const FindingSink& sink)
        : snapshot_(snapshot), scratch_(scratch), objects_(objects), sink_(sink) {}

    // Each row of the commit table is the commit that its hash says, and has its ancestry.
    void CheckRows();

    // Branches, tags and the reflog, and all that they reach.
    void CheckRefs();

    // What no ref reaches.
    void ReportUnreached();

  private:
    // What the columns of a damaged row say, so that the walk can go on behind it.
    struct Links {
        std::vector<Hash> parents;
        TreePair roots;
    };

    // A commit that is to be visited, with a neighbouring state that was checked.
    struct Visit {
        Hash commit;
        std::optional<TreePair> base;
    };

    void CheckRow(CommitRows* row);
    bool Exists(const Hash& commit);
    bool CheckRef(const std::string& name, const std::optional<Hash>& target);
    void CheckBranches();
    void CheckTip(const std::string& name, const std::optional<Hash>& target);
    void CheckMove(const Move& move);
    void Walk(const Hash& tip);
    std::optional<TreePair> VisitedState(Hash commit);
    std::optional<TreePair> CheckVisited(const Visit& visit, std::vector<Hash>* parents);
    TreePair CheckCommit(const Hash& hash, const Commit& commit, const std::optional<TreePair>& base);
    void CheckParents(const Hash& hash, const Commit& commit);

    Snapshot snapshot_;
    MemoryContext scratch_;
    ObjectCheck* objects_;
    const FindingSink& sink_;
    std::unordered_map<Hash, Links, HashOfHash> damaged_;
    std::unordered_set<Hash, HashOfHash> differing_;  // whose columns are not what the commit says
    std::unordered_set<Hash, HashOfHash> visited_;
    std::unordered_set<Hash, HashOfHash> missing_;  // parents that were reported
};

}  // namespace kvs::pg

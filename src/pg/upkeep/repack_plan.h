// Which chunks are to be packed, and what replaced them: the first half of kvs.repack.
//
// Each commit is compared with its parents: a node that the commit has replaced belongs to the node that took
// its place. Nodes that a branch (its head or its working state) or a tag still has are hot, and left out.
//
// A plan is made for all commits, or for those that no plan has taken yet: the commits that were taken are
// known by their tips, the frontier, below which everything was.
#pragma once

#include <unordered_set>
#include <vector>

#include "pg/chunk/stored_chunks.h"
#include "pg/upkeep/replacement_sort.h"
#include "pg/wall/address_sort.h"
#include "pg/wall/server.h"

namespace kvs::pg {

class RepackPlan {
  public:
    // `snapshot` is the active one; `memory` in kB, of each of two sorts and of the nodes that are
    // remembered.
    RepackPlan(StoredChunks* chunks, Snapshot snapshot, int memory);

    // Takes all commits of the store. Reads the internal nodes that differ, no leaf. Errors: kCorruption
    // where a tree or a commit is damaged.
    void AddAllCommits();

    // Takes commits that refs reach and none of `frontier` does, parents before their children, until about
    // `enough` chunks were found; false if there are more. Errors: as above.
    bool AddNewCommits(const std::vector<Hash>& frontier, int64 enough);

    // To be called once, after commits were taken.
    void Finish();

    // The next cold node, each once, with what replaced it first; by the generation of the commit that did.
    bool Next(Replacement* replacement) { return plan_.Next(replacement); }

    // Tips of the commits that were taken, of this plan and of the frontier before.
    const std::unordered_set<Hash, HashOfHash>& frontier() const { return frontier_; }

    // Data trees that branches and tags have, of very many some.
    const std::vector<Hash>& hot_data_roots() const { return hot_data_roots_; }

    // Frees the sorts' files. To be called on the normal way out.
    void Close() { plan_.Finish(); }

  private:
    void AddHotNodes();
    void AddHotCommit(const std::optional<Hash>& hash);
    void AddHotTree(const Hash& root);
    void AddBelow(const Node& node);
    bool IsNew(const Hash& internal_node);
    void AddCommit(const Hash& hash);

    StoredChunks* chunks_;
    Snapshot snapshot_;
    int memory_;
    MemoryContext scratch_;
    AddressSort hot_;
    ReplacementSort replaced_;
    ReplacementSort plan_;
    std::unordered_set<Hash, HashOfHash> seen_;  // hot internal nodes, of those met lately
    std::unordered_set<Hash, HashOfHash> frontier_;
    std::vector<Hash> hot_data_roots_;
};

}  // namespace kvs::pg

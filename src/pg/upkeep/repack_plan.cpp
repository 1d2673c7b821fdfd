#include "pg/upkeep/repack_plan.h"

#include <algorithm>
#include <string>

#include "kvs/tree/chunk.h"
#include "kvs/tree/node.h"
#include "kvs/tree/replaced_nodes.h"
#include "pg/read/commit_range.h"
#include "pg/read/ref_list.h"
#include "pg/table/commit_table.h"
#include "pg/table/owner_query.h"
#include "pg/table/tag_table.h"
#include "pg/wall/guard.h"
#include "pg/wall/memory_scope.h"
#include "pg/wall/store_error.h"

namespace kvs::pg {

namespace {

constexpr size_t kRememberedNodeSize = 64;  // bytes of memory, about
constexpr size_t kMaxHotRoots = 1000;

}  // namespace

RepackPlan::RepackPlan(StoredChunks* chunks, Snapshot snapshot, int memory)
    : chunks_(chunks),
      snapshot_(snapshot),
      memory_(memory),
      scratch_(Guarded([] {
          return AllocSetContextCreate(CurrentMemoryContext, "kvs repack plan", ALLOCSET_DEFAULT_SIZES);
      })),
      hot_(memory),
      replaced_(ReplacementSort::Order::kByOldChunk, memory),
      plan_(ReplacementSort::Order::kByGeneration, memory) {}

// --- what is hot

void RepackPlan::AddHotNodes() {
    ForEachBranch(snapshot_, [&](const BranchRow& branch) {
        AddHotCommit(branch.head);
        const MemoryScope scope(scratch_);
        if (branch.data_root) {
            AddHotTree(*branch.data_root);
            hot_data_roots_.push_back(*branch.data_root);
        }
        if (branch.meta_root) {
            AddHotTree(*branch.meta_root);
        }
        return true;
    });
    ForEachTag(snapshot_, [&](std::string_view, const std::optional<Hash>& commit) {
        AddHotCommit(commit);
        return true;
    });
    std::sort(hot_data_roots_.begin(), hot_data_roots_.end());
    hot_data_roots_.erase(std::unique(hot_data_roots_.begin(), hot_data_roots_.end()), hot_data_roots_.end());
    if (hot_data_roots_.size() > kMaxHotRoots) {
        hot_data_roots_.resize(kMaxHotRoots);
    }
}

void RepackPlan::AddHotCommit(const std::optional<Hash>& hash) {
    if (!hash) {
        return;
    }
    Guarded([&] { MemoryContextReset(scratch_); });
    const MemoryScope scope(scratch_);
    const Commit commit = ReadCommit(*hash, snapshot_);
    AddHotTree(commit.data_root);
    AddHotTree(commit.meta_root);
    for (const auto& [name, root] : commit.trees) {
        AddHotTree(root);
    }
    hot_data_roots_.push_back(commit.data_root);
}

void RepackPlan::AddHotTree(const Hash& root) {
    if (root != kEmptyRoot && IsNew(root)) {
        hot_.AddNode(root);
        AddBelow(*chunks_->ReadNode(root));
    }
}

// Trees share most of their nodes: those met before are not walked again, as far as memory goes.
bool RepackPlan::IsNew(const Hash& internal_node) {
    if (seen_.size() >= static_cast<size_t>(memory_) * 1024 / kRememberedNodeSize) {
        seen_.clear();
    }
    return seen_.insert(internal_node).second;
}

void RepackPlan::AddBelow(const Node& node) {
    for (size_t i = 0; !node.is_leaf() && i < node.count(); i++) {
        const Hash child = node.ChildHash(i);
        if (node.level() == 1) {
            hot_.AddNode(child);
        } else if (IsNew(child)) {
            hot_.AddNode(child);
            const NodeRef child_node = chunks_->ReadNode(child);
            if (child_node->level() != node.level() - 1) {
                throw Damaged("tree node " + child.ToHex() + " does not fit its parent: wrong level");
            }
            AddBelow(*child_node);
        }
    }
}

// --- what was replaced

void RepackPlan::AddCommit(const Hash& hash) {
    Guarded([&] {
        CHECK_FOR_INTERRUPTS();
        MemoryContextReset(scratch_);
    });
    const MemoryScope scope(scratch_);
    const Commit commit = ReadCommit(hash, snapshot_);
    const auto add = [&](const ReplacedNode& pair) {
        replaced_.Add({pair.old_node, pair.new_node, static_cast<int64>(commit.generation)});
    };
    for (const Hash& parent_hash : commit.parents) {
        const CommitRef parent = ReadAncestor(parent_hash, snapshot_);
        VisitReplacedNodes(*chunks_, parent->data_root, commit.data_root, add);
        VisitReplacedNodes(*chunks_, parent->meta_root, commit.meta_root, add);
        for (const auto& [name, root] : commit.trees) {
            for (const auto& [parent_name, parent_root] : parent->trees) {
                if (name == parent_name) {
                    VisitReplacedNodes(*chunks_, parent_root, root, add);
                }
            }
        }
        frontier_.erase(parent_hash);
    }
    frontier_.insert(hash);
}

// Children follow their parents in most cases, so that what was read for one commit serves the next.
void RepackPlan::AddAllCommits() {
    OwnerQuery row("SELECT hash FROM _kvs.commit ORDER BY generation, committed_at");
    while (row.Next()) {
        if (const std::optional<Hash> hash = row.Address(1)) {
            AddCommit(*hash);
        }
    }
    row.Finish();
}

bool RepackPlan::AddNewCommits(const std::vector<Hash>& frontier, int64 enough) {
    std::vector<Hash> taken;
    for (const Hash& commit : frontier) {
        // A collection may have removed it, and then all that only it reached.
        if (CommitInserter(commit, snapshot_)) {
            taken.push_back(commit);
        }
    }
    frontier_.insert(taken.begin(), taken.end());
    for (const ListedRef& ref : ListRefs(snapshot_)) {
        if (ref.commit == kInitialCommit || frontier_.contains(ref.commit)) {
            continue;
        }
        const CommitRange range = CommitsBetween(ref.commit, taken, snapshot_);
        for (const Hash& commit : range.commits) {
            if (replaced_.count() >= enough) {
                return false;
            }
            AddCommit(commit);
        }
        taken.push_back(ref.commit);
    }
    return true;
}

void RepackPlan::Finish() {
    AddHotNodes();
    hot_.Sort();
    replaced_.Sort();
    bool more_hot = hot_.Next();
    std::optional<Hash> before;
    Replacement replacement;
    while (replaced_.Next(&replacement)) {
        if (before == replacement.old_chunk) {
            continue;
        }
        before = replacement.old_chunk;
        const std::string_view address = replacement.old_chunk.AsBytes();
        while (more_hot && hot_.address() < address) {
            more_hot = hot_.Next();
        }
        if (!more_hot || hot_.address() != address) {
            plan_.Add(replacement);
        }
    }
    hot_.Finish();
    replaced_.Finish();
    plan_.Sort();
    Guarded([&] { MemoryContextDelete(scratch_); });
}

}  // namespace kvs::pg

#include "pg/repack_plan.h"

#include <string>
#include <unordered_set>

#include "kvs/tree/chunk.h"
#include "kvs/tree/node.h"
#include "kvs/tree/replaced_nodes.h"
#include "pg/address_sort.h"
#include "pg/commit_table.h"
#include "pg/guard.h"
#include "pg/memory_scope.h"
#include "pg/owner_query.h"

namespace kvs::pg {

namespace {

constexpr size_t kRememberedNodeSize = 64;  // bytes of memory, about

// What the trees of branches and tags hold.
class HotNodes {
  public:
    // `memory` in kB.
    HotNodes(StoredChunks* chunks, int memory)
        : chunks_(chunks), max_seen_(static_cast<size_t>(memory) * 1024 / kRememberedNodeSize) {}

    void AddTree(const Hash& root) {
        if (root != kEmptyRoot && IsNew(root)) {
            addresses_.AddNode(root);
            AddBelow(*chunks_->ReadNode(root));
        }
    }

    void AddCommit(const Commit& commit) {
        AddTree(commit.data_root);
        AddTree(commit.meta_root);
        for (const auto& [name, root] : commit.trees) {
            AddTree(root);
        }
    }

    AddressSort* addresses() { return &addresses_; }

  private:
    // Trees share most of their nodes: those met before are not walked again, as far as memory goes.
    bool IsNew(const Hash& internal_node) {
        if (seen_.size() >= max_seen_) {
            seen_.clear();
        }
        return seen_.insert(internal_node).second;
    }

    void AddBelow(const Node& node) {
        for (size_t i = 0; !node.is_leaf() && i < node.count(); i++) {
            const Hash child = node.ChildHash(i);
            if (node.level() == 1) {
                addresses_.AddNode(child);
            } else if (IsNew(child)) {
                addresses_.AddNode(child);
                const NodeRef child_node = chunks_->ReadNode(child);
                if (child_node->level() != node.level() - 1) {
                    throw Error(ErrorCode::kCorruption,
                                "tree node " + child.ToHex() + " does not fit its parent: wrong level",
                                "SELECT * FROM kvs.check() tells what is damaged.");
                }
                AddBelow(*child_node);
            }
        }
    }

    StoredChunks* chunks_;
    AddressSort addresses_;
    std::unordered_set<Hash, HashOfHash> seen_;
    size_t max_seen_;
};

// Branches, their working states, and tags.
void AddRefs(Snapshot snapshot, MemoryContext scratch, HotNodes* hot) {
    OwnerQuery ref(
        "SELECT head, working_data_root, working_meta_root FROM _kvs.branch "
        "UNION SELECT commit_hash, NULL, NULL FROM _kvs.tag");
    while (ref.Next()) {
        Guarded([&] { MemoryContextReset(scratch); });
        const MemoryScope scope(scratch);
        if (const std::optional<Hash> commit = ref.Address(1)) {
            hot->AddCommit(ReadCommit(*commit, snapshot));
        }
        for (const int column : {2, 3}) {
            if (const std::optional<Hash> root = ref.Address(column)) {
                hot->AddTree(*root);
            }
        }
    }
    ref.Finish();
}

// What `commit` replaced of the trees of one of its parents.
void AddReplacedBy(const Commit& commit, const Commit& parent, StoredChunks* chunks,
                   ReplacementSort* replaced) {
    const auto add = [&](const ReplacedNode& pair) {
        replaced->Add({pair.old_node, pair.new_node, static_cast<int64>(commit.generation)});
    };
    VisitReplacedNodes(*chunks, parent.data_root, commit.data_root, add);
    VisitReplacedNodes(*chunks, parent.meta_root, commit.meta_root, add);
    for (const auto& [name, root] : commit.trees) {
        for (const auto& [parent_name, parent_root] : parent.trees) {
            if (name == parent_name) {
                VisitReplacedNodes(*chunks, parent_root, root, add);
            }
        }
    }
}

// Children follow their parents in most cases, so that what was read for one commit serves the next.
void AddHistory(Snapshot snapshot, MemoryContext scratch, StoredChunks* chunks, ReplacementSort* replaced) {
    OwnerQuery row("SELECT hash FROM _kvs.commit ORDER BY generation, committed_at");
    while (row.Next()) {
        Guarded([&] { MemoryContextReset(scratch); });
        const MemoryScope scope(scratch);
        const std::optional<Hash> hash = row.Address(1);
        if (!hash) {
            continue;
        }
        const Commit commit = ReadCommit(*hash, snapshot);
        for (const Hash& parent : commit.parents) {
            AddReplacedBy(commit, ReadCommit(parent, snapshot), chunks, replaced);
        }
    }
    row.Finish();
}

}  // namespace

void PlanRepacking(StoredChunks* chunks, Snapshot snapshot, int memory, ReplacementSort* plan) {
    MemoryContext scratch = Guarded([] {
        return AllocSetContextCreate(CurrentMemoryContext, "kvs repack plan", ALLOCSET_DEFAULT_SIZES);
    });
    HotNodes hot(chunks, memory);
    AddRefs(snapshot, scratch, &hot);
    ReplacementSort replaced(ReplacementSort::Order::kByOldChunk, memory);
    AddHistory(snapshot, scratch, chunks, &replaced);
    Guarded([&] { MemoryContextDelete(scratch); });

    AddressSort* hot_addresses = hot.addresses();
    hot_addresses->Sort();
    replaced.Sort();
    bool more_hot = hot_addresses->Next();
    std::optional<Hash> before;
    Replacement replacement;
    while (replaced.Next(&replacement)) {
        if (before == replacement.old_chunk) {
            continue;
        }
        before = replacement.old_chunk;
        const std::string_view address = replacement.old_chunk.AsBytes();
        while (more_hot && hot_addresses->address() < address) {
            more_hot = hot_addresses->Next();
        }
        if (!more_hot || hot_addresses->address() != address) {
            plan->Add(replacement);
        }
    }
    hot_addresses->Finish();
    replaced.Finish();
    plan->Sort();
}

}  // namespace kvs::pg

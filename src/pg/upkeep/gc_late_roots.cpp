#include "pg/upkeep/gc_late_roots.h"

#include <optional>
#include <vector>

#include "kvs/codec/item.h"
#include "kvs/tree/chunk.h"
#include "kvs/tree/node.h"
#include "kvs/version/commit.h"
#include "pg/chunk/pack_table.h"
#include "pg/table/commit_table.h"
#include "pg/wall/guard.h"
#include "pg/wall/memory_scope.h"
#include "pg/wall/store_error.h"

namespace kvs::pg {

namespace {

constexpr size_t kBytesPerObject = 96;  // in the sets

[[noreturn]] void ThrowMissing(const char* what, const Hash& address) {
    throw DamagedNotCollected(std::string(what) + " " + address.ToHex() + " is missing");
}

}  // namespace

LateRoots::LateRoots(const Garbage* garbage, TimestampTz reflog_since, Snapshot marked)
    : garbage_(garbage),
      reflog_since_(reflog_since),
      xmin_(marked->xmin),
      xmax_(marked->xmax),
      running_(marked->xip, marked->xip + marked->xcnt),
      running_is_complete_(!marked->suboverflowed) {
    running_.insert(marked->subxip, marked->subxip + marked->subxcnt);
}

bool LateRoots::IsNewCommit(const Hash& commit) const {
    const std::optional<TransactionId> inserter = CommitInserter(commit, snapshot_);
    return inserter && !WasMarked(*inserter);
}

// Whether the mark has seen what this transaction stored. In doubt it has not. What the current one stored,
// it did before it marked.
bool LateRoots::WasMarked(TransactionId inserter) const {
    if (TransactionIdPrecedes(inserter, xmin_) || TransactionIdIsCurrentTransactionId(inserter)) {
        return true;
    }
    return running_is_complete_ && TransactionIdPrecedes(inserter, xmax_) && !running_.contains(inserter);
}

bool LateRoots::IsFull() const {
    return (met_.size() + met_as_data_.size()) * kBytesPerObject >
           static_cast<size_t>(maintenance_work_mem) * 1024;
}

bool LateRoots::Walk(Snapshot snapshot) {
    snapshot_ = snapshot;
    MemoryContext scratch = Guarded(
        [] { return AllocSetContextCreate(CurrentMemoryContext, "kvs late roots", ALLOCSET_DEFAULT_SIZES); });
    StoredChunks stored(snapshot);
    stored_ = &stored;
    ForEachRoot({reflog_since_, xmin_}, [&](const Root& root) {
        const MemoryScope scope(scratch);
        switch (root.kind) {
            case Root::Kind::kCommit:
                WalkCommits(root.address);
                break;
            case Root::Kind::kStoredCommit:
                if (IsNewCommit(root.address)) {
                    WalkCommits(root.address);
                }
                break;
            case Root::Kind::kDataTree:
            case Root::Kind::kMetadataTree:
                WalkTree(root.kind, root.address);
                break;
        }
    });
    stored.Finish();
    stored_ = nullptr;
    Guarded([&] { MemoryContextDelete(scratch); });
    return !IsFull();
}

void LateRoots::Meet(std::unordered_set<Hash, HashOfHash>* met, const Hash& address) {
    met->insert(address);
    met_prefixes_.insert(PackPrefix(address));
}

void LateRoots::WalkCommits(const Hash& tip) {
    std::vector<Hash> pending = {tip};
    while (!pending.empty() && !IsFull()) {
        const Hash hash = pending.back();
        pending.pop_back();
        if (hash == kInitialCommit || met_.contains(hash)) {
            continue;
        }
        const std::optional<TransactionId> inserter = CommitInserter(hash, snapshot_);
        if (!inserter) {
            ThrowMissing("commit", hash);
        }
        if (WasMarked(*inserter) && !garbage_->HasCommit(hash)) {
            continue;
        }
        met_.insert(hash);
        const Commit commit = ReadCommit(hash, snapshot_);
        WalkTree(Root::Kind::kDataTree, commit.data_root);
        WalkTree(Root::Kind::kMetadataTree, commit.meta_root);
        for (const auto& tree : commit.trees) {
            WalkTree(Root::Kind::kMetadataTree, tree.second);
        }
        pending.insert(pending.end(), commit.parents.begin(), commit.parents.end());
    }
}

void LateRoots::WalkTree(Root::Kind kind, const Hash& root) {
    if (root == kEmptyRoot) {
        return;
    }
    const bool is_data = kind == Root::Kind::kDataTree;
    auto& met = is_data ? met_as_data_ : met_;
    std::vector<Hash> pending = {root};
    while (!pending.empty() && !IsFull()) {
        const Hash address = pending.back();
        pending.pop_back();
        if (met.contains(address)) {
            continue;
        }
        const bool is_candidate = garbage_->MayHaveChunk(address);
        if (!is_candidate) {
            const TransactionId inserter = stored_->Inserter(address);
            if (inserter == InvalidTransactionId) {
                ThrowMissing("chunk", address);
            }
            if (WasMarked(inserter)) {
                continue;
            }
        }
        Meet(&met, address);
        const NodeRef node = stored_->ReadNode(address);
        for (size_t i = 0; i < node->count(); i++) {
            if (!node->is_leaf()) {
                const Hash child = node->ChildHash(i);
                if (is_data || node->level() > 1) {
                    pending.push_back(child);
                } else if (garbage_->MayHaveChunk(child)) {
                    Meet(&met_, child);  // a leaf of metadata refers to nothing
                }
            } else if (is_data) {
                const DataItem item = DecodeDataItem(node->Value(i)).OrThrow();
                if (item.blob && garbage_->MayHaveChunk(item.blob->address)) {
                    Meet(&met_, item.blob->address);
                }
            }
        }
    }
}

}  // namespace kvs::pg

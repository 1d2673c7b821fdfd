#include "pg/check_commits.h"

#include <algorithm>
#include <utility>

#include "kvs/tree/chunk.h"
#include "kvs/util/quote.h"
#include "pg/commit_table.h"
#include "pg/guard.h"
#include "pg/memory_scope.h"
#include "pg/owner_query.h"

namespace kvs::pg {

void CommitCheck::CheckRows() {
    CommitRows row;
    while (row.Next()) {
        CheckRow(&row);
    }
    row.Finish();
}

void CommitCheck::CheckRow(CommitRows* row) {
    const std::optional<Hash> hash = row->hash();
    if (!hash) {
        sink_({"error", "corrupt_object", Quoted(row->hash_bytes()),
               "the hash of the commit has not 32 bytes"});
        return;
    }
    std::string problem;
    const std::optional<Commit> commit = row->Decode(&problem);
    if (!commit) {
        sink_({"error", "corrupt_object", hash->ToHex(), problem});
        damaged_[*hash] = {row->parents(), row->roots()};
        return;
    }
    const std::string differing = row->DifferingColumns(*commit);
    if (!differing.empty()) {
        sink_({"error", "corrupt_object", hash->ToHex(),
               "columns differ from the commit itself: " + differing});
    }
}

bool CommitCheck::Exists(const Hash& commit) {
    return visited_.contains(commit) || damaged_.contains(commit) ||
           TryReadCommit(commit, snapshot_).has_value();
}

// False, with a finding, if `target` is no commit of the store.
bool CommitCheck::CheckRef(const std::string& name, const std::optional<Hash>& target) {
    if (target && Exists(*target)) {
        return true;
    }
    objects_->NoteUnreached();
    sink_({"error", "dangling_ref", name,
           target ? "commit " + target->ToHex() + " does not exist" : "what it refers to is no address"});
    return false;
}

void CommitCheck::CheckBranches() {
    OwnerQuery branch("SELECT name, head, working_data_root, working_meta_root FROM _kvs.branch ORDER BY id");
    while (branch.Next()) {
        const std::string name = "branch " + Quoted(branch.Bytes(1));
        const std::optional<Hash> head = branch.Address(2);
        std::optional<RootPair> base;
        if (CheckRef(name, head)) {
            base = Walk(*head);
        }
        const std::optional<Hash> data_root = branch.Address(3);
        const std::optional<Hash> meta_root = branch.Address(4);
        if (!data_root || !meta_root) {
            objects_->NoteUnreached();
            sink_({"error", "dangling_ref", name, "its working root is no address"});
            continue;
        }
        objects_->CheckState({*data_root, *meta_root}, "the working state of " + name,
                             base ? &*base : nullptr);
    }
    branch.Finish();
}

void CommitCheck::CheckRefs() {
    CheckBranches();
    OwnerQuery tag("SELECT name, commit_hash FROM _kvs.tag ORDER BY name");
    while (tag.Next()) {
        const std::optional<Hash> target = tag.Address(2);
        if (CheckRef("tag " + Quoted(tag.Bytes(1)), target)) {
            Walk(*target);
        }
    }
    tag.Finish();
    OwnerQuery remote("SELECT remote || '/' || branch, head FROM _kvs.remote_ref ORDER BY remote, branch");
    while (remote.Next()) {
        const std::optional<Hash> target = remote.Address(2);
        if (CheckRef("remote branch " + Quoted(remote.Bytes(1)), target)) {
            Walk(*target);
        }
    }
    remote.Finish();
    OwnerQuery move(
        "SELECT branch, id, from_commit, to_commit, discarded_root FROM _kvs.reflog ORDER BY id DESC");
    while (move.Next()) {
        const std::string name =
            "move " + std::to_string(move.Int8(2)) + " of branch " + Quoted(move.Bytes(1));
        for (const int column : {3, 4}) {
            if (move.IsNull(column)) {
                continue;
            }
            const std::optional<Hash> target = move.Address(column);
            if (CheckRef(name, target)) {
                Walk(*target);
            }
        }
        if (const std::optional<Hash> discarded = move.Address(5)) {
            objects_->CheckDataTree(*discarded, "what " + name + " discarded");
        } else if (!move.IsNull(5)) {
            objects_->NoteUnreached();
            sink_({"error", "dangling_ref", name, "what it discarded is no address"});
        }
    }
    move.Finish();
}

// Visits what `tip` reaches and was not visited yet. Answers the state of `tip` if it is in order.
std::optional<RootPair> CommitCheck::Walk(const Hash& tip) {
    std::optional<RootPair> state_of_tip;
    std::vector<Visit> pending = {{tip, std::nullopt}};
    while (!pending.empty()) {
        const Visit visit = pending.back();
        pending.pop_back();
        if (!visited_.insert(visit.commit).second) {
            continue;
        }
        std::vector<Hash> parents;
        const std::optional<RootPair> state = CheckVisited(visit, &parents);
        if (visit.commit == tip) {
            state_of_tip = state;
        }
        for (const Hash& parent : parents) {
            pending.push_back({parent, state});
        }
    }
    return state_of_tip;
}

std::optional<RootPair> CommitCheck::CheckVisited(const Visit& visit, std::vector<Hash>* parents) {
    Guarded([&] { MemoryContextReset(scratch_); });
    const MemoryScope scope(scratch_);
    if (const auto damaged = damaged_.find(visit.commit); damaged != damaged_.end()) {
        *parents = damaged->second.parents;
        objects_->CheckState(damaged->second.roots, "commit " + visit.commit.ToHex(),
                             visit.base ? &*visit.base : nullptr);
        return std::nullopt;
    }
    std::optional<Commit> commit = TryReadCommit(visit.commit, snapshot_);
    if (!commit) {
        return std::nullopt;  // reported where it is referred to
    }
    *parents = commit->parents;
    return CheckCommit(visit.commit, *commit, visit.base);
}

std::optional<RootPair> CommitCheck::CheckCommit(const Hash& hash, const Commit& commit,
                                                 const std::optional<RootPair>& base) {
    CheckParents(hash, commit);
    const std::string where = "commit " + hash.ToHex();
    const RootPair roots{commit.data_root, commit.meta_root};
    const bool in_order = objects_->CheckState(roots, where, base ? &*base : nullptr);
    for (const auto& [name, root] : commit.trees) {
        objects_->CheckOtherTree(root, where + ", tree " + Quoted(name));
    }
    return in_order ? std::optional<RootPair>(roots) : std::nullopt;
}

void CommitCheck::CheckParents(const Hash& hash, const Commit& commit) {
    uint64_t generation = 0;
    bool known = true;
    for (const Hash& parent : commit.parents) {
        if (damaged_.contains(parent)) {
            known = false;
            continue;
        }
        const std::optional<Commit> read = TryReadCommit(parent, snapshot_);
        if (!read) {
            known = false;
            objects_->NoteUnreached();
            if (missing_.insert(parent).second) {
                sink_({"error", "missing_object", parent.ToHex(), "parent of commit " + hash.ToHex()});
            }
            continue;
        }
        generation = std::max(generation, read->generation + 1);
    }
    if (known && generation != commit.generation) {
        sink_({"error", "corrupt_object", hash.ToHex(),
               "the commit's generation is " + std::to_string(commit.generation) + ", not " +
                   std::to_string(generation)});
    }
}

void CommitCheck::ReportUnreached() {
    if (!objects_->all_reached()) {
        return;
    }
    OwnerQuery row("SELECT hash FROM _kvs.commit ORDER BY hash");
    while (row.Next()) {
        const std::optional<Hash> hash = row.Address(1);
        if (hash && !visited_.contains(*hash)) {
            sink_({"info", "orphaned_object", hash->ToHex(), "no ref reaches the commit"});
        }
    }
    row.Finish();
}

}  // namespace kvs::pg

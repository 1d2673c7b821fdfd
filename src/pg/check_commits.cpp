#include "pg/check_commits.h"

#include <algorithm>
#include <cstring>
#include <utility>

#include "kvs/tree/chunk.h"
#include "kvs/util/quote.h"
#include "pg/commit_table.h"
#include "pg/convert.h"
#include "pg/guard.h"
#include "pg/memory_scope.h"
#include "pg/server_hasher.h"

namespace kvs::pg {

namespace {

enum RowColumn {
    kHash = 1,
    kGeneration,
    kParents,
    kDataRoot,
    kMetaRoot,
    kAuthor,
    kCommitter,
    kMessage,
    kCommittedAt,
    kLogId,
    kBody,
};

// Parents as one string of addresses, the log as its 16 bytes.
constexpr const char* kRowQuery =
    "SELECT c.hash, c.generation,"
    " (SELECT string_agg(p.hash, ''::bytea ORDER BY p.n) FROM unnest(c.parents) WITH ORDINALITY AS p(hash, "
    "n)),"
    " c.data_root, c.meta_root, c.author, c.committer, c.message, c.committed_at, uuid_send(c.log_id), "
    "c.body "
    "FROM _kvs.commit AS c ORDER BY c.hash";

std::string JoinAddresses(const std::vector<Hash>& addresses) {
    std::string joined;
    for (const Hash& address : addresses) {
        joined += address.AsBytes();
    }
    return joined;
}

std::vector<Hash> SplitAddresses(std::string_view joined) {
    std::vector<Hash> addresses;
    for (; joined.size() >= Hash::kSize; joined.remove_prefix(Hash::kSize)) {
        addresses.push_back(Hash::FromBytes(joined));
    }
    return addresses;
}

// Names of the columns that say something else than the commit.
std::string DifferingColumns(OwnerQuery* row, const Commit& commit) {
    std::string names;
    const auto compare = [&](const char* name, bool same) {
        if (!same) {
            names += names.empty() ? "" : ", ";
            names += name;
        }
    };
    const std::string_view log_id(reinterpret_cast<const char*>(commit.log_id.data()), commit.log_id.size());
    compare("generation", row->Int8(kGeneration) == static_cast<int64>(commit.generation));
    compare("parents", row->Bytes(kParents) == JoinAddresses(commit.parents));
    compare("data_root", row->Bytes(kDataRoot) == commit.data_root.AsBytes());
    compare("meta_root", row->Bytes(kMetaRoot) == commit.meta_root.AsBytes());
    compare("author", row->Bytes(kAuthor) == commit.author);
    compare("committer", row->Bytes(kCommitter) == commit.committer);
    compare("message", row->Bytes(kMessage) == commit.message);
    compare("committed_at", row->Int8(kCommittedAt) == ToServerTime(commit.committed_at));
    compare("log_id", row->Bytes(kLogId) == log_id);
    return names;
}

}  // namespace

void CommitCheck::CheckRows() {
    OwnerQuery row(kRowQuery);
    while (row.Next()) {
        CheckRow(&row);
    }
    row.Finish();
}

void CommitCheck::CheckRow(OwnerQuery* row) {
    const std::optional<Hash> hash = row->Address(kHash);
    if (!hash) {
        sink_({"error", "corrupt_object", Quoted(row->Bytes(kHash)),
               "the hash of the commit has not 32 bytes"});
        return;
    }
    const auto report = [&](const std::string& problem) {
        sink_({"error", "corrupt_object", hash->ToHex(), problem});
        damaged_[*hash] = {
            SplitAddresses(row->Bytes(kParents)),
            {row->Address(kDataRoot).value_or(kEmptyRoot), row->Address(kMetaRoot).value_or(kEmptyRoot)}};
    };
    const std::string_view body = row->Bytes(kBody);
    ServerHasher hasher;
    if (HashCommit(hasher, body) != *hash) {
        report("the commit does not hash to its address");
        return;
    }
    const Result<Commit> commit = DecodeCommit(body);
    if (!commit.ok()) {
        report(commit.error().what());
        return;
    }
    const std::string differing = DifferingColumns(row, commit.value());
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

#include "pg/check/check_commits.h"

#include <algorithm>
#include <utility>

#include "kvs/tree/chunk.h"
#include "kvs/util/quote.h"
#include "pg/check/ancestry_check.h"
#include "pg/table/commit_table.h"
#include "pg/table/owner_query.h"
#include "pg/table/remote_table.h"
#include "pg/table/tag_table.h"
#include "pg/wall/guard.h"
#include "pg/wall/memory_scope.h"

namespace kvs::pg {

namespace {

// What refers to commits besides refs and the reflog: a name and a commit.
struct RefKind {
    const char* name;
    const char* query;
};

constexpr RefKind kRefKinds[] = {
    {"what is below stash ", "SELECT id::text, head FROM _kvs.stash ORDER BY id"},
    {"stash ", "SELECT id::text, commit_hash FROM _kvs.stash ORDER BY id"},
    {"merge into branch ",
     "SELECT coalesce(b.name, m.branch_id::text), m.source_commit "
     "FROM _kvs.merge AS m LEFT JOIN _kvs.branch AS b ON b.id = m.branch_id ORDER BY m.branch_id"},
};

}  // namespace

void CommitCheck::CheckRows() {
    CommitRows row;
    while (row.Next()) {
        CheckRow(&row);
    }
    row.Finish();
    const auto is_damaged = [&](const Hash& commit) {
        return damaged_.contains(commit) || differing_.contains(commit);
    };
    ForEachWrongAncestry(is_damaged, [&](const Hash& commit, const std::string&) {
        sink_(
            {"error", "corrupt_object", commit.ToHex(), "the commit's ancestry is not that of its parents"});
    });
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
        differing_.insert(*hash);
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
    ForEachBranch(snapshot_, [&](const BranchRow& branch) {
        const std::string name = "branch " + Quoted(branch.name);
        std::optional<TreePair> base;
        if (CheckRef(name, branch.head)) {
            Walk(*branch.head);
            base = VisitedState(*branch.head);
        }
        if (branch.data_root && branch.meta_root) {
            objects_->CheckState({*branch.data_root, *branch.meta_root}, "the working state of " + name,
                                 base ? &*base : nullptr);
        } else {
            objects_->NoteUnreached();
            sink_({"error", "dangling_ref", name, "its working root is no address"});
        }
        return true;
    });
}

void CommitCheck::CheckTip(const std::string& name, const std::optional<Hash>& target) {
    if (CheckRef(name, target)) {
        Walk(*target);
    }
}

void CommitCheck::CheckMove(const Move& move) {
    const std::string name = "move " + std::to_string(move.id) + " of branch " + Quoted(move.branch);
    std::optional<TreePair> base;
    for (const MoveAddress* end : {&move.to, &move.from}) {
        if (!end->is_null && CheckRef(name, end->hash)) {
            Walk(*end->hash);
            base = VisitedState(*end->hash);
        }
    }
    if (move.discarded_root.hash) {
        objects_->CheckDataTree(*move.discarded_root.hash, "what " + name + " discarded",
                                base ? &*base : nullptr);
    } else if (!move.discarded_root.is_null) {
        objects_->NoteUnreached();
        sink_({"error", "dangling_ref", name, "what it discarded is no address"});
    }
}

void CommitCheck::CheckRefs() {
    CheckBranches();
    ForEachTag(snapshot_, [&](std::string_view name, const std::optional<Hash>& commit) {
        CheckTip("tag " + Quoted(name), commit);
        return true;
    });
    ForEachRemoteRef(snapshot_, [&](const RemoteRefRow& ref) {
        CheckTip("remote branch " + Quoted(std::string(ref.remote) + "/" + std::string(ref.branch)),
                 ref.head);
        return true;
    });
    for (const RefKind& kind : kRefKinds) {
        OwnerQuery ref(kind.query);
        while (ref.Next()) {
            CheckTip(kind.name + Quoted(ref.Bytes(1)), ref.Address(2));
        }
        ref.Finish();
    }
    ForEachMove(snapshot_, [&](const Move& move) {
        CheckMove(move);
        return true;
    });
}

// Visits what `tip` reaches and was not visited yet.
void CommitCheck::Walk(const Hash& tip) {
    std::vector<Visit> pending = {{tip, VisitedState(tip)}};
    while (!pending.empty()) {
        const Visit visit = pending.back();
        pending.pop_back();
        if (!visited_.insert(visit.commit).second) {
            continue;
        }
        std::vector<Hash> parents;
        const std::optional<TreePair> state = CheckVisited(visit, &parents);
        for (const Hash& parent : parents) {
            pending.push_back({parent, state});
        }
    }
}

// The state of the nearest commit that was visited: this one, or one that first parents lead to.
std::optional<TreePair> CommitCheck::VisitedState(Hash commit) {
    for (;;) {
        Guarded([&] {
            CHECK_FOR_INTERRUPTS();
            MemoryContextReset(scratch_);
        });
        const MemoryScope scope(scratch_);
        const bool visited = visited_.contains(commit);
        if (const auto damaged = damaged_.find(commit); damaged != damaged_.end()) {
            return visited ? std::optional(damaged->second.roots) : std::nullopt;
        }
        const std::optional<Commit> read = TryReadCommit(commit, snapshot_);
        if (!read) {
            return std::nullopt;
        }
        if (visited) {
            return TreePair{read->data_root, read->meta_root};
        }
        if (read->parents.empty()) {
            return std::nullopt;
        }
        commit = read->parents.front();
    }
}

std::optional<TreePair> CommitCheck::CheckVisited(const Visit& visit, std::vector<Hash>* parents) {
    Guarded([&] { MemoryContextReset(scratch_); });
    const MemoryScope scope(scratch_);
    if (const auto damaged = damaged_.find(visit.commit); damaged != damaged_.end()) {
        *parents = damaged->second.parents;
        objects_->CheckState(damaged->second.roots, "commit " + visit.commit.ToHex(),
                             visit.base ? &*visit.base : nullptr);
        return damaged->second.roots;
    }
    std::optional<Commit> commit = TryReadCommit(visit.commit, snapshot_);
    if (!commit) {
        return std::nullopt;  // reported where it is referred to
    }
    *parents = commit->parents;
    return CheckCommit(visit.commit, *commit, visit.base);
}

TreePair CommitCheck::CheckCommit(const Hash& hash, const Commit& commit,
                                  const std::optional<TreePair>& base) {
    CheckParents(hash, commit);
    const std::string where = "commit " + hash.ToHex();
    const TreePair roots{commit.data_root, commit.meta_root};
    objects_->CheckState(roots, where, base ? &*base : nullptr);
    for (const auto& [name, root] : commit.trees) {
        objects_->CheckOtherTree(root, where + ", tree " + Quoted(name));
    }
    return roots;
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

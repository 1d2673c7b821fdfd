#include <algorithm>
#include <string>
#include <unordered_map>
#include <unordered_set>
#include <utility>

#include "kvs/error.h"
#include "kvs/tree/chunk.h"
#include "kvs/util/quote.h"
#include "kvs/version/merge_base.h"
#include "pg/branch/branch_move.h"
#include "pg/branch/ref_edit.h"
#include "pg/branch/staged_merge.h"
#include "pg/table/branch_table.h"
#include "pg/table/commit_table.h"
#include "pg/table/locks.h"
#include "pg/table/owner_query.h"
#include "pg/table/remote_table.h"
#include "pg/table/tag_table.h"
#include "pg/transfer/commit_sort.h"
#include "pg/transfer/object_intake.h"
#include "pg/wall/guard.h"
#include "pg/wall/scratch.h"
#include "pg/wall/snapshot.h"
#include "remote/store.h"
#include "remote/transfer.h"

namespace kvs::remote {

namespace {

using pg::Guarded;

// How many commits are asked for at once: few at first, because mostly few are new.
constexpr int kFirstCommits = 16;
constexpr int kMostCommits = 4096;
constexpr size_t kWantedAtOnce = 1000;

// One fetch: a connection, and what is known of both sides.
class Fetcher {
  public:
    explicit Fetcher(std::string_view remote, int64 max_bytes)
        : store_(remote),
          snapshot_(pg::RegisterLatestSnapshot()),
          intake_(snapshot_, &store_),
          max_bytes_(max_bytes) {
        store_.BeginReading();
    }

    // To be called on the normal way out.
    void Finish() { pg::ReleaseSnapshot(snapshot_); }

    std::vector<RemoteRef> Refs() { return store_.Refs(); }
    bool IsWhole(const Hash& commit) { return intake_.IsWhole(commit); }

    // Brings a commit with all that it reaches. False if the limit was met.
    bool Bring(const Hash& head, RefTransfer* report) {
        const int64 chunks = intake_.chunks();
        const int64 bytes = intake_.bytes();
        const bool is_whole = intake_.IsWhole(head) || BringMissing(head);
        report->chunks += intake_.chunks() - chunks;
        report->bytes += intake_.bytes() - bytes;
        if (is_whole) {
            report->new_commit = head;
        }
        return is_whole;
    }

    // Brings a branch and notes where it stands. False if the limit was met.
    bool BringBranch(const RemoteRef& ref, std::vector<RefTransfer>* reports) {
        RefTransfer report;
        report.ref = store_.name() + "/" + ref.name;
        report.old_commit = pg::FindRemoteRef(report.ref, snapshot_);
        const bool is_whole = Bring(ref.head, &report);
        if (is_whole && report.old_commit != ref.head) {
            pg::SetRemoteRef(store_.name(), ref.name, ref.head);
        }
        reports->push_back(std::move(report));
        return is_whole;
    }

  private:
    bool BringMissing(const Hash& head) {
        pg::CommitSort commits;
        CollectCommits(head, &commits);
        commits.Sort();
        std::vector<pg::NamedCommit> window;
        bool in_budget = true;
        for (bool more = true; more && in_budget;) {
            more = commits.Next();
            if (more) {
                window.push_back(pg::ObjectIntake::Decode(commits.encoded()));
            }
            if (window.size() == pg::kCommitWindow || (!more && !window.empty())) {
                in_budget = intake_.AddCommits(window, max_bytes_);
                window.clear();
            }
        }
        commits.Finish();
        return in_budget;
    }

    // The commits down from `head` that are not whole here.
    void CollectCommits(const Hash& head, pg::CommitSort* commits) {
        std::unordered_set<Hash, HashOfHash> met{head};
        std::vector<Hash> wanted{head};
        for (int count = kFirstCommits; !wanted.empty(); count = std::min(4 * count, kMostCommits)) {
            const auto first = wanted.end() - static_cast<ptrdiff_t>(std::min(wanted.size(), kWantedAtOnce));
            const std::vector<Hash> asked(first, wanted.end());
            std::unordered_map<Hash, std::string, HashOfHash> received;
            for (std::string& encoded : store_.Commits(asked, count)) {
                const Hash hash = pg::ObjectIntake::Decode(encoded).hash;
                received.emplace(hash, std::move(encoded));
            }
            const size_t before = met.size();
            const size_t wanted_before = wanted.size();
            std::vector<Hash> open = std::move(wanted);
            wanted.clear();
            while (!open.empty()) {
                const Hash hash = open.back();
                open.pop_back();
                const auto found = received.find(hash);
                if (found == received.end()) {
                    wanted.push_back(hash);
                    continue;
                }
                const pg::NamedCommit named = pg::ObjectIntake::Decode(found->second);
                commits->Add(named.commit.generation, found->second);
                for (const Hash& parent : named.commit.parents) {
                    if (!intake_.IsWhole(parent) && met.insert(parent).second) {
                        open.push_back(parent);
                    }
                }
            }
            if (met.size() == before && wanted.size() == wanted_before) {
                throw Error(ErrorCode::kCorruption,
                            "remote " + Quoted(store_.name()) + " has not sent commit " + asked[0].ToHex());
            }
        }
    }

    Store store_;
    Snapshot snapshot_;
    pg::ObjectIntake intake_;
    int64 max_bytes_;
};

void NoticeTag(const std::string& name, const std::string& remote, const std::string& reason) {
    Guarded([&] {
        ereport(NOTICE, errmsg("tag \"%s\" of remote \"%s\" was not brought", name.c_str(), remote.c_str()),
                errdetail_internal("%s", reason.c_str()));
    });
}

// False if the name is taken: then a notice tells, unless it is this very tag.
bool TakeTag(const RemoteRef& tag, const std::string& remote) {
    pg::LockRefName(tag.name);
    Snapshot latest = pg::RegisterLatestSnapshot();
    pg::Branch branch;
    const bool is_branch = pg::TryFindBranch(tag.name, latest, &branch);
    const std::optional<Hash> here = pg::FindTag(tag.name, latest);
    pg::ReleaseSnapshot(latest);
    if (here && *here != tag.head) {
        NoticeTag(tag.name, remote,
                  "It stands at commit " + tag.head.ToHex() + " there, and at " + here->ToHex() +
                      " here, where it stays until kvs.delete_tag().");
    } else if (is_branch || pg::IsNameOfRemote(tag.name)) {
        NoticeTag(tag.name, remote, "A branch, or one of a remote, is called so here.");
    } else if (!here) {
        pg::AddTag(tag.AsTag());
        return true;
    }
    return false;
}

void TakeTags(const std::vector<RemoteRef>& refs, const std::string& remote, Fetcher* fetcher,
              std::vector<RefTransfer>* reports) {
    for (const RemoteRef& ref : refs) {
        if (ref.is_tag && fetcher->IsWhole(ref.head) && TakeTag(ref, remote)) {
            reports->push_back({ref.name, std::nullopt, ref.head, 0, 0});
        }
    }
}

// Forgets the branches that the remote has no longer: of all, or that of one name.
void Prune(const std::vector<RemoteRef>& refs, const std::string& remote,
           std::optional<std::string_view> branch, std::vector<RefTransfer>* reports) {
    std::vector<std::string> gone;
    pg::ActiveSnapshot latest(pg::RegisterLatestSnapshot());
    pg::ForEachRemoteRef(latest.get(), [&](const pg::RemoteRefRow& row) {
        const bool is_there = std::any_of(refs.begin(), refs.end(), [&](const RemoteRef& ref) {
            return !ref.is_tag && ref.name == row.branch;
        });
        if (row.remote == remote && !is_there && (!branch || row.branch == *branch)) {
            gone.emplace_back(row.branch);
            reports->push_back({remote + "/" + gone.back(), row.head, std::nullopt, 0, 0});
        }
        return true;
    });
    latest.Release();
    for (const std::string& name : gone) {
        pg::RemoveRemoteRef(remote, name);
    }
}

// What a clone would hide or mix with; empty if there is nothing. What fetches have brought may be there, and
// the versions of keys that are deleted, which a clone goes on from.
std::string WhatIsInTheWay() {
    std::string found;
    pg::ActiveSnapshot latest(pg::RegisterLatestSnapshot());
    pg::ForEachBranch(latest.get(), [&](const pg::BranchRow& branch) {
        if (branch.name != pg::kMainBranchName) {
            found = "There is branch " + Quoted(branch.name) + ".";
        } else if (branch.head != kInitialCommit) {
            found = "Branch \"main\" has commits.";
        } else if (branch.data_root != kEmptyRoot) {
            found = "Branch \"main\" has entries.";
        }
        return found.empty();
    });
    pg::ForEachTag(latest.get(), [&](std::string_view name, const std::optional<Hash>&) {
        found = "There is tag " + Quoted(name) + ".";
        return false;
    });
    pg::OwnerQuery entry("SELECT FROM _kvs.working WHERE item IS NOT NULL LIMIT 1");
    if (entry.Next()) {
        found = "Branch \"main\" has entries.";
    }
    entry.Finish();
    latest.Release();
    return found;
}

void RequireEmptyStore() {
    const std::string found = WhatIsInTheWay();
    if (!found.empty()) {
        throw Error(ErrorCode::kWrongState, "the store is not empty",
                    "kvs.fetch(remote) brings branches of a remote into any store. Or make room: "
                    "kvs.delete_branch(), kvs.delete_tag(), and kvs.reset() to the last commit of kvs.log().",
                    found);
    }
}

}  // namespace

std::vector<RefTransfer> Fetch(std::string_view remote, std::optional<std::string_view> branch,
                               int64 max_bytes, bool prune) {
    pg::BeginRefEdit();
    Fetcher fetcher(remote, max_bytes);
    const std::vector<RemoteRef> refs = fetcher.Refs();
    std::vector<RefTransfer> reports;
    bool in_budget = true;
    bool is_found = !branch.has_value();
    for (const RemoteRef& ref : refs) {
        if (!ref.is_tag && in_budget && (!branch || ref.name == *branch)) {
            is_found = true;
            in_budget = fetcher.BringBranch(ref, &reports);
        }
    }
    if (prune) {
        const size_t before = reports.size();
        Prune(refs, std::string(remote), branch, &reports);
        is_found |= reports.size() > before;
    }
    if (!is_found) {
        throw Error(ErrorCode::kUnknownRef,
                    "branch " + Quoted(*branch) + " does not exist on remote " + Quoted(remote));
    }
    TakeTags(refs, std::string(remote), &fetcher, &reports);
    fetcher.Finish();
    return reports;
}

RefTransfer Pull(std::string_view remote, std::string_view branch) {
    const RefTransfer fetched = Fetch(remote, branch, PG_INT64_MAX, false).at(0);
    const Hash head = *fetched.new_commit;
    RefTransfer report = fetched;
    report.ref = branch;
    Snapshot latest = pg::RegisterLatestSnapshot();
    pg::Branch local;
    const bool exists = pg::TryFindBranch(branch, latest, &local);
    pg::ReleaseSnapshot(latest);
    if (exists) {
        pg::StagedMerge merge;
        merge.branch_id = local.id;
        merge.source = std::string(remote) + "/" + std::string(branch);
        merge.source_commit = head;
        merge.message = "Merge " + merge.source + " into " + std::string(branch);
        report.old_commit = local.head;
        report.new_commit = pg::MergeOrStage(merge, branch, {}).commit.value_or(local.head);
        return report;
    }
    report.old_commit = pg::MoveBranchTo(branch, head, {false, "pull"});
    return report;
}

std::vector<RefTransfer> Clone(std::string_view remote) {
    pg::BeginRefEdit();
    RequireEmptyStore();
    Fetcher fetcher(remote, PG_INT64_MAX);
    const std::vector<RemoteRef> refs = fetcher.Refs();
    std::vector<RefTransfer> reports;
    for (const RemoteRef& ref : refs) {
        if (ref.is_tag) {
            RefTransfer report;
            report.ref = ref.name;
            fetcher.Bring(ref.head, &report);
            TakeTag(ref, std::string(remote));
            reports.push_back(std::move(report));
        } else {
            fetcher.BringBranch(ref, &reports);
            RefTransfer& report = reports.back();
            report.ref = ref.name;
            report.old_commit = pg::MoveBranchTo(ref.name, ref.head, {false, "clone"});
        }
    }
    fetcher.Finish();
    return reports;
}

}  // namespace kvs::remote

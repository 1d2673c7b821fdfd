#include <algorithm>
#include <optional>
#include <queue>
#include <string>
#include <unordered_set>
#include <utility>

#include "kvs/error.h"
#include "kvs/util/quote.h"
#include "kvs/version/merge_base.h"
#include "pg/branch/ref_edit.h"
#include "pg/chunk/chunk_store.h"
#include "pg/read/commit_range.h"
#include "pg/table/branch_table.h"
#include "pg/table/commit_table.h"
#include "pg/table/remote_table.h"
#include "pg/table/tag_table.h"
#include "pg/wall/guard.h"
#include "pg/wall/scratch.h"
#include "pg/wall/snapshot.h"
#include "remote/store.h"
#include "remote/transfer.h"

namespace kvs::remote {

namespace {

constexpr size_t kFirstCommits = 16;
constexpr size_t kMostCommits = 1024;
constexpr size_t kStepsAtOnce = 1000;
constexpr size_t kBytesAtOnce = size_t{4} << 20;  // of one call
constexpr size_t kCommitsAtOnce = 1000;

// Collects what is to be sent, and sends it in calls of bounded size.
class Outbox {
  public:
    Outbox(Store* store, void (Store::*send)(const std::vector<std::string>&)) : store_(store), send_(send) {}

    void Add(std::string object) {
        bytes_ += object.size();
        total_bytes_ += static_cast<int64>(object.size());
        total_++;
        objects_.push_back(std::move(object));
        if (bytes_ >= kBytesAtOnce || objects_.size() >= kCommitsAtOnce) {
            Flush();
        }
    }

    void Flush() {
        if (!objects_.empty()) {
            (store_->*send_)(objects_);
            objects_.clear();
            bytes_ = 0;
        }
    }

    int64 total() const { return total_; }
    int64 total_bytes() const { return total_bytes_; }

  private:
    Store* store_;
    void (Store::*send_)(const std::vector<std::string>&);
    std::vector<std::string> objects_;
    size_t bytes_ = 0;
    int64 total_ = 0;
    int64 total_bytes_ = 0;
};

// The commits down from `head` that the other side lacks, parents first.
std::vector<Hash> CommitsToSend(const Hash& head, Store* store, Snapshot snapshot) {
    using Entry = std::pair<uint64_t, Hash>;  // by generation
    pg::Scratch scratch("kvs commits to send");
    std::vector<Entry> to_send;
    std::unordered_set<Hash, HashOfHash> met{head};
    std::vector<Hash> frontier{head};
    for (size_t count = kFirstCommits; !frontier.empty(); count = std::min(4 * count, kMostCommits)) {
        // The newest ones, on the chance that the other side has none of them.
        std::priority_queue<Entry> queue;
        for (const Hash& hash : frontier) {
            queue.emplace(pg::ReadCommit(hash, snapshot).generation, hash);
        }
        std::vector<Entry> asked;
        std::vector<Hash> hashes;
        std::vector<std::vector<Hash>> parents;
        while (!queue.empty() && asked.size() < count) {
            const Entry next = queue.top();
            queue.pop();
            asked.push_back(next);
            hashes.push_back(next.second);
            parents.push_back(pg::ReadAncestor(next.second, snapshot)->parents);
            for (const Hash& parent : parents.back()) {
                if (met.insert(parent).second) {
                    queue.emplace(pg::ReadAncestor(parent, snapshot)->generation, parent);
                }
            }
            scratch.Reset();
        }
        frontier.clear();
        for (; !queue.empty(); queue.pop()) {
            frontier.push_back(queue.top().second);
        }
        std::unordered_set<Hash, HashOfHash> known;
        for (const Hash& hash : store->KnownCommits(hashes)) {
            known.insert(hash);
        }
        // What it has, it has with all ancestors.
        std::unordered_set<Hash, HashOfHash> behind;
        for (size_t i = 0; i < asked.size(); i++) {
            const bool is_known = known.contains(asked[i].second) || behind.contains(asked[i].second);
            if (!is_known) {
                to_send.push_back(asked[i]);
                continue;
            }
            behind.insert(parents[i].begin(), parents[i].end());
        }
        std::erase_if(frontier, [&](const Hash& hash) { return behind.contains(hash); });
    }
    scratch.Finish();
    std::sort(to_send.begin(), to_send.end());
    std::vector<Hash> commits;
    commits.reserve(to_send.size());
    for (const Entry& entry : to_send) {
        commits.push_back(entry.second);
    }
    return commits;
}

// Whether the chunk of a step is known to refer to no other.
bool IsEnd(const ObjectWalk::Step& step) {
    return step.role == ChunkRole::kBlob || (step.role == ChunkRole::kMetadata && step.level == 0);
}

// Sends the chunks of a window of commits that the other side lacks.
void SendWindow(const std::vector<pg::NamedCommit>& window, Store* store, Outbox* outbox, Snapshot snapshot) {
    pg::Scratch scratch("kvs chunks to send");
    pg::ChunkStore chunks(snapshot);
    ObjectWalk walk(chunks);
    pg::AddWindow(&walk, window, [&](const Hash& parent) { return pg::ReadCommit(parent, snapshot); });
    for (;;) {
        const std::vector<ObjectWalk::Step> steps = walk.Take(kStepsAtOnce);
        if (steps.empty()) {
            break;
        }
        std::vector<Hash> addresses;
        addresses.reserve(steps.size());
        for (const ObjectWalk::Step& step : steps) {
            addresses.push_back(step.address);
        }
        std::unordered_set<Hash, HashOfHash> missing;
        for (const Hash& address : store->MissingChunks(addresses)) {
            missing.insert(address);
        }
        for (const ObjectWalk::Step& step : steps) {
            const bool is_missing = missing.contains(step.address);
            if (!is_missing && IsEnd(step)) {
                continue;
            }
            pg::ChunkStore::Portable chunk = chunks.ReadPortable(step.address);
            walk.Expand(step, std::move(chunk.raw));
            if (is_missing) {
                outbox->Add(std::move(chunk.frame));
            }
        }
        scratch.Reset();
    }
    outbox->Flush();
    scratch.Finish();
}

void SendChunks(const std::vector<Hash>& commits, Store* store, Outbox* outbox, Snapshot snapshot) {
    for (size_t begin = 0; begin < commits.size(); begin += pg::kCommitWindow) {
        const size_t end = std::min(commits.size(), begin + pg::kCommitWindow);
        std::vector<pg::NamedCommit> window;
        for (size_t i = begin; i < end; i++) {
            window.push_back({commits[i], pg::ReadCommit(commits[i], snapshot)});
        }
        SendWindow(window, store, outbox, snapshot);
    }
}

// What is pushed: a branch, or a tag.
struct Pushed {
    std::string name;
    Hash head;
    std::optional<pg::Tag> tag;

    std::string Refusal(std::string_view remote) const {
        return std::string("cannot push ") + (tag ? "tag " : "branch ") + Quoted(name) + " to remote " +
               Quoted(remote);
    }
};

Pushed FindPushed(std::string_view name, Snapshot snapshot) {
    pg::Branch branch;
    if (!name.empty() && !pg::TryFindBranch(name, snapshot, &branch)) {
        if (std::optional<pg::Tag> tag = pg::ReadTag(name, snapshot)) {
            return {std::string(name), tag->commit, std::move(tag)};
        }
    }
    branch = pg::FindNamedBranch(name, snapshot);
    return {branch.name, branch.head, std::nullopt};
}

// That nothing is lost there.
void RequireForward(const Hash& remote_head, const Pushed& pushed, std::string_view remote,
                    Snapshot snapshot) {
    if (pushed.tag) {
        throw Error(ErrorCode::kWrongState,
                    pushed.Refusal(remote) + ": it stands at commit " + remote_head.ToHex() + " there",
                    "A tag does not move, unless by force => true.");
    }
    pg::CommitTable graph(snapshot);
    if (!pg::TryReadCommit(remote_head, snapshot) || !IsAncestor(graph, remote_head, pushed.head)) {
        throw Error(
            ErrorCode::kWrongState, pushed.Refusal(remote) + ": it has commits there that are not here",
            "Fetch and merge the branch first, or use force => true, which discards its commits there.");
    }
}

// In this very database a ref stands elsewhere than it does for this transaction only because that has moved
// it. Whoever is sent what the transaction has stored would wait for its end, and the transaction for him.
void RequireOtherDatabase(const Pushed& pushed, Store* store) {
    if (TransactionIdIsValid(GetTopTransactionIdIfAny()) && store->IsThisDatabase()) {
        throw Error(ErrorCode::kWrongState, pushed.Refusal(store->name()) + ", which is this database",
                    "Commit the transaction first: a push belongs in a transaction of its own.",
                    "It was moved, created or renamed by this transaction, for which the push would wait.");
    }
}

// Returns where the ref stood there.
std::optional<Hash> Send(const Pushed& pushed, bool force, Store* store, Snapshot snapshot,
                         RefTransfer* report) {
    const std::vector<Hash> commits = CommitsToSend(pushed.head, store, snapshot);
    Outbox chunks(store, &Store::SendChunks);
    SendChunks(commits, store, &chunks, snapshot);
    report->chunks = chunks.total();
    report->bytes = chunks.total_bytes();

    store->Begin();
    Outbox encoded(store, &Store::SendCommits);
    for (const Hash& hash : commits) {
        encoded.Add(EncodeCommit(pg::ReadCommit(hash, snapshot)));
    }
    encoded.Flush();
    const std::optional<Hash> before =
        pushed.tag ? store->PlaceTag(*pushed.tag, force) : store->MoveBranch(pushed.name, pushed.head, force);
    store->Commit();
    return before;
}

}  // namespace

RefTransfer Push(std::string_view remote, std::string_view name, bool force) {
    pg::BeginRefEdit();
    Snapshot snapshot = pg::RegisterLatestSnapshot();
    const Pushed pushed = FindPushed(name, snapshot);
    Store store(remote);
    RefTransfer report;
    report.ref = pushed.tag ? pushed.name : std::string(remote) + "/" + pushed.name;
    report.new_commit = pushed.head;
    for (const RemoteRef& ref : store.Refs()) {
        if (ref.is_tag == pushed.tag.has_value() && ref.name == pushed.name) {
            report.old_commit = ref.head;
        }
    }
    if (report.old_commit != pushed.head) {
        RequireOtherDatabase(pushed, &store);
        if (report.old_commit && !force) {
            RequireForward(*report.old_commit, pushed, remote, snapshot);
        }
        report.old_commit = Send(pushed, force, &store, snapshot, &report);
    }
    if (!pushed.tag) {
        pg::SetRemoteRef(remote, pushed.name, pushed.head);
    }
    pg::ReleaseSnapshot(snapshot);
    return report;
}

}  // namespace kvs::remote

// Painting from both ends, as git's paint_down_to_common does. A commit is taken out of the queue only after
// all its descendants, because they have higher generations; so what it was painted with is then final.
#include "kvs/version/merge_base.h"

#include <algorithm>
#include <queue>
#include <unordered_map>
#include <utility>

#include "kvs/error.h"

namespace kvs {

namespace {

enum Paint : uint8_t {
    kLeft = 1,   // an ancestor of the left commit
    kRight = 2,  // an ancestor of the right commit
    kStale = 4,  // an ancestor of a base that was found
    kBoth = kLeft | kRight,
};

struct Visited {
    CommitLinks links;
    uint8_t paint = 0;
};

// Commits in descending order of their generation, each once, painted.
class Frontier {
  public:
    explicit Frontier(CommitGraph& graph) : graph_(graph) {}

    // Adds `paint` to a commit, which is put into the queue if it was not met before.
    const CommitLinks& Add(const Hash& commit, uint8_t paint, bool is_tip = false) {
        auto [position, inserted] = visited_.try_emplace(commit);
        Visited& visited = position->second;
        if (inserted) {
            visited.links = is_tip ? graph_.ReadTip(commit) : graph_.ReadLinks(commit);
            queue_.emplace(visited.links.generation, commit);
            live_ += (paint & kStale) == 0 ? 1 : 0;
        } else if ((visited.paint & kStale) == 0 && (paint & kStale) != 0) {
            live_--;
        }
        visited.paint |= paint;
        return visited.links;
    }

    // Adds `paint` to all parents of a commit that was taken out.
    void AddParents(const Hash& commit, uint8_t paint) {
        const CommitLinks& links = visited_.find(commit)->second.links;
        for (const Hash& parent : links.parents) {
            if (Add(parent, paint).generation >= links.generation) {
                throw Error(ErrorCode::kCorruption, "commit " + commit.ToHex() +
                                                        " is not of a later generation than its parent " +
                                                        parent.ToHex());
            }
        }
    }

    // Whether the queue holds a commit that is not stale.
    bool HasLive() const { return live_ > 0; }

    // Takes out the commit of the highest generation.
    std::pair<Hash, uint8_t> Pop() {
        Hash commit = queue_.top().second;
        queue_.pop();
        uint8_t paint = visited_.find(commit)->second.paint;
        live_ -= (paint & kStale) == 0 ? 1 : 0;
        return {commit, paint};
    }

    uint64_t Generation(const Hash& commit) const { return visited_.find(commit)->second.links.generation; }

  private:
    CommitGraph& graph_;
    std::unordered_map<Hash, Visited, HashOfHash> visited_;  // its elements stay where they are
    std::priority_queue<std::pair<uint64_t, Hash>> queue_;
    size_t live_ = 0;  // commits in the queue that are not stale
};

}  // namespace

std::vector<Hash> MergeBases(CommitGraph& graph, const Hash& left, const Hash& right) {
    Frontier frontier(graph);
    frontier.Add(left, kLeft, true);
    frontier.Add(right, kRight, true);
    std::vector<Hash> bases;
    while (frontier.HasLive()) {
        auto [commit, paint] = frontier.Pop();
        if ((paint & kBoth) == kBoth && (paint & kStale) == 0) {
            bases.push_back(commit);
            paint |= kStale;
        }
        frontier.AddParents(commit, paint);
    }
    std::sort(bases.begin(), bases.end());
    return bases;
}

bool IsAncestor(CommitGraph& graph, const Hash& ancestor, const Hash& descendant) {
    if (ancestor == descendant) {
        return true;
    }
    uint64_t generation = graph.ReadTip(ancestor).generation;
    Frontier frontier(graph);
    frontier.Add(descendant, kLeft, true);
    while (frontier.HasLive()) {
        Hash commit = frontier.Pop().first;
        if (commit == ancestor) {
            return true;
        }
        // Nothing below the ancestor's generation can lead up to it.
        if (frontier.Generation(commit) > generation) {
            frontier.AddParents(commit, kLeft);
        }
    }
    return false;
}

}  // namespace kvs

#include "pg/read/commit_range.h"

#include <algorithm>
#include <queue>
#include <unordered_map>
#include <unordered_set>
#include <utility>

#include "kvs/error.h"
#include "pg/table/commit_table.h"
#include "pg/wall/scratch.h"

namespace kvs::pg {

CommitRange CommitsBetween(const Hash& head, const std::vector<Hash>& without, Snapshot snapshot) {
    Scratch scratch("kvs commit range");
    CommitRange range;
    // A commit is looked at after all its children, which are of higher generations: then it is known whether
    // it is left out. The walk ends when only such ones remain.
    std::unordered_map<Hash, bool, HashOfHash> left_out;
    std::priority_queue<std::pair<uint64_t, Hash>> queue;
    size_t wanted_in_queue = 0;
    CommitTable graph(snapshot);
    const auto add = [&](const Hash& hash, bool out, bool is_tip) {
        const auto [position, is_new] = left_out.try_emplace(hash, out);
        if (is_new) {
            const CommitLinks links = is_tip ? graph.ReadTip(hash) : graph.ReadLinks(hash);
            queue.emplace(links.generation, hash);
            wanted_in_queue += out ? 0 : 1;
        } else if (out && !position->second) {
            position->second = true;
            wanted_in_queue--;
        }
    };
    add(head, false, true);
    add(kInitialCommit, true, true);
    for (const Hash& hash : without) {
        add(hash, true, true);
    }
    std::unordered_set<Hash, HashOfHash> boundary;
    while (wanted_in_queue > 0) {
        const Hash hash = queue.top().second;
        queue.pop();
        const bool out = left_out.at(hash);
        if (!out) {
            range.commits.push_back(hash);
            wanted_in_queue--;
        }
        for (const Hash& parent : graph.ReadLinks(hash).parents) {
            add(parent, out, false);
            if (!out) {
                boundary.insert(parent);
            }
        }
        scratch.Reset();
    }
    std::reverse(range.commits.begin(), range.commits.end());
    for (const Hash& hash : boundary) {
        if (left_out.at(hash)) {
            range.boundary.push_back(hash);
        }
    }
    std::sort(range.boundary.begin(), range.boundary.end());
    scratch.Finish();
    return range;
}

void AddWindow(ObjectWalk* walk, const std::vector<NamedCommit>& window, const ParentReader& read_parent) {
    struct Known {
        uint64_t generation;
        TreePair base;
    };
    std::unordered_map<Hash, Known, HashOfHash> known;
    for (const NamedCommit& named : window) {
        const Commit& commit = named.commit;
        std::optional<TreePair> base;
        uint64_t generation = 0;
        for (const Hash& parent : commit.parents) {
            Known of_parent;
            if (const auto found = known.find(parent); found != known.end()) {
                of_parent = found->second;
            } else {
                const Commit read = read_parent(parent);
                of_parent = {read.generation, {read.data_root, read.meta_root}};
            }
            generation = std::max(generation, of_parent.generation + 1);
            if (!base) {
                base = of_parent.base;
            }
        }
        if (generation != commit.generation) {
            throw Error(ErrorCode::kCorruption,
                        "commit " + named.hash.ToHex() + " has a generation that does not fit its parents");
        }
        walk->Add(commit, base ? &*base : nullptr);
        known[named.hash] = {commit.generation, base.value_or(TreePair{})};
    }
}

}  // namespace kvs::pg

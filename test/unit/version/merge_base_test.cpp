#include "kvs/version/merge_base.h"

#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include <algorithm>
#include <map>
#include <set>

#include "kvs/error.h"

namespace kvs {
namespace {

Hash Id(int number) {
    Hash hash;
    hash.bytes[0] = static_cast<uint8_t>(number * 151);  // addresses come in another order than commits
    hash.bytes[1] = static_cast<uint8_t>(number);
    hash.bytes[2] = static_cast<uint8_t>(number >> 8);
    return hash;
}

// A graph in memory; it counts what is read of it.
class TestGraph : public CommitGraph {
  public:
    // Commits are numbered from 0 in the order in which they are added.
    int Add(const std::vector<int>& parents) {
        CommitLinks links;
        for (int parent : parents) {
            links.parents.push_back(Id(parent));
            links.generation = std::max(links.generation, commits_[Id(parent)].generation + 1);
        }
        commits_[Id(count_)] = links;
        return count_++;
    }

    CommitLinks ReadLinks(const Hash& commit) override {
        reads++;
        auto found = commits_.find(commit);
        if (found == commits_.end()) {
            throw Error(ErrorCode::kCorruption, "commit " + commit.ToHex() + " is missing");
        }
        return found->second;
    }

    void SetGeneration(int commit, uint64_t generation) { commits_[Id(commit)].generation = generation; }

    // By the definition, from the ancestors of each commit, without generations.
    std::vector<Hash> NaiveBases(const std::vector<std::set<int>>& ancestors, int left, int right) const {
        std::vector<int> common;
        std::set_intersection(ancestors[left].begin(), ancestors[left].end(), ancestors[right].begin(),
                              ancestors[right].end(), std::back_inserter(common));
        std::vector<Hash> best;
        for (int commit : common) {
            bool covered = std::any_of(common.begin(), common.end(), [&](int other) {
                return other != commit && ancestors[other].count(commit) > 0;
            });
            if (!covered) {
                best.push_back(Id(commit));
            }
        }
        std::sort(best.begin(), best.end());
        return best;
    }

    size_t reads = 0;

  private:
    std::map<Hash, CommitLinks> commits_;
    int count_ = 0;
};

std::vector<Hash> Ids(std::vector<int> numbers) {
    std::vector<Hash> ids;
    for (int number : numbers) {
        ids.push_back(Id(number));
    }
    std::sort(ids.begin(), ids.end());
    return ids;
}

TEST(MergeBases, Line) {
    TestGraph graph;
    int a = graph.Add({});
    int b = graph.Add({a});
    int c = graph.Add({b});
    EXPECT_EQ(MergeBases(graph, Id(c), Id(a)), Ids({a}));
    EXPECT_EQ(MergeBases(graph, Id(a), Id(c)), Ids({a}));
    EXPECT_EQ(MergeBases(graph, Id(b), Id(b)), Ids({b}));
}

TEST(MergeBases, Fork) {
    TestGraph graph;
    int root = graph.Add({});
    int base = graph.Add({root});
    int left = graph.Add({graph.Add({base})});
    int right = graph.Add({base});
    EXPECT_EQ(MergeBases(graph, Id(left), Id(right)), Ids({base}));
}

TEST(MergeBases, CrissCrossHasTwo) {
    TestGraph graph;
    int root = graph.Add({});
    int a = graph.Add({root});
    int b = graph.Add({root});
    int left = graph.Add({a, b});
    int right = graph.Add({b, a});
    EXPECT_EQ(MergeBases(graph, Id(left), Id(right)), Ids({a, b}));
    int left2 = graph.Add({left, right});
    int right2 = graph.Add({right, left});
    EXPECT_EQ(MergeBases(graph, Id(left2), Id(right2)), Ids({left, right}));
}

// The long way down must not hide that one common ancestor is an ancestor of another.
TEST(MergeBases, AnAncestorOfABaseIsNone) {
    TestGraph graph;
    int old_base = graph.Add({});
    int base = graph.Add({graph.Add({graph.Add({old_base})})});
    int left = graph.Add({base, old_base});
    int right = graph.Add({old_base, base});
    EXPECT_EQ(MergeBases(graph, Id(left), Id(right)), Ids({base}));
}

TEST(MergeBases, UnrelatedHistories) {
    TestGraph graph;
    int left = graph.Add({graph.Add({})});
    int right = graph.Add({graph.Add({})});
    EXPECT_EQ(MergeBases(graph, Id(left), Id(right)), std::vector<Hash>());
}

TEST(MergeBases, ReadsOnlyDownToTheBase) {
    TestGraph graph;
    int last = graph.Add({});
    for (int i = 0; i < 1000; i++) {
        last = graph.Add({last});
    }
    int left = graph.Add({last});
    int right = graph.Add({last});
    EXPECT_EQ(MergeBases(graph, Id(left), Id(right)), Ids({last}));
    EXPECT_LE(graph.reads, 5u);
    graph.reads = 0;
    EXPECT_FALSE(IsAncestor(graph, Id(left), Id(right)));
    EXPECT_LE(graph.reads, 4u);
}

TEST(MergeBases, MissingAndImpossibleCommits) {
    TestGraph graph;
    int root = graph.Add({});
    int left = graph.Add({root});
    int right = graph.Add({root});
    EXPECT_THROW(MergeBases(graph, Id(left), Id(99)), Error);
    EXPECT_THROW(IsAncestor(graph, Id(99), Id(left)), Error);
    graph.SetGeneration(root, 7);
    try {
        MergeBases(graph, Id(left), Id(right));
        FAIL() << "took a parent that is younger than its child";
    } catch (const Error& error) {
        EXPECT_EQ(error.code(), ErrorCode::kCorruption);
    }
}

RC_GTEST_PROP(MergeBases, AgreeWithTheDefinition, ()) {
    TestGraph graph;
    int commits = *rc::gen::inRange(1, 26);
    for (int i = 0; i < commits; i++) {
        std::set<int> parents;
        int wanted = i == 0 ? 0 : *rc::gen::weightedElement<int>({{1, 0}, {6, 1}, {6, 2}, {1, 3}});
        // Mostly young parents, so that merges cross often.
        for (int k = 0; k < wanted; k++) {
            parents.insert(*rc::gen::inRange(std::max(0, i - *rc::gen::element(3, 6, 25)), i));
        }
        graph.Add({parents.begin(), parents.end()});
    }
    std::vector<std::set<int>> ancestors;
    for (int i = 0; i < commits; i++) {
        std::set<int> own = {i};
        for (const Hash& parent : graph.ReadLinks(Id(i)).parents) {
            const std::set<int>& above = ancestors[parent.bytes[1]];
            own.insert(above.begin(), above.end());
        }
        ancestors.push_back(own);
    }
    for (int left = 0; left < commits; left++) {
        for (int right = 0; right < commits; right++) {
            RC_ASSERT(MergeBases(graph, Id(left), Id(right)) == graph.NaiveBases(ancestors, left, right));
            RC_ASSERT(IsAncestor(graph, Id(left), Id(right)) == (ancestors[right].count(left) > 0));
        }
    }
}

}  // namespace
}  // namespace kvs

#include "kvs/version/ancestry.h"

#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include <algorithm>
#include <unordered_map>
#include <utility>
#include <vector>

#include "kvs/error.h"
#include "kvs/version/commit_graph.h"

namespace kvs {
namespace {

Hash Id(uint64_t number) {
    Hash hash;
    hash.bytes[0] = static_cast<uint8_t>(number * 151);
    for (int i = 1; i < 9; i++) {
        hash.bytes[i] = static_cast<uint8_t>(number >> (8 * (i - 1)));
    }
    hash.bytes[31] = 1;  // none is all zeros
    return hash;
}

// A graph in memory whose commits get their ancestries as a store gives them; it counts what is read of it.
class TestGraph : public CommitGraph {
  public:
    // Commits are numbered from 0 in the order in which they are added.
    uint64_t Add(const std::vector<uint64_t>& parents) {
        CommitLinks links;
        for (const uint64_t parent : parents) {
            links.parents.push_back(Id(parent));
        }
        if (parents.empty()) {
            ancestries_[Id(count_)] = std::make_shared<const Ancestry>();
        } else if (const AncestryRef of_parent = ancestries_[Id(parents[0])]) {
            ancestries_[Id(count_)] =
                std::make_shared<const Ancestry>(AncestryOfChild(Id(parents[0]), *of_parent));
        }
        commits_[Id(count_)] = links;
        return count_++;
    }

    CommitLinks ReadLinks(const Hash& commit) override {
        reads++;
        return commits_.at(commit);
    }

    AncestryRef ReadAncestry(const Hash& commit) override {
        hops++;
        return ancestries_[commit];
    }

    AncestryRef& AncestryAt(uint64_t commit) { return ancestries_[Id(commit)]; }

    // One first parent after the other.
    Hash Naive(uint64_t commit, uint64_t steps) const {
        Hash at = Id(commit);
        for (; steps > 0 && !commits_.at(at).parents.empty(); steps--) {
            at = commits_.at(at).parents[0];
        }
        return at;
    }

    size_t reads = 0;  // of whole commits
    size_t hops = 0;   // of ancestries alone

  private:
    std::unordered_map<Hash, CommitLinks, HashOfHash> commits_;
    std::unordered_map<Hash, AncestryRef, HashOfHash> ancestries_;
    uint64_t count_ = 0;
};

TestGraph Line(uint64_t count) {
    TestGraph graph;
    graph.Add({});
    for (uint64_t i = 1; i < count; i++) {
        graph.Add({i - 1});
    }
    return graph;
}

TEST(Ancestry, PointersLeadWhereTheTableSays) {
    const std::vector<std::pair<uint64_t, std::vector<uint64_t>>> expected = {
        {0, {}},
        {1, {0}},
        {2, {1, 0}},
        {6, {5, 4, 3, 2, 1, 0}},
        {7, {5, 4, 3, 2, 1, 0}},
        {8, {7, 0}},
        {14, {12, 11, 10, 9, 8, 7, 0}},
        {43, {40, 39, 38, 37, 36, 35, 28, 21, 14, 7, 0}},
        {44, {43, 0}}};
    for (const auto& [depth, pointers] : expected) {
        EXPECT_EQ(PointerDepths(depth), pointers) << depth;
    }
    EXPECT_EQ(PointerDepths((uint64_t{1} << 62) - 1).back(), 0u);
    EXPECT_LE(PointerDepths((uint64_t{1} << 62) - 1).size(), 64u);
}

TEST(Ancestry, OfAChildIsThatOfItsDepth) {
    TestGraph graph = Line(5000);
    for (uint64_t i = 1; i < 5000; i++) {
        ASSERT_TRUE(graph.AncestryAt(i));
        EXPECT_EQ(graph.AncestryAt(i)->depth, i);
        std::vector<Hash> pointers;
        for (const uint64_t depth : PointerDepths(i)) {
            pointers.push_back(Id(depth));
        }
        EXPECT_EQ(graph.AncestryAt(i)->pointers, pointers);
        EXPECT_LE(pointers.size(), 23u);
    }
}

TEST(Ancestry, EveryAncestorIsFoundInLogarithmicallyManySteps) {
    constexpr uint64_t kCount = 1 << 17;
    constexpr uint64_t kDeepest = 8;  // a tree of 6^7 is larger
    TestGraph graph = Line(kCount);
    for (uint64_t n = 1; n < kCount; n = n * 5 / 4 + 1) {
        graph.reads = graph.hops = 0;
        uint64_t steps = n;
        EXPECT_EQ(AncestorAlongFirstParents(graph, Id(kCount - 1), &steps), Id(kCount - 1 - n));
        EXPECT_EQ(steps, 0u);
        EXPECT_LE(graph.hops, std::min<uint64_t>(n, kDeepest)) << n;
        EXPECT_LE(graph.reads, 2u) << n;  // of those whose first parent is the next step
    }
}

TEST(Ancestry, StepsAreLeftBehindTheLastParent) {
    TestGraph graph = Line(100);
    uint64_t steps = 1000;
    EXPECT_EQ(AncestorAlongFirstParents(graph, Id(99), &steps), Id(0));
    EXPECT_EQ(steps, 1000u - 99);
    steps = 3;
    EXPECT_EQ(AncestorAlongFirstParents(graph, Id(0), &steps), Id(0));
    EXPECT_EQ(steps, 3u);
}

// Merges, several roots, and commits whose ancestry is not known.
RC_GTEST_PROP(Ancestry, FindsWhatANaiveWalkFinds, ()) {
    TestGraph graph;
    const auto count = *rc::gen::inRange<uint64_t>(1, 300);
    for (uint64_t i = 0; i < count; i++) {
        std::vector<uint64_t> parents;
        if (i > 0 && *rc::gen::inRange(0, 50) > 0) {
            const uint64_t back = *rc::gen::inRange<uint64_t>(1, std::min<uint64_t>(i, 4) + 1);
            parents.push_back(i - back);
            const auto other = *rc::gen::inRange<uint64_t>(0, i);
            if (other != parents[0]) {
                parents.push_back(other);
            }
        }
        graph.Add(parents);
    }
    const auto unknown = *rc::gen::container<std::vector<uint64_t>>(rc::gen::inRange<uint64_t>(0, count));
    for (size_t i = 0; i < unknown.size() && i < 20; i++) {
        graph.AncestryAt(unknown[i]).reset();
    }
    const auto start = *rc::gen::inRange<uint64_t>(0, count);
    const auto n = *rc::gen::inRange<uint64_t>(0, count + 5);
    uint64_t steps = n;
    RC_ASSERT(AncestorAlongFirstParents(graph, Id(start), &steps) == graph.Naive(start, n));
    RC_ASSERT(steps <= n);
}

TEST(Ancestry, APointerThatLeadsToAnotherDepthIsRefused) {
    TestGraph graph = Line(100);
    Ancestry damaged = *graph.AncestryAt(62);
    damaged.pointers.assign(damaged.pointers.size(), Id(50));
    graph.AncestryAt(62) = std::make_shared<const Ancestry>(damaged);
    uint64_t steps = 40;
    EXPECT_THROW(AncestorAlongFirstParents(graph, Id(62), &steps), Error);
}

TEST(Ancestry, EncodingIsOfOneCommitAndItsBytes) {
    const Ancestry ancestry = {8, {Id(7), Id(0)}};
    const std::string encoded = EncodeAncestry(Id(9), ancestry);
    EXPECT_EQ(encoded.size(), 1u + 8 + 2 * Hash::kSize + 8);
    EXPECT_EQ(DecodeAncestry(Id(9), encoded), ancestry);
    EXPECT_EQ(DecodeAncestry(Id(10), encoded), std::nullopt);
    EXPECT_EQ(DecodeAncestry(Id(9), encoded + '\0'), std::nullopt);
    for (size_t i = 0; i < encoded.size(); i++) {
        EXPECT_EQ(DecodeAncestry(Id(9), encoded.substr(0, i)), std::nullopt);
        std::string damaged = encoded;
        damaged[i] = static_cast<char>(damaged[i] ^ 4);
        EXPECT_EQ(DecodeAncestry(Id(9), damaged), std::nullopt);
    }
}

}  // namespace
}  // namespace kvs

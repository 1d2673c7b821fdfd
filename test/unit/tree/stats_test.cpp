#include "kvs/tree/stats.h"

#include <gtest/gtest.h>

#include <numeric>
#include <set>

#include "support.h"

namespace kvs::test {
namespace {

TEST(StatsTest, SumsUpTheTree) {
    TestStore store;
    const Entries entries = MakeEntries(KeyShape::kUuid, 5000, 1);
    const Hash root = Build(store.nodes, entries);
    const TreeStats stats = CollectTreeStats(store.nodes, root);
    EXPECT_EQ(stats.entries, entries.size());
    EXPECT_EQ(stats.nodes, store.nodes.chunk_count());
    EXPECT_EQ(stats.bytes, store.nodes.chunk_bytes());
    EXPECT_EQ(stats.depth, store.nodes.ReadNode(root)->level() + 1);
    EXPECT_LT(stats.leaves, stats.nodes);
    EXPECT_LT(stats.leaf_bytes, stats.bytes);
    EXPECT_EQ(std::accumulate(stats.nodes_by_size.begin(), stats.nodes_by_size.end(), uint64_t{0}),
              stats.nodes);
}

TEST(StatsTest, TheEmptyTreeHasNothing) {
    TestStore store;
    const TreeStats stats = CollectTreeStats(store.nodes, kEmptyRoot);
    EXPECT_EQ(stats.depth, 0);
    EXPECT_EQ(stats.nodes, 0u);
    EXPECT_EQ(stats.entries, 0u);
}

TEST(StatsTest, ASingleLeafHasDepthOne) {
    TestStore store;
    const TreeStats stats = CollectTreeStats(store.nodes, Build(store.nodes, {{"a", "1"}}));
    EXPECT_EQ(stats.depth, 1);
    EXPECT_EQ(stats.leaves, 1u);
    EXPECT_EQ(stats.nodes_by_size[0], 1u);
}

TEST(WalkTest, VisitsEveryNodeOnceParentsFirst) {
    TestStore store;
    const Hash root = Build(store.nodes, MakeEntries(KeyShape::kRandom, 5000, 1));
    std::set<Hash> seen;
    int previous_level = -1;
    WalkNodes(store.nodes, root, [&](const Hash& address, const NodeRef& node) {
        EXPECT_TRUE(seen.insert(address).second);
        EXPECT_TRUE(previous_level <= node->level() || previous_level == node->level() + 1);
        previous_level = node->level();
        return true;
    });
    EXPECT_EQ(seen.size(), store.nodes.chunk_count());
}

TEST(WalkTest, LeavesOutWhatTheVisitorRefuses) {
    TestStore store;
    const Hash root = Build(store.nodes, MakeEntries(KeyShape::kSequential, 5000, 1));
    const NodeRef root_node = store.nodes.ReadNode(root);
    store.nodes.ResetCounters();
    size_t visits = 0;
    WalkNodes(store.nodes, root, [&](const Hash&, const NodeRef& node) {
        ++visits;
        return node->level() == root_node->level();
    });
    EXPECT_EQ(visits, 1 + root_node->count());
    EXPECT_EQ(store.nodes.reads(), visits);
}

}  // namespace
}  // namespace kvs::test

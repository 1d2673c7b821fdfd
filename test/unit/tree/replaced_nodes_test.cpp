#include "kvs/tree/replaced_nodes.h"

#include <gtest/gtest.h>

#include <set>

#include "kvs/tree/stats.h"
#include "support.h"

namespace kvs::test {
namespace {

// A node lies over the keys behind the last one of the node before it, up to its own last key.
struct NodeInfo {
    int level;
    std::optional<std::string> before;
    std::string last_key;

    bool Meets(const NodeInfo& other) const {
        return (!before || *before < other.last_key) && (!other.before || *other.before < last_key);
    }
};
using Nodes = std::map<Hash, NodeInfo>;

Nodes NodesOf(NodeStore& store, const Hash& root) {
    Nodes nodes;
    std::map<int, std::string> last_keys;
    WalkNodes(store, root, [&](const Hash& address, const NodeRef& node) {
        NodeInfo info{node->level(), std::nullopt, {}};
        if (const auto before = last_keys.find(info.level); before != last_keys.end()) {
            info.before = before->second;
        }
        node->Key(node->count() - 1, &info.last_key);
        last_keys[info.level] = info.last_key;
        nodes[address] = info;
        return true;
    });
    return nodes;
}

std::map<Hash, ReplacedNode> Replaced(NodeStore& store, const Hash& from, const Hash& to) {
    std::map<Hash, ReplacedNode> replaced;
    VisitReplacedNodes(store, from, to, [&](const ReplacedNode& pair) {
        EXPECT_TRUE(replaced.emplace(pair.old_node, pair).second) << "a node comes twice";
    });
    return replaced;
}

int HeightOf(const Nodes& nodes) {
    int height = -1;
    for (const auto& [address, info] : nodes) {
        height = std::max(height, info.level);
    }
    return height;
}

// By definition: each node of `from` that `to` lacks, up to the height of both, once, beside a node of the
// same level, and over some of its keys wherever there is one.
void ExpectRight(NodeStore& store, const Hash& from, const Hash& to) {
    const Nodes old_nodes = NodesOf(store, from);
    const Nodes new_nodes = NodesOf(store, to);
    const int height = HeightOf(new_nodes);
    const std::map<Hash, ReplacedNode> replaced = Replaced(store, from, to);
    size_t expected = 0;
    for (const auto& [address, info] : old_nodes) {
        if (new_nodes.contains(address) || info.level > height) {
            ASSERT_FALSE(replaced.contains(address));
            continue;
        }
        expected++;
        const auto found = replaced.find(address);
        ASSERT_NE(found, replaced.end()) << "level " << info.level;
        const auto partner = new_nodes.find(found->second.new_node);
        ASSERT_NE(partner, new_nodes.end());
        ASSERT_EQ(partner->second.level, info.level);
        ASSERT_EQ(found->second.level, info.level);
        bool any_meets = false;
        for (const auto& [other, candidate] : new_nodes) {
            any_meets = any_meets || (candidate.level == info.level && candidate.Meets(info));
        }
        ASSERT_EQ(partner->second.Meets(info), any_meets);
    }
    ASSERT_EQ(replaced.size(), expected);
}

Batch RandomBatch(KeyShape shape, size_t key_space, size_t changes, Random& random) {
    Batch batch;
    for (size_t i = 0; i < changes; i++) {
        const std::string key = MakeKey(shape, Below(random, key_space));
        batch[key] = Below(random, 4) == 0 ? std::nullopt : std::optional<std::string>(MakeValue(random));
    }
    return batch;
}

TEST(ReplacedNodes, OfEqualAndEmptyTrees) {
    TestStore store;
    const Hash root = Build(store.nodes, MakeEntries(KeyShape::kUuid, 500, 1));
    store.nodes.ResetCounters();
    EXPECT_TRUE(Replaced(store.nodes, root, root).empty());
    EXPECT_TRUE(Replaced(store.nodes, kEmptyRoot, root).empty());
    EXPECT_TRUE(Replaced(store.nodes, root, kEmptyRoot).empty());
    EXPECT_EQ(store.nodes.reads(), 0u);
}

TEST(ReplacedNodes, AreThoseThatTheOtherTreeLacks) {
    for (const KeyShape shape : kAllKeyShapes) {
        const size_t count = shape == KeyShape::kHuge ? 150 : 2500;
        TestStore store;
        const Hash from = Build(store.nodes, MakeEntries(shape, count, 3));
        for (uint64_t seed = 0; seed < 30; seed++) {
            SCOPED_TRACE(testing::Message() << "shape " << static_cast<int>(shape) << " seed " << seed);
            Random random(seed);
            const Hash to = Edit(
                store.nodes, from,
                RandomBatch(shape, count + count / 5, 1 + Below(random, seed % 3 == 0 ? 300 : 5), random));
            ExpectRight(store.nodes, from, to);
            ExpectRight(store.nodes, to, from);
        }
    }
}

TEST(ReplacedNodes, OfTreesOfAnySizes) {
    TestStore store;
    std::vector<Hash> roots;
    for (const size_t count : {0, 1, 5, 40, 300, 2000, 9000}) {
        for (const uint64_t seed : {1, 2}) {
            roots.push_back(Build(store.nodes, MakeEntries(KeyShape::kPrefix, count, seed)));
        }
    }
    for (const Hash& from : roots) {
        for (const Hash& to : roots) {
            ExpectRight(store.nodes, from, to);
        }
    }
}

TEST(ReplacedNodes, ReadsNoLeafAndNothingThatIsShared) {
    TestStore store;
    Random random(1);
    const Hash from = Build(store.nodes, MakeEntries(KeyShape::kSequential, 50000, 1));
    const Hash to = Edit(store.nodes, from, {{MakeKey(KeyShape::kSequential, 25000), "changed"}});
    const int depth = CollectTreeStats(store.nodes, from).depth;
    store.nodes.ResetCounters();
    const std::map<Hash, ReplacedNode> replaced = Replaced(store.nodes, from, to);
    EXPECT_EQ(replaced.size(), static_cast<size_t>(depth));
    EXPECT_LE(store.nodes.reads(), static_cast<uint64_t>(2 * (depth - 1)));
}

// Small changes: nearly always the same keys, which is what makes deltas small.
TEST(ReplacedNodes, BelongTogether) {
    TestStore store;
    Random random(5);
    const Hash from = Build(store.nodes, MakeEntries(KeyShape::kSequential, 20000, 1));
    Batch batch;
    for (int i = 0; i < 100; i++) {
        batch[MakeKey(KeyShape::kSequential, Below(random, 20000))] = std::string(40, 'c');
    }
    const Hash to = Edit(store.nodes, from, batch);
    const Nodes old_nodes = NodesOf(store.nodes, from);
    const Nodes new_nodes = NodesOf(store.nodes, to);
    size_t same_end = 0;
    const std::map<Hash, ReplacedNode> replaced = Replaced(store.nodes, from, to);
    for (const auto& [address, pair] : replaced) {
        same_end += old_nodes.at(address).last_key == new_nodes.at(pair.new_node).last_key;
    }
    EXPECT_GT(same_end * 10, replaced.size() * 7);
}

TEST(ReplacedNodes, DamageIsAnError) {
    TestStore store;
    const Hash from = Build(store.nodes, MakeEntries(KeyShape::kSequential, 20000, 1));
    const Hash to = Edit(store.nodes, from, {{MakeKey(KeyShape::kSequential, 1), "changed"}});
    store.nodes.Erase(store.nodes.ReadNode(to)->ChildHash(0));
    EXPECT_THROW(Replaced(store.nodes, from, to), Error);
}

}  // namespace
}  // namespace kvs::test

// The checker and the readers against damage: planted faults must be found, and never be answered with data.
#include "kvs/tree/check.h"

#include <gtest/gtest.h>

#include <functional>

#include "kvs/tree/diff.h"
#include "kvs/tree/stats.h"
#include "kvs/tree/tree.h"
#include "support.h"

namespace kvs::test {
namespace {

constexpr size_t kCount = 4000;

std::vector<std::pair<Hash, int>> Nodes(NodeStore& store, const Hash& root) {
    std::vector<std::pair<Hash, int>> nodes;
    WalkNodes(store, root, [&nodes](const Hash& address, const NodeRef& node) {
        nodes.emplace_back(address, node->level());
        return true;
    });
    return nodes;
}

void ExpectCorruption(const std::function<void()>& action, const Hash& damaged) {
    try {
        action();
        ADD_FAILURE() << "no error";
    } catch (const Error& error) {
        EXPECT_EQ(error.code(), ErrorCode::kCorruption);
        EXPECT_NE(std::string(error.what()).find(damaged.ToHex()), std::string::npos) << error.what();
    }
}

class DamageTest : public testing::Test {
  protected:
    // Each node in turn is damaged in a fresh store; `check` gets the store, the address and the level.
    void ForEachDamage(const std::function<void(TestStore&, const Hash& root, const Hash&, int)>& check) {
        const Entries entries = MakeEntries(KeyShape::kSequential, kCount, 1);
        TestStore original;
        const Hash root = Build(original.nodes, entries);
        const std::vector<std::pair<Hash, int>> nodes = Nodes(original.nodes, root);
        ASSERT_GT(nodes.size(), 20u);
        for (size_t i = 0; i<nodes.size(); i += nodes[i].second> 0 ? 1 : 9) {
            const auto& [address, level] = nodes[i];
            for (const bool erase : {true, false}) {
                TestStore store;
                Build(store.nodes, entries);
                ASSERT_TRUE(erase ? store.nodes.Erase(address) : store.nodes.FlipBit(address, i * 1031));
                check(store, root, address, level);
            }
        }
    }
};

TEST_F(DamageTest, IsReportedByTheChecker) {
    ForEachDamage([](TestStore& store, const Hash& root, const Hash& address, int) {
        std::vector<Hash> reported;
        CheckTree(store.nodes, root, [&reported](const Hash& node, const std::string& problem) {
            reported.push_back(node);
            EXPECT_FALSE(problem.empty());
        });
        ASSERT_EQ(reported, std::vector<Hash>{address});
    });
}

TEST_F(DamageTest, IsReportedByEveryReader) {
    ForEachDamage([](TestStore& store, const Hash& root, const Hash& address, int) {
        MemoryNodeStore& nodes = store.nodes;
        ExpectCorruption([&] { ReadAll(nodes, root); }, address);
        ExpectCorruption([&] { WalkNodes(nodes, root, [](const Hash&, const NodeRef&) { return true; }); },
                         address);
        ExpectCorruption([&] { CollectTreeStats(nodes, root); }, address);
        ExpectCorruption(
            [&] {
                for (size_t i = 0; i < kCount; ++i) {
                    Tree(nodes, root).Get(MakeKey(KeyShape::kSequential, i));
                }
            },
            address);
        ExpectCorruption(
            [&] {
                std::vector<std::string> keys;
                for (size_t i = 0; i < kCount; ++i) {
                    keys.push_back(MakeKey(KeyShape::kSequential, i));
                }
                const std::vector<std::string_view> views(keys.begin(), keys.end());
                Tree(nodes, root).GetMany(views, [](size_t, std::optional<std::string_view>) {});
            },
            address);
        ExpectCorruption(
            [&] {
                DiffCursor diff(nodes, root, kEmptyRoot);
                while (diff.Next()) {
                }
            },
            address);
        ExpectCorruption(
            [&] {
                TreeEditor editor(nodes, root);
                for (size_t i = 0; i < kCount; ++i) {
                    editor.Put(MakeKey(KeyShape::kSequential, i), "changed");
                }
                editor.Finish();
            },
            address);
    });
}

TEST(CheckTest, WholeTreesHaveNoProblem) {
    TestStore store;
    EXPECT_EQ(Problems(store.nodes, kEmptyRoot), "");
    for (const KeyShape shape : kAllKeyShapes) {
        EXPECT_EQ(Problems(store.nodes, Build(store.nodes, MakeEntries(shape, 300, 1))), "");
    }
}

// Trees put together wrongly by hand, all nodes intact in themselves.
class MisbuiltTest : public testing::Test {
  protected:
    struct Child {
        std::string last_key;
        Hash address;
        uint64_t entries;
    };

    Child Leaf(const std::vector<std::string>& keys, size_t value_size = 1000) {
        NodeBuilder builder(0);
        for (const std::string& key : keys) {
            builder.AddEntry(key, std::string(value_size, 'v'));
        }
        return {keys.back(), store_.nodes.WriteNode(builder.Encode()), keys.size()};
    }

    Child Internal(const std::vector<Child>& children, int level = 1) {
        NodeBuilder builder(level);
        for (const Child& child : children) {
            builder.AddChild(child.last_key, child.address, child.entries);
        }
        return {children.back().last_key, store_.nodes.WriteNode(builder.Encode()), builder.entries()};
    }

    // Two leaves as the splitter makes them.
    std::vector<Child> ProperLeaves() {
        std::vector<Child> leaves;
        std::vector<std::string> keys;
        Splitter splitter(0);
        for (int i = 10; leaves.size() < 3; ++i) {
            keys.push_back(std::to_string(i));
            if (splitter.Add(keys.back(), LeafItemSize(keys.back().size(), 1000))) {
                leaves.push_back(Leaf(keys));
                keys.clear();
            }
        }
        return leaves;
    }

    void ExpectProblem(const Child& root, const std::string& problem) {
        EXPECT_NE(Problems(store_.nodes, root.address).find(problem), std::string::npos)
            << "found: " << Problems(store_.nodes, root.address);
    }

    TestStore store_;
};

TEST_F(MisbuiltTest, ProperLeavesMakeAProperTree) {
    EXPECT_EQ(Problems(store_.nodes, Internal(ProperLeaves()).address), "");
}

TEST_F(MisbuiltTest, AStoredEmptyLeaf) {
    // The address is the constant, so a store that holds something else under it is the only way to get
    // there.
    class EmptyLeafStore : public MemoryNodeStore {
      public:
        using MemoryNodeStore::MemoryNodeStore;
        NodeRef ReadNode(const Hash&) override { return Node::Parse(NodeBuilder(0).Encode()).OrThrow(); }
    };
    EmptyLeafStore store(store_.hasher);
    EXPECT_NE(Problems(store, Hash{}).find("an empty leaf is stored as a root"), std::string::npos);
}

TEST_F(MisbuiltTest, ARootWithASingleChild) {
    ExpectProblem(Internal({ProperLeaves()[0]}), "the root has a single child");
}

TEST_F(MisbuiltTest, ANodeCutBeforeItsBoundary) {
    std::vector<Child> leaves = ProperLeaves();
    leaves.insert(leaves.begin(), Leaf({"0"}, 10));
    ExpectProblem(Internal(leaves), "the node ends before its boundary");
}

TEST_F(MisbuiltTest, ANodeThatGoesOnBehindItsBoundary) {
    std::vector<std::string> keys;
    for (int i = 10; i < 40; ++i) {
        keys.push_back(std::to_string(i));
    }
    ExpectProblem(Leaf(keys), "the node goes on behind its boundary");
}

TEST_F(MisbuiltTest, AWrongLastKey) {
    std::vector<Child> leaves = ProperLeaves();
    leaves[0].last_key += "0";
    const Child root = Internal(leaves);
    ExpectProblem(root, leaves[0].address.ToHex() + ": its last key is not the one that its parent holds");
}

TEST_F(MisbuiltTest, KeysOutOfOrderAcrossNodes) {
    std::vector<Child> leaves = ProperLeaves();
    std::swap(leaves[0].address, leaves[1].address);
    std::swap(leaves[0].entries, leaves[1].entries);
    ExpectProblem(Internal(leaves), "its keys do not come after those of the node before it");
}

TEST_F(MisbuiltTest, AWrongNumberOfEntries) {
    std::vector<Child> leaves = ProperLeaves();
    ++leaves[1].entries;
    const Child root = Internal(leaves);
    ExpectProblem(root,
                  leaves[1].address.ToHex() + ": its number of entries is not the one that its parent holds");
    ExpectCorruption([&] { ReadAll(store_.nodes, root.address); }, leaves[1].address);
    ExpectCorruption([&] { Tree(store_.nodes, root.address).Get(leaves[1].last_key); }, leaves[1].address);
}

TEST_F(MisbuiltTest, AChildOfTheWrongLevel) {
    const std::vector<Child> leaves = ProperLeaves();
    const Child root = Internal({Internal({leaves[0], leaves[1]}), leaves[2]}, 2);
    ExpectProblem(root, leaves[2].address.ToHex() + ": its level does not fit its parent's");
    ExpectCorruption([&] { ReadAll(store_.nodes, root.address); }, leaves[2].address);
}

TEST_F(MisbuiltTest, OtherErrorsThanCorruptionPassThrough) {
    class FailingStore : public MemoryNodeStore {
      public:
        using MemoryNodeStore::MemoryNodeStore;
        NodeRef ReadNode(const Hash&) override { throw Error(ErrorCode::kWrongState, "cancelled"); }
    };
    FailingStore store(store_.hasher);
    EXPECT_THROW(Problems(store, Hash{}), Error);
}

}  // namespace
}  // namespace kvs::test

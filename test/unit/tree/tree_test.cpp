#include "kvs/tree/tree.h"

#include <gtest/gtest.h>

#include <algorithm>

#include "support.h"

namespace kvs::test {
namespace {

struct Loaded {
    explicit Loaded(KeyShape shape, size_t count) : entries(MakeEntries(shape, count, 17)) {
        root = Build(store.nodes, entries);
    }

    TestStore store;
    Entries entries;
    Hash root;
};

// Every key, and keys before, between and behind them.
std::vector<std::string> Probes(const Entries& entries) {
    std::vector<std::string> probes = {"", std::string(3, '\xff'), std::string(2100, 'm')};
    for (const auto& [key, value] : entries) {
        probes.push_back(key);
        probes.push_back(key + '\0');
        probes.push_back(key.substr(0, key.size() - 1));
    }
    std::sort(probes.begin(), probes.end());
    return probes;
}

class TreeTest : public testing::TestWithParam<KeyShape> {
  protected:
    size_t count() const { return GetParam() == KeyShape::kHuge ? 200 : 3000; }
};

INSTANTIATE_TEST_SUITE_P(Shapes, TreeTest, testing::ValuesIn(kAllKeyShapes));

TEST_P(TreeTest, Get) {
    Loaded loaded(GetParam(), count());
    const Tree tree(loaded.store.nodes, loaded.root);
    for (const std::string& probe : Probes(loaded.entries)) {
        const std::optional<FoundValue> found = tree.Get(probe);
        const auto expected = loaded.entries.find(probe);
        ASSERT_EQ(found.has_value(), expected != loaded.entries.end());
        if (found) {
            ASSERT_EQ(found->value, expected->second);
        }
    }
}

TEST_P(TreeTest, GetMany) {
    Loaded loaded(GetParam(), count());
    const Tree tree(loaded.store.nodes, loaded.root);
    Random random(3);
    const std::vector<std::string> probes = Probes(loaded.entries);
    for (const size_t one_of : {1, 3, 100, 3000}) {
        std::vector<std::string_view> keys;
        for (const std::string& probe : probes) {
            if (Below(random, one_of) == 0) {
                keys.push_back(probe);
                if (Below(random, 4) == 0) {
                    keys.push_back(probe);  // a key may repeat
                }
            }
        }
        size_t calls = 0;
        tree.GetMany(keys, [&](size_t index, std::optional<std::string_view> value) {
            ASSERT_EQ(index, calls);
            const auto expected = loaded.entries.find(std::string(keys[index]));
            ASSERT_EQ(value.has_value(), expected != loaded.entries.end());
            if (value) {
                ASSERT_EQ(*value, expected->second);
            }
            ++calls;
        });
        ASSERT_EQ(calls, keys.size());
    }
}

TEST_P(TreeTest, CountAndRank) {
    Loaded loaded(GetParam(), count());
    const Tree tree(loaded.store.nodes, loaded.root);
    EXPECT_EQ(tree.Count(), loaded.entries.size());
    for (const std::string& probe : Probes(loaded.entries)) {
        const auto expected = std::distance(loaded.entries.begin(), loaded.entries.lower_bound(probe));
        ASSERT_EQ(tree.Rank(probe), static_cast<uint64_t>(expected));
    }
}

TEST_P(TreeTest, CountOfARange) {
    Loaded loaded(GetParam(), count());
    const Tree tree(loaded.store.nodes, loaded.root);
    const std::vector<std::string> probes = Probes(loaded.entries);
    Random random(4);
    for (int i = 0; i < 300; ++i) {
        const KeyRange range = {probes[Below(random, probes.size())], probes[Below(random, probes.size())]};
        const auto in_range =
            std::count_if(loaded.entries.begin(), loaded.entries.end(),
                          [&range](const auto& entry) { return range.Contains(entry.first); });
        ASSERT_EQ(tree.Count(range), static_cast<uint64_t>(in_range));
    }
    EXPECT_EQ(tree.Count(KeyRange{}), loaded.entries.size());
}

TEST(TreeReadTest, TheEmptyTreeIsNotRead) {
    TestStore store;
    const Tree tree(store.nodes, kEmptyRoot);
    EXPECT_TRUE(tree.empty());
    EXPECT_FALSE(tree.Get("a"));
    EXPECT_EQ(tree.Count(), 0u);
    EXPECT_EQ(tree.Rank("a"), 0u);
    size_t calls = 0;
    const std::vector<std::string_view> keys = {"a", "b"};
    tree.GetMany(keys, [&calls](size_t, std::optional<std::string_view> value) {
        EXPECT_FALSE(value);
        ++calls;
    });
    EXPECT_EQ(calls, 2u);
    EXPECT_EQ(store.nodes.reads(), 0u);
}

TEST(TreeReadTest, GetManyWantsAscendingKeys) {
    Loaded loaded(KeyShape::kSequential, 10);
    const Tree tree(loaded.store.nodes, loaded.root);
    const std::vector<std::string_view> keys = {"b", "a"};
    try {
        tree.GetMany(keys, [](size_t, std::optional<std::string_view>) { FAIL() << "called back"; });
        FAIL() << "accepted";
    } catch (const Error& error) {
        EXPECT_EQ(error.code(), ErrorCode::kInvalidArgument);
    }
    tree.GetMany({}, [](size_t, std::optional<std::string_view>) { FAIL() << "called back"; });
}

TEST(TreeReadTest, AFoundValueOutlivesTheStoresNode) {
    Loaded loaded(KeyShape::kSequential, 1000);
    const auto& [key, value] = *loaded.entries.begin();
    const std::optional<FoundValue> found = Tree(loaded.store.nodes, loaded.root).Get(key);
    for (const Hash& address : loaded.store.nodes.Addresses()) {
        loaded.store.nodes.Erase(address);
    }
    ASSERT_TRUE(found);
    EXPECT_EQ(found->value, value);
}

TEST(KeyRangeTest, Prefix) {
    EXPECT_EQ(KeyRange::Prefix("user:").start, "user:");
    EXPECT_EQ(KeyRange::Prefix("user:").end, "user;");
    EXPECT_EQ(KeyRange::Prefix("a\xff\xff").end, "b");
    EXPECT_EQ(KeyRange::Prefix("\xff\xff").end, std::nullopt);
    EXPECT_EQ(KeyRange::Prefix("").end, std::nullopt);
    EXPECT_TRUE(KeyRange::Prefix("ab").Contains("ab"));
    EXPECT_TRUE(KeyRange::Prefix("ab").Contains("ab\xff\xff"));
    EXPECT_FALSE(KeyRange::Prefix("ab").Contains("ac"));
    EXPECT_FALSE(KeyRange::Prefix("ab").Contains("aa\xff"));
}

}  // namespace
}  // namespace kvs::test

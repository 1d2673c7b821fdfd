#include "kvs/tree/diff.h"

#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include "support.h"

namespace kvs::test {
namespace {

using Sides = std::pair<std::optional<std::string>, std::optional<std::string>>;
using Changes = std::map<std::string, Sides>;

Changes Diff(NodeStore& store, const Hash& from, const Hash& to, const KeyRange& range = {}) {
    Changes changes;
    std::optional<std::string> last;
    DiffCursor diff(store, from, to, range);
    while (const std::optional<TreeChange> change = diff.Next()) {
        const std::string key(change->key);
        EXPECT_TRUE(!last || *last < key) << "changes out of order";
        last = key;
        Sides& sides = changes[key];
        if (change->from) {
            sides.first = *change->from;
        }
        if (change->to) {
            sides.second = *change->to;
        }
    }
    EXPECT_FALSE(diff.Next()) << "a change after the last";
    EXPECT_TRUE(changes.empty() || !ShareRange(store, from, to, range));
    EXPECT_EQ(DiffCursor(store, from, to, range).CountRest(), changes.size());
    DiffCursor rest(store, from, to, range);
    for (size_t read = 0; read < changes.size() / 3; ++read) {
        rest.Next();
    }
    EXPECT_EQ(rest.CountRest(), changes.size() - changes.size() / 3);
    return changes;
}

Changes DiffNaively(const Entries& from, const Entries& to, const KeyRange& range = {}) {
    Changes changes;
    for (const auto& [key, value] : from) {
        const auto other = to.find(key);
        if (range.Contains(key) && (other == to.end() || other->second != value)) {
            changes[key].first = value;
        }
    }
    for (const auto& [key, value] : to) {
        const auto other = from.find(key);
        if (range.Contains(key) && (other == from.end() || other->second != value)) {
            changes[key].second = value;
        }
    }
    return changes;
}

Batch ToBatch(const Changes& changes) {
    Batch batch;
    for (const auto& [key, sides] : changes) {
        batch[key] = sides.second;
    }
    return batch;
}

// `entries` with `changes` changes at random places: values, deletions, insertions, and sometimes a whole
// range gone or new.
Entries Mutate(const Entries& entries, size_t changes, KeyShape shape, size_t key_space, Random& random) {
    Entries result = entries;
    for (size_t i = 0; i < changes; ++i) {
        const std::string key = MakeKey(shape, Below(random, key_space));
        const uint64_t kind = Below(random, 12);
        if (kind == 0) {
            auto begin = result.lower_bound(key);
            for (size_t n = Below(random, 200); n > 0 && begin != result.end(); --n) {
                begin = result.erase(begin);
            }
        } else if (kind == 1) {
            const uint64_t first = Below(random, key_space);
            for (size_t n = Below(random, 200); n > 0; --n) {
                result[MakeKey(shape, first + n)] = MakeValue(random);
            }
        } else if (kind < 5) {
            result.erase(key);
        } else {
            result[key] = MakeValue(random);
        }
    }
    return result;
}

TEST(DiffTest, OfEqualAndEmptyTrees) {
    TestStore store;
    const Entries entries = MakeEntries(KeyShape::kUuid, 500, 1);
    const Hash root = Build(store.nodes, entries);
    store.nodes.ResetCounters();
    EXPECT_TRUE(Diff(store.nodes, root, root).empty());
    EXPECT_TRUE(Diff(store.nodes, kEmptyRoot, kEmptyRoot).empty());
    EXPECT_EQ(store.nodes.reads(), 0u);
    EXPECT_EQ(Diff(store.nodes, kEmptyRoot, root), DiffNaively({}, entries));
    EXPECT_EQ(Diff(store.nodes, root, kEmptyRoot), DiffNaively(entries, {}));
}

TEST(DiffTest, IsTheDifferenceOfTheSets) {
    for (const KeyShape shape : kAllKeyShapes) {
        const size_t count = shape == KeyShape::kHuge ? 150 : 1500;
        const Entries from = MakeEntries(shape, count, 3);
        TestStore store;
        const Hash from_root = Build(store.nodes, from);
        for (uint64_t seed = 0; seed < 60; ++seed) {
            SCOPED_TRACE(testing::Message() << "shape " << static_cast<int>(shape) << " seed " << seed);
            Random random(seed);
            const Entries to =
                Mutate(from, Below(random, seed % 4 == 0 ? 200 : 5), shape, count + count / 5, random);
            const Hash to_root = Build(store.nodes, to);
            const Changes changes = Diff(store.nodes, from_root, to_root);
            ASSERT_EQ(changes, DiffNaively(from, to));
            ASSERT_EQ(Diff(store.nodes, to_root, from_root), DiffNaively(to, from));
            ASSERT_EQ(Edit(store.nodes, from_root, ToBatch(changes)), to_root);
            for (int i = 0; i < 5; ++i) {
                KeyRange range = {MakeKey(shape, Below(random, count)), MakeKey(shape, Below(random, count))};
                if (i == 0) {
                    range.end = std::nullopt;
                } else if (i == 1) {
                    range.start.clear();
                } else if (i == 2) {
                    range = KeyRange::Prefix(range.start.substr(0, range.start.size() / 2));
                }
                ASSERT_EQ(Diff(store.nodes, from_root, to_root, range), DiffNaively(from, to, range));
            }
        }
    }
}

TEST(DiffTest, OfTreesOfAnySizes) {
    // Unrelated sizes give roots of different levels.
    TestStore store;
    std::vector<std::pair<Entries, Hash>> trees;
    for (const size_t count : {0, 1, 5, 40, 300, 2000}) {
        const Entries entries = MakeEntries(KeyShape::kPrefix, count, 9);
        trees.emplace_back(entries, Build(store.nodes, entries));
    }
    for (const auto& [from, from_root] : trees) {
        for (const auto& [to, to_root] : trees) {
            ASSERT_EQ(Diff(store.nodes, from_root, to_root), DiffNaively(from, to));
            for (const size_t start : {1, 30, 1900}) {
                const KeyRange range = {MakeKey(KeyShape::kPrefix, start),
                                        MakeKey(KeyShape::kPrefix, start + 5)};
                ASSERT_EQ(Diff(store.nodes, from_root, to_root, range), DiffNaively(from, to, range));
            }
        }
    }
}

TEST(DiffTest, ATreeThatIsASubtreeOfTheOtherIsNotReadTwice) {
    TestStore store;
    const Entries entries = MakeEntries(KeyShape::kSequential, 20000, 1);
    const Hash root = Build(store.nodes, entries);
    const NodeRef root_node = store.nodes.ReadNode(root);
    ASSERT_GE(root_node->level(), 2);
    const Hash part = root_node->ChildHash(0);
    Changes changes = Diff(store.nodes, part, root);
    EXPECT_EQ(changes.size(), root_node->entries() - root_node->ChildEntries(0));
    for (const auto& [key, sides] : changes) {
        EXPECT_FALSE(sides.first);
    }
}

TEST(DiffTest, TreesShareARangeThatNoChangeReachesInto) {
    TestStore store;
    const Entries entries = MakeEntries(KeyShape::kUuid, 20000, 7);
    const Hash root = Build(store.nodes, entries);
    auto changed = entries.begin();
    std::advance(changed, 5000);
    Entries other = entries;
    other[changed->first] = "another";
    const Hash other_root = Build(store.nodes, other);
    size_t shared = 0;
    size_t n = 0;
    for (auto at = entries.begin(); at != entries.end(); std::advance(at, 100), ++n) {
        const KeyRange range = {at->first, at->first + '\0'};
        store.nodes.ResetCounters();
        shared += ShareRange(store.nodes, root, other_root, range) ? 1 : 0;
        EXPECT_LE(store.nodes.reads(), 4u);
    }
    // All but those in the leaf of the change.
    EXPECT_GE(shared, n - 2);
    EXPECT_LT(shared, n);
    EXPECT_FALSE(ShareRange(store.nodes, root, other_root, {}));
    EXPECT_TRUE(
        ShareRange(store.nodes, root, other_root, {entries.begin()->first, std::prev(changed, 1000)->first}));
    EXPECT_TRUE(ShareRange(store.nodes, root, other_root, {std::next(changed, 1000)->first, std::nullopt}));
    EXPECT_FALSE(ShareRange(store.nodes, root, kEmptyRoot, {}));
    EXPECT_TRUE(ShareRange(store.nodes, root, root, {}));
}

TEST(DiffTest, CanBeMoved) {
    TestStore store;
    const Hash from = Build(store.nodes, {{"a", "1"}, {"b", "2"}});
    const Hash to = Build(store.nodes, {{"a", "3"}, {"b", "4"}});
    DiffCursor first(store.nodes, from, to);
    ASSERT_EQ(first.Next()->key, "a");
    DiffCursor second = std::move(first);
    ASSERT_EQ(second.Next()->key, "b");
    second = DiffCursor(store.nodes, to, from);
    EXPECT_EQ(second.Next()->from, "3");
}

RC_GTEST_PROP(DiffProperty, AppliedDiffGivesTheTarget, ()) {
    const auto key = rc::gen::map(rc::gen::inRange<int>(0, 150), [](int i) {
        std::string text = std::to_string(i);
        text.resize(100 + i % 5 * 450, 'k');
        return text;
    });
    const auto value =
        rc::gen::map(rc::gen::inRange<int>(0, 3), [](int kind) { return std::string(kind * 1500, 'v'); });
    const auto from = *rc::gen::container<Entries>(key, value);
    const auto to = *rc::gen::container<Entries>(key, value);
    TestStore store;
    const Hash from_root = Build(store.nodes, from);
    const Hash to_root = Build(store.nodes, to);
    const Changes changes = Diff(store.nodes, from_root, to_root);
    RC_ASSERT(changes == DiffNaively(from, to));
    RC_ASSERT(Edit(store.nodes, from_root, ToBatch(changes)) == to_root);
}

}  // namespace
}  // namespace kvs::test

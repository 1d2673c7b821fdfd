// The editor against the definition: whatever the way, the same entries give the same root.
#include "kvs/tree/editor.h"

#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include <algorithm>

#include "kvs/tree/stats.h"
#include "kvs/tree/tree.h"
#include "support.h"

namespace kvs::test {
namespace {

// The address of the tree of `entries`.
Hash TreeOf(const Entries& entries) {
    TestStore other;
    return BuildNaively(other.nodes, entries);
}

// Fails unless `root` is the tree of `entries`, whole and readable.
void ExpectTree(TestStore& store, const Hash& root, const Entries& entries) {
    ASSERT_EQ(root.ToHex(), TreeOf(entries).ToHex());
    ASSERT_EQ(Problems(store.nodes, root), "");
    ASSERT_TRUE(ReadAll(store.nodes, root) == entries);
}

TEST(EditorTest, EmptyTree) {
    TestStore store;
    EXPECT_EQ(TreeEditor(store.nodes, kEmptyRoot).Finish(), kEmptyRoot);
    EXPECT_EQ(Edit(store.nodes, kEmptyRoot, {{"a", std::nullopt}, {"b", std::nullopt}}), kEmptyRoot);
    EXPECT_EQ(store.nodes.reads(), 0u);
    EXPECT_EQ(store.nodes.writes(), 0u);
}

TEST(EditorTest, OneEntry) {
    TestStore store;
    const Hash root = Edit(store.nodes, kEmptyRoot, {{"a", "1"}});
    ExpectTree(store, root, {{"a", "1"}});
    EXPECT_EQ(Edit(store.nodes, root, {{"a", std::nullopt}}), kEmptyRoot);
    ExpectTree(store, Edit(store.nodes, root, {{"", "empty key"}}), {{"", "empty key"}, {"a", "1"}});
}

TEST(EditorTest, BulkBuildIsTheDefinition) {
    for (const KeyShape shape : kAllKeyShapes) {
        for (const size_t count : {1, 2, 3, 10, 100, 1000, 5000}) {
            TestStore store;
            const Entries entries = MakeEntries(shape, count, count);
            SCOPED_TRACE(testing::Message() << "shape " << static_cast<int>(shape) << " count " << count);
            ExpectTree(store, Build(store.nodes, entries), entries);
        }
    }
}

TEST(EditorTest, BulkBuildReadsNothing) {
    TestStore store;
    const Entries entries = MakeEntries(KeyShape::kUuid, 20000, 1);
    Build(store.nodes, entries);
    EXPECT_EQ(store.nodes.reads(), 0u);
    EXPECT_EQ(store.nodes.writes(), store.nodes.chunk_count()) << "a node was written twice";
}

TEST(EditorTest, KeysMustAscend) {
    TestStore store;
    TreeEditor editor(store.nodes, kEmptyRoot);
    editor.Put("b", "");
    EXPECT_THROW(editor.Put("b", ""), Error);
    EXPECT_THROW(editor.Delete("a"), Error);
    // A refused change leaves the editor as it was.
    editor.Put("c", "");
    ExpectTree(store, editor.Finish(), {{"b", ""}, {"c", ""}});
}

TEST(EditorTest, LimitsAreErrors) {
    TestStore store;
    TreeEditor editor(store.nodes, kEmptyRoot);
    const auto code_of = [](auto&& action) {
        try {
            action();
        } catch (const Error& error) {
            return std::optional(error.code());
        }
        return std::optional<ErrorCode>();
    };
    const std::string longest_key(kMaxKeySize, 'k');
    const std::string longest_value(kMaxItemValueSize, 'v');
    EXPECT_EQ(code_of([&] { editor.Put(longest_key + "k", ""); }), ErrorCode::kLimitExceeded);
    EXPECT_EQ(code_of([&] { editor.Delete(longest_key + "k"); }), ErrorCode::kLimitExceeded);
    EXPECT_EQ(code_of([&] { editor.Put("k", longest_value + "v"); }), ErrorCode::kLimitExceeded);
    editor.Put(longest_key, longest_value);
    ExpectTree(store, editor.Finish(), {{longest_key, longest_value}});
}

// Keys and values so large that every node holds a few items: deep trees of few entries, whose edges are met
// often.
class DeepTree {
  public:
    explicit DeepTree(uint64_t seed) : random_(seed) {}

    std::string Key() {
        char digits[16];
        std::snprintf(digits, sizeof(digits), "%04d", static_cast<int>(Below(random_, 400)));
        std::string key = digits;
        key.resize(500 + (key[3] - '0') * 150, 'x');
        return key;
    }
    std::string Value() {
        return RandomBytes(random_, Below(random_, 8) == 0 ? Below(random_, 4097) : Below(random_, 700));
    }
    Random& random() { return random_; }

  private:
    Random random_;
};

TEST(EditorTest, RandomEditsOfDeepTrees) {
    for (uint64_t seed = 0; seed < 1500; ++seed) {
        SCOPED_TRACE(testing::Message() << "seed " << seed);
        DeepTree deep(seed);
        Random& random = deep.random();
        TestStore store;
        Entries entries;
        for (size_t i = Below(random, 120); i > 0; --i) {
            entries[deep.Key()] = deep.Value();
        }
        Hash root = Build(store.nodes, entries);
        for (int round = 0; round < 4; ++round) {
            Batch batch;
            for (size_t i = Below(random, Below(random, 3) == 0 ? 100 : 6); i > 0; --i) {
                batch[deep.Key()] = Below(random, 3) == 0 ? std::nullopt : std::optional(deep.Value());
            }
            Apply(entries, batch);
            root = Edit(store.nodes, root, batch);
            ASSERT_EQ(root, TreeOf(entries));
        }
        ASSERT_TRUE(ReadAll(store.nodes, root) == entries);
        ASSERT_EQ(Problems(store.nodes, root), "");
    }
}

// While keys and sizes are those of an old node, the editor takes from it where no node ends: so most values
// keep their sizes here, some do not, and some keys come and go.
TEST(EditorTest, EditsThatKeepSizes) {
    for (uint64_t seed = 0; seed < 300; ++seed) {
        SCOPED_TRACE(testing::Message() << "seed " << seed);
        Random random(seed);
        TestStore store;
        Entries entries;
        const auto key = [&] { return MakeKey(KeyShape::kSequential, Below(random, 3000)); };
        for (size_t i = 0; i < 1500; ++i) {
            entries[key()] = RandomBytes(random, 60);
        }
        Hash root = Build(store.nodes, entries);
        for (int round = 0; round < 4; ++round) {
            Batch batch;
            for (size_t i = Below(random, Below(random, 3) == 0 ? 300 : 10); i > 0; --i) {
                const auto old = entries.lower_bound(key());
                if (old != entries.end()) {
                    batch[old->first] = RandomBytes(random, old->second.size());
                }
            }
            for (size_t i = Below(random, 3); i > 0; --i) {
                batch[key()] = Below(random, 2) == 0
                                   ? std::nullopt
                                   : std::optional(RandomBytes(random, Below(random, 4000)));
            }
            Apply(entries, batch);
            root = Edit(store.nodes, root, batch);
            ASSERT_EQ(root, TreeOf(entries));
        }
        ASSERT_TRUE(ReadAll(store.nodes, root) == entries);
        ASSERT_EQ(Problems(store.nodes, root), "");
    }
}

TEST(EditorTest, DeletingContiguousRanges) {
    for (uint64_t seed = 0; seed < 1000; ++seed) {
        SCOPED_TRACE(testing::Message() << "seed " << seed);
        DeepTree deep(seed);
        Random& random = deep.random();
        TestStore store;
        Entries entries;
        for (size_t i = 0; i < 100; ++i) {
            entries[deep.Key()] = deep.Value();
        }
        const Hash root = Build(store.nodes, entries);
        // From anywhere to anywhere, the ends included, now and then with a put in the middle or behind.
        const size_t begin = Below(random, 3) == 0 ? 0 : Below(random, entries.size());
        const size_t end =
            Below(random, 3) == 0 ? entries.size() : begin + Below(random, entries.size() - begin + 1);
        Batch batch;
        size_t i = 0;
        for (const auto& [key, value] : entries) {
            if (i >= begin && i < end) {
                batch[key] = Below(random, 30) == 0 ? std::optional(deep.Value()) : std::nullopt;
            }
            ++i;
        }
        if (Below(random, 2) == 0) {
            batch[deep.Key()] = deep.Value();
        }
        Apply(entries, batch);
        ASSERT_EQ(Edit(store.nodes, root, batch), TreeOf(entries));
    }
}

TEST(EditorTest, EveryEntryAlone) {
    // Each entry changed, grown, deleted, and one put before and behind it: every boundary key is among them.
    for (const KeyShape shape : kAllKeyShapes) {
        TestStore store;
        const Entries entries = MakeEntries(shape, shape == KeyShape::kHuge ? 60 : 250, 7);
        const Hash root = Build(store.nodes, entries);
        for (const auto& [key, value] : entries) {
            const Batch batches[] = {{{key, value + "x"}},
                                     {{key, std::string(4096, 'g')}},
                                     {{key, ""}},
                                     {{key, std::nullopt}},
                                     {{key.substr(0, key.size() - 1), "before"}},
                                     {{key.size() < kMaxKeySize ? key + '\0' : key, "behind"}}};
            for (const Batch& batch : batches) {
                if (batch.begin()->second && batch.begin()->second->size() > kMaxItemValueSize) {
                    continue;
                }
                Entries expected = entries;
                Apply(expected, batch);
                ASSERT_EQ(Edit(store.nodes, root, batch), TreeOf(expected));
            }
        }
    }
}

TEST(EditorTest, EveryLeafDeletedWhole) {
    TestStore store;
    const Entries entries = MakeEntries(KeyShape::kSequential, 1500, 3);
    const Hash root = Build(store.nodes, entries);
    std::vector<NodeRef> leaves;
    WalkNodes(store.nodes, root, [&leaves](const Hash&, const NodeRef& node) {
        if (node->is_leaf()) {
            leaves.push_back(node);
        }
        return true;
    });
    ASSERT_GT(leaves.size(), 10u);
    for (const NodeRef& leaf : leaves) {
        Batch batch;
        std::string key;
        for (size_t i = 0; i < leaf->count(); ++i) {
            batch[std::string(leaf->Key(i, &key))] = std::nullopt;
        }
        Entries expected = entries;
        Apply(expected, batch);
        ExpectTree(store, Edit(store.nodes, root, batch), expected);
    }
}

TEST(EditorTest, GrowingAndShrinkingByDepth) {
    TestStore store;
    const Entries entries = MakeEntries(KeyShape::kHuge, 400, 11);
    Hash root = kEmptyRoot;
    Entries present;
    for (const auto& [key, value] : entries) {
        root = Edit(store.nodes, root, {{key, value}});
        present[key] = value;
    }
    ExpectTree(store, root, entries);
    EXPECT_GE(CollectTreeStats(store.nodes, root).depth, 6);
    Random random(5);
    std::vector<std::string> keys;
    for (const auto& [key, value] : entries) {
        keys.push_back(key);
    }
    std::shuffle(keys.begin(), keys.end(), random);
    for (const std::string& key : keys) {
        present.erase(key);
        root = Edit(store.nodes, root, {{key, std::nullopt}});
        ASSERT_EQ(root, TreeOf(present));
    }
    EXPECT_EQ(root, kEmptyRoot);
}

TEST(EditorTest, HistoryIndependence) {
    for (const KeyShape shape : kAllKeyShapes) {
        SCOPED_TRACE(testing::Message() << "shape " << static_cast<int>(shape));
        const size_t count = shape == KeyShape::kHuge ? 300 : 3000;
        const Entries entries = MakeEntries(shape, count, 42);
        std::vector<std::string> keys;
        for (const auto& [key, value] : entries) {
            keys.push_back(key);
        }
        TestStore store;
        const Hash expected = Build(store.nodes, entries);
        for (uint64_t seed = 0; seed < 12; ++seed) {
            Random random(seed);
            std::shuffle(keys.begin(), keys.end(), random);
            const size_t batch_sizes[] = {count, 1 + count / 2, 100, 17};
            const size_t batch_size = batch_sizes[seed % 4];
            Hash root = kEmptyRoot;
            for (size_t begin = 0; begin < count; begin += batch_size) {
                Batch batch;
                Batch repair;
                for (size_t i = begin; i < std::min(begin + batch_size, count); ++i) {
                    // Some get there on a detour: another value first, or put, deleted and put again.
                    const uint64_t way = Below(random, 10);
                    batch[keys[i]] = way == 0 ? MakeValue(random) : entries.at(keys[i]);
                    if (way == 0) {
                        repair[keys[i]] = entries.at(keys[i]);
                    } else if (way == 1) {
                        repair[keys[i]] = std::nullopt;
                    }
                    // Others do not belong there and go again.
                    if (way == 2) {
                        const std::string stray = MakeKey(shape, count + i);
                        batch[stray] = MakeValue(random);
                        repair[stray] = std::nullopt;
                    }
                }
                root = Edit(store.nodes, root, batch);
                root = Edit(store.nodes, root, repair);
                Batch again;
                for (const auto& [key, value] : repair) {
                    if (!value && entries.contains(key)) {
                        again[key] = entries.at(key);
                    }
                }
                root = Edit(store.nodes, root, again);
            }
            ASSERT_EQ(root.ToHex(), expected.ToHex()) << "seed " << seed;
        }
    }
}

TEST(EditorTest, ChangesWithoutEffectGiveTheSameRootAndWriteNothing) {
    TestStore store;
    const Entries entries = MakeEntries(KeyShape::kUuid, 3000, 5);
    const Hash root = Build(store.nodes, entries);
    Batch batch;
    for (const auto& [key, value] : entries) {
        batch[key] = value;
        batch[key + "~"] = std::nullopt;
    }
    store.nodes.ResetCounters();
    EXPECT_EQ(Edit(store.nodes, root, batch), root);
    EXPECT_EQ(store.nodes.writes(), 0u);
    EXPECT_EQ(Edit(store.nodes, root, {}), root);
}

// Entries of `source` inside the range, of `entries` outside.
void ApplySplice(Entries& entries, const Entries& source, const KeyRange& range) {
    const auto end = range.end ? entries.lower_bound(*range.end) : entries.end();
    entries.erase(entries.lower_bound(range.start), end);
    for (const auto& [key, value] : source) {
        if (range.Contains(key)) {
            entries[key] = value;
        }
    }
}

// Batches and ranges of two other trees, in turn and in key order.
TEST(EditorTest, RandomSplicesOfDeepTrees) {
    for (uint64_t seed = 0; seed < 6000; ++seed) {
        SCOPED_TRACE(testing::Message() << "seed " << seed);
        DeepTree deep(seed);
        Random& random = deep.random();
        TestStore store;
        const auto any_entries = [&](Entries entries) {
            for (size_t i = Below(random, Below(random, 2) == 0 ? 150 : 10); i > 0; --i) {
                entries[deep.Key()] = deep.Value();
            }
            const std::string begin = deep.Key();
            if (Below(random, 2) == 0) {
                entries.erase(entries.lower_bound(begin), entries.lower_bound(std::max(begin, deep.Key())));
            }
            return entries;
        };
        const Entries old_entries = any_entries({});
        const Entries sources[] = {any_entries(Below(random, 3) == 0 ? Entries() : old_entries),
                                   any_entries(old_entries)};
        const Hash roots[] = {Build(store.nodes, sources[0]), Build(store.nodes, sources[1])};

        Entries expected = old_entries;
        TreeEditor editor(store.nodes, Build(store.nodes, old_entries));
        std::string from;
        while (true) {
            std::string to = std::max(from, deep.Key());
            if (Below(random, 3) == 0) {
                const uint64_t which = Below(random, 2);
                KeyRange range{from, to + "!"};
                if (Below(random, 5) == 0) {
                    range.end.reset();
                }
                editor.Splice(roots[which], range);
                ApplySplice(expected, sources[which], range);
                if (!range.end) {
                    break;
                }
                from = *range.end;
            } else {
                Batch batch;
                for (size_t i = Below(random, 4); i > 0; --i) {
                    std::string key = deep.Key();
                    if (key >= from && key <= to) {
                        batch[key] = Below(random, 3) == 0 ? std::nullopt : std::optional(deep.Value());
                    }
                }
                for (const auto& [key, value] : batch) {
                    if (value) {
                        editor.Put(key, *value);
                    } else {
                        editor.Delete(key);
                    }
                }
                Apply(expected, batch);
                from = to + "!";
            }
            if (Below(random, 6) == 0) {
                break;
            }
        }
        TestStore other;
        const Hash root = editor.Finish();
        ASSERT_EQ(root, BuildNaively(other.nodes, expected));
        ASSERT_EQ(Problems(store.nodes, root), "");
    }
}

TEST(EditorTest, SplicesOfEveryKeyShape) {
    for (const KeyShape shape : kAllKeyShapes) {
        SCOPED_TRACE(testing::Message() << "shape " << static_cast<int>(shape));
        const size_t count = shape == KeyShape::kHuge ? 200 : 4000;
        TestStore store;
        const Entries old_entries = MakeEntries(shape, count, 1);
        const Hash old_root = Build(store.nodes, old_entries);
        for (uint64_t seed = 0; seed < 20; ++seed) {
            Random random(seed);
            Entries source = seed % 4 == 0 ? Entries() : old_entries;
            for (size_t i = Below(random, count); i > 0; --i) {
                source[MakeKey(shape, Below(random, 2 * count))] = MakeValue(random);
            }
            std::string start = MakeKey(shape, Below(random, count));
            std::string end = MakeKey(shape, Below(random, count));
            if (end <= start) {
                std::swap(start, end);
                end.push_back('~');
            }
            const KeyRange range{seed % 5 == 1 ? "" : start,
                                 seed % 5 == 2 ? std::nullopt : std::optional(end)};
            TreeEditor editor(store.nodes, old_root);
            editor.Splice(Build(store.nodes, source), range);
            Entries expected = old_entries;
            ApplySplice(expected, source, range);
            ExpectTree(store, editor.Finish(), expected);
        }
    }
}

TEST(EditorTest, SplicesMustAscend) {
    TestStore store;
    const Hash source = Build(store.nodes, {{"a", "1"}, {"d", "4"}, {"x", "7"}});
    TreeEditor editor(store.nodes, Build(store.nodes, {{"c", "3"}}));
    EXPECT_THROW(editor.Splice(source, {"b", "b"}), Error);
    editor.Splice(source, {"b", "e"});
    EXPECT_THROW(editor.Put("d", ""), Error);
    EXPECT_THROW(editor.Splice(source, {"d", std::nullopt}), Error);
    editor.Put("e", "5");
    EXPECT_THROW(editor.Splice(source, {"e", std::nullopt}), Error);
    editor.Splice(source, {"f", std::nullopt});
    EXPECT_THROW(editor.Put("z", ""), Error);
    ExpectTree(store, editor.Finish(), {{"d", "4"}, {"e", "5"}, {"x", "7"}});
}

RC_GTEST_PROP(EditorProperty, EditEqualsRebuild, ()) {
    const auto key = rc::gen::map(rc::gen::inRange<int>(0, 200), [](int i) {
        std::string text = std::to_string(i);
        text.resize(300 + i % 7 * 290, 'k');
        return text;
    });
    const auto value =
        rc::gen::map(rc::gen::inRange<int>(0, 4097), [](int size) { return std::string(size, 'v'); });
    const auto entries = *rc::gen::container<Entries>(key, value);
    const auto puts = *rc::gen::container<Entries>(key, value);
    const auto deletes = *rc::gen::container<std::vector<std::string>>(key);
    Batch batch;
    for (const auto& [k, v] : puts) {
        batch[k] = v;
    }
    for (const std::string& k : deletes) {
        batch[k] = std::nullopt;
    }
    TestStore store;
    Entries expected = entries;
    Apply(expected, batch);
    const Hash root = Edit(store.nodes, Build(store.nodes, entries), batch);
    RC_ASSERT(root == BuildNaively(store.nodes, expected));
    RC_ASSERT(Problems(store.nodes, root).empty());
}

}  // namespace
}  // namespace kvs::test

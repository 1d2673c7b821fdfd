#include "kvs/merge/merge_cursor.h"

#include <gtest/gtest.h>

#include "states.h"

namespace kvs::test {
namespace {

struct Step {
    std::string key;
    StoredEntry base;
    StoredEntry ours;
    StoredEntry theirs;
    bool ours_changed = false;

    bool operator==(const Step&) const = default;
};

void PrintTo(const Step& step, std::ostream* out) {
    *out << step.key;
}

StoredEntry Copy(const EntryState& state) {
    EXPECT_EQ(state.written(), !state.meta.empty());
    return {std::string(state.meta), state.item ? std::optional(std::string(*state.item)) : std::nullopt};
}

std::vector<Step> Walk(NodeStore& store, const TreePair& base, const TreePair& ours, const TreePair& theirs) {
    std::vector<Step> steps;
    MergeCursor cursor(store, base, ours, theirs);
    while (cursor.Next()) {
        steps.push_back({std::string(cursor.key()), Copy(cursor.base()), Copy(cursor.ours()),
                         Copy(cursor.theirs()), cursor.ours_changed()});
    }
    EXPECT_FALSE(cursor.Next()) << "a key after the last";
    return steps;
}

std::vector<Step> WalkNaively(const State& base, const State& ours, const State& theirs) {
    std::vector<Step> steps;
    for (const std::string& key : ChangedKeys(base, theirs)) {
        steps.push_back(
            {key, Find(base, key), Find(ours, key), Find(theirs, key), Find(ours, key) != Find(base, key)});
    }
    return steps;
}

// Ours with what theirs alone changed, by ranges from the key after `singles` of a range on.
TreePair TakeOver(NodeStore& store, const TreePair& base, const TreePair& ours, const TreePair& theirs,
                  uint64_t singles) {
    TreeEditor data(store, ours.data_root);
    TreeEditor meta(store, ours.meta_root);
    MergeCursor cursor(store, base, ours, theirs);
    while (cursor.Next()) {
        if (cursor.ours_changed()) {
            continue;
        }
        const MergeCursor::OneSidedRange& range = cursor.one_sided_range();
        EXPECT_TRUE(range.keys.Contains(cursor.key()));
        if (range.passed < singles) {
            const EntryState& taken = cursor.theirs();
            taken.item ? data.Put(cursor.key(), *taken.item) : data.Delete(cursor.key());
            taken.written() ? meta.Put(cursor.key(), taken.meta) : meta.Delete(cursor.key());
            continue;
        }
        const KeyRange rest = {std::string(cursor.key()), range.keys.end};
        data.Splice(theirs.data_root, rest);
        meta.Splice(theirs.meta_root, rest);
        if (!rest.end) {
            break;
        }
        cursor.SkipTo(*rest.end);
    }
    return {data.Finish(), meta.Finish()};
}

State TakeOverNaively(const State& base, const State& ours, const State& theirs) {
    State taken = ours;
    for (const std::string& key : ChangedKeys(base, theirs)) {
        if (Find(ours, key) == Find(base, key)) {
            taken.erase(key);
            if (const auto entry = theirs.find(key); entry != theirs.end()) {
                taken.insert(*entry);
            }
        }
    }
    return taken;
}

StoredEntry AnyEntry(Random& random) {
    StoredEntry entry = {"m" + RandomBytes(random, 20 + Below(random, 60)), std::nullopt};
    if (Below(random, 8) != 0) {
        entry.item = RandomBytes(random, Below(random, Below(random, 10) == 0 ? 2000 : 100));
    }
    return entry;
}

State AnyState(KeyShape shape, size_t count, uint64_t seed) {
    Random random(seed);
    State state;
    for (size_t i = 0; i < count; ++i) {
        state[MakeKey(shape, i)] = AnyEntry(random);
    }
    return state;
}

// `state` after `changes` changes at random places: writes, tombstones, one of the two trees alone, keys that
// are gone without a trace, whole ranges.
State Change(State state, size_t changes, KeyShape shape, size_t key_space, Random& random) {
    for (size_t i = 0; i < changes; ++i) {
        const std::string key = MakeKey(shape, Below(random, key_space));
        const auto found = state.find(key);
        switch (Below(random, 12)) {
            case 0:
                for (auto [at, n] = std::pair(state.lower_bound(key), Below(random, 200));
                     n > 0 && at != state.end(); --n) {
                    at = state.erase(at);
                }
                break;
            case 1:
                for (uint64_t first = Below(random, key_space), n = Below(random, 200); n > 0; --n) {
                    state[MakeKey(shape, first + n)] = AnyEntry(random);
                }
                break;
            case 2:
                state.erase(key);
                break;
            case 3:
                state[key] = {AnyEntry(random).meta, std::nullopt};
                break;
            case 4:
            case 5:
                if (found != state.end()) {
                    found->second.meta = AnyEntry(random).meta;
                }
                break;
            case 6:
                if (found != state.end()) {
                    found->second.item = RandomBytes(random, 30);
                }
                break;
            default:
                state[key] = AnyEntry(random);
        }
    }
    return state;
}

class MergeCursorTest : public testing::Test {
  protected:
    // Checks the walk over the three states, in both directions.
    void Check(const State& base, const State& ours, const State& theirs) {
        const TreePair base_trees = BuildState(store_.nodes, base);
        const TreePair ours_trees = BuildState(store_.nodes, ours);
        const TreePair theirs_trees = BuildState(store_.nodes, theirs);
        ASSERT_EQ(Walk(store_.nodes, base_trees, ours_trees, theirs_trees), WalkNaively(base, ours, theirs));
        ASSERT_EQ(Walk(store_.nodes, base_trees, theirs_trees, ours_trees), WalkNaively(base, theirs, ours));
        const TreePair taken = BuildState(store_.nodes, TakeOverNaively(base, ours, theirs));
        for (const uint64_t singles : {0, 3, 1000000}) {
            ASSERT_EQ(TakeOver(store_.nodes, base_trees, ours_trees, theirs_trees, singles), taken);
        }
    }

    TestStore store_;
};

TEST_F(MergeCursorTest, NothingChangedReadsNothing) {
    const State state = AnyState(KeyShape::kUuid, 500, 1);
    const TreePair trees = BuildState(store_.nodes, state);
    const TreePair other = BuildState(store_.nodes, AnyState(KeyShape::kUuid, 400, 2));
    store_.nodes.ResetCounters();
    EXPECT_TRUE(Walk(store_.nodes, trees, other, trees).empty());
    EXPECT_EQ(store_.nodes.reads(), 0u);
}

TEST_F(MergeCursorTest, EmptyStates) {
    const State some = AnyState(KeyShape::kSequential, 700, 1);
    const State more = AnyState(KeyShape::kSequential, 900, 2);
    Check({}, {}, {});
    Check({}, {}, some);
    Check({}, some, some);
    Check({}, some, more);
    Check(some, {}, more);
    Check(some, {}, {});
    Check(some, some, more);
}

TEST_F(MergeCursorTest, IsTheNaiveWalkOnRandomHistories) {
    for (const KeyShape shape : kAllKeyShapes) {
        const size_t count = shape == KeyShape::kHuge ? 150 : 1500;
        const State base = AnyState(shape, count, 3);
        for (uint64_t seed = 0; seed < 30; ++seed) {
            SCOPED_TRACE(testing::Message() << "shape " << static_cast<int>(shape) << " seed " << seed);
            Random random(seed);
            const auto changed = [&](const State& from) {
                return Change(from, Below(random, seed % 4 == 0 ? 200 : 6), shape, count + count / 5, random);
            };
            // A part of the history may be common to both: identical changes.
            const State common = changed(base);
            ASSERT_NO_FATAL_FAILURE(Check(base, changed(common), changed(common)));
            ASSERT_NO_FATAL_FAILURE(Check(base, common, common));
        }
    }
}

// Changes at the places where a leaf begins or ends.
TEST_F(MergeCursorTest, EdgesOfTreesAndLeaves) {
    const State base = AnyState(KeyShape::kSequential, 1500, 5);
    const TreePair trees = BuildState(store_.nodes, base);
    const NodeRef root = store_.nodes.ReadNode(trees.meta_root);
    ASSERT_EQ(root->level(), 1);
    ASSERT_GT(root->count(), 4u);
    std::string last_of_first;
    std::string last_of_second;
    root->Key(0, &last_of_first);
    root->Key(1, &last_of_second);
    const auto in_second_leaf = [&](const std::string& key) {
        return key > last_of_first && key <= last_of_second;
    };

    std::vector<State> variants(1, base);
    const auto add = [&](auto change) {
        variants.push_back(base);
        change(variants.back());
    };
    add([](State& state) { state["a"] = {"before the first", "x"}; });
    add([](State& state) { state["z"] = {"after the last", "x"}; });
    add([](State& state) { state.erase(state.begin()); });
    add([](State& state) { state.erase(std::prev(state.end())); });
    add([&](State& state) { std::erase_if(state, [&](auto& e) { return in_second_leaf(e.first); }); });
    add([&](State& state) { state.erase(last_of_first); });
    add([&](State& state) { state[last_of_first].meta = "changed"; });
    add([&](State& state) { state[last_of_first] = {"tombstone", std::nullopt}; });
    add([&](State& state) { state[last_of_first + '\0'] = {"behind the boundary", "x"}; });
    add([&](State& state) { std::erase_if(state, [&](auto& e) { return e.first <= last_of_second; }); });
    add([&](State& state) { std::erase_if(state, [&](auto& e) { return e.first > last_of_first; }); });
    add([&](State& state) {
        for (auto& [key, entry] : state) {
            entry.item = "everything";
        }
    });
    add([](State& state) { state.clear(); });
    for (size_t i = 0; i < variants.size(); ++i) {
        for (size_t j = 0; j < variants.size(); ++j) {
            SCOPED_TRACE(testing::Message() << "variants " << i << " and " << j);
            ASSERT_NO_FATAL_FAILURE(Check(base, variants[i], variants[j]));
        }
    }
}

TEST_F(MergeCursorTest, DamageIsReported) {
    Random random(1);
    const State base = AnyState(KeyShape::kUuid, 3000, 1);
    const TreePair trees = BuildState(store_.nodes, base);
    const TreePair ours = BuildState(store_.nodes, Change(base, 100, KeyShape::kUuid, 3000, random));
    const TreePair theirs = BuildState(store_.nodes, Change(base, 100, KeyShape::kUuid, 3000, random));
    ASSERT_TRUE(store_.nodes.Erase(ours.data_root));
    try {
        Walk(store_.nodes, trees, ours, theirs);
        FAIL() << "a missing node was not noticed";
    } catch (const Error& error) {
        EXPECT_EQ(error.code(), ErrorCode::kCorruption);
    }
}

// --- cost ---

// What a tree of many keys costs to merge into, in nodes read.
class MergeCostTest : public testing::Test {
  protected:
    static constexpr size_t kKeys = 200000;

    static void SetUpTestSuite() {
        shared_ = new TestStore;
        base_ = new TreePair(BuildState(shared_->nodes, BigState(kKeys)));
    }
    static void TearDownTestSuite() {
        delete base_;
        delete shared_;
    }

    static State BigState(size_t keys) {
        State state;
        for (size_t i = 0; i < keys; ++i) {
            state.emplace_hint(state.end(), MakeKey(KeyShape::kSequential, i),
                               StoredEntry{"metadata of a first write that takes some room", "{\"n\": 1}"});
        }
        return state;
    }

    static TreePair Write(const TreePair& trees, const std::map<std::string, std::string>& writes) {
        TreeEditor data(shared_->nodes, trees.data_root);
        TreeEditor meta(shared_->nodes, trees.meta_root);
        for (const auto& [key, value] : writes) {
            data.Put(key, value);
            meta.Put(key, "metadata of " + value);
        }
        return {data.Finish(), meta.Finish()};
    }

    // `count` keys anywhere, or from `first` on.
    static std::map<std::string, std::string> Random(size_t count, uint64_t seed, size_t keys = kKeys) {
        kvs::test::Random random(seed);
        std::map<std::string, std::string> writes;
        while (writes.size() < count) {
            writes[MakeKey(KeyShape::kSequential, Below(random, keys))] = "write " + std::to_string(seed);
        }
        return writes;
    }
    static std::map<std::string, std::string> Clustered(size_t count, size_t first) {
        std::map<std::string, std::string> writes;
        for (size_t i = 0; i < count; ++i) {
            writes[MakeKey(KeyShape::kSequential, first + i)] = "write " + std::to_string(first);
        }
        return writes;
    }

    // Nodes read by a merge that finds `changes` changes.
    static uint64_t Reads(const TreePair& base, const TreePair& ours, const TreePair& theirs,
                          size_t changes) {
        shared_->nodes.ResetCounters();
        MergeCursor cursor(shared_->nodes, base, ours, theirs);
        size_t found = 0;
        while (cursor.Next()) {
            ++found;
        }
        EXPECT_EQ(found, changes);
        return shared_->nodes.reads();
    }

    static TestStore* shared_;
    static TreePair* base_;
};

TestStore* MergeCostTest::shared_ = nullptr;
TreePair* MergeCostTest::base_ = nullptr;

TEST_F(MergeCostTest, IsThatOfTheChanges) {
    const TreePair ours = Write(*base_, Random(1000, 1));
    const uint64_t one = Reads(*base_, ours, Write(*base_, Random(1, 2)), 1);
    const uint64_t hundred = Reads(*base_, ours, Write(*base_, Random(100, 2)), 100);
    const uint64_t thousand = Reads(*base_, ours, Write(*base_, Random(1000, 2)), 1000);
    // At most the paths of a key in four trees, of data and of metadata; keys share the upper nodes.
    EXPECT_LE(one, 40u);
    EXPECT_LE(hundred, 100u * 14);
    EXPECT_LE(thousand, 1000u * 8);
}

TEST_F(MergeCostTest, IsNotThatOfOurs) {
    const TreePair theirs = Write(*base_, Random(10, 2));
    const uint64_t few = Reads(*base_, Write(*base_, Random(10, 1)), theirs, 10);
    const uint64_t many = Reads(*base_, Write(*base_, Random(20000, 1)), theirs, 10);
    EXPECT_LE(many, few + 10 * 2 * 3) << few;
}

TEST_F(MergeCostTest, OfClusteredChangesIsSmall) {
    const TreePair theirs = Write(*base_, Clustered(1000, 50000));
    const uint64_t random =
        Reads(*base_, Write(*base_, Random(1000, 1)), Write(*base_, Random(1000, 2)), 1000);
    const uint64_t apart = Reads(*base_, Write(*base_, Clustered(1000, 150000)), theirs, 1000);
    const uint64_t meeting = Reads(*base_, Write(*base_, Clustered(1000, 50500)), theirs, 1000);
    EXPECT_LE(apart, random / 20) << random;
    EXPECT_LE(meeting, random / 10) << random;
    const uint64_t fast_forward = Reads(*base_, *base_, theirs, 1000);
    EXPECT_LE(fast_forward, apart);
}

TEST_F(MergeCostTest, OfRangesThatOneSideChangedIsThatOfTheirEnds) {
    // Each side changed a half, and ours ten keys in the half of theirs.
    auto of_ours = Clustered(kKeys / 2, 0);
    of_ours.merge(Clustered(10, kKeys / 4 * 3));
    const TreePair ours = Write(*base_, of_ours);
    const TreePair theirs = Write(*base_, Clustered(kKeys / 2, kKeys / 2));
    shared_->nodes.ResetCounters();
    const TreePair merged = TakeOver(shared_->nodes, *base_, ours, theirs, 20);
    EXPECT_LE(shared_->nodes.reads(), 250u);
    EXPECT_LE(shared_->nodes.writes(), 60u);
    EXPECT_EQ(merged, Write(theirs, of_ours));
}

TEST_F(MergeCostTest, HardlyGrowsWithTheTrees) {
    const TreePair small = BuildState(shared_->nodes, BigState(kKeys / 10));
    const auto reads = [](const TreePair& base) {
        return Reads(base, Write(base, Random(30, 1, kKeys / 10)), Write(base, Random(30, 2, kKeys / 10)),
                     30);
    };
    EXPECT_LE(reads(*base_), reads(small) * 2);
}

}  // namespace
}  // namespace kvs::test

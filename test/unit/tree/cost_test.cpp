// What operations may cost, in chunks read and written: the bounds that make history, diff and commit cheap.
#include <gtest/gtest.h>

#include "kvs/tree/diff.h"
#include "kvs/tree/stats.h"
#include "kvs/tree/tree.h"
#include "support.h"

namespace kvs::test {
namespace {

constexpr size_t kCount = 200000;

class CostTest : public testing::Test {
  protected:
    static void SetUpTestSuite() {
        store_ = new TestStore;
        TreeEditor editor(store_->nodes, kEmptyRoot);
        for (size_t i = 0; i < kCount; ++i) {
            editor.Put(MakeKey(KeyShape::kSequential, i), std::string(100, 'v'));
        }
        root_ = editor.Finish();
        depth_ = CollectTreeStats(store_->nodes, root_).depth;
    }
    static void TearDownTestSuite() {
        delete store_;
        store_ = nullptr;
    }

    static Batch RandomBatch(size_t size, uint64_t seed) {
        Random random(seed);
        Batch batch;
        while (batch.size() < size) {
            batch[MakeKey(KeyShape::kSequential, Below(random, kCount))] =
                "changed " + std::to_string(random());
        }
        return batch;
    }

    static MemoryNodeStore& nodes() { return store_->nodes; }

    static inline TestStore* store_ = nullptr;
    static inline Hash root_;
    static inline int depth_ = 0;
};

TEST_F(CostTest, GetReadsOnePath) {
    const Tree tree(nodes(), root_);
    for (size_t i = 0; i < kCount; i += 1000) {
        nodes().ResetCounters();
        ASSERT_TRUE(tree.Get(MakeKey(KeyShape::kSequential, i)));
        ASSERT_EQ(nodes().reads(), static_cast<uint64_t>(depth_));
    }
}

TEST_F(CostTest, GetManyReadsEachNodeOnce) {
    std::vector<std::string> keys;
    for (size_t i = 0; i < kCount; ++i) {
        keys.push_back(MakeKey(KeyShape::kSequential, i));
    }
    const std::vector<std::string_view> views(keys.begin(), keys.end());
    nodes().ResetCounters();
    Tree(nodes(), root_).GetMany(views, [](size_t, std::optional<std::string_view>) {});
    const uint64_t reads = nodes().reads();
    EXPECT_EQ(reads, CollectTreeStats(nodes(), root_).nodes);
}

TEST_F(CostTest, AnEditReadsAndWritesThePathsToItsKeys) {
    // A changed leaf may lose its boundary and take in the next one: a little more than one path each.
    for (const size_t size : {1, 10, 100, 1000}) {
        for (uint64_t seed = 0; seed < 5; ++seed) {
            const Batch batch = RandomBatch(size, seed);
            nodes().ResetCounters();
            ASSERT_NE(Edit(nodes(), root_, batch), root_);
            ASSERT_LE(nodes().reads(), (size + 2) * depth_ + size) << size;
            ASSERT_LE(nodes().writes(), (size + 2) * depth_ + size) << size;
        }
    }
}

TEST_F(CostTest, ASingleChangeReadsOnAverageOnePathAndAHalf) {
    nodes().ResetCounters();
    constexpr int kRounds = 500;
    for (uint64_t seed = 0; seed < kRounds; ++seed) {
        Edit(nodes(), root_, RandomBatch(1, seed));
    }
    EXPECT_LE(nodes().reads(), kRounds * (depth_ + 1.5));
    EXPECT_LE(nodes().writes(), kRounds * (depth_ + 0.5));
}

TEST_F(CostTest, ManySparseChangesReadEachNodeAtMostOnce) {
    const uint64_t nodes_in_tree = CollectTreeStats(nodes(), root_).nodes;
    nodes().ResetCounters();
    Edit(nodes(), root_, RandomBatch(50000, 1));
    EXPECT_LE(nodes().reads(), nodes_in_tree);
}

TEST_F(CostTest, AppendingReadsOnePath) {
    nodes().ResetCounters();
    Edit(nodes(), root_, {{MakeKey(KeyShape::kSequential, kCount), "appended"}});
    EXPECT_LE(nodes().reads(), static_cast<uint64_t>(depth_));
    EXPECT_LE(nodes().writes(), static_cast<uint64_t>(depth_ + 1));
}

TEST_F(CostTest, ANodeThatStandsIsNotWrittenAgain) {
    // Where the last leaf happens to end at a boundary, the appended entry leaves it as it is.
    TestStore store;
    Hash root = kEmptyRoot;
    for (size_t i = 0; i < 500; ++i) {
        root = Edit(store.nodes, root, {{MakeKey(KeyShape::kSequential, i), std::string(100, 'v')}});
    }
    EXPECT_EQ(store.nodes.writes(), store.nodes.chunk_count());
}

TEST_F(CostTest, ARootWithASingleChildIsNotWritten) {
    Batch batch;
    for (size_t i = 3; i < kCount; ++i) {
        batch[MakeKey(KeyShape::kSequential, i)] = std::nullopt;
    }
    nodes().ResetCounters();
    const Hash root = Edit(nodes(), root_, batch);
    EXPECT_LE(nodes().writes(), static_cast<uint64_t>(depth_ - 1));
    EXPECT_EQ(CollectTreeStats(nodes(), root).depth, 1);
}

TEST_F(CostTest, ChangesWithoutEffectOnlyRead) {
    Batch batch = RandomBatch(100, 3);
    for (auto& [key, value] : batch) {
        value = std::string(100, 'v');
    }
    batch["user:00000001~"] = std::nullopt;
    nodes().ResetCounters();
    EXPECT_EQ(Edit(nodes(), root_, batch), root_);
    EXPECT_EQ(nodes().writes(), 0u);
    EXPECT_LE(nodes().reads(), 101u * depth_);
}

TEST_F(CostTest, DiffReadsThePathsThatChanged) {
    for (const size_t size : {1, 10, 100, 1000}) {
        const Hash to = Edit(nodes(), root_, RandomBatch(size, size));
        nodes().ResetCounters();
        size_t changes = 0;
        DiffCursor diff(nodes(), root_, to);
        while (diff.Next()) {
            ++changes;
        }
        EXPECT_EQ(changes, size);
        EXPECT_LE(nodes().reads(), 2 * ((size + 1) * depth_ + size)) << size;
    }
}

TEST_F(CostTest, DiffOfARangeReadsThatRange) {
    const Hash to = Edit(nodes(), root_, RandomBatch(20000, 7));
    const KeyRange range = {MakeKey(KeyShape::kSequential, 100000), MakeKey(KeyShape::kSequential, 100100)};
    nodes().ResetCounters();
    DiffCursor diff(nodes(), root_, to, range);
    size_t changes = 0;
    while (diff.Next()) {
        ++changes;
    }
    EXPECT_GT(changes, 0u);
    EXPECT_LE(nodes().reads(), 2u * (depth_ + 10));
}

TEST_F(CostTest, DiffOfAnUnchangedRangeReadsNoLeaf) {
    // The change is elsewhere: both trees share the subtree in which the range starts and ends.
    const Hash to = Edit(nodes(), root_, {{MakeKey(KeyShape::kSequential, 5), "changed"}});
    nodes().ResetCounters();
    DiffCursor diff(nodes(), root_, to,
                    {MakeKey(KeyShape::kSequential, 150000), MakeKey(KeyShape::kSequential, 160000)});
    EXPECT_FALSE(diff.Next());
    EXPECT_LE(nodes().reads(), 2u * (depth_ - 1));
}

TEST_F(CostTest, DiffOfARangeDoesNotLookForChangesBehindIt) {
    const Hash to = Edit(nodes(), root_,
                         {{MakeKey(KeyShape::kSequential, 1000), "changed"},
                          {MakeKey(KeyShape::kSequential, 150000), "changed"}});
    nodes().ResetCounters();
    DiffCursor diff(nodes(), root_, to,
                    {MakeKey(KeyShape::kSequential, 1000), MakeKey(KeyShape::kSequential, 1200)});
    EXPECT_TRUE(diff.Next());
    EXPECT_FALSE(diff.Next());
    EXPECT_LE(nodes().reads(), 2u * depth_);
}

TEST_F(CostTest, DiffAroundALargeInsertionSkipsWhatFollows) {
    Batch batch;
    for (size_t i = 0; i < 3000; ++i) {
        batch["user:00100000/" + std::to_string(i)] = "inserted";
    }
    const Hash to = Edit(nodes(), root_, batch);
    nodes().ResetCounters();
    size_t changes = 0;
    DiffCursor diff(nodes(), root_, to);
    while (diff.Next()) {
        ++changes;
    }
    EXPECT_EQ(changes, batch.size());
    // 3,000 entries of about 30 bytes are some 25 leaves.
    EXPECT_LE(nodes().reads(), 60u + 4 * depth_);
}

TEST_F(CostTest, RankAndNthReadOnePath) {
    nodes().ResetCounters();
    EXPECT_EQ(Tree(nodes(), root_).Rank(MakeKey(KeyShape::kSequential, 123456)), 123456u);
    EXPECT_EQ(nodes().reads(), static_cast<uint64_t>(depth_));
    nodes().ResetCounters();
    Cursor cursor(nodes(), root_);
    ASSERT_TRUE(cursor.SeekNth(123456));
    EXPECT_EQ(cursor.key(), MakeKey(KeyShape::kSequential, 123456));
    EXPECT_EQ(nodes().reads(), static_cast<uint64_t>(depth_));
}

TEST_F(CostTest, CountingInsertionsReadsThePathsToTheirEnds) {
    Batch batch;
    for (size_t i = 0; i < kCount; ++i) {
        batch[MakeKey(KeyShape::kSequential, kCount / 2) + ":" + MakeKey(KeyShape::kSequential, i)] = "new";
    }
    const Hash more = Edit(nodes(), root_, batch);
    nodes().ResetCounters();
    EXPECT_EQ(DiffCursor(nodes(), root_, more).CountRest(), kCount);
    EXPECT_EQ(DiffCursor(nodes(), more, root_).CountRest(), kCount);
    EXPECT_LE(nodes().reads(), 100u);
}

TEST_F(CostTest, ASpliceReadsAndWritesThePathsToItsEnds) {
    // Half of the keys changed, new ones among them: taken over with a few nodes at each end.
    Batch batch;
    for (size_t i = kCount / 4; i < kCount / 4 * 3; ++i) {
        batch[MakeKey(KeyShape::kSequential, i)] = "changed";
        batch[MakeKey(KeyShape::kSequential, i) + "+"] = "new";
    }
    const Hash source = Edit(nodes(), root_, batch);
    nodes().ResetCounters();
    TreeEditor editor(nodes(), root_);
    editor.Splice(
        source, {MakeKey(KeyShape::kSequential, kCount / 5), MakeKey(KeyShape::kSequential, kCount / 5 * 4)});
    EXPECT_EQ(editor.Finish(), source);
    EXPECT_LE(nodes().reads(), 60u);
    EXPECT_LE(nodes().writes(), 30u);

    nodes().ResetCounters();
    TreeEditor part(nodes(), root_);
    part.Splice(source,
                {MakeKey(KeyShape::kSequential, kCount / 3), MakeKey(KeyShape::kSequential, kCount / 2)});
    const Hash root = part.Finish();
    EXPECT_LE(nodes().reads(), 60u);
    EXPECT_LE(nodes().writes(), 30u);
    EXPECT_EQ(CollectTreeStats(nodes(), root).entries, kCount + kCount / 2 - kCount / 3);
}

}  // namespace
}  // namespace kvs::test

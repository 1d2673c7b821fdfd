#include "kvs/tree/cursor.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <iterator>

#include "kvs/tree/stats.h"
#include "support.h"

namespace kvs::test {
namespace {

class CursorTest : public testing::TestWithParam<KeyShape> {
  protected:
    CursorTest() : entries_(MakeEntries(GetParam(), GetParam() == KeyShape::kHuge ? 150 : 2500, 23)) {
        root_ = Build(store_.nodes, entries_);
        for (const auto& [key, value] : entries_) {
            keys_.push_back(key);
        }
    }

    // Some key of the tree, or one before, between or behind.
    std::string Probe(Random& random) const {
        std::string key = keys_[Below(random, keys_.size())];
        switch (Below(random, 5)) {
            case 0:
                return key + '\0';
            case 1:
                return key.substr(0, key.size() - 1);
            case 2:
                key.back() = static_cast<char>(key.back() + 1);
                return key;
            default:
                return key;
        }
    }

    // Fails unless the cursor stands on key number `position` of the tree, or nowhere if there is none.
    void ExpectAt(const Cursor& cursor, size_t position) const {
        ASSERT_EQ(cursor.Valid(), position < keys_.size());
        if (cursor.Valid()) {
            ASSERT_EQ(cursor.key(), keys_[position]);
            ASSERT_EQ(cursor.value(), entries_.at(keys_[position]));
            ASSERT_EQ(cursor.Rank(), position);
            ASSERT_EQ(cursor.CompareKey(keys_[position]), 0);
        }
    }

    TestStore store_;
    Entries entries_;
    Hash root_;
    std::vector<std::string> keys_;
};

INSTANTIATE_TEST_SUITE_P(Shapes, CursorTest, testing::ValuesIn(kAllKeyShapes));

TEST_P(CursorTest, ForwardOverEverything) {
    Cursor cursor(store_.nodes, root_);
    EXPECT_FALSE(cursor.Valid());
    EXPECT_EQ(store_.nodes.reads(), 0u);
    size_t position = 0;
    for (bool valid = cursor.SeekFirst(); valid; valid = cursor.Next()) {
        ExpectAt(cursor, position++);
    }
    EXPECT_EQ(position, keys_.size());
    EXPECT_FALSE(cursor.Valid());
    const uint64_t reads = store_.nodes.reads();
    EXPECT_EQ(reads, CollectTreeStats(store_.nodes, root_).nodes) << "each node is read once";
}

TEST_P(CursorTest, BackwardOverEverything) {
    Cursor cursor(store_.nodes, root_);
    size_t position = keys_.size();
    for (bool valid = cursor.SeekLast(); valid; valid = cursor.Prev()) {
        ExpectAt(cursor, --position);
    }
    EXPECT_EQ(position, 0u);
    EXPECT_FALSE(cursor.Valid());
}

TEST_P(CursorTest, AnyWalkIsThatOfASortedMap) {
    for (uint64_t seed = 0; seed < 20; ++seed) {
        Random random(seed);
        Cursor cursor(store_.nodes, root_);
        size_t position = keys_.size();
        for (int step = 0; step < 400; ++step) {
            SCOPED_TRACE(testing::Message() << "seed " << seed << " step " << step);
            const std::string probe = Probe(random);
            const size_t at = std::lower_bound(keys_.begin(), keys_.end(), probe) - keys_.begin();
            switch (Below(random, 8)) {
                case 0:
                    position = at;
                    ASSERT_EQ(cursor.Seek(probe), position < keys_.size());
                    break;
                case 1:
                    position = at == 0 ? keys_.size() : at - 1;
                    ASSERT_EQ(cursor.SeekBefore(probe), at > 0);
                    break;
                case 2:
                    position = Below(random, keys_.size() + 2);
                    ASSERT_EQ(cursor.SeekNth(position), position < keys_.size());
                    break;
                case 3:
                    // A seek to close by, from where it stands.
                    if (position < keys_.size()) {
                        position = std::min<size_t>(position + Below(random, 40), keys_.size() - 1);
                        ASSERT_TRUE(cursor.Seek(keys_[position]));
                    }
                    break;
                default:
                    for (size_t i = Below(random, 30); i > 0 && position < keys_.size(); --i) {
                        if (Below(random, 3) == 0) {
                            position = position == 0 ? keys_.size() : position - 1;
                            ASSERT_EQ(cursor.Prev(), position < keys_.size());
                        } else {
                            ++position;
                            ASSERT_EQ(cursor.Next(), position < keys_.size());
                        }
                    }
            }
            ExpectAt(cursor, position);
        }
        cursor.SeekFirst();
        ExpectAt(cursor, 0);
        cursor.SeekLast();
        ExpectAt(cursor, keys_.size() - 1);
    }
}

TEST_P(CursorTest, SeeksToTheEnds) {
    Cursor cursor(store_.nodes, root_);
    EXPECT_TRUE(cursor.Seek(""));
    ExpectAt(cursor, 0);
    EXPECT_FALSE(cursor.SeekBefore(""));
    EXPECT_FALSE(cursor.Valid());
    const std::string behind(60, '\xff');
    EXPECT_FALSE(cursor.Seek(behind));
    EXPECT_TRUE(cursor.SeekBefore(behind));
    ExpectAt(cursor, keys_.size() - 1);
    EXPECT_FALSE(cursor.SeekNth(keys_.size()));
    EXPECT_FALSE(cursor.SeekNth(~uint64_t{0}));
}

TEST(CursorReadTest, TheEmptyTreeHasNoEntry) {
    TestStore store;
    Cursor cursor(store.nodes, kEmptyRoot);
    EXPECT_FALSE(cursor.SeekFirst());
    EXPECT_FALSE(cursor.SeekLast());
    EXPECT_FALSE(cursor.Seek(""));
    EXPECT_FALSE(cursor.SeekBefore("z"));
    EXPECT_FALSE(cursor.SeekNth(0));
    EXPECT_FALSE(cursor.Valid());
    EXPECT_EQ(store.nodes.reads(), 0u);
}

TEST(CursorReadTest, ShortSeeksReadOnlyWhatDiffers) {
    TestStore store;
    const Entries entries = MakeEntries(KeyShape::kSequential, 50000, 1);
    const Hash root = Build(store.nodes, entries);
    const TreeStats stats = CollectTreeStats(store.nodes, root);
    Cursor cursor(store.nodes, root);
    store.nodes.ResetCounters();
    for (const auto& [key, value] : entries) {
        ASSERT_TRUE(cursor.Seek(key));
        ASSERT_EQ(cursor.key(), key);
    }
    // Ascending seeks are a scan: a leaf's first key makes the cursor climb once more, but not read twice
    // what it holds.
    EXPECT_LT(store.nodes.reads(), stats.nodes * 3 / 2);
}

TEST(CursorReadTest, AFailedMoveLeavesTheCursorInvalidAndUsable) {
    TestStore store;
    const Entries entries = MakeEntries(KeyShape::kSequential, 3000, 1);
    const Hash root = Build(store.nodes, entries);
    std::vector<Hash> leaves;
    WalkNodes(store.nodes, root, [&leaves](const Hash& address, const NodeRef& node) {
        if (node->is_leaf()) {
            leaves.push_back(address);
        }
        return true;
    });
    store.nodes.Erase(leaves[1]);
    Cursor cursor(store.nodes, root);
    ASSERT_TRUE(cursor.SeekFirst());
    size_t read = 0;
    try {
        while (cursor.Next()) {
            ++read;
        }
        FAIL() << "walked over a missing leaf";
    } catch (const Error& error) {
        EXPECT_EQ(error.code(), ErrorCode::kCorruption);
        EXPECT_NE(std::string(error.what()).find(leaves[1].ToHex()), std::string::npos);
    }
    EXPECT_FALSE(cursor.Valid());
    EXPECT_GT(read, 0u);
    EXPECT_TRUE(cursor.Seek(entries.begin()->first));
    EXPECT_EQ(cursor.key(), entries.begin()->first);
    EXPECT_TRUE(cursor.SeekLast());
    EXPECT_EQ(cursor.key(), entries.rbegin()->first);
    EXPECT_TRUE(cursor.SeekNth(0));
    EXPECT_EQ(cursor.value(), entries.begin()->second);
}

TEST(CursorReadTest, AHeldLeafKeepsTheValue) {
    TestStore store;
    const Entries entries = MakeEntries(KeyShape::kSequential, 3000, 1);
    Cursor cursor(store.nodes, Build(store.nodes, entries));
    cursor.SeekFirst();
    const std::string_view value = cursor.value();
    const NodeRef leaf = cursor.leaf();
    EXPECT_EQ(cursor.index(), 0u);
    cursor.SeekLast();
    for (const Hash& address : store.nodes.Addresses()) {
        store.nodes.Erase(address);
    }
    EXPECT_EQ(value, entries.begin()->second);
}

}  // namespace
}  // namespace kvs::test

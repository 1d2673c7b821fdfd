#include "kvs/tree/splitter.h"

#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include <algorithm>
#include <cmath>

#include "support.h"

namespace kvs::test {
namespace {

constexpr double kOne = 281474976710656.0;  // 2^48

TEST(NegativeLogTest, KnownValues) {
    // The ends, the powers of two (whose logarithm is n * ln 2), and values that a second implementation
    // agreed on.
    EXPECT_EQ(NegativeLog(~uint64_t{0}), 0u);
    EXPECT_EQ(NegativeLog(0), 12681733122835885u);
    EXPECT_EQ(NegativeLog(uint64_t{1} << 63), 195103586505167u);
    EXPECT_EQ(NegativeLog((uint64_t{1} << 63) - 1), 195103586505168u);
    EXPECT_EQ(NegativeLog(0x0123456789abcdef), 1524496734573064u);
}

// Within two units of the last place.
RC_GTEST_PROP(NegativeLogProperty, IsTheLogarithm, ()) {
    const auto bits = *rc::gen::inRange(0, 64);
    const auto draw = *rc::gen::arbitrary<uint64_t>() >> bits;
    const long double truth = -(std::log(static_cast<long double>(draw) + 0.5L) - 64 * std::log(2.0L)) * kOne;
    const long double error = static_cast<long double>(NegativeLog(draw)) - truth;
    RC_ASSERT(error > -2.0L - 0.01L);
    RC_ASSERT(error < 2.0L + 0.01L);
}

TEST(NegativeLogTest, LowerBoundUsedByTheSplitterHolds) {
    // 1 - u <= -ln u, also in the integers, with the allowance of two units: checked where it is tightest.
    Random random(1);
    for (int i = 0; i < 1000000; ++i) {
        const uint64_t draw = ~(random() >> Below(random, 64));
        ASSERT_GE(NegativeLog(draw) + 2, ~draw >> 16) << draw;
    }
}

TEST(SplitterTest, KnownDraws) {
    EXPECT_EQ(SplitDraw("", 0), 0x7573251c191dc668u);
    EXPECT_EQ(SplitDraw("user:00000001", 0), 0x039afdf39d15adc3u);
    EXPECT_EQ(SplitDraw("user:00000001", 1), 0x5041878b52bd2971u);
    EXPECT_EQ(SplitDraw(std::string(1000, 'k'), 2), 0xd3a26f4dbc23410bu);
}

// The definition of docs/node-format.md without its short cut.
class PlainSplitter {
  public:
    explicit PlainSplitter(int level) : level_(level) {}

    bool Add(std::string_view key, size_t size) {
        const uint64_t a = std::max<uint64_t>(size_, 512);
        const uint64_t end = size_ + size;
        ++items_;
        const bool enough = level_ == 0 || items_ >= 2;
        const bool ends =
            enough && (end >= 16384 || (end > 512 && NegativeLog(SplitDraw(key, level_)) <
                                                         end * end * end * end - a * a * a * a));
        size_ = ends ? 0 : end;
        items_ = ends ? 0 : items_;
        return ends;
    }

  private:
    int level_;
    uint64_t size_ = 0;
    int items_ = 0;
};

TEST(SplitterTest, ShortCutDecidesLikeTheDefinition) {
    Random random(2);
    for (int level = 0; level < 3; ++level) {
        Splitter splitter(level);
        PlainSplitter plain(level);
        for (int i = 0; i < 300000; ++i) {
            const std::string key = MakeKey(KeyShape::kSequential, i);
            const size_t size = Below(random, 50) == 0 ? Below(random, 6145) : 20 + Below(random, 300);
            ASSERT_EQ(splitter.Add(key, size), plain.Add(key, size)) << i;
        }
    }
}

struct Distribution {
    double mean = 0;
    double deviation = 0;
    double smallest = 0;
    double largest = 0;
    size_t count = 0;
};

// Node sizes over `count` items whose value has `value_size` bytes.
Distribution Sizes(KeyShape shape, size_t count, size_t value_size, int level) {
    std::vector<std::string> keys;
    for (size_t i = 0; i < count; ++i) {
        keys.push_back(MakeKey(shape, i));
    }
    std::sort(keys.begin(), keys.end());
    Splitter splitter(level);
    std::vector<double> sizes;
    size_t size = 0;
    for (const std::string& key : keys) {
        const size_t item = level == 0 ? LeafItemSize(key.size(), value_size) : InternalItemSize(key.size());
        size += item;
        if (splitter.Add(key, item)) {
            sizes.push_back(static_cast<double>(size));
            size = 0;
        }
    }
    Distribution result;
    result.count = sizes.size();
    for (const double value : sizes) {
        result.mean += value / static_cast<double>(sizes.size());
    }
    for (const double value : sizes) {
        result.deviation += (value - result.mean) * (value - result.mean) / static_cast<double>(sizes.size());
    }
    result.deviation = std::sqrt(result.deviation);
    result.smallest = *std::min_element(sizes.begin(), sizes.end());
    result.largest = *std::max_element(sizes.begin(), sizes.end());
    return result;
}

TEST(SplitterTest, DistributionDoesNotDependOnTheKeys) {
    // Weibull with shape 4 and scale 4096: mean 4096 * Gamma(1.25) = 3713, deviation 4096 * 0.2543 = 1042.
    // Half an item is added by granularity.
    for (const KeyShape shape : {KeyShape::kSequential, KeyShape::kRandom, KeyShape::kUuid, KeyShape::kPrefix,
                                 KeyShape::kLowEntropy, KeyShape::kBinary}) {
        for (const int level : {0, 1}) {
            SCOPED_TRACE(testing::Message() << "shape " << static_cast<int>(shape) << " level " << level);
            const Distribution sizes = Sizes(shape, 200000, 60, level);
            const double item = static_cast<double>(MakeKey(shape, 100000).size()) + (level == 0 ? 64 : 40);
            ASSERT_GT(sizes.count, 1000u);
            EXPECT_NEAR(sizes.mean, 3713 + item / 2, 120);
            EXPECT_NEAR(sizes.deviation, 1042, 80);
            EXPECT_GT(sizes.smallest, 512);
            EXPECT_LT(sizes.largest, 9000);
        }
    }
}

TEST(SplitterTest, LargeItemsKeepTheBounds) {
    for (const size_t value_size : {1000, 2000, 4096}) {
        const Distribution sizes = Sizes(KeyShape::kSequential, 20000, value_size, 0);
        const double item = static_cast<double>(value_size) + 17;
        EXPECT_GT(sizes.mean, 3713);
        EXPECT_LT(sizes.mean, 3713 + item);
        EXPECT_LT(sizes.largest, kSplitMax + item);
    }
}

TEST(SplitterTest, NoBoundaryAtOrBelowTheMinimum) {
    Splitter splitter(0);
    for (int i = 0; i < 100000; ++i) {
        splitter.Reset();
        ASSERT_FALSE(splitter.Add(std::to_string(i), kSplitMin));
    }
}

TEST(SplitterTest, AlwaysABoundaryAtTheMaximum) {
    for (int i = 0; i < 1000; ++i) {
        Splitter splitter(0);
        splitter.AddInside(kSplitMax - 10);
        ASSERT_TRUE(splitter.Add(std::to_string(i), 10));
    }
}

TEST(SplitterTest, AnInternalNodeHasTwoChildren) {
    Splitter splitter(1);
    EXPECT_FALSE(splitter.Add("a", 2 * kSplitMax));
    EXPECT_TRUE(splitter.Add("b", 50));
    EXPECT_FALSE(splitter.Add("c", 2 * kSplitMax)) << "the state of a boundary is that of a new node";
}

TEST(SplitterTest, ASizeChangeDoesNotCascade) {
    // One value grows: the boundaries must meet the old ones again within a few nodes, wherever it is.
    const size_t count = 100000;
    std::vector<std::string> keys;
    for (size_t i = 0; i < count; ++i) {
        keys.push_back(MakeKey(KeyShape::kLowEntropy, i));
    }
    const auto boundaries = [&keys](size_t grown) {
        std::vector<bool> ends(keys.size());
        Splitter splitter(0);
        for (size_t i = 0; i < keys.size(); ++i) {
            ends[i] = splitter.Add(keys[i], LeafItemSize(keys[i].size(), i == grown ? 900 : 60));
        }
        return ends;
    };
    const std::vector<bool> before = boundaries(count);
    size_t changed = 0;
    for (size_t grown = 0; grown < count; grown += count / 100) {
        const std::vector<bool> after = boundaries(grown);
        for (size_t i = 0; i < count; ++i) {
            changed += before[i] != after[i];
        }
    }
    EXPECT_LT(changed, 100 * 6u) << "boundaries that moved, over 100 changes";
}

}  // namespace
}  // namespace kvs::test

#include "kvs/util/latency_histogram.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <random>
#include <vector>

namespace kvs {

namespace {

constexpr uint64_t kShortest = 64;
constexpr uint64_t kLongest = uint64_t{1} << 40;

TEST(LatencyHistogram, BucketsJoin) {
    EXPECT_EQ(LatencyBucketStart(0), kShortest);
    EXPECT_EQ(LatencyBucketStart(kLatencyBuckets), kLongest);
    for (int bucket = 0; bucket < kLatencyBuckets; bucket++) {
        const uint64_t start = LatencyBucketStart(bucket);
        const uint64_t end = LatencyBucketStart(bucket + 1);
        ASSERT_LT(start, end);
        EXPECT_EQ(LatencyBucket(start), bucket);
        EXPECT_EQ(LatencyBucket(end - 1), bucket);
    }
}

TEST(LatencyHistogram, WhatIsOutsideCountsAtTheEnds) {
    EXPECT_EQ(LatencyBucket(0), 0);
    EXPECT_EQ(LatencyBucket(1), 0);
    EXPECT_EQ(LatencyBucket(kLongest), kLatencyBuckets - 1);
    EXPECT_EQ(LatencyBucket(UINT64_MAX), kLatencyBuckets - 1);
}

TEST(LatencyHistogram, NothingHasNoQuantile) {
    const std::vector<uint64_t> counts(kLatencyBuckets);
    EXPECT_EQ(LatencyQuantile(counts.data(), 0.5), 0);
}

// Against the sorted durations, of very different sizes.
TEST(LatencyHistogram, QuantilesAreWithinTwelvePercent) {
    std::mt19937_64 random(1);
    std::uniform_real_distribution<double> exponents(std::log(100.0), std::log(1e11));
    for (const size_t size : {1, 2, 3, 10, 99, 100, 101, 5000}) {
        std::vector<uint64_t> durations(size);
        std::vector<uint64_t> counts(kLatencyBuckets);
        for (uint64_t& duration : durations) {
            duration = static_cast<uint64_t>(std::exp(exponents(random)));
            counts[static_cast<size_t>(LatencyBucket(duration))]++;
        }
        std::sort(durations.begin(), durations.end());
        for (const double quantile : {0.0, 0.01, 0.5, 0.9, 0.99, 1.0}) {
            const auto rank =
                std::max<size_t>(1, static_cast<size_t>(std::ceil(quantile * static_cast<double>(size))));
            const auto exact = static_cast<double>(durations[rank - 1]);
            EXPECT_NEAR(LatencyQuantile(counts.data(), quantile), exact, 0.12 * exact)
                << size << ' ' << quantile;
        }
    }
}

}  // namespace

}  // namespace kvs

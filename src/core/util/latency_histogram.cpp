#include "kvs/util/latency_histogram.h"

#include <algorithm>
#include <bit>
#include <cmath>

namespace kvs {

namespace {

constexpr int kFirstExponent = 6;  // 64 ns
constexpr int kStepBits = 2;       // four buckets to a power of two
constexpr int kSteps = 1 << kStepBits;

}  // namespace

// The bits below the leading one tell the bucket: 0b1_01_xxxx is the second of those from 64 on.
int LatencyBucket(uint64_t duration) {
    const uint64_t counted = std::max<uint64_t>(duration, uint64_t{1} << kFirstExponent);
    const int exponent = std::bit_width(counted) - 1;
    const int step = static_cast<int>(counted >> (exponent - kStepBits)) & (kSteps - 1);
    return std::min((exponent - kFirstExponent) * kSteps + step, kLatencyBuckets - 1);
}

uint64_t LatencyBucketStart(int bucket) {
    const int exponent = kFirstExponent + bucket / kSteps;
    return static_cast<uint64_t>(kSteps + bucket % kSteps) << (exponent - kStepBits);
}

double LatencyQuantile(const uint64_t* counts, double quantile) {
    uint64_t total = 0;
    for (int i = 0; i < kLatencyBuckets; i++) {
        total += counts[i];
    }
    if (total == 0) {
        return 0;
    }
    const auto rank =
        std::max<uint64_t>(1, static_cast<uint64_t>(std::ceil(quantile * static_cast<double>(total))));
    uint64_t below = 0;
    int bucket = 0;
    while (below + counts[bucket] < rank && bucket < kLatencyBuckets - 1) {
        below += counts[bucket++];
    }
    // The geometric mean is as far from either end: a factor of sqrt(5/4) where the bucket is widest.
    return std::sqrt(static_cast<double>(LatencyBucketStart(bucket)) *
                     static_cast<double>(LatencyBucketStart(bucket + 1)));
}

}  // namespace kvs

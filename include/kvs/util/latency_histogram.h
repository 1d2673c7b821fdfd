// A histogram of durations with four buckets to each power of two: whatever is in a bucket is within 12 % of
// its middle, from 64 ns to 18 minutes. Shorter durations count as 64 ns, longer ones as the longest; whoever
// needs the ends exactly keeps the least and the greatest besides.
//
//     [64, 80) [80, 96) [96, 112) [112, 128) [128, 160) [160, 192) ...
#pragma once

#include <cstdint>

namespace kvs {

constexpr int kLatencyBuckets = 136;

// The bucket of a duration, in ns.
int LatencyBucket(uint64_t duration);

// The least duration of a bucket. That of kLatencyBuckets is where the last one ends.
uint64_t LatencyBucketStart(int bucket);

// The duration, in ns, that the share `quantile` of all is not longer than: the middle of its bucket, 0 where
// nothing was counted. `counts` has kLatencyBuckets elements.
double LatencyQuantile(const uint64_t* counts, double quantile);

}  // namespace kvs

#include "kvs/util/clock_cache.h"

#include <gtest/gtest.h>

#include <memory>

namespace kvs {
namespace {

Hash Id(int number) {
    Hash hash;
    hash.bytes[0] = static_cast<uint8_t>(number);
    hash.bytes[1] = static_cast<uint8_t>(number >> 8);
    return hash;
}

using Cache = ClockCache<std::shared_ptr<const int>>;

TEST(ClockCache, KeepsWhatFits) {
    Cache cache;
    for (int i = 0; i < 10; i++) {
        cache.Add(Id(i), std::make_shared<int>(i), 10, 100);
    }
    EXPECT_EQ(cache.bytes(), 100u);
    for (int i = 0; i < 10; i++) {
        ASSERT_NE(cache.Find(Id(i)), nullptr);
        EXPECT_EQ(*cache.Find(Id(i)), i);
    }
    EXPECT_EQ(cache.Find(Id(10)), nullptr);
}

TEST(ClockCache, StaysWithinItsBytes) {
    Cache cache;
    for (int i = 0; i < 1000; i++) {
        cache.Add(Id(i), std::make_shared<int>(i), 1 + static_cast<size_t>(i) % 30, 100);
        EXPECT_LE(cache.bytes(), 100u);
        EXPECT_NE(cache.Find(Id(i)), nullptr);
    }
}

TEST(ClockCache, WhatIsUsedOutlivesWhatIsNot) {
    Cache cache;
    cache.Add(Id(0), std::make_shared<int>(0), 10, 100);
    for (int i = 1; i < 500; i++) {
        cache.Add(Id(i), std::make_shared<int>(i), 10, 100);
        EXPECT_NE(cache.Find(Id(0)), nullptr) << i;
    }
}

TEST(ClockCache, WhatIsThereIsAddedOnce) {
    Cache cache;
    cache.Add(Id(1), std::make_shared<int>(1), 10, 100);
    cache.Add(Id(1), std::make_shared<int>(2), 10, 100);
    EXPECT_EQ(cache.bytes(), 10u);
    EXPECT_EQ(*cache.Find(Id(1)), 1);
}

TEST(ClockCache, WhatIsLargerThanTheCacheStaysAlone) {
    Cache cache;
    cache.Add(Id(1), std::make_shared<int>(1), 10, 100);
    cache.Add(Id(2), std::make_shared<int>(2), 1000, 100);
    EXPECT_EQ(cache.Find(Id(1)), nullptr);
    EXPECT_NE(cache.Find(Id(2)), nullptr);
    EXPECT_EQ(cache.Add(Id(3), std::make_shared<int>(3), 10, 100), 1u);
    EXPECT_EQ(cache.bytes(), 10u);
}

}  // namespace
}  // namespace kvs

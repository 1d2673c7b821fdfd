#include <gtest/gtest.h>

#include <chrono>
#include <future>
#include <stdexcept>

#include "kvs/local/local_lock_manager.h"
#include "store_test_support.h"

namespace kvs {
namespace {

using test::InThreads;

TEST(MutexLockManagerTest, OneOperationAtATimeOnAPath) {
    constexpr size_t kThreads = 8;
    constexpr size_t kRounds = 500;
    MutexLockManager locks;
    std::map<std::string, size_t> counts{
        {"a", 0}, {"b", 0}, {"", 0}};  // each guarded by its path's lock alone
    const std::vector<std::string> paths{"a", "b", ""};
    InThreads(kThreads, [&](size_t) {
        for (size_t i = 0; i < kRounds; ++i) {
            for (const std::string& path : paths) {
                size_t& count = counts.find(path)->second;
                locks.WithLock(path, [&] {
                    const size_t read = count;
                    std::this_thread::yield();
                    count = read + 1;
                });
            }
        }
    });
    for (const auto& [path, count] : counts) {
        EXPECT_EQ(count, kThreads * kRounds) << path;
    }
    EXPECT_EQ(locks.ActivePaths(), 0u);
}

TEST(MutexLockManagerTest, OtherPathsAreFreeAlsoParentAndChild) {
    MutexLockManager locks;
    locks.WithLock("users", [&] {
        std::future<void> other = std::async(std::launch::async, [&] {
            locks.WithLock("users/active", [] {});
            locks.WithLock("", [] {});
        });
        EXPECT_EQ(other.wait_for(std::chrono::seconds(60)), std::future_status::ready);
        EXPECT_EQ(locks.ActivePaths(), 1u);
    });
}

TEST(MutexLockManagerTest, AnErrorReleasesTheLock) {
    MutexLockManager locks;
    EXPECT_THROW(locks.WithLock("a", [] { throw std::runtime_error("no"); }), std::runtime_error);
    EXPECT_EQ(locks.ActivePaths(), 0u);
    bool ran = false;
    locks.WithLock("a", [&] { ran = true; });
    EXPECT_TRUE(ran);
}

}  // namespace
}  // namespace kvs

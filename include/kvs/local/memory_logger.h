// A Logger that keeps its records in memory, structured, to be queried.
#pragma once

#include <chrono>
#include <deque>
#include <map>
#include <mutex>
#include <vector>

#include "kvs/local/clock.h"
#include "kvs/local/logger.h"

namespace kvs {

// Bounded: beyond `capacity` finished records, or warnings, the oldest one goes. A record that cannot be kept
// for want of memory is counted as lost.
class MemoryLogger final : public Logger {
  public:
    struct Record {
        uint64_t transaction = 0;
        std::string operation;
        StoreKey key;
        Timestamp started_at = 0;
        std::chrono::nanoseconds duration{};
        LogResult result;
    };

    // Refers to the clock.
    explicit MemoryLogger(Clock& clock, size_t capacity = 1000) : clock_(clock), capacity_(capacity) {}

    uint64_t LogStart(std::string_view operation, const StoreKey& key) noexcept override;
    void LogEnd(uint64_t transaction, const LogResult& result) noexcept override;
    void LogWarning(std::string_view message) noexcept override;

    // Finished operations in the order in which they ended.
    std::vector<Record> Records() const;
    std::vector<std::string> Warnings() const;

    // Operations that have started and not ended.
    size_t OpenRecords() const;
    uint64_t LostRecords() const;

  private:
    struct OpenRecord {
        Record record;
        std::chrono::steady_clock::time_point started;
    };

    Clock& clock_;
    const size_t capacity_;
    mutable std::mutex mutex_;  // guards what follows
    uint64_t last_transaction_ = 0;
    std::map<uint64_t, OpenRecord> open_;
    std::deque<Record> finished_;
    std::deque<std::string> warnings_;
    uint64_t lost_ = 0;
};

}  // namespace kvs

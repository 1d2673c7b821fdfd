// What the tests of the local store share.
#pragma once

#include <atomic>
#include <functional>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "kvs/local/clock.h"
#include "kvs/local/event_service.h"
#include "unit/error_of.h"

namespace kvs::test {

// Stands still until it is moved.
class ManualClock final : public Clock {
  public:
    explicit ManualClock(Timestamp now = 1'000'000) : now_(now) {}

    Timestamp Now() override { return now_; }
    void Advance(Timestamp by) { now_ += by; }
    void Set(Timestamp now) { now_ = now; }

  private:
    std::atomic<Timestamp> now_;
};

inline Value Document(std::string text, std::optional<Timestamp> expires_at = {}) {
    return Value{ValueType::kJson, expires_at, std::move(text)};
}

inline WriteOptions Expecting(int64_t version) {
    WriteOptions options;
    options.expected_version = version;
    return options;
}

// Runs `body(thread number)` in `count` threads and waits for all.
inline void InThreads(size_t count, const std::function<void(size_t)>& body) {
    std::vector<std::thread> threads;
    for (size_t i = 0; i < count; ++i) {
        threads.emplace_back(body, i);
    }
    for (std::thread& thread : threads) {
        thread.join();
    }
}

// Collects events; safe to use as a listener and as a sink.
class EventLog final : public EventSink {
  public:
    void Emit(ChangeEvent event) override {
        const std::lock_guard lock(mutex_);
        events_.push_back(std::move(event));
    }

    EventService::Listener Listener() {
        return [this](const ChangeEvent& event) { Emit(event); };
    }

    std::vector<ChangeEvent> Events() const {
        const std::lock_guard lock(mutex_);
        return events_;
    }

    size_t size() const {
        const std::lock_guard lock(mutex_);
        return events_.size();
    }

  private:
    mutable std::mutex mutex_;
    std::vector<ChangeEvent> events_;
};

}  // namespace kvs::test

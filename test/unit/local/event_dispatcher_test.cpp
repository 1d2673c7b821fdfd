#include <gtest/gtest.h>

#include <chrono>
#include <future>
#include <map>
#include <memory>
#include <stdexcept>

#include "kvs/local/memory_event_dispatcher.h"
#include "kvs/local/memory_logger.h"
#include "store_test_support.h"

namespace kvs {
namespace {

using test::CodeOf;
using test::EventLog;
using test::InThreads;
using test::ManualClock;

constexpr std::chrono::seconds kPatience(60);  // only a failing test waits that long

ChangeEvent EventOf(const std::string& key, uint64_t version = 1) {
    ChangeEvent event;
    event.serialized_key = key;
    event.version = version;
    return event;
}

std::vector<uint64_t> VersionsOf(const EventLog& log) {
    std::vector<uint64_t> versions;
    for (const ChangeEvent& event : log.Events()) {
        versions.push_back(event.version);
    }
    return versions;
}

// A listener that stops at its first event until it is released.
class SlowListener {
  public:
    EventService::Listener Listener() {
        return [this](const ChangeEvent& event) {
            if (log_.size() == 0) {
                entered_.set_value();
                released_.get_future().wait();
            }
            log_.Emit(event);
        };
    }

    void WaitUntilEntered() {
        ASSERT_EQ(entered_.get_future().wait_for(kPatience), std::future_status::ready);
    }
    void Release() { released_.set_value(); }
    const EventLog& log() const { return log_; }

  private:
    std::promise<void> entered_;
    std::promise<void> released_;
    EventLog log_;
};

class EventDispatcherTest : public testing::Test {
  protected:
    ManualClock clock_;
    MemoryLogger logger_{clock_};
};

TEST_F(EventDispatcherTest, DeliversWhatMatchesInOrder) {
    EventLog key_log;
    EventLog pattern_log;
    EventDispatcher events(logger_);
    events.Subscribe("users/active:1", key_log.Listener());
    events.Subscribe("users/+:1", pattern_log.Listener());
    events.Emit(EventOf("users/active:1", 1));
    events.Emit(EventOf("users/idle:1", 2));
    events.Emit(EventOf("users/active:2", 3));
    events.Emit(EventOf("users/active:1", 4));
    events.Flush();
    EXPECT_EQ(VersionsOf(key_log), (std::vector<uint64_t>{1, 4}));
    EXPECT_EQ(VersionsOf(pattern_log), (std::vector<uint64_t>{1, 2, 4}));
    EXPECT_TRUE(logger_.Warnings().empty());
}

TEST_F(EventDispatcherTest, ABadPatternIsRefused) {
    EventDispatcher events(logger_);
    EXPECT_EQ(CodeOf([&] { events.Subscribe("a/#/b", [](const ChangeEvent&) {}); }),
              ErrorCode::kInvalidArgument);
}

TEST_F(EventDispatcherTest, ListenersRunOutsideTheWriter) {
    EventDispatcher events(logger_);
    std::thread::id listener_thread;
    events.Subscribe("#", [&](const ChangeEvent&) { listener_thread = std::this_thread::get_id(); });
    events.Emit(EventOf("a"));
    events.Flush();
    EXPECT_NE(listener_thread, std::thread::id());
    EXPECT_NE(listener_thread, std::this_thread::get_id());
}

TEST_F(EventDispatcherTest, ASlowListenerHoldsUpNobody) {
    SlowListener slow;
    EventLog quick;
    EventDispatcher events(logger_);
    events.Subscribe("#", slow.Listener());
    std::promise<void> all_delivered;
    events.Subscribe("#", [&](const ChangeEvent& event) {
        quick.Emit(event);
        if (quick.size() == 1000) {
            all_delivered.set_value();
        }
    });
    for (uint64_t version = 1; version <= 1000; ++version) {
        events.Emit(EventOf("a", version));
    }
    slow.WaitUntilEntered();
    EXPECT_EQ(all_delivered.get_future().wait_for(kPatience), std::future_status::ready);
    EXPECT_EQ(slow.log().size(), 0u);
    slow.Release();
    events.Flush();
    EXPECT_EQ(VersionsOf(slow.log()), VersionsOf(quick));
    EXPECT_EQ(slow.log().size(), 1000u);
}

TEST_F(EventDispatcherTest, AFullQueueIsReportedWhereTheGapIs) {
    SlowListener slow;
    EventLog log;
    std::vector<std::pair<uint64_t, size_t>> gaps;  // missed, and how many events had been delivered before
    EventDispatcher events(logger_, {.max_events = 3, .max_bytes = 1 << 20});
    events.Subscribe("#", slow.Listener(),
                     [&](uint64_t missed) { gaps.emplace_back(missed, slow.log().size()); });
    events.Emit(EventOf("a", 1));
    slow.WaitUntilEntered();
    for (uint64_t version = 2; version <= 10; ++version) {
        events.Emit(EventOf("a", version));
    }
    slow.Release();
    events.Flush();
    events.Emit(EventOf("a", 11));
    events.Flush();
    EXPECT_EQ(VersionsOf(slow.log()), (std::vector<uint64_t>{1, 2, 3, 4, 11}));
    EXPECT_EQ(gaps, (std::vector<std::pair<uint64_t, size_t>>{{6, 4}}));
    EXPECT_EQ(logger_.Warnings(),
              std::vector<std::string>{"listener of \"#\" was too slow and missed 6 events"});
}

TEST_F(EventDispatcherTest, TheQueueIsBoundedInBytesToo) {
    SlowListener slow;
    uint64_t missed = 0;
    EventDispatcher events(logger_, {.max_events = 1000, .max_bytes = 25000});
    events.Subscribe("#", slow.Listener(), [&](uint64_t count) { missed += count; });
    const auto large = [](uint64_t version) {
        ChangeEvent event = EventOf("a", version);
        event.entry.emplace();
        event.entry->value.payload.assign(10000, 'x');
        return event;
    };
    events.Emit(large(1));
    slow.WaitUntilEntered();
    for (uint64_t version = 2; version <= 5; ++version) {
        events.Emit(large(version));
    }
    slow.Release();
    events.Flush();
    EXPECT_EQ(VersionsOf(slow.log()), (std::vector<uint64_t>{1, 2, 3}));
    EXPECT_EQ(missed, 2u);
}

TEST_F(EventDispatcherTest, AnEventLargerThanTheQueueStillPasses) {
    EventLog log;
    EventDispatcher events(logger_, {.max_events = 1, .max_bytes = 1});
    events.Subscribe("#", log.Listener());
    for (uint64_t version = 1; version <= 3; ++version) {
        events.Emit(EventOf("a", version));
        events.Flush();
    }
    EXPECT_EQ(VersionsOf(log), (std::vector<uint64_t>{1, 2, 3}));
}

TEST_F(EventDispatcherTest, AListenersErrorIsItsOwn) {
    EventLog log;
    EventDispatcher events(logger_);
    events.Subscribe("a", [&](const ChangeEvent& event) {
        log.Emit(event);
        if (event.version == 1) {
            throw std::runtime_error("cannot cope");
        }
        throw 17;
    });
    events.Emit(EventOf("a", 1));
    events.Emit(EventOf("a", 2));
    events.Flush();
    EXPECT_EQ(log.size(), 2u);
    EXPECT_EQ(logger_.Warnings(), (std::vector<std::string>{"listener of \"a\" failed: cannot cope",
                                                            "listener of \"a\" failed"}));
}

TEST_F(EventDispatcherTest, AfterUnsubscribingNothingIsDelivered) {
    EventLog log;
    EventDispatcher events(logger_);
    const EventService::Unsubscribe unsubscribe = events.Subscribe("#", log.Listener());
    events.Emit(EventOf("a", 1));
    events.Flush();
    unsubscribe();
    events.Emit(EventOf("a", 2));
    events.Flush();
    unsubscribe();
    EXPECT_EQ(VersionsOf(log), std::vector<uint64_t>{1});
}

TEST_F(EventDispatcherTest, UnsubscribingWaitsForTheCallUnderWay) {
    SlowListener slow;
    EventDispatcher events(logger_);
    const EventService::Unsubscribe unsubscribe = events.Subscribe("#", slow.Listener());
    events.Emit(EventOf("a", 1));
    slow.WaitUntilEntered();
    std::promise<void> unsubscribed;
    std::thread thread([&] {
        unsubscribe();
        EXPECT_EQ(slow.log().size(), 1u) << "returned while the listener was running";
        unsubscribed.set_value();
    });
    slow.Release();
    EXPECT_EQ(unsubscribed.get_future().wait_for(kPatience), std::future_status::ready);
    thread.join();
}

TEST_F(EventDispatcherTest, AListenerMayUnsubscribeItselfAndOthers) {
    EventLog log;
    EventLog other_log;
    EventLog next;
    EventService::Unsubscribe self;
    EventService::Unsubscribe other;
    EventDispatcher events(logger_);
    other = events.Subscribe("#", other_log.Listener());
    self = events.Subscribe("#", [&](const ChangeEvent& event) {
        log.Emit(event);
        self();
        other();
    });
    events.Emit(EventOf("a", 1));
    events.Emit(EventOf("a", 2));
    events.Flush();
    const size_t others = other_log.size();
    events.Emit(EventOf("a", 3));
    events.Flush();
    EXPECT_EQ(VersionsOf(log), std::vector<uint64_t>{1});
    EXPECT_EQ(other_log.size(), others);
    events.Subscribe("#", next.Listener());  // the ended threads are cleared away here
    events.Emit(EventOf("a", 4));
    events.Flush();
    EXPECT_EQ(VersionsOf(next), std::vector<uint64_t>{4});
}

TEST_F(EventDispatcherTest, ShutdownDeliversWhatIsQueuedAndTakesNoMore) {
    SlowListener slow;
    EventDispatcher events(logger_);
    const EventService::Unsubscribe unsubscribe = events.Subscribe("#", slow.Listener());
    for (uint64_t version = 1; version <= 5; ++version) {
        events.Emit(EventOf("a", version));
    }
    slow.WaitUntilEntered();
    slow.Release();
    events.Shutdown();
    EXPECT_EQ(slow.log().size(), 5u);
    events.Emit(EventOf("a", 6));
    events.Flush();
    events.Shutdown();
    unsubscribe();
    EXPECT_EQ(slow.log().size(), 5u);
    EXPECT_EQ(CodeOf([&] { events.Subscribe("#", slow.Listener()); }), ErrorCode::kWrongState);
}

TEST_F(EventDispatcherTest, AnUnsubscribeFunctionOutlivesTheDispatcher) {
    EventLog log;
    auto events = std::make_unique<EventDispatcher>(logger_);
    const EventService::Unsubscribe unsubscribe = events->Subscribe("#", log.Listener());
    events->Emit(EventOf("a", 1));
    events.reset();
    unsubscribe();
    EXPECT_EQ(VersionsOf(log), std::vector<uint64_t>{1});
}

TEST_F(EventDispatcherTest, WaitingFromWithinAListenerIsRefused) {
    std::vector<std::optional<ErrorCode>> codes;
    EventDispatcher events(logger_);
    events.Subscribe("#", [&](const ChangeEvent&) {
        codes.push_back(CodeOf([&] { events.Flush(); }));
        codes.push_back(CodeOf([&] { events.Shutdown(); }));
    });
    events.Emit(EventOf("a"));
    events.Flush();
    EXPECT_EQ(codes, (std::vector<std::optional<ErrorCode>>{ErrorCode::kWrongState, ErrorCode::kWrongState}));
}

TEST_F(EventDispatcherTest, ShutdownIsAtomic) {
    // Two listeners see the same events, whenever the end comes.
    for (int round = 0; round < 20; ++round) {
        EventLog first;
        EventLog second;
        EventDispatcher events(logger_);
        events.Subscribe("#", first.Listener());
        events.Subscribe("a", second.Listener());
        std::promise<void> some_emitted;
        std::thread writer([&] {
            for (uint64_t version = 1; version <= 500; ++version) {
                events.Emit(EventOf("a", version));
                if (version == 50) {
                    some_emitted.set_value();
                }
            }
        });
        some_emitted.get_future().wait();
        events.Shutdown();
        EXPECT_EQ(VersionsOf(first), VersionsOf(second));
        EXPECT_GE(first.size(), 50u);
        writer.join();
        EXPECT_EQ(VersionsOf(first), VersionsOf(second));
    }
}

TEST_F(EventDispatcherTest, ManyWritersAndPassingListeners) {
    constexpr size_t kWriters = 4;
    constexpr uint64_t kEvents = 500;
    EventLog steady;
    EventDispatcher events(logger_);
    events.Subscribe("#", steady.Listener());
    InThreads(kWriters + 2, [&](size_t thread) {
        if (thread >= kWriters) {
            for (int i = 0; i < 50; ++i) {
                EventLog passing;
                const EventService::Unsubscribe unsubscribe = events.Subscribe("#", passing.Listener());
                unsubscribe();
                // `passing` ends here: a later call would be a use after free.
            }
            return;
        }
        for (uint64_t version = 1; version <= kEvents; ++version) {
            events.Emit(EventOf("key" + std::to_string(thread), version));
        }
    });
    events.Flush();
    EXPECT_EQ(steady.size(), kWriters * kEvents);
    std::map<std::string, uint64_t> last;
    for (const ChangeEvent& event : steady.Events()) {
        EXPECT_EQ(event.version, ++last[event.serialized_key]) << event.serialized_key;
    }
}

}  // namespace
}  // namespace kvs

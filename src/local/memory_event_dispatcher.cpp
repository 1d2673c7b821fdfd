#include "kvs/local/memory_event_dispatcher.h"

#include <algorithm>
#include <atomic>
#include <condition_variable>
#include <deque>
#include <exception>
#include <mutex>
#include <shared_mutex>
#include <thread>
#include <unordered_map>
#include <utility>
#include <vector>

#include "kvs/error.h"
#include "kvs/event/pattern_trie.h"
#include "kvs/pattern/pattern.h"
#include "kvs/util/quote.h"

namespace kvs {

namespace {

using SharedEvent = std::shared_ptr<const ChangeEvent>;

// True in the threads that run listeners: whatever waits for listeners must not be called there.
thread_local bool in_listener = false;

void RefuseInListener(const char* operation) {
    if (in_listener) {
        throw Error(ErrorCode::kWrongState,
                    std::string("cannot ") + operation + " events from within a listener",
                    "Call it from a thread that the dispatcher did not start.");
    }
}

// What an event costs its queue: the bytes that can be large.
size_t SizeOf(const ChangeEvent& event) {
    size_t size = sizeof(ChangeEvent) + event.serialized_key.size();
    size += event.entry.has_value() ? event.entry->value.payload.size() : 0;
    size += event.previous.has_value() ? event.previous->value.payload.size() : 0;
    return size;
}

}  // namespace

// One listener, its queue and its thread. Owned by the registry until the thread is joined.
class EventDispatcher::Subscription {
  public:
    Subscription(uint64_t number, Pattern pattern, Listener listener, MissedListener on_missed,
                 const Limits& limits, Logger& logger)
        : number_(number),
          pattern_(std::move(pattern)),
          listener_(std::move(listener)),
          on_missed_(std::move(on_missed)),
          limits_(limits),
          logger_(logger),
          thread_([this] { Run(); }) {}

    Subscription(const Subscription&) = delete;
    Subscription& operator=(const Subscription&) = delete;

    uint64_t number() const { return number_; }
    const Pattern& pattern() const { return pattern_; }

    void Offer(const SharedEvent& event, size_t size) {
        {
            const std::lock_guard lock(mutex_);
            if (closed_) {
                return;
            }
            ++accepted_;
            const bool full =
                !queue_.empty() && (queue_.size() >= limits_.max_events || bytes_ + size > limits_.max_bytes);
            if (full || missed_ > 0) {
                ++missed_;
                return;
            }
            queue_.push_back({event, size});
            bytes_ += size;
        }
        work_.notify_one();
    }

    // No further events. What is queued is still delivered, unless `drop`.
    void Close(bool drop) {
        {
            const std::lock_guard lock(mutex_);
            closed_ = true;
            if (drop) {
                queue_.clear();
                bytes_ = 0;
                missed_ = 0;
            }
        }
        work_.notify_one();
    }

    // Waits for the thread to end; several may wait.
    void Join() {
        const std::lock_guard lock(join_mutex_);
        if (thread_.joinable()) {
            thread_.join();
        }
    }

    bool Finished() const { return finished_; }

    // Waits until what has been accepted up to now is handled, or nothing will be any more.
    void WaitUntilHandled() {
        std::unique_lock lock(mutex_);
        const uint64_t target = accepted_;
        progress_.wait(lock, [&] { return handled_ >= target || finished_; });
    }

  private:
    struct Item {
        SharedEvent event;
        size_t size;
    };

    void Run() {
        in_listener = true;
        std::unique_lock lock(mutex_);
        for (;;) {
            work_.wait(lock, [&] { return !queue_.empty() || missed_ > 0 || closed_; });
            uint64_t done = 1;
            if (!queue_.empty()) {
                const Item item = std::move(queue_.front());
                queue_.pop_front();
                bytes_ -= item.size;
                lock.unlock();
                Guarded([&] { listener_(*item.event); });
            } else if (missed_ > 0) {
                done = std::exchange(missed_, 0);
                lock.unlock();
                ReportMissed(done);
            } else {
                break;
            }
            lock.lock();
            handled_ += done;
            progress_.notify_all();
        }
        finished_ = true;
        progress_.notify_all();
    }

    void ReportMissed(uint64_t missed) {
        logger_.LogWarning("listener of " + Quoted(pattern_.text()) + " was too slow and missed " +
                           std::to_string(missed) + " events");
        if (on_missed_) {
            Guarded([&] { on_missed_(missed); });
        }
    }

    // A listener's exception is its own: the log is told, and the next event is delivered.
    template <typename Call>
    void Guarded(const Call& call) {
        try {
            call();
        } catch (const std::exception& error) {
            logger_.LogWarning("listener of " + Quoted(pattern_.text()) + " failed: " + error.what());
        } catch (...) {
            logger_.LogWarning("listener of " + Quoted(pattern_.text()) + " failed");
        }
    }

    const uint64_t number_;
    const Pattern pattern_;
    const Listener listener_;
    const MissedListener on_missed_;
    const Limits limits_;
    Logger& logger_;

    std::mutex mutex_;  // guards what follows, up to closed_
    std::condition_variable work_;
    std::condition_variable progress_;
    std::deque<Item> queue_;
    size_t bytes_ = 0;
    uint64_t missed_ = 0;    // dropped since the queue was last full; above 0 nothing is queued
    uint64_t accepted_ = 0;  // offered before the end, queued or missed
    uint64_t handled_ = 0;   // of these: the listener has returned, or was told that it missed them
    bool closed_ = false;

    std::atomic<bool> finished_{false};
    std::mutex join_mutex_;
    std::thread thread_;  // last: it starts when everything else stands
};

// The subscriptions, shared by the dispatcher and (weakly) by its unsubscribe functions.
class EventDispatcher::Registry {
  public:
    using SubscriptionRef = std::shared_ptr<Subscription>;

    // Offers under one lock for all: Shutdown comes before the event or after it.
    void Offer(const SharedEvent& event) {
        const size_t size = SizeOf(*event);
        std::vector<uint64_t> numbers;
        const std::shared_lock lock(mutex_);
        patterns_.Match(event->serialized_key, &numbers);
        for (const uint64_t number : numbers) {
            subscriptions_.at(number)->Offer(event, size);
        }
    }

    template <typename Make>
    std::weak_ptr<Subscription> Add(const Pattern& pattern, const Make& make) {
        std::vector<SubscriptionRef> ended;
        const std::unique_lock lock(mutex_);
        if (shut_down_) {
            throw Error(ErrorCode::kWrongState, "cannot subscribe: the event dispatcher is shut down");
        }
        ended = Reap();
        // The thread starts last, so that it does only if it is kept.
        const uint64_t number = last_number_ + 1;
        patterns_.Add(pattern, number);
        try {
            SubscriptionRef& place = subscriptions_[number];
            place = make(number);
        } catch (...) {
            subscriptions_.erase(number);
            patterns_.Remove(pattern, number);
            throw;
        }
        last_number_ = number;
        return subscriptions_[number];
    }

    void Remove(const std::weak_ptr<Subscription>& reference) {
        SubscriptionRef subscription = reference.lock();
        if (subscription == nullptr) {
            return;
        }
        {
            const std::unique_lock lock(mutex_);
            if (subscriptions_.contains(subscription->number())) {
                retired_.push_back(subscription);
                subscriptions_.erase(subscription->number());
                patterns_.Remove(subscription->pattern(), subscription->number());
            }
        }
        subscription->Close(true);
        if (!in_listener) {
            subscription->Join();
            std::vector<SubscriptionRef> ended;
            const std::unique_lock lock(mutex_);
            ended = Reap();
        }
    }

    // Everything whose listener may be running, the unsubscribed included.
    std::vector<SubscriptionRef> Subscriptions() {
        const std::shared_lock lock(mutex_);
        std::vector<SubscriptionRef> all = retired_;
        all.reserve(all.size() + subscriptions_.size());
        for (const auto& [number, subscription] : subscriptions_) {
            all.push_back(subscription);
        }
        return all;
    }

    void Shutdown() {
        {
            const std::unique_lock lock(mutex_);
            shut_down_ = true;
            for (const auto& [number, subscription] : subscriptions_) {
                subscription->Close(false);
            }
        }
        const std::vector<SubscriptionRef> ending = Subscriptions();
        for (const SubscriptionRef& subscription : ending) {
            subscription->Join();
        }
        const std::unique_lock lock(mutex_);
        patterns_ = {};
        subscriptions_.clear();
        retired_.clear();
    }

  private:
    // Takes out the subscriptions whose threads have ended. A subscription is destroyed only after its
    // thread has been joined, and by the caller without the lock: what its listener captured may
    // unsubscribe something else.
    std::vector<SubscriptionRef> Reap() {
        std::vector<SubscriptionRef> ended;
        for (const SubscriptionRef& subscription : retired_) {
            if (subscription->Finished()) {
                subscription->Join();
                ended.push_back(subscription);
            }
        }
        std::erase_if(retired_, [&](const SubscriptionRef& subscription) {
            return std::find(ended.begin(), ended.end(), subscription) != ended.end();
        });
        return ended;
    }

    std::shared_mutex mutex_;  // guards what follows
    PatternTrie patterns_;     // of the subscriptions, by their numbers
    std::unordered_map<uint64_t, SubscriptionRef> subscriptions_;
    uint64_t last_number_ = 0;
    std::vector<SubscriptionRef> retired_;  // unsubscribed, their threads perhaps not yet at their end
    bool shut_down_ = false;
};

EventDispatcher::EventDispatcher(Logger& logger, const Limits& limits)
    : limits_(limits), logger_(logger), registry_(std::make_shared<Registry>()) {}

EventDispatcher::~EventDispatcher() {
    registry_->Shutdown();
}

void EventDispatcher::Emit(ChangeEvent event) {
    registry_->Offer(std::make_shared<const ChangeEvent>(std::move(event)));
}

EventService::Unsubscribe EventDispatcher::Subscribe(std::string_view pattern, Listener listener,
                                                     MissedListener on_missed) {
    const Pattern parsed = Pattern::Parse(pattern).OrThrow();
    const std::weak_ptr<Subscription> subscription = registry_->Add(parsed, [&](uint64_t number) {
        return std::make_shared<Subscription>(number, parsed, std::move(listener), std::move(on_missed),
                                              limits_, logger_);
    });
    return [registry = std::weak_ptr<Registry>(registry_), subscription] {
        if (const std::shared_ptr<Registry> alive = registry.lock()) {
            alive->Remove(subscription);
        }
    };
}

void EventDispatcher::Flush() {
    RefuseInListener("wait for");
    for (const Registry::SubscriptionRef& subscription : registry_->Subscriptions()) {
        subscription->WaitUntilHandled();
    }
}

void EventDispatcher::Shutdown() {
    RefuseInListener("shut down");
    registry_->Shutdown();
}

}  // namespace kvs

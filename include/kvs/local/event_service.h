// Events: what changed, and who wants to know.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include "kvs/local/core_storage.h"
#include "kvs/local/key_service.h"

namespace kvs {

// One change of one key, with everything a listener needs, so that it has to ask nobody.
struct ChangeEvent {
    StoreKey key;
    std::string serialized_key;
    Operation operation = Operation::kSet;
    std::optional<StoredEntry> entry;  // after the change; absent when it deleted the entry, or let it expire
    std::optional<StoredEntry>
        previous;          // what it replaced or deleted; absent when no living entry was there
    uint64_t version = 0;  // that the change took; a listener may ignore one below what it shows
    Timestamp at = 0;
};

// Takes events in. Safe to call from any thread.
class EventSink {
  public:
    virtual ~EventSink() = default;

    // Returns at once, however slow the listeners are. Events of one key must be emitted in version order.
    virtual void Emit(ChangeEvent event) = 0;
};

// Hands them out.
class EventService : public EventSink {
  public:
    using Listener = std::function<void(const ChangeEvent& event)>;

    // Told how many events were dropped at this point of the stream because the listener was too slow.
    using MissedListener = std::function<void(uint64_t missed)>;

    // Ends a subscription. May be called more than once, from any thread, also after the end of the service.
    using Unsubscribe = std::function<void()>;

    // Calls `listener` for each event emitted from now on whose key matches `pattern` (a key, or a pattern in
    // the sense of kvs/pattern/pattern.h): one call at a time, events of one key in order. Throws
    // Error(kInvalidArgument) for a bad pattern.
    virtual Unsubscribe Subscribe(std::string_view pattern, Listener listener, MissedListener on_missed) = 0;

    // Without a missed listener; the service still warns its log.
    Unsubscribe Subscribe(std::string_view pattern, Listener listener) {
        return Subscribe(pattern, std::move(listener), MissedListener());
    }
};

}  // namespace kvs

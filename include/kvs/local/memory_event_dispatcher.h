// EventService within one process: a queue and a thread per listener.
//
// Emit only appends to queues, so a writer never waits for a listener, and one slow
// listener never delays another.
//
// Memory: a queue holds at most max_events events and about max_bytes of payloads (at least one event). When
// it is full the listener has missed what follows, until it has worked off its queue; then its missed
// listener is told how many events that were, the log is warned, and delivery goes on with the next event
// emitted. So memory is bounded, writers are never held up, and nothing is dropped silently. A listener that
// was told reads what it needs from the store.
#pragma once

#include <memory>

#include "kvs/local/event_service.h"
#include "kvs/local/logger.h"

namespace kvs {

class EventDispatcher final : public EventService {
  public:
    struct Limits {
        size_t max_events = 65536;
        size_t max_bytes = size_t{64} << 20;
    };

    // Refers to the logger, which is warned of missed events and of exceptions that listeners throw.
    explicit EventDispatcher(Logger& logger) : EventDispatcher(logger, Limits()) {}
    EventDispatcher(Logger& logger, const Limits& limits);

    // Shuts down. Not from within a listener.
    ~EventDispatcher() override;

    void Emit(ChangeEvent event) override;

    // From the return of this on, every matching event is delivered. Once its unsubscribe function has
    // returned the listener is not running and never will be; events still queued are dropped. Called from
    // within a listener, unsubscribing does not wait for a call that is under way. Throws
    // Error(kWrongState) after Shutdown.
    Unsubscribe Subscribe(std::string_view pattern, Listener listener, MissedListener on_missed) override;
    using EventService::Subscribe;

    // Waits until every event emitted before the call has been delivered (or missed, or its listener is
    // gone). Throws Error(kWrongState) when called from within a listener.
    void Flush();

    // Atomic: each event is delivered to all of its listeners or, emitted too late, to none.
    // Waits until everything queued is delivered and all threads have ended. Further calls do
    // nothing. Throws as Flush does.
    void Shutdown();

  private:
    class Subscription;
    class Registry;

    const Limits limits_;
    Logger& logger_;
    const std::shared_ptr<Registry> registry_;  // unsubscribe functions refer to it weakly
};

}  // namespace kvs

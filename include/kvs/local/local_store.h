// A complete key-value store within one process: documents, versions, expiry, patches, events, a log of
// operations. Nothing is written to disk.
//
//     LocalStore store;
//     store.Subscribe("users/#", [](const ChangeEvent& event) { ... });
//     store.Put("users/active:123", R"({"name": "Ada"})");
//     store.Patch("users/active:123", R"({"age": 36})");
//
// Assembled from the services of kvs/store: EventfulKeyValueStore around
// LoggingKeyValueStore around KeyValueStore.
#pragma once

#include <chrono>
#include <cstddef>
#include <limits>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "kvs/local/clock.h"
#include "kvs/local/event_service.h"
#include "kvs/local/key_value_store_interface.h"
#include "kvs/local/memory_event_dispatcher.h"
#include "kvs/local/memory_logger.h"

namespace kvs {

struct LocalStoreOptions {
    std::shared_ptr<Clock> clock;                   // empty: the system's
    std::optional<std::array<uint8_t, 16>> log_id;  // absent: a random UUID
    EventDispatcher::Limits event_limits;
    size_t log_capacity = 1000;  // finished operations that the logger keeps
};

// Which entries a scan returns: those that meet all of it.
struct ScanRange {
    std::string prefix;
    std::optional<std::string> start_key;  // inclusive
    std::optional<std::string> end_key;    // exclusive
    size_t max_rows = std::numeric_limits<size_t>::max();
};

// All functions are safe to call from any thread, listeners included; each write is atomic. Keys
// are serialised keys (see kvs/codec/key.h), documents are JSON text. Errors: kInvalidArgument for
// a bad key or text, kStaleVersion when expected_version does not match, kLimitExceeded for a
// document or an option over its limit.
class LocalStore {
  public:
    explicit LocalStore(const LocalStoreOptions& options = {});
    ~LocalStore();  // delivers what is queued; not from within a listener
    LocalStore(const LocalStore&) = delete;
    LocalStore& operator=(const LocalStore&) = delete;

    // Replaces the document. With `ttl` (above zero) it lives that long, without it for ever. Tags and schema
    // stay unless given. Returns the new entry.
    StoredEntry Put(std::string_view key, std::string_view document, const WriteOptions& options = {},
                    std::optional<std::chrono::microseconds> ttl = {});

    // nullopt when absent, deleted or expired.
    std::optional<StoredEntry> Get(std::string_view key);

    // RFC 7396: objects merge recursively, null removes a member, anything else replaces; an absent key
    // counts as {}. The expiry stays. Returns the new entry.
    StoredEntry Patch(std::string_view key, std::string_view delta, const WriteOptions& options = {});

    // False when there was nothing to delete.
    bool Delete(std::string_view key, const WriteOptions& options = {});

    // Every revision of the key, newest first; deletes and expiries are among them.
    std::vector<StoredEntry> History(std::string_view key,
                                     size_t max_rows = std::numeric_limits<size_t>::max());

    // Living entries of one moment, in key order.
    std::vector<std::pair<std::string, StoredEntry>> Scan(const ScanRange& range = {});

    // Turns entries whose time is over into tombstones, which makes events of it; returns how many. Readers
    // do not need this: they never see an expired entry.
    size_t RemoveExpired();

    // See EventDispatcher::Subscribe; `pattern` may simply be a key.
    EventService::Unsubscribe Subscribe(std::string_view pattern, EventService::Listener listener,
                                        EventService::MissedListener on_missed = {});

    // Waits until the listeners have been called for everything that was changed so
    // far. Not from within a listener.
    void WaitForListeners();

    // The decorated store, for callers that hold structured keys.
    KeyValueStoreInterface& store();

    // What was asked of the store, and how it ended.
    const MemoryLogger& log() const;

  private:
    struct Parts;
    const std::unique_ptr<Parts> parts_;
};

}  // namespace kvs

#include "kvs/local/local_store.h"

#include <array>
#include <random>

#include "kvs/codec/item.h"
#include "kvs/error.h"
#include "kvs/local/eventful_key_value_store.h"
#include "kvs/local/key_value_store.h"
#include "kvs/local/local_lock_manager.h"
#include "kvs/local/local_services.h"
#include "kvs/local/logging_key_value_store.h"
#include "kvs/local/memory_core_storage.h"

namespace kvs {

namespace {

// A UUID of version 4.
std::array<uint8_t, 16> RandomLogId() {
    std::random_device device;
    std::array<uint8_t, 16> id;
    for (uint8_t& byte : id) {
        byte = static_cast<uint8_t>(device());
    }
    id[6] = static_cast<uint8_t>((id[6] & 0x0f) | 0x40);
    id[8] = static_cast<uint8_t>((id[8] & 0x3f) | 0x80);
    return id;
}

// The moment at which an entry written `now` dies. One that would outlive the time scale lives for ever.
std::optional<Timestamp> ExpiryOf(Timestamp now, std::optional<std::chrono::microseconds> ttl) {
    if (!ttl.has_value()) {
        return std::nullopt;
    }
    if (ttl->count() <= 0) {
        throw Error(ErrorCode::kInvalidArgument, "ttl must be above zero",
                    "Delete the key to end its life at once.");
    }
    const bool endless = ttl->count() > std::numeric_limits<Timestamp>::max() - std::max<Timestamp>(now, 0);
    return endless ? std::nullopt : std::optional<Timestamp>(now + ttl->count());
}

// The first string behind every string that begins with `prefix`; nullopt: there is none.
std::optional<std::string> EndOfPrefix(std::string prefix) {
    while (!prefix.empty() && static_cast<uint8_t>(prefix.back()) == 0xff) {
        prefix.pop_back();
    }
    if (prefix.empty()) {
        return std::nullopt;
    }
    prefix.back() = static_cast<char>(static_cast<uint8_t>(prefix.back()) + 1);
    return prefix;
}

}  // namespace

// In the order in which they depend on each other.
struct LocalStore::Parts {
    explicit Parts(const LocalStoreOptions& options)
        : clock(options.clock != nullptr ? options.clock : std::make_shared<SystemClock>()),
          logger(*clock, options.log_capacity),
          storage(options.log_id.has_value() ? *options.log_id : RandomLogId()),
          orchestrator(storage, metadata, hashing, patching, locks, keys, *clock),
          logged(orchestrator, logger),
          events(logger, options.event_limits),
          eventful(logged, events, keys) {}

    const std::shared_ptr<Clock> clock;
    MemoryLogger logger;
    MemoryCoreStorage storage;
    LocalMetadataService metadata;
    LocalHashingService hashing;
    LocalPatchService patching;
    MutexLockManager locks;
    LocalKeyService keys;
    KeyValueStore orchestrator;
    LoggingKeyValueStore logged;
    EventDispatcher events;
    EventfulKeyValueStore eventful;
};

LocalStore::LocalStore(const LocalStoreOptions& options) : parts_(std::make_unique<Parts>(options)) {}

// While everything stands, so that a listener that is called for the last events may use the store.
LocalStore::~LocalStore() {
    parts_->events.Shutdown();
}

StoredEntry LocalStore::Put(std::string_view key, std::string_view document, const WriteOptions& options,
                            std::optional<std::chrono::microseconds> ttl) {
    ValidateWriteOptions(options).OrThrow();
    const Value value{ValueType::kJson, ExpiryOf(parts_->clock->Now(), ttl), NormalizedDocument(document)};
    return parts_->eventful.Set(parts_->keys.Parse(key), value, options).entry;
}

std::optional<StoredEntry> LocalStore::Get(std::string_view key) {
    return parts_->eventful.Get(parts_->keys.Parse(key));
}

StoredEntry LocalStore::Patch(std::string_view key, std::string_view delta, const WriteOptions& options) {
    ValidateWriteOptions(options).OrThrow();
    return parts_->eventful.Patch(parts_->keys.Parse(key), delta, options).entry;
}

bool LocalStore::Delete(std::string_view key, const WriteOptions& options) {
    ValidateWriteOptions(options).OrThrow();
    return parts_->eventful.Delete(parts_->keys.Parse(key), options).has_value();
}

std::vector<StoredEntry> LocalStore::History(std::string_view key, size_t max_rows) {
    return parts_->storage.History(parts_->keys.Serialize(parts_->keys.Parse(key)), max_rows);
}

std::vector<std::pair<std::string, StoredEntry>> LocalStore::Scan(const ScanRange& range) {
    std::string start = range.prefix;
    if (range.start_key.has_value()) {
        start = std::max(start, *range.start_key);
    }
    std::optional<std::string> end = EndOfPrefix(range.prefix);
    if (range.end_key.has_value() && (!end.has_value() || *range.end_key < *end)) {
        end = range.end_key;
    }
    std::vector<std::pair<std::string, StoredEntry>> found;
    const Timestamp now = parts_->clock->Now();
    parts_->storage.Scan(start, end, [&](const std::string& key, const StoredEntry& entry) {
        if (found.size() == range.max_rows) {
            return false;
        }
        if (IsLive(entry, now)) {
            found.emplace_back(key, entry);
        }
        return true;
    });
    return found;
}

size_t LocalStore::RemoveExpired() {
    std::vector<std::string> expired;
    const Timestamp now = parts_->clock->Now();
    parts_->storage.Scan("", std::nullopt, [&](const std::string& key, const StoredEntry& entry) {
        if (PreviousOf(&entry, now).Expired()) {
            expired.push_back(key);
        }
        return true;
    });
    // An entry may have got a new life since; Expire looks again.
    size_t removed = 0;
    for (const std::string& key : expired) {
        removed += parts_->eventful.Expire(parts_->keys.Parse(key)).has_value() ? 1 : 0;
    }
    return removed;
}

EventService::Unsubscribe LocalStore::Subscribe(std::string_view pattern, EventService::Listener listener,
                                                EventService::MissedListener on_missed) {
    return parts_->events.Subscribe(pattern, std::move(listener), std::move(on_missed));
}

void LocalStore::WaitForListeners() {
    parts_->events.Flush();
}

KeyValueStoreInterface& LocalStore::store() {
    return parts_->eventful;
}

const MemoryLogger& LocalStore::log() const {
    return parts_->logger;
}

}  // namespace kvs

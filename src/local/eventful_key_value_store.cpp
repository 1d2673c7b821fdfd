#include "kvs/local/eventful_key_value_store.h"

#include <functional>
#include <string>
#include <utility>

namespace kvs {

namespace {

// A Set always makes a change, a Delete may find nothing: both are asked for
// the change that was made, if any.
const WriteResult* ChangeOf(const WriteResult& result) {
    return &result;
}
const WriteResult* ChangeOf(const std::optional<WriteResult>& result) {
    return result.has_value() ? &*result : nullptr;
}

ChangeEvent EventOf(const StoreKey& key, const std::string& serialized_key, const WriteResult& result) {
    ChangeEvent event;
    event.key = key;
    event.serialized_key = serialized_key;
    event.operation = result.entry.operation;
    if (!result.entry.metadata.deleted) {
        event.entry = result.entry;
    }
    event.previous = result.previous;
    event.version = result.entry.metadata.version;
    event.at = result.entry.metadata.updated_at;
    return event;
}

}  // namespace

EventfulKeyValueStore::EventfulKeyValueStore(KeyValueStoreInterface& inner, EventSink& events,
                                             const KeyService& keys)
    : inner_(inner), events_(events), keys_(keys) {}

template <typename Write>
auto EventfulKeyValueStore::WriteAndEmit(const StoreKey& key, const Write& write) {
    const std::string serialized_key = keys_.Serialize(key);
    const std::lock_guard lock(stripes_[std::hash<std::string>()(serialized_key) % kStripes]);
    auto result = write();
    if (const WriteResult* change = ChangeOf(result)) {
        events_.Emit(EventOf(key, serialized_key, *change));
    }
    return result;
}

std::optional<StoredEntry> EventfulKeyValueStore::Get(const StoreKey& key) {
    return inner_.Get(key);
}

WriteResult EventfulKeyValueStore::Set(const StoreKey& key, const Value& value, const WriteOptions& options) {
    return WriteAndEmit(key, [&] { return inner_.Set(key, value, options); });
}

WriteResult EventfulKeyValueStore::Patch(const StoreKey& key, std::string_view delta,
                                         const WriteOptions& options) {
    return WriteAndEmit(key, [&] { return inner_.Patch(key, delta, options); });
}

std::optional<WriteResult> EventfulKeyValueStore::Delete(const StoreKey& key, const WriteOptions& options) {
    return WriteAndEmit(key, [&] { return inner_.Delete(key, options); });
}

std::optional<WriteResult> EventfulKeyValueStore::Expire(const StoreKey& key) {
    return WriteAndEmit(key, [&] { return inner_.Expire(key); });
}

}  // namespace kvs

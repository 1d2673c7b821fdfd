// A decorator that tells the world: every change that the inner store made becomes one event.
#pragma once

#include <array>
#include <mutex>

#include "kvs/local/event_service.h"
#include "kvs/local/key_value_store_interface.h"

namespace kvs {

// Refers to its parts, does not own them. Events of one key are emitted in version order: a
// change and its event happen under one lock of the key's stripe. That holds as long as every
// write passes through this object.
class EventfulKeyValueStore final : public KeyValueStoreInterface {
  public:
    EventfulKeyValueStore(KeyValueStoreInterface& inner, EventSink& events, const KeyService& keys);

    std::optional<StoredEntry> Get(const StoreKey& key) override;
    WriteResult Set(const StoreKey& key, const Value& value, const WriteOptions& options) override;
    WriteResult Patch(const StoreKey& key, std::string_view delta, const WriteOptions& options) override;
    std::optional<WriteResult> Delete(const StoreKey& key, const WriteOptions& options) override;
    std::optional<WriteResult> Expire(const StoreKey& key) override;

  private:
    static constexpr size_t kStripes = 64;

    // Runs `write` (which returns a WriteResult or an optional one) and emits what it did.
    template <typename Write>
    auto WriteAndEmit(const StoreKey& key, const Write& write);

    KeyValueStoreInterface& inner_;
    EventSink& events_;
    const KeyService& keys_;
    std::array<std::mutex, kStripes> stripes_;
};

}  // namespace kvs

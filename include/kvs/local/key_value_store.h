// The orchestrator: assembles a store from its services. It holds no logic of its own; each
// function is a sequence of calls.
#pragma once

#include <functional>
#include <string>

#include "kvs/local/clock.h"
#include "kvs/local/core_storage.h"
#include "kvs/local/hashing_service.h"
#include "kvs/local/key_service.h"
#include "kvs/local/key_value_store_interface.h"
#include "kvs/local/lock_manager.h"
#include "kvs/local/metadata_service.h"
#include "kvs/local/patch_service.h"

namespace kvs {

// As thread-safe as its services, which it refers to and does not own.
class KeyValueStore final : public KeyValueStoreInterface {
  public:
    KeyValueStore(CoreStorage& storage, const MetadataService& metadata, const HashingService& hashing,
                  const PatchService& patching, LockManager& locks, const KeyService& keys, Clock& clock);

    std::optional<StoredEntry> Get(const StoreKey& key) override;
    WriteResult Set(const StoreKey& key, const Value& value, const WriteOptions& options) override;
    WriteResult Patch(const StoreKey& key, std::string_view delta, const WriteOptions& options) override;
    std::optional<WriteResult> Delete(const StoreKey& key, const WriteOptions& options) override;
    std::optional<WriteResult> Expire(const StoreKey& key) override;

  private:
    // The value that a write brings; `current` is the one that lives, nullptr if none does.
    using NewValue = std::function<Value(const Value* current)>;

    // Serialise, lock, look, decide, store: the way of every write. nullopt when it was decided to change
    // nothing.
    std::optional<WriteResult> Write(const StoreKey& key, const WriteRequest& request,
                                     const NewValue& new_value);

    CoreStorage& storage_;
    const MetadataService& metadata_;
    const HashingService& hashing_;
    const PatchService& patching_;
    LockManager& locks_;
    const KeyService& keys_;
    Clock& clock_;
};

}  // namespace kvs

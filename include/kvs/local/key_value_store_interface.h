// What a key-value store is to an application. The orchestrator implements it, and so does each decorator.
#pragma once

#include <optional>
#include <string_view>

#include "kvs/local/core_storage.h"
#include "kvs/local/key_service.h"

namespace kvs {

// A change that was made.
struct WriteResult {
    StoredEntry entry;                    // as it is now; a tombstone after a delete
    std::optional<StoredEntry> previous;  // the living entry that it replaced or deleted
};

// Safe to call from any thread. Every function throws Error(kInvalidArgument) for a bad key; every write
// throws Error(kStaleVersion) when options.expected_version does not match.
class KeyValueStoreInterface {
  public:
    virtual ~KeyValueStoreInterface() = default;

    // The living entry; nullopt when absent, deleted or expired.
    virtual std::optional<StoredEntry> Get(const StoreKey& key) = 0;

    // Replaces value and expiry; tags and schema stay unless given.
    virtual WriteResult Set(const StoreKey& key, const Value& value, const WriteOptions& options) = 0;

    // Merges `delta` into the document (see PatchService); the expiry stays.
    virtual WriteResult Patch(const StoreKey& key, std::string_view delta, const WriteOptions& options) = 0;

    // nullopt when there was nothing to delete.
    virtual std::optional<WriteResult> Delete(const StoreKey& key, const WriteOptions& options) = 0;

    // Turns an entry whose time is over into a tombstone; nullopt when there is none. The result's `previous`
    // is the expired entry. Readers need not wait for this: they do not see an expired entry.
    virtual std::optional<WriteResult> Expire(const StoreKey& key) = 0;
};

}  // namespace kvs

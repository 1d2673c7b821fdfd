// A decorator that keeps a record of every call: operation, key, outcome.
#pragma once

#include "kvs/local/key_value_store_interface.h"
#include "kvs/local/logger.h"

namespace kvs {

// Refers to its parts, does not own them. Errors of the inner store are recorded and pass through unchanged.
class LoggingKeyValueStore final : public KeyValueStoreInterface {
  public:
    LoggingKeyValueStore(KeyValueStoreInterface& inner, Logger& logger);

    std::optional<StoredEntry> Get(const StoreKey& key) override;
    WriteResult Set(const StoreKey& key, const Value& value, const WriteOptions& options) override;
    WriteResult Patch(const StoreKey& key, std::string_view delta, const WriteOptions& options) override;
    std::optional<WriteResult> Delete(const StoreKey& key, const WriteOptions& options) override;
    std::optional<WriteResult> Expire(const StoreKey& key) override;

  private:
    // Runs `call` between LogStart and LogEnd and returns what it returned.
    template <typename Call>
    auto Logged(std::string_view operation, const StoreKey& key, const Call& call);

    KeyValueStoreInterface& inner_;
    Logger& logger_;
};

}  // namespace kvs

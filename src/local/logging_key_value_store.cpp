#include "kvs/local/logging_key_value_store.h"

#include <exception>

namespace kvs {

LoggingKeyValueStore::LoggingKeyValueStore(KeyValueStoreInterface& inner, Logger& logger)
    : inner_(inner), logger_(logger) {}

template <typename Call>
auto LoggingKeyValueStore::Logged(std::string_view operation, const StoreKey& key, const Call& call) {
    const uint64_t transaction = logger_.LogStart(operation, key);
    try {
        auto result = call();
        logger_.LogEnd(transaction, LogResult{true, {}});
        return result;
    } catch (const std::exception& error) {
        logger_.LogEnd(transaction, LogResult{false, error.what()});
        throw;
    } catch (...) {
        logger_.LogEnd(transaction, LogResult{false, "unknown error"});
        throw;
    }
}

std::optional<StoredEntry> LoggingKeyValueStore::Get(const StoreKey& key) {
    return Logged("get", key, [&] { return inner_.Get(key); });
}

WriteResult LoggingKeyValueStore::Set(const StoreKey& key, const Value& value, const WriteOptions& options) {
    return Logged("set", key, [&] { return inner_.Set(key, value, options); });
}

WriteResult LoggingKeyValueStore::Patch(const StoreKey& key, std::string_view delta,
                                        const WriteOptions& options) {
    return Logged("patch", key, [&] { return inner_.Patch(key, delta, options); });
}

std::optional<WriteResult> LoggingKeyValueStore::Delete(const StoreKey& key, const WriteOptions& options) {
    return Logged("delete", key, [&] { return inner_.Delete(key, options); });
}

std::optional<WriteResult> LoggingKeyValueStore::Expire(const StoreKey& key) {
    return Logged("expire", key, [&] { return inner_.Expire(key); });
}

}  // namespace kvs

#include "kvs/local/key_value_store.h"

#include <utility>

namespace kvs {

KeyValueStore::KeyValueStore(CoreStorage& storage, const MetadataService& metadata,
                             const HashingService& hashing, const PatchService& patching, LockManager& locks,
                             const KeyService& keys, Clock& clock)
    : storage_(storage),
      metadata_(metadata),
      hashing_(hashing),
      patching_(patching),
      locks_(locks),
      keys_(keys),
      clock_(clock) {}

std::optional<StoredEntry> KeyValueStore::Get(const StoreKey& key) {
    std::optional<StoredEntry> entry = storage_.Get(keys_.Serialize(key));
    if (!entry.has_value() || !IsLive(*entry, clock_.Now())) {
        return std::nullopt;
    }
    return entry;
}

WriteResult KeyValueStore::Set(const StoreKey& key, const Value& value, const WriteOptions& options) {
    return *Write(key, [&](const Moment& moment) {
        CheckExpectedVersion(moment.previous, options.expected_version, moment.key);
        const Hash data_hash = hashing_.CalculateDataHash(value);
        Metadata metadata = metadata_.Next(moment.previous, options, moment.now, moment.change);
        return StoredEntry{value, std::move(metadata), data_hash, Operation::kSet};
    });
}

WriteResult KeyValueStore::Patch(const StoreKey& key, std::string_view delta, const WriteOptions& options) {
    return *Write(key, [&](const Moment& moment) {
        CheckExpectedVersion(moment.previous, options.expected_version, moment.key);
        Value value = patching_.Apply(moment.previous.Exists() ? &moment.current->value : nullptr, delta);
        const Hash data_hash = hashing_.CalculateDataHash(value);
        Metadata metadata = metadata_.Next(moment.previous, options, moment.now, moment.change);
        return StoredEntry{std::move(value), std::move(metadata), data_hash, Operation::kPatch};
    });
}

std::optional<WriteResult> KeyValueStore::Delete(const StoreKey& key, const WriteOptions& options) {
    return Write(key, [&](const Moment& moment) -> std::optional<StoredEntry> {
        CheckExpectedVersion(moment.previous, options.expected_version, moment.key);
        if (!moment.previous.Exists()) {
            return std::nullopt;
        }
        Metadata metadata = metadata_.Tombstone(moment.current->metadata, options, moment.now, moment.change);
        return StoredEntry{Value{}, std::move(metadata), Hash{}, Operation::kDelete};
    });
}

std::optional<WriteResult> KeyValueStore::Expire(const StoreKey& key) {
    std::optional<StoredEntry> expired;
    std::optional<WriteResult> result = Write(key, [&](const Moment& moment) -> std::optional<StoredEntry> {
        if (!moment.previous.Expired()) {
            return std::nullopt;
        }
        expired = *moment.current;
        Metadata metadata =
            metadata_.Tombstone(moment.current->metadata, WriteOptions{}, moment.now, moment.change);
        return StoredEntry{Value{}, std::move(metadata), Hash{}, Operation::kExpire};
    });
    if (result.has_value()) {
        result->previous = std::move(expired);
    }
    return result;
}

std::optional<WriteResult> KeyValueStore::Write(const StoreKey& key, const Step& step) {
    const std::string serialized_key = keys_.Serialize(key);
    std::optional<StoredEntry> previous;
    std::optional<StoredEntry> entry;
    locks_.WithLock(keys_.NamespacePath(serialized_key), [&] {
        entry = storage_.Update(serialized_key, [&](const StoredEntry* current, const ChangeId& change) {
            const Timestamp now = clock_.Now();
            const Moment moment{serialized_key, current, change, now, PreviousOf(current, now)};
            previous = moment.previous.Exists() ? std::optional(*current) : std::nullopt;
            return step(moment);
        });
    });
    if (!entry.has_value()) {
        return std::nullopt;
    }
    return WriteResult{std::move(*entry), std::move(previous)};
}

}  // namespace kvs

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
    const WriteRequest request{WriteKind::kPut, Operation::kSet, options, value.expires_at};
    return *Write(key, request, [&](const Value*) { return value; });
}

WriteResult KeyValueStore::Patch(const StoreKey& key, std::string_view delta, const WriteOptions& options) {
    const WriteRequest request{WriteKind::kPatch, Operation::kPatch, options, std::nullopt};
    return *Write(key, request, [&](const Value* current) { return patching_.Apply(current, delta); });
}

std::optional<WriteResult> KeyValueStore::Delete(const StoreKey& key, const WriteOptions& options) {
    return Write(key, {WriteKind::kDelete, Operation::kDelete, options, std::nullopt}, nullptr);
}

std::optional<WriteResult> KeyValueStore::Expire(const StoreKey& key) {
    return Write(key, {WriteKind::kExpire, Operation::kExpire, {}, std::nullopt}, nullptr);
}

std::optional<WriteResult> KeyValueStore::Write(const StoreKey& key, const WriteRequest& request,
                                                const NewValue& new_value) {
    const std::string serialized_key = keys_.Serialize(key);
    std::optional<StoredEntry> replaced;
    std::optional<StoredEntry> entry;
    const auto change_entry = [&](const StoredEntry* current,
                                  const ChangeId& change) -> std::optional<StoredEntry> {
        const Previous previous = PreviousOf(current, clock_.Now());
        WriteDecision decision = metadata_.Decide(serialized_key, previous, request);
        if (decision.outcome == WriteDecision::Outcome::kNothing) {
            return std::nullopt;
        }
        const bool replaces = previous.Exists() || request.kind == WriteKind::kExpire;
        replaced = replaces ? std::optional(*current) : std::nullopt;
        StoredEntry next{{}, std::move(decision.metadata), {}, request.operation};
        next.metadata.change = change;
        if (decision.outcome == WriteDecision::Outcome::kValue) {
            next.value = new_value(previous.Exists() ? &current->value : nullptr);
            next.value.expires_at = decision.expires_at;
            next.data_hash = hashing_.CalculateDataHash(next.value);
        }
        return next;
    };
    locks_.WithLock(keys_.NamespacePath(serialized_key),
                    [&] { entry = storage_.Update(serialized_key, change_entry); });
    if (!entry.has_value()) {
        return std::nullopt;
    }
    return WriteResult{std::move(*entry), std::move(replaced)};
}

}  // namespace kvs

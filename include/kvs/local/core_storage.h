// The physical layer: a map from serialised keys to entries, and the log of what they were. It knows nothing
// of versions, expiry or events; it only makes each change atomic.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "kvs/entry.h"
#include "kvs/entry/write_decision.h"
#include "kvs/hash.h"

namespace kvs {

// One revision of one key; the newest one is the key's entry.
struct StoredEntry {
    Value value;                            // without meaning when metadata.deleted
    Metadata metadata;                      // of a tombstone when metadata.deleted
    Hash data_hash;                         // of the value; zeros when metadata.deleted
    Operation operation = Operation::kSet;  // what made this revision

    bool operator==(const StoredEntry&) const = default;
};

// What a writer finds when it finds `entry` (nullptr: nothing) at `now`. Refers to the entry.
inline Previous PreviousOf(const StoredEntry* entry, Timestamp now) {
    return entry == nullptr ? Previous(nullptr, std::nullopt, now)
                            : Previous(&entry->metadata, entry->value.expires_at, now);
}

// True for what a reader may see: neither deleted nor expired.
inline bool IsLive(const StoredEntry& entry, Timestamp now) {
    return PreviousOf(&entry, now).Exists();
}

// All functions are safe to call from any thread. Keys are valid serialised keys.
class CoreStorage {
  public:
    virtual ~CoreStorage() = default;

    // The newest revision, be it a tombstone or expired; nullopt: never written.
    virtual std::optional<StoredEntry> Get(const std::string& key) = 0;

    // Computes the new revision from the current one (nullptr: never written) and the identity under which it
    // will be logged; nullopt leaves everything as it is.
    using Change =
        std::function<std::optional<StoredEntry>(const StoredEntry* current, const ChangeId& change)>;

    // One atomic read-modify-write: no other change of this key comes between what `change` sees and what it
    // returns. Returns what `change` returned. An exception of `change` passes through and nothing is
    // changed. `change` must not call the storage. An implementation may call it several times, after a
    // conflict; it must not have effects.
    virtual std::optional<StoredEntry> Update(const std::string& key, const Change& change) = 0;

    // Returns false to end the scan. Must not call the storage.
    using Visitor = std::function<bool(const std::string& key, const StoredEntry& entry)>;

    // Visits the newest revisions, tombstones included, of the keys in [start, end) in key order, all of one
    // moment; without `end` up to the last key.
    virtual void Scan(std::string_view start, std::optional<std::string_view> end, const Visitor& visit) = 0;

    // The keys whose newest revision is no tombstone, in key order.
    virtual std::vector<std::string> Keys() = 0;

    // The revisions of a key, newest first, at most `max_rows`.
    virtual std::vector<StoredEntry> History(const std::string& key, size_t max_rows) = 0;
};

}  // namespace kvs

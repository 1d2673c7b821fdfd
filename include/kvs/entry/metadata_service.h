// The rules of metadata: what a write makes of the metadata it finds. Pure functions of their arguments; the
// in-memory store and the PostgreSQL extension both live by them.
//
//   version     1 at the first write, +1 at each further one; a delete takes a version too, and a key that is
//               written again after a delete or an expiry goes on from there: versions never repeat.
//   created_at  restarts when a key comes to life again.
//   comment     belongs to one version, modified_by too; neither is inherited.
//   tags        kept by a write that gives none, replaced by one that does (an empty list clears them);
//               gone when the entry is deleted or expires.
//   schema_hash likewise; an empty one clears it.
//
// Expiry is no part of metadata (it stands in Value), but an expired entry counts as deleted in every rule.
#pragma once

#include <optional>
#include <string_view>

#include "kvs/entry.h"

namespace kvs {

// True once the moment has come: an entry lives up to, not including, `expires_at`.
inline bool IsExpired(const std::optional<Timestamp>& expires_at, Timestamp now) {
    return expires_at.has_value() && *expires_at <= now;
}

// What a write finds at its key: nothing (never written), a tombstone, an expired entry or a living one.
// Refers to the metadata, does not own it.
class Previous {
  public:
    Previous(const Metadata* metadata = nullptr, bool expired = false)
        : metadata_(metadata), expired_(expired) {}

    // Judges expiry at `now`.
    Previous(const Metadata* metadata, const std::optional<Timestamp>& expires_at, Timestamp now)
        : metadata_(metadata), expired_(IsExpired(expires_at, now)) {}

    // nullptr: never written.
    const Metadata* metadata() const { return metadata_; }

    // A living entry, one that a reader would see.
    bool Exists() const { return metadata_ != nullptr && !metadata_->deleted && !expired_; }

    // An entry whose time is over and that nobody has turned into a tombstone yet.
    bool Expired() const { return metadata_ != nullptr && !metadata_->deleted && expired_; }

    // The version the key is at, tombstones included; 0: never written.
    uint64_t version() const { return metadata_ == nullptr ? 0 : metadata_->version; }

  private:
    const Metadata* metadata_;
    bool expired_;
};

class MetadataService {
  public:
    virtual ~MetadataService() = default;

    // The metadata of a write (put, patch, ...). Does not look at options.expected_version.
    virtual Metadata Next(const Previous& previous, const WriteOptions& options, Timestamp now,
                          const ChangeId& change) const = 0;

    // The metadata that a delete or an expiry leaves; of `options` only modified_by and comment count.
    virtual Metadata Tombstone(const Metadata& old, const WriteOptions& options, Timestamp now,
                               const ChangeId& change) const = 0;

    // The metadata when a key takes over what it was, or is, in another state: reset, revert, merge, restore.
    // Content (deleted, created_at, comment, tags, schema_hash) comes from `incoming`, the version is above
    // both, so that it never rewinds. `current` nullptr: the key is new here.
    virtual Metadata Adopt(const Metadata* current, const Metadata& incoming, const WriteOptions& options,
                           Timestamp now, const ChangeId& change) const = 0;
};

// The rules above; stateless.
class StandardMetadataService final : public MetadataService {
  public:
    Metadata Next(const Previous& previous, const WriteOptions& options, Timestamp now,
                  const ChangeId& change) const override;
    Metadata Tombstone(const Metadata& old, const WriteOptions& options, Timestamp now,
                       const ChangeId& change) const override;
    Metadata Adopt(const Metadata* current, const Metadata& incoming, const WriteOptions& options,
                   Timestamp now, const ChangeId& change) const override;
};

// True if a write that expects version `expected` may go ahead: 0 means that no living entry exists, n that a
// living one is at exactly version n. Throws Error(kInvalidArgument) for a negative number.
bool MatchesExpectedVersion(const Previous& previous, int64_t expected);

// Throws Error(kStaleVersion), naming the key and both versions, unless `expected` is absent or matches.
void CheckExpectedVersion(const Previous& previous, const std::optional<int64_t>& expected,
                          std::string_view key);

}  // namespace kvs

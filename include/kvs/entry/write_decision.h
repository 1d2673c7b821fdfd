// The decision of a write: what it makes of what it finds at its key. Pure functions of their arguments; the
// store in PostgreSQL and the one in memory both live by them.
//
//   version     1 at the first write, +1 at each further one; a delete takes a version too, and a key that is
//               written again after a delete or an expiry goes on from there: versions never repeat.
//   created_at  restarts when a key comes to life again.
//   comment     belongs to one version, modified_by and origin too; none is inherited.
//   tags        kept by a write that gives none, replaced by one that does (an empty list clears them);
//               gone when the entry is deleted or expires.
//   schema_hash likewise; an empty one clears it.
//   expires_at  set or cleared by a put, kept by what changes the value of an entry (patch, cas).
//
// An entry whose time is over counts as deleted in every rule.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

#include "kvs/entry.h"
#include "kvs/entry/expiry.h"

namespace kvs {

// What a write finds at its key at its moment: nothing (never written), a tombstone, an expired entry or a
// living one. Refers to the metadata, does not own it.
class Previous {
  public:
    // `metadata` nullptr: never written.
    Previous(const Metadata* metadata, const std::optional<Timestamp>& expires_at, Timestamp now)
        : metadata_(metadata), expires_at_(expires_at), now_(now) {}

    const Metadata* metadata() const { return metadata_; }
    Timestamp now() const { return now_; }

    // A living entry, one that a reader would see.
    bool Exists() const { return HasEntry() && !IsExpired(expires_at_, now_); }

    // An entry whose time is over and that nobody has turned into a tombstone yet.
    bool Expired() const { return HasEntry() && IsExpired(expires_at_, now_); }

    // The version the key is at, tombstones included; 0: never written.
    uint64_t version() const { return metadata_ == nullptr ? 0 : metadata_->version; }

    // When the living entry ends; absent as well if there is none.
    std::optional<Timestamp> expires_at() const { return Exists() ? expires_at_ : std::nullopt; }

  private:
    bool HasEntry() const { return metadata_ != nullptr && !metadata_->deleted; }

    const Metadata* metadata_;
    std::optional<Timestamp> expires_at_;
    Timestamp now_;
};

enum class WriteKind : uint8_t {
    kPut,    // a value, and a life of its own, whatever is there
    kPatch,  // a value made from the one that is there, or from nothing
    kCas,    // a value if the key is at the expected version, else nothing: the one kind that is not refused
    kTouch,  // another life for a living entry
    kDelete,
    kExpire,  // a tombstone for an entry whose time is over
};

struct WriteRequest {
    WriteKind kind = WriteKind::kPut;
    Operation operation = Operation::kSet;  // what the log calls it
    WriteOptions options = {};
    std::optional<Timestamp> expires_at = {};  // of put and touch; absent: the entry has no end
};

struct WriteDecision {
    enum class Outcome : uint8_t {
        kNothing,    // the key stays as it is
        kValue,      // the entry gets a new version, with the value that the writer brings
        kTombstone,  // the entry is deleted
    };

    Outcome outcome = Outcome::kNothing;
    std::optional<Timestamp> expires_at;  // of the value
    Metadata metadata;                    // all but `change`, which the writer's log gives
};

// Throws Error(kStaleVersion), naming the key and both versions, if options.expected_version is given and the
// key is not there: 0 means that no living entry exists, n that a living one is at exactly version n.
// Error(kInvalidArgument) if it is negative.
WriteDecision DecideWrite(std::string_view key, const Previous& previous, const WriteRequest& request);

// The metadata of a key that takes over what it was, or is, in another state: reset, revert, merge. Content
// (deleted, expires, created_at, comment, tags, schema_hash) comes from `incoming`, the version is above
// both, so that it never rewinds. Who did that is in `options`, and nobody of before. `current` nullptr: the
// key is new here.
Metadata AdoptMetadata(const Metadata* current, const Metadata& incoming, const WriteOptions& options,
                       Timestamp now, const ChangeId& change);

}  // namespace kvs

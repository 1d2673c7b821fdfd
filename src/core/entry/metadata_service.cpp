#include "kvs/entry/metadata_service.h"

#include <algorithm>
#include <string>

#include "kvs/error.h"
#include "kvs/util/quote.h"

namespace kvs {

namespace {

// The hint says what the writer can do about it, which is always to look again and decide anew.
[[noreturn]] void ThrowStaleVersion(const Previous& previous, int64_t expected, std::string_view key) {
    const std::string name = Quoted(key);
    if (previous.Exists()) {
        const std::string version = std::to_string(previous.version());
        if (expected == 0) {
            throw Error(ErrorCode::kStaleVersion,
                        "key " + name + " exists at version " + version + ", expected none",
                        "Pass the version you have read as expected_version to replace the entry.");
        }
        throw Error(
            ErrorCode::kStaleVersion,
            "key " + name + " is at version " + version + ", expected version " + std::to_string(expected),
            "Read the entry again and repeat the change on its current version.");
    }
    const std::string state = previous.version() == 0 ? " does not exist"
                                                      : " no longer exists (last version " +
                                                            std::to_string(previous.version()) + ")";
    throw Error(ErrorCode::kStaleVersion,
                "key " + name + state + ", expected version " + std::to_string(expected),
                "Pass expected_version 0 to create the entry.");
}

}  // namespace

Metadata StandardMetadataService::Next(const Previous& previous, const WriteOptions& options, Timestamp now,
                                       const ChangeId& change) const {
    Metadata next;
    next.version = previous.version() + 1;
    next.created_at = now;
    next.updated_at = now;
    next.change = change;
    next.modified_by = options.modified_by.value_or("");
    next.comment = options.comment;
    if (previous.Exists()) {
        next.created_at = previous.metadata()->created_at;
        next.tags = previous.metadata()->tags;
        next.schema_hash = previous.metadata()->schema_hash;
    }
    if (options.tags.has_value()) {
        next.tags = *options.tags;
    }
    if (options.schema_hash.has_value()) {
        next.schema_hash = options.schema_hash->empty() ? std::nullopt : options.schema_hash;
    }
    return next;
}

Metadata StandardMetadataService::Tombstone(const Metadata& old, const WriteOptions& options, Timestamp now,
                                            const ChangeId& change) const {
    Metadata tombstone;
    tombstone.version = old.version + 1;
    tombstone.deleted = true;
    tombstone.created_at = old.created_at;
    tombstone.updated_at = now;
    tombstone.change = change;
    tombstone.modified_by = options.modified_by.value_or("");
    tombstone.comment = options.comment;
    return tombstone;
}

Metadata StandardMetadataService::Adopt(const Metadata* current, const Metadata& incoming,
                                        const WriteOptions& options, Timestamp now,
                                        const ChangeId& change) const {
    Metadata adopted = incoming;
    adopted.version = std::max(current == nullptr ? 0 : current->version, incoming.version) + 1;
    adopted.updated_at = now;
    adopted.change = change;
    adopted.modified_by = options.modified_by.value_or("");
    if (options.comment.has_value()) {
        adopted.comment = options.comment;
    }
    return adopted;
}

bool MatchesExpectedVersion(const Previous& previous, int64_t expected) {
    if (expected < 0) {
        throw Error(ErrorCode::kInvalidArgument,
                    "expected_version must not be negative: " + std::to_string(expected),
                    "Pass 0 for a key that must not exist, or the version you have read.");
    }
    const uint64_t actual = previous.Exists() ? previous.version() : 0;
    return actual == static_cast<uint64_t>(expected);
}

void CheckExpectedVersion(const Previous& previous, const std::optional<int64_t>& expected,
                          std::string_view key) {
    if (expected.has_value() && !MatchesExpectedVersion(previous, *expected)) {
        ThrowStaleVersion(previous, *expected, key);
    }
}

}  // namespace kvs

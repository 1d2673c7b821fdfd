#include "kvs/entry/write_decision.h"

#include <algorithm>
#include <string>

#include "kvs/error.h"
#include "kvs/util/quote.h"

namespace kvs {

namespace {

bool MatchesExpectedVersion(const Previous& previous, int64_t expected) {
    if (expected < 0) {
        throw Error(ErrorCode::kInvalidArgument,
                    "expected_version must not be negative: " + std::to_string(expected),
                    "Pass 0 for a key that must not exist, or the version you have read.");
    }
    const uint64_t actual = previous.Exists() ? previous.version() : 0;
    return actual == static_cast<uint64_t>(expected);
}

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

// What values and tombstones have in common.
Metadata NextRevision(const Previous& previous, const WriteOptions& options) {
    Metadata next;
    next.version = previous.version() + 1;
    next.updated_at = previous.now();
    if (options.modified_by) {
        next.modified_by = *options.modified_by;
    }
    if (options.origin) {
        next.origin = *options.origin;
    }
    next.comment = options.comment;
    return next;
}

Metadata OfValue(const Previous& previous, const WriteOptions& options) {
    Metadata next = NextRevision(previous, options);
    next.created_at = previous.now();
    if (previous.Exists()) {
        next.created_at = previous.metadata()->created_at;
    }
    if (options.tags.has_value()) {
        next.tags = *options.tags;
    } else if (previous.Exists()) {
        next.tags = previous.metadata()->tags;
    }
    if (options.schema_hash.has_value()) {
        next.schema_hash = options.schema_hash->empty() ? std::nullopt : options.schema_hash;
    } else if (previous.Exists()) {
        next.schema_hash = previous.metadata()->schema_hash;
    }
    return next;
}

Metadata OfTombstone(const Previous& previous, const WriteOptions& options) {
    Metadata next = NextRevision(previous, options);
    next.deleted = true;
    next.created_at = previous.metadata()->created_at;
    return next;
}

bool Applies(WriteKind kind, const Previous& previous) {
    switch (kind) {
        case WriteKind::kPut:
        case WriteKind::kPatch:
        case WriteKind::kCas:
            return true;
        case WriteKind::kTouch:
        case WriteKind::kDelete:
            return previous.Exists();
        case WriteKind::kExpire:
            return previous.Expired();
    }
    return false;
}

bool LeavesTombstone(WriteKind kind) {
    return kind == WriteKind::kDelete || kind == WriteKind::kExpire;
}

bool SetsExpiry(WriteKind kind) {
    return kind == WriteKind::kPut || kind == WriteKind::kTouch;
}

}  // namespace

WriteDecision DecideWrite(std::string_view key, const Previous& previous, const WriteRequest& request) {
    const std::optional<int64_t>& expected = request.options.expected_version;
    if (expected.has_value() && !MatchesExpectedVersion(previous, *expected)) {
        if (request.kind == WriteKind::kCas) {
            return {};
        }
        ThrowStaleVersion(previous, *expected, key);
    }
    if (!Applies(request.kind, previous)) {
        return {};
    }
    if (LeavesTombstone(request.kind)) {
        return {WriteDecision::Outcome::kTombstone, std::nullopt, OfTombstone(previous, request.options)};
    }
    WriteDecision decision = {WriteDecision::Outcome::kValue,
                              SetsExpiry(request.kind) ? request.expires_at : previous.expires_at(),
                              OfValue(previous, request.options)};
    decision.metadata.expires = decision.expires_at.has_value();
    return decision;
}

Metadata AdoptMetadata(const Metadata* current, const Metadata& incoming, const WriteOptions& options,
                       Timestamp now, const ChangeId& change) {
    Metadata adopted = incoming;
    adopted.version = std::max(current == nullptr ? 0 : current->version, incoming.version) + 1;
    adopted.updated_at = now;
    adopted.change = change;
    adopted.modified_by = options.modified_by.value_or("");
    adopted.origin = options.origin.value_or("");
    if (options.comment.has_value()) {
        adopted.comment = options.comment;
    }
    return adopted;
}

}  // namespace kvs

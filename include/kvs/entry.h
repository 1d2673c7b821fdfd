// What a key holds: a value, and what is known about it.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace kvs {

// Microseconds since 1970-01-01 00:00:00 UTC.
using Timestamp = int64_t;

constexpr size_t kMaxKeySize = 2048;                // bytes of a serialised key
constexpr size_t kMaxValueSize = size_t{16} << 20;  // bytes of a value in a tree
constexpr int kMaxNesting = 512;                    // levels of arrays and objects in a document
constexpr size_t kMaxInlineValueSize = 2048;        // bytes; a larger payload becomes a blob chunk of its own

// How the bytes of a value are to be read. The numbers are part of the stored format.
enum class ValueType : uint8_t { kJson = 1, kBytes = 2 };

// What happened to an entry. The numbers are part of the stored format.
enum class Operation : uint8_t {
    kSet = 1,
    kPatch = 2,
    kDelete = 3,
    kExpire = 4,
    kMerge = 5,
    kRevert = 6,
    kReset = 7,
    kRestore = 8,
    kImport = 9
};

// "set", "patch", ...: the op column of kvs.revision.
const char* OperationName(Operation operation);

// Identifies a change across stores: the log it was written to, and its number there.
struct ChangeId {
    std::array<uint8_t, 16> log_id{};  // a UUID
    uint64_t seq = 0;

    bool operator==(const ChangeId&) const = default;
};

// Metadata of the current revision of one key on one branch. A deleted key keeps its metadata as a tombstone,
// so that versions go on where they ended.
struct Metadata {
    uint64_t version = 0;  // 1 at the first write, +1 at each further one
    bool deleted = false;
    bool expires = false;  // the value has an end, which stands beside it
    Timestamp created_at = 0;
    Timestamp updated_at = 0;
    ChangeId change;
    std::string origin;  // what made this revision, as it calls itself; empty: it did not say
    std::string modified_by;
    std::optional<std::string> comment;
    std::vector<std::string> tags;
    std::optional<std::string> schema_hash;

    bool operator==(const Metadata&) const = default;
};

// A value as it stands in the data tree. The payload is opaque to the core: PostgreSQL's jsonb form in the
// extension, JSON text in the in-memory store.
struct Value {
    ValueType type = ValueType::kJson;
    std::optional<Timestamp> expires_at;
    std::string payload;

    bool operator==(const Value&) const = default;
};

// Options of a write. An absent member means "as it was" or "none", as each operation documents.
struct WriteOptions {
    std::optional<int64_t> expected_version;  // 0: must not exist; n: must be at version n
    std::optional<std::string> modified_by;
    std::optional<std::string> comment;
    std::optional<std::vector<std::string>> tags;
    std::optional<std::string> schema_hash;
    std::optional<std::string> origin;
};

}  // namespace kvs

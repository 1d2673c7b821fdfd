// Items: what stands beside a key in the leaves of the data tree and of the metadata tree, and in the working
// and change rows. Equal values give equal bytes; the decoders accept no other encoding of them.
//
// Data item:
//     u8 flags         low nibble ValueType, 0x10 has expires_at, 0x20 the payload is a blob
//     [i64 expires_at] microseconds since 1970
//     payload bytes, or 32-byte blob address and u32 payload size
//
// Metadata item:
//     u8 format (1), u8 flags (MetadataFlag), varint version, i64 created_at,
//     zigzag varint updated_at - created_at, 16-byte log_id, varint seq, then as far as flagged:
//     origin, modified_by, comment, schema_hash (each length-prefixed), varint number of tags and the tags
//
// Logged metadata, the same in a change row, which has the version and the change in columns, and which may
// tell the trace (flag 0x80):
//     u8 format (2), u8 flags, [25-byte trace], i64 created_at, zigzag varint updated_at - created_at, and on
//     as above
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "kvs/codec/trace_context.h"
#include "kvs/entry.h"
#include "kvs/error.h"
#include "kvs/hash.h"

namespace kvs {

constexpr size_t kMaxOriginSize = 255;
constexpr size_t kMaxModifiedBySize = 256;
constexpr size_t kMaxCommentSize = 2000;
constexpr size_t kMaxTagsSize = 1000;  // all tags of an entry, each counted with one byte more than it has
constexpr size_t kMaxSchemaHashSize = 64;

// Where a payload lies that is too large for a leaf.
struct BlobRef {
    Hash address;
    uint32_t size = 0;  // bytes of the payload

    bool operator==(const BlobRef&) const = default;
};

// A decoded data item: a view, valid as long as the bytes it was decoded from (or was made of).
struct DataItem {
    ValueType type = ValueType::kJson;
    std::optional<Timestamp> expires_at;
    std::string_view payload;     // empty if `blob` is set
    std::optional<BlobRef> blob;  // set: the payload lies in this chunk

    // Bytes of the payload wherever it lies.
    size_t PayloadSize() const { return blob ? blob->size : payload.size(); }

    bool operator==(const DataItem&) const = default;
};

// Working and change rows carry payloads of any size inline; a tree takes only items for which this is false.
// Whoever builds a tree writes the payload as a blob first and encodes an item with its BlobRef.
inline bool NeedsBlob(const DataItem& item) {
    return !item.blob && item.payload.size() > kMaxInlineValueSize;
}

// Bytes that WriteDataItem writes. Throws Error(kLimitExceeded) for a payload above kMaxValueSize.
size_t DataItemSize(const DataItem& item);

// Writes exactly DataItemSize(item) bytes and returns the position behind them, so that a caller can encode
// into memory of its own.
char* WriteDataItem(const DataItem& item, char* out);

std::string EncodeDataItem(const DataItem& item);

// The answer points into `encoded`. Malformed bytes give Error(kCorruption).
Result<DataItem> DecodeDataItem(std::string_view encoded);

enum MetadataFlag : uint8_t {
    kMetadataDeleted = 0x01,
    kMetadataModifiedBy = 0x02,  // present unless empty
    kMetadataComment = 0x04,
    kMetadataSchemaHash = 0x08,
    kMetadataTags = 0x10,     // present unless there are none
    kMetadataExpires = 0x20,  // the data item has expires_at
    kMetadataOrigin = 0x40,   // present unless empty
};

// The fixed part of a metadata item: what a write needs to know of the revision before it.
struct MetadataHeader {
    uint64_t version = 0;
    uint8_t flags = 0;  // MetadataFlag
    Timestamp created_at = 0;
    Timestamp updated_at = 0;
    ChangeId change;

    bool deleted() const { return (flags & kMetadataDeleted) != 0; }
    bool expires() const { return (flags & kMetadataExpires) != 0; }
    bool operator==(const MetadataHeader&) const = default;
};

// As for data items. The sizes of the strings are not checked here: ValidateWriteOptions does that at the
// door.
size_t MetadataSize(const Metadata& metadata);
char* WriteMetadata(const Metadata& metadata, char* out);
std::string EncodeMetadata(const Metadata& metadata);

// Malformed bytes give Error(kCorruption).
Result<Metadata> DecodeMetadata(std::string_view encoded);

// Without allocating, and without looking at the strings behind the header.
Result<MetadataHeader> DecodeMetadataHeader(std::string_view encoded);

// The origin alone, without allocating; a view of `encoded`, empty if there is none. Malformed bytes give
// Error(kCorruption).
Result<std::string_view> DecodeOrigin(std::string_view encoded);

// Of a metadata item, what a row of the change log holds: all but the version and the change, and the trace
// if there is one. Written into memory of the caller's, that has room for the whole item and the trace.
// Returns the position behind it; null: the item is malformed.
char* WriteLoggedMetadata(std::string_view item, const std::optional<TraceContext>& trace, char* out);

// Of a range record, which has no metadata but these: the logged form of an item with nothing but an origin,
// which may be empty. `out` has room for kMaxLoggedOriginSize bytes.
char* WriteLoggedOrigin(std::string_view origin, const std::optional<TraceContext>& trace, char* out);
constexpr size_t kMaxLoggedOriginSize = 2 + TraceContext::kSize + sizeof(Timestamp) + 1 + 2 + kMaxOriginSize;

// Bytes by which an item is longer at the most.
constexpr size_t kMaxLeftOutOfLog = 2 * 10 + 16;

// The item that this was made of. As above, but for the room, which is `logged` and kMaxLeftOutOfLog.
char* WriteMetadataFromLog(std::string_view logged, uint64_t version, const ChangeId& change, char* out);

// The trace that it was made with; nullopt as well if it is malformed.
std::optional<TraceContext> TraceOfLogged(std::string_view logged);

// What is wrong with an origin, as a sentence; nullptr: nothing. Whether it is UTF-8 is the server's
// business.
const char* OriginFault(std::string_view origin);

// Error(kLimitExceeded) for a string over its limit (so that a metadata item always fits a leaf),
// Error(kInvalidArgument) for a negative expected_version, an empty tag, a NUL byte or a bad origin.
Status ValidateWriteOptions(const WriteOptions& options);

}  // namespace kvs

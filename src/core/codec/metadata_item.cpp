// The metadata item, and the limits that keep it small enough for a leaf.
#include <algorithm>

#include "kvs/codec/item.h"
#include "kvs/codec/varint.h"
#include "kvs/util/quote.h"

namespace kvs {

namespace {

constexpr uint8_t kFormat = 1;
constexpr uint8_t kLoggedFormat = 2;
constexpr uint8_t kKnownFlags = kMetadataDeleted | kMetadataModifiedBy | kMetadataComment |
                                kMetadataSchemaHash | kMetadataTags | kMetadataExpires | kMetadataOrigin;
constexpr uint8_t kLoggedTrace = 0x80;
static_assert((kKnownFlags & kLoggedTrace) == 0);

// What a leaf takes beside a key (docs/node-format.md).
constexpr size_t kMaxLeafItemSize = 4096;
constexpr size_t kMaxHeaderSize = 2 + 3 * kMaxVarintSize + sizeof(Timestamp) + 16;
// Two bytes of length before each string; a tag's is longer than its counted byte only above 127 bytes.
static_assert(kMaxHeaderSize + 2 + kMaxOriginSize + 2 + kMaxModifiedBySize + 2 + kMaxCommentSize + 2 +
                      kMaxSchemaHashSize + 2 + kMaxTagsSize + kMaxTagsSize / 128 <=
                  kMaxLeafItemSize,
              "metadata within the limits must fit a leaf");

Error Corrupt(const char* what) {
    return {ErrorCode::kCorruption, std::string("metadata item is damaged: ") + what};
}

// Unsigned, so that moments at both ends of the range wrap around instead of overflowing.
int64_t Difference(Timestamp later, Timestamp earlier) {
    return static_cast<int64_t>(static_cast<uint64_t>(later) - static_cast<uint64_t>(earlier));
}

Timestamp Sum(Timestamp moment, int64_t difference) {
    return static_cast<Timestamp>(static_cast<uint64_t>(moment) + static_cast<uint64_t>(difference));
}

uint8_t FlagsOf(const Metadata& metadata) {
    uint8_t flags = 0;
    flags |= metadata.deleted ? kMetadataDeleted : 0;
    flags |= !metadata.modified_by.empty() ? kMetadataModifiedBy : 0;
    flags |= metadata.comment ? kMetadataComment : 0;
    flags |= metadata.schema_hash ? kMetadataSchemaHash : 0;
    flags |= !metadata.tags.empty() ? kMetadataTags : 0;
    flags |= metadata.expires ? kMetadataExpires : 0;
    flags |= !metadata.origin.empty() ? kMetadataOrigin : 0;
    return flags;
}

Result<MetadataHeader> ReadHeader(ByteReader& reader) {
    MetadataHeader header;
    uint8_t format;
    uint64_t difference;
    std::string_view log_id;
    if (!reader.ReadFixed(&format)) {
        return Corrupt("it is empty");
    }
    if (format != kFormat) {
        return Corrupt("its format is unknown");
    }
    if (!reader.ReadFixed(&header.flags) || !reader.ReadVarint(&header.version) ||
        !reader.ReadFixed(&header.created_at) || !reader.ReadVarint(&difference) ||
        !reader.ReadBytes(header.change.log_id.size(), &log_id) || !reader.ReadVarint(&header.change.seq)) {
        return Corrupt("its header ends too early");
    }
    if ((header.flags & ~kKnownFlags) != 0) {
        return Corrupt("its flags are unknown");
    }
    header.updated_at = Sum(header.created_at, ZigZagDecode(difference));
    std::copy(log_id.begin(), log_id.end(), header.change.log_id.begin());
    return header;
}

bool ReadOrigin(ByteReader& reader, std::string_view* origin) {
    return reader.ReadPrefixed(origin) && !origin->empty();
}

// When the entry was created and changed, as it is encoded.
bool ReadTimes(ByteReader& reader, std::string_view* times) {
    const std::string_view begin = reader.rest();
    Timestamp created_at;
    uint64_t difference;
    if (!reader.ReadFixed(&created_at) || !reader.ReadVarint(&difference)) {
        return false;
    }
    *times = begin.substr(0, begin.size() - reader.remaining());
    return true;
}

// Up to the times of logged metadata.
char* WriteLoggedFront(uint8_t flags, const std::optional<TraceContext>& trace, char* out) {
    out = WriteFixed(out, kLoggedFormat);
    if (!trace) {
        return WriteFixed(out, flags);
    }
    out = WriteFixed(out, static_cast<uint8_t>(flags | kLoggedTrace));
    return trace->Write(out);
}

// The same, read. `trace` is empty if there is none.
bool ReadLoggedFront(ByteReader& reader, uint8_t* flags, std::string_view* trace) {
    uint8_t format;
    *trace = {};
    return reader.ReadFixed(&format) && format == kLoggedFormat && reader.ReadFixed(flags) &&
           ((*flags & kLoggedTrace) == 0 || reader.ReadBytes(TraceContext::kSize, trace));
}

Status CheckText(const char* what, std::string_view text, size_t limit) {
    if (text.size() > limit) {
        return Error(ErrorCode::kLimitExceeded,
                     std::string(what) + " of " + std::to_string(text.size()) + " bytes is too long",
                     "It may have up to " + std::to_string(limit) + " bytes.");
    }
    if (text.find('\0') != std::string_view::npos) {
        return Error(ErrorCode::kInvalidArgument, std::string(what) + " contains a NUL byte");
    }
    return Ok();
}

char* WriteChange(char* out, const ChangeId& change) {
    const auto& log_id = change.log_id;
    out = WriteBytes(out, {reinterpret_cast<const char*>(log_id.data()), log_id.size()});
    return WriteVarint(out, change.seq);
}

Status CheckTags(const std::vector<std::string>& tags) {
    size_t size = 0;
    for (const std::string& tag : tags) {
        size += tag.size() + 1;
        if (size > kMaxTagsSize) {
            return Error(ErrorCode::kLimitExceeded, "tags are too long",
                         "All tags of an entry together may have up to " + std::to_string(kMaxTagsSize) +
                             " bytes, each counted with one byte more than it has.");
        }
        if (tag.empty()) {
            return Error(ErrorCode::kInvalidArgument, "tag must not be empty");
        }
        if (Status status = CheckText("tag", tag, kMaxTagsSize); !status.ok()) {
            return status;
        }
    }
    return Ok();
}

}  // namespace

size_t MetadataSize(const Metadata& metadata) {
    int64_t difference = Difference(metadata.updated_at, metadata.created_at);
    size_t size = 2 + VarintSize(metadata.version) + sizeof(Timestamp) +
                  VarintSize(ZigZagEncode(difference)) + metadata.change.log_id.size() +
                  VarintSize(metadata.change.seq);
    if (!metadata.origin.empty()) {
        size += PrefixedSize(metadata.origin);
    }
    if (!metadata.modified_by.empty()) {
        size += PrefixedSize(metadata.modified_by);
    }
    if (metadata.comment) {
        size += PrefixedSize(*metadata.comment);
    }
    if (metadata.schema_hash) {
        size += PrefixedSize(*metadata.schema_hash);
    }
    if (!metadata.tags.empty()) {
        size += VarintSize(metadata.tags.size());
        for (const std::string& tag : metadata.tags) {
            size += PrefixedSize(tag);
        }
    }
    return size;
}

char* WriteMetadata(const Metadata& metadata, char* out) {
    out = WriteFixed(out, kFormat);
    out = WriteFixed(out, FlagsOf(metadata));
    out = WriteVarint(out, metadata.version);
    out = WriteFixed(out, metadata.created_at);
    out = WriteVarint(out, ZigZagEncode(Difference(metadata.updated_at, metadata.created_at)));
    out = WriteChange(out, metadata.change);
    if (!metadata.origin.empty()) {
        out = WritePrefixed(out, metadata.origin);
    }
    if (!metadata.modified_by.empty()) {
        out = WritePrefixed(out, metadata.modified_by);
    }
    if (metadata.comment) {
        out = WritePrefixed(out, *metadata.comment);
    }
    if (metadata.schema_hash) {
        out = WritePrefixed(out, *metadata.schema_hash);
    }
    if (!metadata.tags.empty()) {
        out = WriteVarint(out, metadata.tags.size());
        for (const std::string& tag : metadata.tags) {
            out = WritePrefixed(out, tag);
        }
    }
    return out;
}

std::string EncodeMetadata(const Metadata& metadata) {
    std::string encoded(MetadataSize(metadata), '\0');
    WriteMetadata(metadata, encoded.data());
    return encoded;
}

Result<MetadataHeader> DecodeMetadataHeader(std::string_view encoded) {
    ByteReader reader(encoded);
    return ReadHeader(reader);
}

Result<std::string_view> DecodeOrigin(std::string_view encoded) {
    ByteReader reader(encoded);
    const Result<MetadataHeader> header = ReadHeader(reader);
    if (!header.ok()) {
        return header.error();
    }
    std::string_view origin;
    if ((header.value().flags & kMetadataOrigin) != 0 && !ReadOrigin(reader, &origin)) {
        return Corrupt("origin");
    }
    return origin;
}

Result<Metadata> DecodeMetadata(std::string_view encoded) {
    ByteReader reader(encoded);
    Result<MetadataHeader> header_or_error = ReadHeader(reader);
    if (!header_or_error.ok()) {
        return header_or_error.error();
    }
    const MetadataHeader& header = header_or_error.value();
    Metadata metadata;
    metadata.version = header.version;
    metadata.deleted = header.deleted();
    metadata.expires = header.expires();
    metadata.created_at = header.created_at;
    metadata.updated_at = header.updated_at;
    metadata.change = header.change;

    std::string_view text;
    if ((header.flags & kMetadataOrigin) != 0) {
        if (!ReadOrigin(reader, &text)) {
            return Corrupt("origin");
        }
        metadata.origin = text;
    }
    if ((header.flags & kMetadataModifiedBy) != 0) {
        if (!reader.ReadPrefixed(&text) || text.empty()) {
            return Corrupt("modified_by");
        }
        metadata.modified_by = text;
    }
    if ((header.flags & kMetadataComment) != 0) {
        if (!reader.ReadPrefixed(&text)) {
            return Corrupt("comment");
        }
        metadata.comment = text;
    }
    if ((header.flags & kMetadataSchemaHash) != 0) {
        if (!reader.ReadPrefixed(&text)) {
            return Corrupt("schema hash");
        }
        metadata.schema_hash = text;
    }
    if ((header.flags & kMetadataTags) != 0) {
        uint64_t count;
        if (!reader.ReadVarint(&count) || count == 0 || count > reader.remaining()) {
            return Corrupt("number of tags");
        }
        metadata.tags.reserve(std::min<uint64_t>(count, kMaxTagsSize));
        for (uint64_t i = 0; i < count; i++) {
            if (!reader.ReadPrefixed(&text)) {
                return Corrupt("tags");
            }
            metadata.tags.emplace_back(text);
        }
    }
    if (!reader.AtEnd()) {
        return Corrupt("bytes behind its end");
    }
    return metadata;
}

char* WriteLoggedMetadata(std::string_view item, const std::optional<TraceContext>& trace, char* out) {
    ByteReader reader(item);
    uint8_t format;
    uint8_t flags;
    uint64_t version;
    std::string_view times;
    std::string_view log_id;
    uint64_t seq;
    if (!reader.ReadFixed(&format) || format != kFormat || !reader.ReadFixed(&flags) ||
        (flags & kLoggedTrace) != 0 || !reader.ReadVarint(&version) || !ReadTimes(reader, &times) ||
        !reader.ReadBytes(sizeof(ChangeId::log_id), &log_id) || !reader.ReadVarint(&seq)) {
        return nullptr;
    }
    out = WriteLoggedFront(flags, trace, out);
    out = WriteBytes(out, times);
    return WriteBytes(out, reader.rest());
}

char* WriteMetadataFromLog(std::string_view logged, uint64_t version, const ChangeId& change, char* out) {
    ByteReader reader(logged);
    uint8_t flags;
    std::string_view trace;
    std::string_view times;
    if (!ReadLoggedFront(reader, &flags, &trace) || !ReadTimes(reader, &times)) {
        return nullptr;
    }
    out = WriteFixed(out, kFormat);
    out = WriteFixed(out, static_cast<uint8_t>(flags & ~kLoggedTrace));
    out = WriteVarint(out, version);
    out = WriteBytes(out, times);
    out = WriteChange(out, change);
    return WriteBytes(out, reader.rest());
}

char* WriteLoggedOrigin(std::string_view origin, const std::optional<TraceContext>& trace, char* out) {
    out = WriteLoggedFront(origin.empty() ? 0 : kMetadataOrigin, trace, out);
    out = WriteFixed(out, Timestamp{0});
    out = WriteVarint(out, 0);
    return origin.empty() ? out : WritePrefixed(out, origin);
}

std::optional<TraceContext> TraceOfLogged(std::string_view logged) {
    ByteReader reader(logged);
    uint8_t flags;
    std::string_view trace;
    if (!ReadLoggedFront(reader, &flags, &trace) || trace.empty()) {
        return std::nullopt;
    }
    return TraceContext::FromBytes(trace);
}

const char* OriginFault(std::string_view origin) {
    static_assert(kMaxOriginSize == 255);
    if (origin.size() > kMaxOriginSize) {
        return "An origin may have up to 255 bytes.";
    }
    uint8_t before = 0;
    for (const char c : origin) {
        const auto byte = static_cast<uint8_t>(c);
        // U+0080 to U+009F are control characters as well.
        if (byte < 0x20 || byte == 0x7f || (before == 0xc2 && byte < 0xa0)) {
            return "An origin cannot have control characters.";
        }
        before = byte;
    }
    return nullptr;
}

Status ValidateWriteOptions(const WriteOptions& options) {
    if (options.expected_version && *options.expected_version < 0) {
        return Error(ErrorCode::kInvalidArgument,
                     "expected version must not be negative: " + std::to_string(*options.expected_version),
                     "0 means that the key must not exist.");
    }
    if (options.modified_by) {
        if (Status status = CheckText("modified_by", *options.modified_by, kMaxModifiedBySize);
            !status.ok()) {
            return status;
        }
    }
    if (options.origin) {
        if (const char* fault = OriginFault(*options.origin)) {
            return Error(options.origin->size() > kMaxOriginSize ? ErrorCode::kLimitExceeded
                                                                 : ErrorCode::kInvalidArgument,
                         "invalid origin " + Quoted(*options.origin), fault);
        }
    }
    if (options.comment) {
        if (Status status = CheckText("comment", *options.comment, kMaxCommentSize); !status.ok()) {
            return status;
        }
    }
    if (options.schema_hash) {
        if (Status status = CheckText("schema hash", *options.schema_hash, kMaxSchemaHashSize);
            !status.ok()) {
            return status;
        }
    }
    return options.tags ? CheckTags(*options.tags) : Ok();
}

}  // namespace kvs

#include "kvs/codec/item.h"

#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include <limits>

#include "kvs/codec/varint.h"

namespace kvs {
namespace {

constexpr Timestamp kMin = std::numeric_limits<Timestamp>::min();
constexpr Timestamp kMax = std::numeric_limits<Timestamp>::max();

Hash SomeAddress() {
    Hash hash;
    hash.bytes.fill(0xab);
    return hash;
}

template <typename T>
void ExpectCorrupt(const Result<T>& result) {
    ASSERT_FALSE(result.ok());
    EXPECT_EQ(result.error().code(), ErrorCode::kCorruption);
}

TEST(DataItem, GoldenBytes) {
    EXPECT_EQ(EncodeDataItem({ValueType::kJson, std::nullopt, "{}", std::nullopt}), "\x01{}");
    EXPECT_EQ(EncodeDataItem({ValueType::kBytes, std::nullopt, "", std::nullopt}), "\x02");
    EXPECT_EQ(EncodeDataItem({ValueType::kJson, 258, "x", std::nullopt}),
              std::string("\x11\x02\x01\0\0\0\0\0\0x", 10));
    EXPECT_EQ(EncodeDataItem({ValueType::kBytes, -1, "", BlobRef{SomeAddress(), 0x10000}}),
              "\x32" + std::string(8, '\xff') + std::string(32, '\xab') + std::string("\0\0\x01\0", 4));
}

TEST(DataItem, DecodesIntoViews) {
    std::string encoded = EncodeDataItem({ValueType::kJson, 5, "payload", std::nullopt});
    DataItem item = DecodeDataItem(encoded).OrThrow();
    EXPECT_EQ(item.payload.data(), encoded.data() + encoded.size() - 7);
    EXPECT_EQ(item.PayloadSize(), 7u);
    EXPECT_EQ(item.expires_at, 5);
}

TEST(DataItem, NeedsBlobAboveTheInlineLimit) {
    std::string payload(kMaxInlineValueSize, 'x');
    DataItem item{ValueType::kJson, std::nullopt, payload, std::nullopt};
    EXPECT_FALSE(NeedsBlob(item));
    payload += 'x';
    item.payload = payload;
    EXPECT_TRUE(NeedsBlob(item));
    EXPECT_EQ(DecodeDataItem(EncodeDataItem(item)).OrThrow().PayloadSize(), kMaxInlineValueSize + 1);
    item.payload = {};
    item.blob = BlobRef{SomeAddress(), static_cast<uint32_t>(payload.size())};
    EXPECT_FALSE(NeedsBlob(item));
    EXPECT_EQ(item.PayloadSize(), payload.size());
}

TEST(DataItem, Malformed) {
    ExpectCorrupt(DecodeDataItem(""));
    for (int flags = 0; flags < 256; flags++) {
        bool known = (flags & ~0x3f) == 0 && ((flags & 0x0f) == 1 || (flags & 0x0f) == 2);
        if (!known) {
            std::string encoded(45, '\1');
            encoded[0] = static_cast<char>(flags);
            ExpectCorrupt(DecodeDataItem(encoded));
        }
    }
    ExpectCorrupt(DecodeDataItem("\x11" + std::string(7, 'x')));  // expiry cut off
    std::string blob = EncodeDataItem({ValueType::kJson, 1, "", BlobRef{SomeAddress(), 5000}});
    for (size_t size = 0; size < blob.size(); size++) {
        ExpectCorrupt(DecodeDataItem(std::string_view(blob).substr(0, size)));
    }
    ExpectCorrupt(DecodeDataItem(blob + "x"));
}

TEST(DataItem, BlobSizesThatCannotBe) {
    auto with_size = [](uint32_t size) {
        return DecodeDataItem("\x21" + std::string(32, '\xab') +
                              std::string(reinterpret_cast<char*>(&size), 4));
    };
    ExpectCorrupt(with_size(0));
    ExpectCorrupt(with_size(kMaxInlineValueSize));  // would have stood in the leaf
    EXPECT_TRUE(with_size(kMaxInlineValueSize + 1).ok());
    EXPECT_TRUE(with_size(kMaxValueSize).ok());
    ExpectCorrupt(with_size(kMaxValueSize + 1));
}

TEST(DataItem, TheLimit) {
    std::string payload(kMaxValueSize, 'x');
    DataItem item{ValueType::kBytes, kMax, payload, std::nullopt};
    EXPECT_EQ(DecodeDataItem(EncodeDataItem(item)).OrThrow(), item);
    payload += 'x';
    item.payload = payload;
    try {
        EncodeDataItem(item);
        FAIL() << "took a payload above the limit";
    } catch (const Error& error) {
        EXPECT_EQ(error.code(), ErrorCode::kLimitExceeded);
    }
    ExpectCorrupt(DecodeDataItem("\x02" + payload));
}

RC_GTEST_PROP(DataItem, RoundTrip, (const std::string& payload, int64_t expires_at)) {
    DataItem item;
    item.type = *rc::gen::element(ValueType::kJson, ValueType::kBytes);
    if (*rc::gen::arbitrary<bool>()) {
        item.expires_at = expires_at;
    }
    if (*rc::gen::arbitrary<bool>()) {
        item.blob =
            BlobRef{SomeAddress(), *rc::gen::inRange<uint32_t>(kMaxInlineValueSize + 1, kMaxValueSize + 1)};
    } else {
        item.payload = payload;
    }
    std::string encoded = EncodeDataItem(item);
    RC_ASSERT(encoded.size() == DataItemSize(item));
    RC_ASSERT(DecodeDataItem(encoded).OrThrow() == item);
}

RC_GTEST_PROP(DataItem, OneEncodingPerItem, (std::vector<char> bytes)) {
    bytes.insert(bytes.begin(), *rc::gen::element('\x01', '\x02', '\x11', '\x12', '\x21', '\x31'));
    std::string encoded(bytes.begin(), bytes.end());
    Result<DataItem> item = DecodeDataItem(encoded);
    if (item.ok()) {
        RC_ASSERT(EncodeDataItem(item.value()) == encoded);
    }
}

Metadata Full() {
    Metadata metadata;
    metadata.version = 300;
    metadata.deleted = true;
    metadata.created_at = 1;
    metadata.updated_at = 0;
    metadata.change.log_id.fill(0x77);
    metadata.change.seq = 128;
    metadata.origin = "app";
    metadata.modified_by = "alice";
    metadata.comment = "why";
    metadata.tags = {"a", "bc"};
    metadata.schema_hash = "ff";
    return metadata;
}

TEST(Metadata, GoldenBytes) {
    Metadata smallest;
    smallest.version = 1;
    EXPECT_EQ(EncodeMetadata(smallest), std::string("\x01\x00\x01", 3) + std::string(8, '\0') +
                                            std::string(1, '\0') + std::string(16, '\0') +
                                            std::string(1, '\0'));
    smallest.expires = true;
    EXPECT_EQ(EncodeMetadata(smallest).substr(0, 3), std::string("\x01\x20\x01", 3));
    EXPECT_EQ(EncodeMetadata(Full()), std::string("\x01\x5f\xac\x02\x01\0\0\0\0\0\0\0\x01", 13) +
                                          std::string(16, '\x77') + "\x80\x01" + "\x03" + "app" +
                                          "\x05"
                                          "alice" +
                                          "\x03why" +
                                          "\x02"
                                          "ff" +
                                          "\x02\x01"
                                          "a"
                                          "\x02"
                                          "bc");
}

TEST(Metadata, RoundTripAtTheEdges) {
    for (auto [created, updated] :
         {std::pair{kMin, kMax}, {kMax, kMin}, {kMin, kMin}, {0l, kMin}, {-1l, kMax}}) {
        Metadata metadata = Full();
        metadata.created_at = created;
        metadata.updated_at = updated;
        metadata.version = std::numeric_limits<uint64_t>::max();
        metadata.change.seq = std::numeric_limits<uint64_t>::max();
        EXPECT_EQ(DecodeMetadata(EncodeMetadata(metadata)).OrThrow(), metadata);
    }
}

TEST(Metadata, EmptyCommentIsNotNoComment) {
    Metadata metadata;
    metadata.comment = "";
    metadata.schema_hash = "";
    Metadata decoded = DecodeMetadata(EncodeMetadata(metadata)).OrThrow();
    EXPECT_EQ(decoded.comment, "");
    EXPECT_EQ(decoded.schema_hash, "");
    metadata.comment.reset();
    EXPECT_EQ(DecodeMetadata(EncodeMetadata(metadata)).OrThrow().comment, std::nullopt);
}

TEST(Metadata, HeaderIsWhatTheWholeSays) {
    MetadataHeader header = DecodeMetadataHeader(EncodeMetadata(Full())).OrThrow();
    EXPECT_EQ(header.version, 300u);
    EXPECT_TRUE(header.deleted());
    EXPECT_EQ(header.flags, kMetadataDeleted | kMetadataModifiedBy | kMetadataComment | kMetadataSchemaHash |
                                kMetadataTags | kMetadataOrigin);
    EXPECT_EQ(header.created_at, 1);
    EXPECT_EQ(header.updated_at, 0);
    EXPECT_EQ(header.change, Full().change);
}

TEST(Metadata, Malformed) {
    std::string encoded = EncodeMetadata(Full());
    for (size_t size = 0; size < encoded.size(); size++) {
        ExpectCorrupt(DecodeMetadata(std::string_view(encoded).substr(0, size)));
    }
    ExpectCorrupt(DecodeMetadata(encoded + "x"));
    std::string other = encoded;
    other[0] = 2;  // format
    ExpectCorrupt(DecodeMetadata(other));
    ExpectCorrupt(DecodeMetadataHeader(other));
    other = encoded;
    other[1] = '\xdf';  // flags
    ExpectCorrupt(DecodeMetadata(other));
    ExpectCorrupt(DecodeMetadataHeader(other));
    ExpectCorrupt(DecodeMetadataHeader(std::string_view(encoded).substr(0, 20)));
}

TEST(Metadata, RefusesOtherEncodingsOfTheSame) {
    Metadata plain;
    plain.version = 1;
    std::string encoded = EncodeMetadata(plain);
    encoded[1] = kMetadataModifiedBy;
    ExpectCorrupt(DecodeMetadata(encoded + std::string(1, '\0')));  // an empty modified_by is left out
    encoded[1] = kMetadataOrigin;
    ExpectCorrupt(DecodeMetadata(encoded + std::string(1, '\0')));  // so is an empty origin
    ExpectCorrupt(DecodeOrigin(encoded + std::string(1, '\0')));
    encoded[1] = kMetadataTags;
    ExpectCorrupt(DecodeMetadata(encoded + std::string(1, '\0')));    // so are no tags
    ExpectCorrupt(DecodeMetadata(encoded + "\xff\xff\xff\xff\x0f"));  // billions of tags in no bytes
}

TraceContext SomeTrace() {
    TraceContext trace;
    trace.trace_id.fill(0x11);
    trace.parent_id.fill(0x22);
    trace.flags = 0x33;
    return trace;
}

std::string Logged(std::string_view item, const std::optional<TraceContext>& trace = std::nullopt) {
    std::string logged(item.size() + TraceContext::kSize, '\0');
    char* end = WriteLoggedMetadata(item, trace, logged.data());
    EXPECT_NE(end, nullptr);
    logged.resize(static_cast<size_t>(end - logged.data()));
    return logged;
}

std::string FromLog(std::string_view logged, uint64_t version, const ChangeId& change) {
    std::string item(logged.size() + kMaxLeftOutOfLog, '\0');
    char* end = WriteMetadataFromLog(logged, version, change, item.data());
    EXPECT_NE(end, nullptr);
    item.resize(static_cast<size_t>(end - item.data()));
    return item;
}

// The log holds what its row does not say, and the item comes back byte for byte.
TEST(Metadata, Logged) {
    const Metadata metadata = Full();
    const std::string item = EncodeMetadata(metadata);
    const std::string logged = Logged(item);
    EXPECT_EQ(logged.substr(0, 11), std::string("\x02\x5f\x01\0\0\0\0\0\0\0\x01", 11));
    EXPECT_EQ(logged.size() + VarintSize(metadata.version) + sizeof(ChangeId::log_id) +
                  VarintSize(metadata.change.seq),
              item.size());
    EXPECT_EQ(FromLog(logged, metadata.version, metadata.change), item);

    EXPECT_EQ(TraceOfLogged(logged), std::nullopt);

    Metadata highest = metadata;
    highest.version = highest.change.seq = UINT64_MAX;
    const std::string longest = EncodeMetadata(highest);
    EXPECT_EQ(longest.size(), Logged(longest).size() + kMaxLeftOutOfLog);
    EXPECT_EQ(FromLog(Logged(longest), UINT64_MAX, highest.change), longest);
}

// Nothing of the trace gets into the item.
TEST(Metadata, LoggedWithTrace) {
    const Metadata metadata = Full();
    const std::string item = EncodeMetadata(metadata);
    const std::string logged = Logged(item, SomeTrace());
    EXPECT_EQ(logged, "\x02\xdf" + std::string(16, '\x11') + std::string(8, '\x22') + "\x33" +
                          Logged(item).substr(2));
    EXPECT_EQ(TraceOfLogged(logged), SomeTrace());
    EXPECT_EQ(FromLog(logged, metadata.version, metadata.change), item);
}

// Of a range record.
TEST(Metadata, LoggedOrigin) {
    const std::string longest(kMaxOriginSize, 'o');
    for (const std::string& origin : {std::string(), std::string("app"), longest}) {
        for (const std::optional<TraceContext>& trace : {std::optional<TraceContext>(), {SomeTrace()}}) {
            std::string logged(kMaxLoggedOriginSize, '\0');
            char* end = WriteLoggedOrigin(origin, trace, logged.data());
            ASSERT_LE(end, logged.data() + logged.size());
            logged.resize(static_cast<size_t>(end - logged.data()));
            Metadata metadata;
            metadata.change.seq = 7;
            metadata.origin = origin;
            EXPECT_EQ(TraceOfLogged(logged), trace);
            EXPECT_EQ(logged, Logged(EncodeMetadata(metadata), trace));
            const std::string item = FromLog(logged, 0, metadata.change);
            EXPECT_EQ(DecodeMetadata(item).OrThrow(), metadata);
            EXPECT_EQ(DecodeOrigin(item).OrThrow(), origin);
        }
    }
}

TEST(Metadata, LoggedMalformed) {
    char out[200];
    const std::string item = EncodeMetadata(Full());
    const std::string logged = Logged(item);
    for (size_t size = 0; size < 11; size++) {
        EXPECT_EQ(WriteLoggedMetadata(item.substr(0, size), {}, out), nullptr);
        EXPECT_EQ(WriteMetadataFromLog(logged.substr(0, size), 1, {}, out), nullptr);
    }
    // One in the place of the other.
    EXPECT_EQ(WriteLoggedMetadata(logged, {}, out), nullptr);
    EXPECT_EQ(WriteMetadataFromLog(item, 1, {}, out), nullptr);
    EXPECT_EQ(TraceOfLogged(item), std::nullopt);
    // A trace that is cut off, and an item whose flags say that there is one.
    const std::string traced = Logged(item, SomeTrace());
    for (size_t size = 0; size < 2 + TraceContext::kSize; size++) {
        EXPECT_EQ(TraceOfLogged(traced.substr(0, size)), std::nullopt);
        EXPECT_EQ(WriteMetadataFromLog(traced.substr(0, size), 1, {}, out), nullptr);
    }
    std::string flagged = item;
    flagged[1] = '\xdf';
    EXPECT_EQ(WriteLoggedMetadata(flagged, {}, out), nullptr);
}

RC_GTEST_PROP(Metadata, RoundTrip, (int64_t created_at, int64_t updated_at, uint64_t version, uint64_t seq)) {
    Metadata metadata;
    metadata.version = version;
    metadata.deleted = *rc::gen::arbitrary<bool>();
    metadata.expires = *rc::gen::arbitrary<bool>();
    metadata.created_at = created_at;
    metadata.updated_at = updated_at;
    metadata.change.log_id = *rc::gen::arbitrary<std::array<uint8_t, 16>>();
    metadata.change.seq = seq;
    metadata.origin = *rc::gen::arbitrary<std::string>();
    metadata.modified_by = *rc::gen::arbitrary<std::string>();
    if (*rc::gen::arbitrary<bool>()) {
        metadata.comment = *rc::gen::arbitrary<std::string>();
    }
    if (*rc::gen::arbitrary<bool>()) {
        metadata.schema_hash = *rc::gen::arbitrary<std::string>();
    }
    metadata.tags = *rc::gen::arbitrary<std::vector<std::string>>();
    std::string encoded = EncodeMetadata(metadata);
    RC_ASSERT(encoded.size() == MetadataSize(metadata));
    RC_ASSERT(DecodeMetadata(encoded).OrThrow() == metadata);
    RC_ASSERT(DecodeOrigin(encoded).OrThrow() == metadata.origin);
    RC_ASSERT(FromLog(Logged(encoded), version, metadata.change) == encoded);
    TraceContext trace;
    trace.trace_id = *rc::gen::arbitrary<std::array<uint8_t, 16>>();
    trace.parent_id = *rc::gen::arbitrary<std::array<uint8_t, 8>>();
    trace.flags = *rc::gen::arbitrary<uint8_t>();
    const std::string traced = Logged(encoded, trace);
    RC_ASSERT(TraceOfLogged(traced) == trace);
    RC_ASSERT(FromLog(traced, version, metadata.change) == encoded);
    MetadataHeader header = DecodeMetadataHeader(encoded).OrThrow();
    RC_ASSERT(header.version == version);
    RC_ASSERT(header.expires() == metadata.expires);
    RC_ASSERT(header.updated_at == updated_at);
    RC_ASSERT(header.change == metadata.change);
}

WriteOptions AtTheLimits() {
    WriteOptions options;
    options.expected_version = 0;
    options.origin = std::string(kMaxOriginSize, 'o');
    options.modified_by = std::string(kMaxModifiedBySize, 'm');
    options.comment = std::string(kMaxCommentSize, 'c');
    options.schema_hash = std::string(kMaxSchemaHashSize, 's');
    options.tags = {std::string(kMaxTagsSize - 1, 't')};
    return options;
}

ErrorCode CodeOf(const WriteOptions& options) {
    return ValidateWriteOptions(options).error().code();
}

TEST(ValidateWriteOptions, TakesNothingAndTheLimits) {
    EXPECT_TRUE(ValidateWriteOptions({}).ok());
    EXPECT_TRUE(ValidateWriteOptions(AtTheLimits()).ok());
}

TEST(ValidateWriteOptions, WhatItTakesFitsALeaf) {
    WriteOptions options = AtTheLimits();
    for (size_t tag_size : {size_t{1}, size_t{127}, size_t{128}, kMaxTagsSize - 1}) {
        options.tags->assign(kMaxTagsSize / (tag_size + 1), std::string(tag_size, 't'));
        ASSERT_TRUE(ValidateWriteOptions(options).ok());
        Metadata metadata;
        metadata.version = std::numeric_limits<uint64_t>::max();
        metadata.created_at = kMin;
        metadata.updated_at = kMax;
        metadata.change.seq = std::numeric_limits<uint64_t>::max();
        metadata.origin = *options.origin;
        metadata.modified_by = *options.modified_by;
        metadata.comment = options.comment;
        metadata.tags = *options.tags;
        metadata.schema_hash = options.schema_hash;
        EXPECT_LE(EncodeMetadata(metadata).size(), 4096u);
    }
}

TEST(ValidateWriteOptions, RefusesWhatIsTooLong) {
    WriteOptions options = AtTheLimits();
    *options.modified_by += 'x';
    EXPECT_EQ(CodeOf(options), ErrorCode::kLimitExceeded);
    options = AtTheLimits();
    *options.origin += 'x';
    EXPECT_EQ(CodeOf(options), ErrorCode::kLimitExceeded);
    options = AtTheLimits();
    *options.comment += 'x';
    EXPECT_EQ(CodeOf(options), ErrorCode::kLimitExceeded);
    options = AtTheLimits();
    *options.schema_hash += 'x';
    EXPECT_EQ(CodeOf(options), ErrorCode::kLimitExceeded);
    options = AtTheLimits();
    options.tags->front() += 'x';
    EXPECT_EQ(CodeOf(options), ErrorCode::kLimitExceeded);
    options.tags = std::vector<std::string>(501, "x");
    EXPECT_EQ(CodeOf(options), ErrorCode::kLimitExceeded);
}

TEST(ValidateWriteOptions, RefusesWhatIsWrong) {
    WriteOptions options;
    options.expected_version = -1;
    EXPECT_EQ(CodeOf(options), ErrorCode::kInvalidArgument);
    options = {};
    options.tags = {"a", ""};
    EXPECT_EQ(CodeOf(options), ErrorCode::kInvalidArgument);
    options.tags = {std::string("\0", 1)};
    EXPECT_EQ(CodeOf(options), ErrorCode::kInvalidArgument);
    options = {};
    for (const std::string& origin :
         {std::string("a\0b", 3), std::string("\n"), std::string("\x7f"), std::string("\xc2\x85")}) {
        options.origin = origin;
        EXPECT_EQ(CodeOf(options), ErrorCode::kInvalidArgument);
    }
    options.origin = "\xc2\xa0\xc3\x85\xe2\x82\x80";  // 0x80 to 0x9f as a later byte
    EXPECT_TRUE(ValidateWriteOptions(options).ok());
    options = {};
    options.comment = std::string("a\0b", 3);
    EXPECT_EQ(CodeOf(options), ErrorCode::kInvalidArgument);
}

}  // namespace
}  // namespace kvs

#include "kvs/tree/chunk.h"

#include <gtest/gtest.h>

#include "kvs/local/openssl_hasher.h"
#include "support.h"

namespace kvs::test {
namespace {

TEST(ChunkTest, AddressIsTheHashOfTheTaggedBytes) {
    OpenSslHasher hasher;
    // Below, at and above what is put together on the stack.
    for (const size_t size : {0, 1, 100, 8182, 8183, 8184, 100000}) {
        const std::string raw(size, 'r');
        EXPECT_EQ(ChunkAddress(hasher, raw), hasher.Sha256("kvs chunk" + raw)) << size;
    }
}

TEST(ChunkTest, BlobRoundTrip) {
    for (const size_t size : {size_t{0}, size_t{1}, size_t{5000}, kMaxValueSize}) {
        const std::string payload(size, 'p');
        const std::string raw = EncodeBlob(payload);
        EXPECT_EQ(raw.size(), size + kChunkHeaderSize);
        EXPECT_EQ(raw[0], 1);
        EXPECT_EQ(static_cast<uint8_t>(raw[1]), 255);
        EXPECT_TRUE(DecodeBlob(raw).OrThrow() == payload);
    }
}

TEST(ChunkTest, BlobAboveTheLimitIsAnError) {
    try {
        EncodeBlob(std::string(kMaxValueSize + 1, 'p'));
        FAIL() << "encoded";
    } catch (const Error& error) {
        EXPECT_EQ(error.code(), ErrorCode::kLimitExceeded);
    }
}

TEST(ChunkTest, MalformedBlobsAreRefused) {
    const std::string raw = EncodeBlob("payload");
    const std::string too_large = raw.substr(0, 2) + std::string(kMaxValueSize + 1, 'p');
    for (const std::string& fault :
         {std::string(), raw.substr(0, 1), "\x02" + raw.substr(1), NodeBuilder(0).Encode(), too_large}) {
        const Result<std::string_view> payload = DecodeBlob(fault);
        ASSERT_FALSE(payload.ok());
        EXPECT_EQ(payload.error().code(), ErrorCode::kCorruption);
    }
}

TEST(ChunkTest, ABlobIsNoNodeAndANodeNoBlob) {
    TestStore store;
    const Hash blob = store.nodes.WriteBlob("payload");
    const Hash node = Build(store.nodes, {{"a", "1"}});
    EXPECT_EQ(store.nodes.ReadBlob(blob), "payload");
    EXPECT_THROW(store.nodes.ReadNode(blob), Error);
    EXPECT_THROW(store.nodes.ReadBlob(node), Error);
}

}  // namespace
}  // namespace kvs::test

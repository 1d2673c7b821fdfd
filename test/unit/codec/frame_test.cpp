#include "kvs/codec/frame.h"

#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>
#include <zstd.h>

#include "kvs/codec/varint.h"
#include "random_bytes.h"

namespace kvs {
namespace {

std::string ZstdFrame(uint32_t claimed_size, std::string_view compressed) {
    std::string frame(1, '\x01');
    AppendFixed(frame, claimed_size);
    return frame.append(compressed);
}

std::string Compress(std::string_view raw) {
    std::string compressed(ZSTD_compressBound(raw.size()), '\0');
    compressed.resize(ZSTD_compress(compressed.data(), compressed.size(), raw.data(), raw.size(), 3));
    return compressed;
}

void ExpectCorrupt(std::string_view frame) {
    Result<std::string> raw = DecodeFrame(frame);
    ASSERT_FALSE(raw.ok());
    EXPECT_EQ(raw.error().code(), ErrorCode::kCorruption);
}

TEST(Frame, StoresRawWhereZstdDoesNotPay) {
    EXPECT_EQ(EncodeFrame(""), std::string("\0", 1));
    EXPECT_EQ(EncodeFrame("abc"), std::string("\0abc", 4));
    std::string noise = RandomBytes(4096, 1);
    EXPECT_EQ(EncodeFrame(noise), std::string(1, '\0') + noise);
}

TEST(Frame, LevelZeroDoesNotCompress) {
    std::string zeros(4096, '0');
    EXPECT_EQ(EncodeFrame(zeros, 0), std::string(1, '\0') + zeros);
}

TEST(Frame, CompressesText) {
    std::string zeros(4096, '0');
    std::string frame = EncodeFrame(zeros);
    EXPECT_EQ(frame.substr(0, 5), std::string("\x01\x00\x10\x00\x00", 5));
    EXPECT_LT(frame.size(), 100u);
    EXPECT_EQ(DecodeFrame(frame).OrThrow(), zeros);
}

TEST(Frame, AnyLevelIsClamped) {
    std::string text(10000, 'x');
    for (int level : {-1000000, -5, 1, 19, 22, 1000}) {
        EXPECT_EQ(DecodeFrame(EncodeFrame(text, level)).OrThrow(), text) << level;
    }
}

TEST(Frame, OfAFastLevelDoesNotLeaveTheStore) {
    std::string zeros(4096, '0');
    std::string fast = EncodeFrame(zeros, -1);
    EXPECT_EQ(fast[0], '\x03');
    EXPECT_EQ(DecodeFrame(fast).OrThrow(), zeros);
    EXPECT_FALSE(IsPortableFrame(fast));
    EXPECT_TRUE(IsPortableFrame(EncodeFrame(zeros, 1)));
    EXPECT_TRUE(IsPortableFrame(EncodeFrame(RandomBytes(4096, 1), -1)));
    fast[0] = '\x02';
    ExpectCorrupt(fast);
}

TEST(Frame, OneCodecServesManyCalls) {
    FrameCodec codec;
    for (size_t size : {size_t{0}, size_t{1}, size_t{5}, size_t{6}, size_t{300}, size_t{70000}, size_t{4096},
                        size_t{1} << 20, size_t{100}}) {
        std::string raw = std::string(size / 2, 'a') + RandomBytes(size - size / 2, 7);
        EXPECT_EQ(codec.Decode(codec.Encode(raw)).OrThrow(), raw) << size;
    }
    FrameCodec moved = std::move(codec);
    EXPECT_EQ(moved.Decode(moved.Encode("after a move")).OrThrow(), "after a move");
    codec = std::move(moved);
    EXPECT_EQ(codec.Decode(codec.Encode("and back")).OrThrow(), "and back");
}

TEST(Frame, TheLimit) {
    std::string largest(kMaxRawChunkSize, 'x');
    EXPECT_EQ(DecodeFrame(EncodeFrame(largest)).OrThrow(), largest);
    EXPECT_EQ(DecodeFrame(EncodeFrame(largest, 0)).OrThrow(), largest);
    largest += 'x';
    try {
        EncodeFrame(largest);
        FAIL() << "took a chunk above the limit";
    } catch (const Error& error) {
        EXPECT_EQ(error.code(), ErrorCode::kLimitExceeded);
    }
    ExpectCorrupt(std::string(1, '\0') + largest);
    ExpectCorrupt(ZstdFrame(kMaxRawChunkSize + 1, Compress(largest)));
}

TEST(Frame, RefusesUnknownCodecs) {
    ExpectCorrupt("");
    for (int codec = 2; codec < 256; codec++) {
        if (codec == 3) {
            continue;
        }
        ExpectCorrupt(static_cast<char>(codec) + EncodeFrame(std::string(4096, '0')).substr(1));
    }
}

TEST(Frame, RefusesHostileSizes) {
    std::string compressed = Compress(std::string(4096, '0'));
    EXPECT_TRUE(DecodeFrame(ZstdFrame(4096, compressed)).ok());
    ExpectCorrupt(ZstdFrame(4095, compressed));
    ExpectCorrupt(ZstdFrame(4097, compressed));
    ExpectCorrupt(ZstdFrame(0, compressed));
    ExpectCorrupt(ZstdFrame(0xffffffff, compressed));
    ExpectCorrupt(ZstdFrame(kMaxRawChunkSize, compressed));
    ExpectCorrupt(ZstdFrame(4096, ""));
    ExpectCorrupt(std::string("\x01\x00\x10", 3));
    ExpectCorrupt(ZstdFrame(4096, compressed + "x"));
    ExpectCorrupt(ZstdFrame(8192, compressed + compressed));
}

// A frame header that promises 16 MiB, and one byte behind it.
TEST(Frame, RefusesSizesThatTheDataCannotYield) {
    std::string large = Compress(std::string(16u << 20, '0'));
    ExpectCorrupt(ZstdFrame(16u << 20, large.substr(0, 20)));
    EXPECT_TRUE(DecodeFrame(ZstdFrame(16u << 20, large)).ok());
}

TEST(Frame, RefusesEveryTruncation) {
    std::string frame = EncodeFrame("{\"name\":\"" + std::string(500, 'n') + RandomBytes(100, 3) + "\"}");
    ASSERT_EQ(frame[0], '\x01');
    for (size_t size = 0; size < frame.size(); size++) {
        ExpectCorrupt(std::string_view(frame).substr(0, size));
    }
}

RC_GTEST_PROP(Frame, RoundTrip, (const std::string& piece)) {
    std::string raw;
    for (int times = *rc::gen::inRange(0, 200); times > 0; times--) {
        raw += piece;
    }
    int level = *rc::gen::inRange(-3, 8);
    std::string frame = EncodeFrame(raw, level);
    RC_ASSERT(frame.size() <= raw.size() + 1);
    RC_ASSERT(DecodeFrame(frame).OrThrow() == raw);
}

RC_GTEST_PROP(Frame, NeverCrashesOnDamage, (uint32_t seed)) {
    std::string frame = EncodeFrame(std::string(3000, 'a') + RandomBytes(300, seed));
    size_t position = *rc::gen::inRange<size_t>(0, frame.size());
    frame[position] = static_cast<char>(frame[position] ^ (1 << *rc::gen::inRange(0, 8)));
    Result<std::string> raw = DecodeFrame(frame);
    RC_ASSERT((raw.ok() || raw.error().code() == ErrorCode::kCorruption));
}

}  // namespace
}  // namespace kvs

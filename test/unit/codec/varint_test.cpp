#include "kvs/codec/varint.h"

#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include <limits>

namespace kvs {
namespace {

std::string Varint(uint64_t value) {
    std::string out;
    AppendVarint(out, value);
    return out;
}

bool Reads(std::string_view bytes) {
    uint64_t value;
    return ByteReader(bytes).ReadVarint(&value);
}

TEST(Varint, GoldenBytes) {
    EXPECT_EQ(Varint(0), std::string("\x00", 1));
    EXPECT_EQ(Varint(127), "\x7f");
    EXPECT_EQ(Varint(128), "\x80\x01");
    EXPECT_EQ(Varint(300), "\xac\x02");
    EXPECT_EQ(Varint(std::numeric_limits<uint64_t>::max()), "\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01");
}

TEST(Varint, SizeAtEachBoundary) {
    for (size_t bytes = 1; bytes <= 9; bytes++) {
        uint64_t limit = uint64_t{1} << (7 * bytes);
        EXPECT_EQ(VarintSize(limit - 1), bytes);
        EXPECT_EQ(VarintSize(limit), bytes + 1);
        EXPECT_EQ(Varint(limit - 1).size(), bytes);
        EXPECT_EQ(Varint(limit).size(), bytes + 1);
    }
}

TEST(Varint, RefusesWhatIsNotCanonical) {
    EXPECT_FALSE(Reads(""));
    EXPECT_FALSE(Reads("\x80"));
    EXPECT_FALSE(Reads(std::string_view("\x80\x00", 2)));                 // 0 in two bytes
    EXPECT_FALSE(Reads(std::string_view("\xff\x80\x00", 3)));             // 127 in three
    EXPECT_FALSE(Reads("\xff\xff\xff\xff\xff\xff\xff\xff\xff\x02"));      // 65 bits
    EXPECT_FALSE(Reads("\xff\xff\xff\xff\xff\xff\xff\xff\xff\x81\x01"));  // eleven bytes
    EXPECT_FALSE(Reads("\x80\x80\x80\x80\x80\x80\x80\x80\x80"));          // ends too early
}

RC_GTEST_PROP(Varint, RoundTrip, (uint64_t seed, const std::string& behind)) {
    uint64_t value = seed >> *rc::gen::inRange(0, 64);
    std::string encoded = Varint(value);
    RC_ASSERT(encoded.size() == VarintSize(value));
    std::string bytes = encoded + behind;
    ByteReader reader(bytes);
    uint64_t decoded;
    RC_ASSERT(reader.ReadVarint(&decoded));
    RC_ASSERT(decoded == value);
    RC_ASSERT(reader.rest() == behind);
}

RC_GTEST_PROP(Varint, OneEncodingPerValue, (const std::vector<uint8_t>& bytes)) {
    std::string text(bytes.begin(), bytes.end());
    ByteReader reader(text);
    uint64_t value;
    if (reader.ReadVarint(&value)) {
        RC_ASSERT(text == Varint(value) + std::string(reader.rest()));
    }
}

TEST(ZigZag, GoldenValues) {
    EXPECT_EQ(ZigZagEncode(0), 0u);
    EXPECT_EQ(ZigZagEncode(-1), 1u);
    EXPECT_EQ(ZigZagEncode(1), 2u);
    EXPECT_EQ(ZigZagEncode(std::numeric_limits<int64_t>::max()), std::numeric_limits<uint64_t>::max() - 1);
    EXPECT_EQ(ZigZagEncode(std::numeric_limits<int64_t>::min()), std::numeric_limits<uint64_t>::max());
}

RC_GTEST_PROP(ZigZag, RoundTrip, (int64_t value, uint64_t code)) {
    RC_ASSERT(ZigZagDecode(ZigZagEncode(value)) == value);
    RC_ASSERT(ZigZagEncode(ZigZagDecode(code)) == code);
}

TEST(ByteReader, ReadsFieldsInOrder) {
    std::string bytes;
    AppendFixed(bytes, uint16_t{0x0201});
    AppendFixed(bytes, int64_t{-2});
    AppendPrefixed(bytes, "text");
    AppendPrefixed(bytes, "");
    EXPECT_EQ(bytes, std::string("\x01\x02\xfe\xff\xff\xff\xff\xff\xff\xff\x04text\x00", 16));

    ByteReader reader(bytes);
    uint16_t first;
    int64_t second;
    std::string_view third;
    std::string_view fourth;
    ASSERT_TRUE(reader.ReadFixed(&first));
    ASSERT_TRUE(reader.ReadFixed(&second));
    ASSERT_TRUE(reader.ReadPrefixed(&third));
    EXPECT_FALSE(reader.AtEnd());
    EXPECT_EQ(reader.remaining(), 1u);
    ASSERT_TRUE(reader.ReadPrefixed(&fourth));
    EXPECT_TRUE(reader.AtEnd());
    EXPECT_EQ(first, 0x0201);
    EXPECT_EQ(second, -2);
    EXPECT_EQ(third, "text");
    EXPECT_EQ(fourth, "");
}

TEST(ByteReader, RefusesLengthsBeyondTheEnd) {
    uint32_t number;
    std::string_view text;
    EXPECT_FALSE(ByteReader("abc").ReadFixed(&number));
    EXPECT_FALSE(ByteReader("abc").ReadBytes(4, &text));
    EXPECT_FALSE(ByteReader("\x04"
                            "abc")
                     .ReadPrefixed(&text));
    EXPECT_FALSE(ByteReader("\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01"
                            "abc")
                     .ReadPrefixed(&text));
    EXPECT_TRUE(ByteReader("\x03"
                           "abc")
                    .ReadPrefixed(&text));
}

}  // namespace
}  // namespace kvs

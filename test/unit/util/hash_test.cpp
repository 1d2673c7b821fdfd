#include "kvs/hash.h"

#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include <string>

namespace kvs {
namespace {

TEST(Hash, ToHexWritesLowerCase) {
    Hash hash;
    hash.bytes[0] = 0xab;
    hash.bytes[31] = 0x0f;
    EXPECT_EQ(hash.ToHex(), "ab" + std::string(60, '0') + "0f");
}

TEST(Hash, FromHexTakesBothCases) {
    std::string lower = "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef";
    std::string upper = "0123456789ABCDEF0123456789ABCDEF0123456789ABCDEF0123456789ABCDEF";
    ASSERT_TRUE(Hash::FromHex(lower));
    EXPECT_EQ(Hash::FromHex(lower)->ToHex(), lower);
    EXPECT_EQ(Hash::FromHex(upper), Hash::FromHex(lower));
}

TEST(Hash, FromHexRefusesWhatIsNoHash) {
    EXPECT_FALSE(Hash::FromHex(""));
    EXPECT_FALSE(Hash::FromHex(std::string(63, '0')));
    EXPECT_FALSE(Hash::FromHex(std::string(65, '0')));
    for (char bad : {'g', 'G', '/', ':', '@', '`', ' ', '\0', '\xff'}) {
        EXPECT_FALSE(Hash::FromHex(bad + std::string(63, '0')));
        EXPECT_FALSE(Hash::FromHex(std::string(63, '0') + bad));
    }
}

RC_GTEST_PROP(Hash, HexRoundTrip, (const std::array<uint8_t, 32>& bytes)) {
    Hash hash{bytes};
    RC_ASSERT(Hash::FromHex(hash.ToHex()) == hash);
    RC_ASSERT(Hash::FromBytes(hash.AsBytes()) == hash);
}

RC_GTEST_PROP(Hash, OrderOfHexIsOrderOfBytes,
              (const std::array<uint8_t, 32>& a, const std::array<uint8_t, 32>& b)) {
    RC_ASSERT((Hash{a} < Hash{b}) == (Hash{a}.ToHex() < Hash{b}.ToHex()));
}

}  // namespace
}  // namespace kvs

#include "kvs/hash.h"

#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include <thread>
#include <vector>

#include "kvs/openssl_hasher.h"

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

// FIPS 180-2, appendix B.
TEST(OpenSslHasher, KnownAnswers) {
    OpenSslHasher hasher;
    EXPECT_EQ(hasher.Sha256("").ToHex(), "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
    EXPECT_EQ(hasher.Sha256("abc").ToHex(),
              "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
    EXPECT_EQ(hasher.Sha256("abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq").ToHex(),
              "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1");
    EXPECT_EQ(hasher.Sha256(std::string(1000000, 'a')).ToHex(),
              "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0");
}

TEST(OpenSslHasher, OneObjectServesManyThreads) {
    OpenSslHasher hasher;
    const Hash expected = hasher.Sha256("abc");
    std::vector<int> wrong(4, 0);
    std::vector<std::thread> threads;
    for (int& count : wrong) {
        threads.emplace_back([&] {
            for (int i = 0; i < 1000; i++) {
                count += hasher.Sha256("abc") == expected ? 0 : 1;
            }
        });
    }
    for (std::thread& thread : threads) {
        thread.join();
    }
    EXPECT_EQ(wrong, std::vector<int>(4, 0));
}

}  // namespace
}  // namespace kvs

#include "kvs/local/openssl_hasher.h"

#include <gtest/gtest.h>

#include <string>
#include <thread>
#include <vector>

namespace kvs {
namespace {

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

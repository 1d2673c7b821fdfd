#include "kvs/version/commit.h"

#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include <algorithm>

#include "kvs/local/openssl_hasher.h"
#include "kvs/tree/chunk.h"

namespace kvs {
namespace {

Hash Filled(uint8_t byte) {
    Hash hash;
    hash.bytes.fill(byte);
    return hash;
}

// A merge with one projection; the golden bytes below were written by hand from the description in commit.h.
Commit Sample() {
    Commit commit;
    commit.generation = 300;
    commit.parents = {Filled(0x11), Filled(0x22)};
    commit.data_root = Filled(0x33);
    commit.meta_root = Filled(0x44);
    commit.trees = {{"by_role", Filled(0x55)}};
    commit.author = "alice";
    commit.committer = "bob";
    commit.message =
        "Gr\xc3\xbc\xc3\x9f"
        "e";
    commit.committed_at = 1700000000123456;
    for (uint8_t i = 0; i < 16; i++) {
        commit.log_id[i] = i;
    }
    return commit;
}

std::string SampleBytes() {
    return std::string("\x01\xac\x02\x02", 4) + std::string(32, '\x11') + std::string(32, '\x22') +
           std::string(32, '\x33') + std::string(32, '\x44') +
           "\x01\x07"
           "by_role" +
           std::string(32, '\x55') +
           "\x05"
           "alice"
           "\x03"
           "bob"
           "\x07"
           "Gr\xc3\xbc\xc3\x9f"
           "e" +
           std::string("\x40\x22\x20\x18\x24\x0a\x06\x00", 8) +
           std::string("\x00\x01\x02\x03\x04\x05\x06\x07\x08\x09\x0a\x0b\x0c\x0d\x0e\x0f", 16);
}

void ExpectCorrupt(std::string_view encoded) {
    Result<Commit> commit = DecodeCommit(encoded);
    ASSERT_FALSE(commit.ok());
    EXPECT_EQ(commit.error().code(), ErrorCode::kCorruption);
}

template <typename Change>
ErrorCode EncodeError(Change change) {
    Commit commit = Sample();
    change(commit);
    try {
        EncodeCommit(commit);
    } catch (const Error& error) {
        return error.code();
    }
    ADD_FAILURE() << "encoded a commit that breaks the rules";
    return ErrorCode::kCorruption;
}

TEST(Commit, GoldenBytesAndHash) {
    EXPECT_EQ(EncodeCommit(Sample()), SampleBytes());
    OpenSslHasher hasher;
    EXPECT_EQ(HashCommit(hasher, SampleBytes()).ToHex(),
              "76c63522d35e52d818621f6c2ac47f83e067a1292fa2a980a52112f9cc5ce8c4");
    EXPECT_EQ(DecodeCommit(SampleBytes()).OrThrow(), Sample());
}

TEST(Commit, InitialCommit) {
    Commit initial = InitialCommit();
    EXPECT_EQ(initial.generation, 0u);
    EXPECT_TRUE(initial.parents.empty());
    EXPECT_EQ(initial.data_root, kEmptyRoot);
    EXPECT_EQ(initial.meta_root, kEmptyRoot);
    EXPECT_EQ(initial.message, "initial commit");
    EXPECT_EQ(initial.committed_at, 0);
    OpenSslHasher hasher;
    EXPECT_EQ(HashCommit(hasher, EncodeCommit(initial)), kInitialCommit);
    EXPECT_EQ(kInitialCommit.ToHex(), "311c95df0e1a22ad09ff9d9614c89b1efa7c5985e25ee1c8ee57ba6e96d212c5");
}

TEST(Commit, RefusesEveryTruncation) {
    std::string encoded = SampleBytes();
    for (size_t size = 0; size < encoded.size(); size++) {
        ExpectCorrupt(std::string_view(encoded).substr(0, size));
    }
    ExpectCorrupt(encoded + "x");
}

TEST(Commit, RefusesHostileBytes) {
    std::string encoded = SampleBytes();
    encoded[0] = 2;
    ExpectCorrupt(encoded);                                                           // format
    ExpectCorrupt(std::string("\x01\x01", 2) + "\xff\xff\xff\xff\xff\xff\x01");       // parents without end
    ExpectCorrupt(std::string("\x01\x01\x41", 3) + std::string(65 * 32 + 200, 'x'));  // one parent too many
    std::string no_parents = std::string("\x01\x00\x00", 3) + std::string(64, 'r');
    ExpectCorrupt(no_parents + "\xff\xff\xff\xff\x0f" + std::string(100, 'x'));  // trees without end
    EXPECT_TRUE(DecodeCommit(no_parents + std::string(4 + 24, '\0')).ok());
}

TEST(Commit, RefusesWhatBreaksTheRules) {
    std::string orphan = SampleBytes();
    orphan[1] = '\x80';  // varint 256 with the byte behind it
    EXPECT_TRUE(DecodeCommit(orphan).ok());
    std::string generation_zero =
        std::string("\x01\x00\x01", 3) + std::string(96, 'r') + std::string(28, '\0');
    ExpectCorrupt(generation_zero);
    generation_zero[1] = 1;
    EXPECT_TRUE(DecodeCommit(generation_zero).ok());
    std::string no_parents = std::string("\x01\x05\x00", 3) + std::string(64, 'r') + std::string(28, '\0');
    ExpectCorrupt(no_parents);
    std::string same_parents = SampleBytes();
    std::fill(same_parents.begin() + 4 + 32, same_parents.begin() + 4 + 64, '\x11');
    ExpectCorrupt(same_parents);

    std::string root(32, 'r');
    std::string before = std::string("\x01\x00\x00", 3) + root + root + "\x02";
    std::string behind(27, '\0');
    EXPECT_TRUE(DecodeCommit(before +
                             "\x01"
                             "a" +
                             root +
                             "\x01"
                             "b" +
                             root + behind)
                    .ok());
    ExpectCorrupt(before +
                  "\x01"
                  "b" +
                  root +
                  "\x01"
                  "a" +
                  root + behind);
    ExpectCorrupt(before +
                  "\x01"
                  "a" +
                  root +
                  "\x01"
                  "a" +
                  root + behind);
    ExpectCorrupt(before + std::string(1, '\0') + root +
                  "\x01"
                  "a" +
                  root + behind);
}

TEST(Commit, EncodeChecksTheRules) {
    EXPECT_EQ(EncodeError([](Commit& c) { c.generation = 0; }), ErrorCode::kInvalidArgument);
    EXPECT_EQ(EncodeError([](Commit& c) { c.parents.clear(); }), ErrorCode::kInvalidArgument);
    EXPECT_EQ(EncodeError([](Commit& c) { c.parents[1] = c.parents[0]; }), ErrorCode::kInvalidArgument);
    EXPECT_EQ(EncodeError([](Commit& c) { c.trees.push_back({"a", Hash()}); }), ErrorCode::kInvalidArgument);
    EXPECT_EQ(EncodeError([](Commit& c) { c.trees[0].first = ""; }), ErrorCode::kInvalidArgument);
    EXPECT_EQ(EncodeError([](Commit& c) { c.trees[0].first = std::string(kMaxTreeNameSize + 1, 'x'); }),
              ErrorCode::kLimitExceeded);
    EXPECT_EQ(EncodeError([](Commit& c) { c.author = std::string(kMaxAuthorSize + 1, 'x'); }),
              ErrorCode::kLimitExceeded);
    EXPECT_EQ(EncodeError([](Commit& c) { c.committer = std::string(kMaxAuthorSize + 1, 'x'); }),
              ErrorCode::kLimitExceeded);
    EXPECT_EQ(EncodeError([](Commit& c) { c.message = std::string(kMaxMessageSize + 1, 'x'); }),
              ErrorCode::kLimitExceeded);
    EXPECT_EQ(EncodeError([](Commit& c) { c.parents.resize(kMaxCommitParents + 1); }),
              ErrorCode::kLimitExceeded);
    EXPECT_EQ(EncodeError([](Commit& c) { c.trees.resize(kMaxCommitTrees + 1); }), ErrorCode::kLimitExceeded);
}

TEST(Commit, TheLimitsThemselvesAreAllowed) {
    Commit commit = Sample();
    commit.author = std::string(kMaxAuthorSize, 'x');
    commit.committer = commit.author;
    commit.message = std::string(kMaxMessageSize, 'x');
    commit.parents.clear();
    for (size_t i = 0; i < kMaxCommitParents; i++) {
        commit.parents.push_back(Filled(static_cast<uint8_t>(i)));
    }
    commit.trees.clear();
    for (size_t i = 0; i < kMaxCommitTrees; i++) {
        std::string digits = std::to_string(10000 + i);
        commit.trees.push_back({std::string(kMaxTreeNameSize - digits.size(), 't') + digits, Filled(1)});
    }
    EXPECT_EQ(DecodeCommit(EncodeCommit(commit)).OrThrow(), commit);
}

RC_GTEST_PROP(Commit, RoundTrip, (uint64_t generation, int64_t committed_at, const std::string& message)) {
    Commit commit;
    for (uint8_t byte : *rc::gen::unique<std::vector<uint8_t>>(rc::gen::arbitrary<uint8_t>())) {
        if (commit.parents.size() < kMaxCommitParents) {
            commit.parents.push_back(Filled(byte));
        }
    }
    commit.generation = commit.parents.empty() ? 0 : std::max<uint64_t>(generation, 1);
    auto names =
        *rc::gen::unique<std::vector<std::string>>(rc::gen::nonEmpty(rc::gen::arbitrary<std::string>()));
    std::sort(names.begin(), names.end());
    for (const std::string& name : names) {
        commit.trees.push_back({name.substr(0, kMaxTreeNameSize), Filled(7)});
    }
    commit.data_root = Hash{*rc::gen::arbitrary<std::array<uint8_t, 32>>()};
    commit.author = *rc::gen::arbitrary<std::string>();
    commit.committed_at = committed_at;
    commit.message = message;
    commit.log_id = *rc::gen::arbitrary<std::array<uint8_t, 16>>();
    RC_ASSERT(DecodeCommit(EncodeCommit(commit)).OrThrow() == commit);
}

RC_GTEST_PROP(Commit, AFlippedBitIsAnotherCommitOrNone, ()) {
    std::string encoded = SampleBytes();
    size_t position = *rc::gen::inRange<size_t>(0, encoded.size());
    encoded[position] = static_cast<char>(encoded[position] ^ (1 << *rc::gen::inRange(0, 8)));
    Result<Commit> commit = DecodeCommit(encoded);
    if (commit.ok()) {
        RC_ASSERT(!(commit.value() == Sample()));
        RC_ASSERT(EncodeCommit(commit.value()) == encoded);
    }
}

}  // namespace
}  // namespace kvs

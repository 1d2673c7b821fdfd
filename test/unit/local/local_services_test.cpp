#include "kvs/local/local_services.h"

#include <gtest/gtest.h>

#include "store_test_support.h"

namespace kvs {
namespace {

using test::CodeOf;
using test::Document;

TEST(LocalKeyServiceTest, SerialisesParsesAndFindsTheNamespace) {
    const LocalKeyService keys;
    const StoreKey key{{"users", "a/b"}, "1:2"};
    EXPECT_EQ(keys.Serialize(key), "users/a%2Fb:1:2");
    EXPECT_EQ(keys.Parse("users/a%2Fb:1:2"), key);
    EXPECT_EQ(keys.NamespacePath("users/a%2Fb:1:2"), "users/a%2Fb");
    EXPECT_EQ(keys.NamespacePath("settings"), "");
    EXPECT_EQ(keys.NamespacePath(":a:b"), "");
    EXPECT_EQ(CodeOf([&] { keys.Serialize(StoreKey{{}, ""}); }), ErrorCode::kInvalidArgument);
    EXPECT_EQ(CodeOf([&] { keys.Parse(""); }), ErrorCode::kInvalidArgument);
}

TEST(LocalHashingServiceTest, EqualContentHasEqualHashes) {
    const LocalHashingService hashing;
    const auto hash = [&](const Value& value) { return hashing.CalculateDataHash(value); };
    EXPECT_EQ(hash(Document(R"({"a": 1, "b": [true, 2.50]})")),
              hash(Document(R"({"b":[true,2.5],"a":1.0})")));
    EXPECT_EQ(hash(Document("1")), hash(Document("1", 5000))) << "the expiry is no content";
    EXPECT_NE(hash(Document("12345678901234567890.1")), hash(Document("12345678901234567890.2")));
    EXPECT_EQ(hash(Document("null")).ToHex(),
              "74234e98afe7498fb5daf1f36ac2d78acc339464f950703b8c019892f982b90b");
    EXPECT_EQ(CodeOf([&] { hash(Document("{")); }), ErrorCode::kInvalidArgument);
}

TEST(LocalHashingServiceTest, BytesAreHashedAsTheyAre) {
    const LocalHashingService hashing;
    const Value bytes{ValueType::kBytes, {}, "{"};
    EXPECT_EQ(hashing.CalculateDataHash(bytes).ToHex(),
              "021fb596db81e6d02bf3d2586ee3981fe519f275c0ac9ca76bbcf2ebb4097d96");
}

TEST(LocalPatchServiceTest, MergesAndLeavesTheExpiryToOthers) {
    const LocalPatchService patching;
    const Value current = Document(R"({"a":{"b":1,"c":2},"d":3})", 5000);
    EXPECT_EQ(patching.Apply(&current, R"({"a":{"b":null,"e":1.10}})"),
              Document(R"({"a":{"c":2,"e":1.10},"d":3})"));
    EXPECT_EQ(patching.Apply(nullptr, R"({"a":{"b":null},"c":1})"), Document(R"({"a":{},"c":1})"));
    EXPECT_EQ(patching.Apply(&current, "7"), Document("7"));
}

TEST(LocalPatchServiceTest, RefusesBytesAndBadText) {
    const LocalPatchService patching;
    const Value bytes{ValueType::kBytes, {}, "{}"};
    EXPECT_EQ(CodeOf([&] { patching.Apply(&bytes, "{}"); }), ErrorCode::kWrongType);
    EXPECT_EQ(CodeOf([&] { patching.Apply(nullptr, "{"); }), ErrorCode::kInvalidArgument);
}

TEST(LocalPatchServiceTest, TheResultIsBoundedToo) {
    const LocalPatchService patching;
    const std::string half(kMaxValueSize / 2, 'x');
    const Value current = Document(R"({"a":")" + half + "\"}");
    EXPECT_EQ(CodeOf([&] { patching.Apply(&current, R"({"b":")" + half + "\"}"); }),
              ErrorCode::kLimitExceeded);
    EXPECT_EQ(CodeOf([&] { NormalizedDocument('"' + half + half + '"'); }), ErrorCode::kLimitExceeded);
    EXPECT_EQ(NormalizedDocument('"' + half + '"').size(), half.size() + 2);
}

TEST(NormalizedDocumentTest, IsCompactAndSortedWithNumbersUntouched) {
    EXPECT_EQ(NormalizedDocument(R"( { "b" : 1.50 , "a" : [ ] } )"), R"({"a":[],"b":1.50})");
    EXPECT_EQ(CodeOf([] { NormalizedDocument("{'a'}"); }), ErrorCode::kInvalidArgument);
}

TEST(SystemClockTest, IsTheSystemsInMicroseconds) {
    SystemClock clock;
    const auto seconds = [] {
        return std::chrono::duration_cast<std::chrono::seconds>(
                   std::chrono::system_clock::now().time_since_epoch())
            .count();
    };
    const int64_t before = seconds();
    const Timestamp now = clock.Now();
    EXPECT_LE(before, now / 1'000'000);
    EXPECT_GE(seconds(), now / 1'000'000);
}

}  // namespace
}  // namespace kvs

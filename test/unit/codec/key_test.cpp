#include "kvs/codec/key.h"

#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

namespace kvs {
namespace {

using Segments = std::vector<std::string>;

void ExpectForm(const Segments& segments, const std::string& key, const std::string& serialized) {
    EXPECT_EQ(SerializeKey(segments, key).OrThrow(), serialized);
    EXPECT_EQ(ParseKey(serialized).OrThrow(), (ParsedKey{segments, key})) << serialized;
    EXPECT_TRUE(ValidateKey(serialized).ok()) << serialized;
}

void ExpectBad(const std::string& serialized, const std::string& message) {
    Status status = ValidateKey(serialized);
    ASSERT_FALSE(status.ok()) << serialized;
    EXPECT_EQ(status.error().code(), ErrorCode::kInvalidArgument);
    EXPECT_NE(std::string(status.error().what()).find(message), std::string::npos) << status.error().what();
    Result<ParsedKey> parsed = ParseKey(serialized);
    ASSERT_FALSE(parsed.ok()) << serialized;
    EXPECT_STREQ(parsed.error().what(), status.error().what());
}

TEST(Key, SomeAreReserved) {
    for (const char* key : {"__schema:x", "__schema:", "__schema::"}) {
        EXPECT_EQ(RefuseReservedKey(key).error().code(), ErrorCode::kInvalidArgument) << key;
    }
    for (const char* key :
         {"__schema", "__schema/a:x", "_schema:x", "__Schema:x", ":__schema:x", "a__schema:x"}) {
        EXPECT_TRUE(RefuseReservedKey(key).ok()) << key;
    }
}

TEST(Key, Forms) {
    ExpectForm({"users", "active"}, "123", "users/active:123");
    ExpectForm({"user"}, "123", "user:123");
    ExpectForm({}, "settings", "settings");
    ExpectForm({}, "a/b", "a/b");
    ExpectForm({}, "/", "/");
    ExpectForm({}, "100%", "100%");
    ExpectForm({}, "%zz", "%zz");
    ExpectForm({}, "a:b", ":a:b");
    ExpectForm({}, ":", "::");
    ExpectForm({}, "::", ":::");
    ExpectForm({}, ":a", "::a");
    ExpectForm({}, "a:", ":a:");
    ExpectForm({"a"}, ":", "a::");
    ExpectForm({"a"}, "b/c:d%2F", "a:b/c:d%2F");
    ExpectForm({"a/b", "c:d", "50%"}, "k", "a%2Fb/c%3Ad/50%25:k");
    ExpectForm({"%2F"}, "k", "%252F:k");
    ExpectForm({"\xc3\xbc", "\xff"}, "\xfe", "\xc3\xbc/\xff:\xfe");
    ExpectForm({" "}, " ", " : ");
}

TEST(Key, Malformed) {
    ExpectBad("", "must not be empty");
    ExpectBad(":", "is empty behind its namespace");
    ExpectBad("users:", "is empty behind its namespace");
    ExpectBad(":a", "needless leading");
    ExpectBad(":a/b", "needless leading");
    ExpectBad("/a:k", "empty namespace segment");
    ExpectBad("a/:k", "empty namespace segment");
    ExpectBad("a//b:k", "empty namespace segment");
    ExpectBad("/:k", "empty namespace segment");
    ExpectBad("a%2fb:k", "bad escape");
    ExpectBad("a%3ab:k", "bad escape");
    ExpectBad("a%20b:k", "bad escape");
    ExpectBad("a%:k", "bad escape");
    ExpectBad("a%2:k", "bad escape");
    ExpectBad("a%2/F:k", "bad escape");
    ExpectBad("a%41b:k", "bad escape");
    ExpectBad(std::string("a\0b", 3), "NUL");
    ExpectBad(std::string("a\0:b", 4), "NUL");
    ExpectBad(std::string("a:b\0", 4), "NUL");
}

TEST(Key, Length) {
    EXPECT_TRUE(ValidateKey(std::string(kMaxKeySize, 'k')).ok());
    ExpectBad(std::string(kMaxKeySize + 1, 'k'), "is too long: 2049 bytes");
    EXPECT_TRUE(SerializeKey({"n"}, std::string(kMaxKeySize - 2, 'k')).ok());
    EXPECT_FALSE(SerializeKey({"n"}, std::string(kMaxKeySize - 1, 'k')).ok());
    // Escapes count.
    EXPECT_TRUE(SerializeKey({std::string(682, '/')}, "k").ok());
    EXPECT_FALSE(SerializeKey({std::string(683, '/')}, "k").ok());
}

TEST(Key, SerializeRefusesEmptyParts) {
    EXPECT_FALSE(SerializeKey({}, "").ok());
    EXPECT_FALSE(SerializeKey({"a"}, "").ok());
    EXPECT_FALSE(SerializeKey({""}, "k").ok());
    EXPECT_FALSE(SerializeKey({"a", "", "b"}, "k").ok());
    EXPECT_FALSE(SerializeKey({std::string(1, '\0')}, "k").ok());
    EXPECT_FALSE(SerializeKey({}, std::string(1, '\0')).ok());
}

TEST(Key, ErrorsCarryHints) {
    EXPECT_NE(ValidateKey("a//b:k").error().hint(), "");
    EXPECT_NE(ValidateKey("a%2fb:k").error().hint(), "");
    EXPECT_NE(ValidateKey(":a").error().hint(), "");
}

// Strings of few letters, among which the special ones are common.
rc::Gen<std::string> SpecialText() {
    return rc::gen::container<std::string>(
        rc::gen::element('a', 'F', '2', '3', '5', 'A', '/', ':', '%', '\xff'));
}

RC_GTEST_PROP(Key, ParseOfSerializeIsIdentity, ()) {
    auto segments = *rc::gen::container<Segments>(rc::gen::nonEmpty(SpecialText()));
    auto key = *rc::gen::nonEmpty(SpecialText());
    Result<std::string> serialized = SerializeKey(segments, key);
    if (serialized.ok()) {
        RC_ASSERT(ParseKey(serialized.value()).OrThrow() == (ParsedKey{segments, key}));
    } else {
        size_t size = key.size();
        for (const std::string& segment : segments) {
            size += 3 * segment.size() + 1;
        }
        RC_ASSERT(size > kMaxKeySize);  // nothing else is wrong with such a key
    }
}

RC_GTEST_PROP(Key, SerializeOfParseIsIdentity, ()) {
    std::string text = *SpecialText();
    Result<ParsedKey> parsed = ParseKey(text);
    RC_ASSERT(parsed.ok() == ValidateKey(text).ok());
    if (parsed.ok()) {
        RC_ASSERT(SerializeKey(parsed.value().namespace_segments, parsed.value().key).OrThrow() == text);
    }
}

}  // namespace
}  // namespace kvs

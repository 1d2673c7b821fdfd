#include "kvs/binding/key_template.h"

#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include "kvs/codec/key.h"

namespace kvs {
namespace {

using Values = std::vector<std::string>;

KeyTemplate Make(std::string_view text) {
    return KeyTemplate::Parse(text).OrThrow();
}

// The key and the values determine one another.
void ExpectPair(std::string_view pattern, const std::string& key, const Values& values) {
    const KeyTemplate parsed = Make(pattern);
    EXPECT_EQ(parsed.Values(key), values) << pattern << " " << key;
    EXPECT_EQ(parsed.Format(values), key) << pattern << " " << key;
}

void ExpectNoKey(std::string_view pattern, const Values& values) {
    EXPECT_EQ(Make(pattern).Format(values), std::nullopt) << pattern;
}

void ExpectNoValues(std::string_view pattern, std::string_view key) {
    EXPECT_EQ(Make(pattern).Values(key), std::nullopt) << pattern << " " << key;
}

TEST(KeyTemplate, KeysAndValues) {
    ExpectPair("user:{id}", "user:1", {"1"});
    ExpectPair("users/active:{id}", "users/active:42", {"42"});
    ExpectPair("{id}", "x", {"x"});
    ExpectPair("{a}/{b}", "x/y", {"x", "y"});
    ExpectPair("{tenant}/{kind}:{a}:{b}/c", "t/k:1:2/c", {"t", "k", "1", "2"});
    ExpectPair(":user:{id}", ":user:1", {"1"});
    ExpectPair(":{a}/x:{b}", ":1/x:2", {"1", "2"});
    ExpectPair("settings", "settings", {});
}

TEST(KeyTemplate, NamesInTheirOrder) {
    const KeyTemplate parsed = Make("{b}/x:{a}:{c_1}");
    EXPECT_EQ(parsed.names(), Values({"b", "a", "c_1"}));
    EXPECT_EQ(parsed.IndexOf("a"), 1U);
    EXPECT_EQ(parsed.IndexOf("x"), std::nullopt);
}

TEST(KeyTemplate, SegmentsAreEscapedAndTheKeyPartIsNot) {
    ExpectPair("{tenant}:x", "a%2Fb:x", {"a/b"});
    ExpectPair("{tenant}:x", "%3A%25:x", {":%"});
    ExpectPair("{tenant}:x", "a%252F:x", {"a%2F"});
    ExpectPair("x:{id}", "x:a%2Fb", {"a%2Fb"});
    ExpectPair("x:{id}", "x:100%", {"100%"});
    ExpectPair("a%2Fb:{id}", "a%2Fb:1", {"1"});
    // Without a ':' there is no namespace, nor behind a leading one.
    ExpectPair("x/{id}", "x/a%2Fb", {"a%2Fb"});
    ExpectPair(":{a}:x", ":a%2Fb:x", {"a%2Fb"});
    // Escapes that no key has.
    ExpectNoValues("{tenant}:x", "a%2fb:x");
    ExpectNoValues("{tenant}:x", "a%41:x");
    ExpectNoValues("{tenant}:x", "a%:x");
}

TEST(KeyTemplate, EmptyLevels) {
    ExpectPair("x:{a}:{b}", "x::1", {"", "1"});
    ExpectPair("x:{a}:{b}", "x:1:", {"1", ""});
    ExpectPair("x:{a}/y", "x:/y", {""});
    ExpectPair("/{a}", "/1", {"1"});
    ExpectNoKey("x:{a}", {""});
    ExpectNoKey("{a}", {""});
    ExpectNoKey("{a}:x", {""});
    ExpectNoKey("{a}:x:y", {""});
    ExpectNoKey("{a}/b:x", {""});
    ExpectNoValues("{a}/b:x", "/b:x:y");
}

TEST(KeyTemplate, ValuesThatAreNoLevels) {
    ExpectNoKey("x:{a}", {"1:2"});
    ExpectNoKey("x:{a}", {"1/2"});
    ExpectNoKey("x/{a}", {"1:2"});
    ExpectNoKey("{a}", {":1"});
    ExpectNoKey("x:{a}", {std::string("1\0", 2)});
    ExpectNoKey("x:{a}", {std::string(kMaxKeySize, 'x')});
    ExpectNoKey("x:{a}", {});
    ExpectNoKey("x:{a}", {"1", "2"});
    // What would only look like another level.
    ExpectNoKey("{a}/{b}", {"1/2", "3"});
    ExpectNoKey("x:{a}:{b}", {"1:2", ""});
}

// They match as patterns do, and would be other rows' keys when written back.
TEST(KeyTemplate, KeysThatAreWrittenInAnotherWay) {
    for (const char* key : {"user/1", ":user:1", "user:1:2", "user", "users:1", ""}) {
        ExpectNoValues("user:{id}", key);
    }
    ExpectNoValues(":user:{id}", "user:1");
    ExpectNoValues("a/b:{id}", "a:b:1");
}

TEST(KeyTemplate, Refused) {
    for (const char* text : {"", "user:+", "user:{id}/#", "user:{id}*", "user:{id}:{id}", "{id"}) {
        EXPECT_FALSE(KeyTemplate::Parse(text).ok()) << text;
    }
    // No key is written so.
    for (const char* text : {":user/{id}", ":{id}", "a//b:{id}", "/a:{id}", "a%zz:{id}", "{id}:"}) {
        EXPECT_FALSE(KeyTemplate::Parse(text).ok()) << text;
    }
}

// Whatever values make a key are its values, and what does not is no key.
RC_GTEST_PROP(KeyTemplate, FormatAndValuesAreInverse, ()) {
    const KeyTemplate parsed = Make(*rc::gen::element<std::string>(
        "{a}/n/{b}:{c}:x:{d}", "{a}:{b}/{c}/{d}", ":{a}:{b}:{c}:{d}", "{a}/{b}/{c}/{d}", "{a}/{b}/{c}:{d}"));
    const auto text = rc::gen::container<std::string>(rc::gen::element('a', '2', 'F', '%', '/', ':'));
    const Values values = *rc::gen::container<Values>(4, text);
    if (const std::optional<std::string> key = parsed.Format(values)) {
        RC_ASSERT(ValidateKey(*key).ok());
        RC_ASSERT(parsed.Values(*key) == values);
    }
}

RC_GTEST_PROP(KeyTemplate, ValuesAndFormatAreInverse, ()) {
    const KeyTemplate parsed = Make(*rc::gen::element<std::string>("{a}:{b}", "{a}/{b}", ":{a}:{b}"));
    const std::string key =
        *rc::gen::container<std::string>(rc::gen::element('a', '2', 'F', '%', '/', ':', ':'));
    if (const std::optional<Values> values = parsed.Values(key); values && ValidateKey(key).ok()) {
        RC_ASSERT(parsed.Format(*values) == key);
    }
}

}  // namespace
}  // namespace kvs

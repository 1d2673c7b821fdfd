#include "kvs/json/pointer.h"

#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

namespace kvs {
namespace {

using Tokens = std::vector<std::string>;

// RFC 6901, section 5.
TEST(JsonPointer, ExamplesOfTheRfc) {
    const struct {
        const char* text;
        Tokens tokens;
    } cases[] = {
        {"", {}},
        {"/foo", {"foo"}},
        {"/foo/0", {"foo", "0"}},
        {"/", {""}},
        {"/a~1b", {"a/b"}},
        {"/c%d", {"c%d"}},
        {"/e^f", {"e^f"}},
        {"/g|h", {"g|h"}},
        {"/i\\j", {"i\\j"}},
        {"/k\"l", {"k\"l"}},
        {"/ ", {" "}},
        {"/m~0n", {"m~n"}},
        {"/~01", {"~1"}},
        {"//", {"", ""}},
        {"/a/", {"a", ""}},
    };
    for (const auto& test : cases) {
        EXPECT_EQ(ParseJsonPointer(test.text).OrThrow(), test.tokens) << test.text;
        std::string text;
        for (const std::string& token : test.tokens) {
            AppendJsonPointer(&text, token);
        }
        EXPECT_EQ(text, test.text);
    }
}

TEST(JsonPointer, RefusesWhatIsNoPointer) {
    for (const char* text : {"a", "a/b", " /a", "/~", "/a~", "/~2", "/~/a"}) {
        const Result<Tokens> tokens = ParseJsonPointer(text);
        ASSERT_FALSE(tokens.ok()) << text;
        EXPECT_EQ(tokens.error().code(), ErrorCode::kInvalidArgument);
    }
}

TEST(JsonPointer, ArrayIndex) {
    EXPECT_EQ(JsonArrayIndex("0"), 0u);
    EXPECT_EQ(JsonArrayIndex("10"), 10u);
    for (const char* token :
         {"", "-", "-1", "+1", "01", "1 ", " 1", "1a", "1e1", "99999999999999999999999"}) {
        EXPECT_EQ(JsonArrayIndex(token), std::nullopt) << token;
    }
}

RC_GTEST_PROP(JsonPointer, EscapedTokensComeBack, (const Tokens& tokens)) {
    std::string text;
    for (const std::string& token : tokens) {
        text += '/';
        for (const char c : token) {
            text += c == '~' ? "~0" : c == '/' ? "~1" : std::string(1, c);
        }
    }
    RC_ASSERT(ParseJsonPointer(text).OrThrow() == tokens);
}

}  // namespace
}  // namespace kvs

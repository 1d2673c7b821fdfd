#include "kvs/json/json.h"

#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include <clocale>

#include "generator.h"
#include "kvs/entry.h"

namespace kvs {
namespace {

std::string RoundTrip(std::string_view text) {
    return Json::Parse(text).OrThrow().ToText();
}

void ExpectBad(std::string_view text, ErrorCode code = ErrorCode::kInvalidArgument) {
    Result<Json> json = Json::Parse(text);
    ASSERT_FALSE(json.ok()) << text;
    EXPECT_EQ(json.error().code(), code) << text;
}

TEST(Json, Kinds) {
    EXPECT_TRUE(Json::Parse("null").OrThrow().IsNull());
    EXPECT_TRUE(Json::Parse("true").OrThrow().bool_value());
    EXPECT_FALSE(Json::Parse("false").OrThrow().bool_value());
    EXPECT_EQ(Json::Parse("12").OrThrow().number_text(), "12");
    EXPECT_EQ(Json::Parse("\"x\"").OrThrow().string(), "x");
    EXPECT_EQ(Json::Parse("[1,2]").OrThrow().array().size(), 2u);
    EXPECT_EQ(Json::Parse("{\"a\":1}").OrThrow().object().size(), 1u);
    EXPECT_EQ(Json::Integer(-5).number_text(), "-5");
    EXPECT_TRUE(Json().IsNull());
    EXPECT_THROW(Json().array(), std::bad_variant_access);
}

TEST(Json, NumbersKeepEveryDigit) {
    for (const char* number : {"0",
                               "-0",
                               "1",
                               "-1",
                               "12345678901234567890.123456789",
                               "1e-300",
                               "1E+5",
                               "2.0",
                               "2.50",
                               "0.10",
                               "-0.0",
                               "-0e0",
                               "9223372036854775807",
                               "-9223372036854775808",
                               "18446744073709551615",
                               "18446744073709551616",
                               "-9223372036854775809",
                               "1e400",
                               "1e5000",
                               "1e131071",
                               "1e-16383",
                               "-1.5e999999999",
                               "1e000000000000000001",
                               "0.1000000000000000055511151231257827021181583404541015625",
                               "340282366920938463463374607431768211456"}) {
        EXPECT_EQ(RoundTrip(number), number);
    }
    std::string huge(100000, '7');
    EXPECT_EQ(RoundTrip(huge), huge);
    EXPECT_EQ(RoundTrip(huge + "." + huge), huge + "." + huge);
}

TEST(Json, NumbersThatAreNone) {
    for (const char* text :
         {"01", "-", "+1", "1.", ".5", "1e", "1e+", "0x10", "NaN", "Infinity", "--1", "1_000", "1,5"}) {
        ExpectBad(text);
        Result<Json> number = Json::Number(text);
        ASSERT_FALSE(number.ok()) << text;
        EXPECT_EQ(number.error().code(), ErrorCode::kInvalidArgument);
    }
    EXPECT_FALSE(Json::Number("").ok());
    EXPECT_FALSE(Json::Number(" 1").ok());
    EXPECT_FALSE(Json::Number("1 ").ok());
}

TEST(Json, AbsurdExponents) {
    ExpectBad("1e1000000000", ErrorCode::kLimitExceeded);
    ExpectBad("[1e-99999999999999999999999]", ErrorCode::kLimitExceeded);
    EXPECT_EQ(Json::Number("0e1000000000").error().code(), ErrorCode::kLimitExceeded);
}

TEST(Json, DecimalPointOfTheLocaleStaysOut) {
    std::string before = std::setlocale(LC_NUMERIC, nullptr);
    for (const char* locale : {"de_DE.UTF-8", "fr_FR.UTF-8", "C"}) {
        if (std::setlocale(LC_NUMERIC, locale) != nullptr) {
            EXPECT_EQ(RoundTrip("[1.5,-2.25e3]"), "[1.5,-2.25e3]") << locale;
        }
    }
    std::setlocale(LC_NUMERIC, before.c_str());
}

TEST(Json, MembersAreSortedAndTheLastDuplicateWins) {
    EXPECT_EQ(RoundTrip(R"({"b":1,"a":2,"b":3})"), R"({"a":2,"b":3})");
    EXPECT_EQ(RoundTrip(R"({"a":{"x":1},"a":{"y":2}})"), R"({"a":{"y":2}})");
    EXPECT_EQ(RoundTrip(R"({"":0,"aa":1,"a":2,"B":3})"), R"({"":0,"B":3,"a":2,"aa":1})");
}

TEST(Json, WhiteSpace) {
    EXPECT_EQ(RoundTrip(" \t\r\n{ \"a\" : [ 1 , { } , [ ] ] } \n"), R"({"a":[1,{},[]]})");
}

TEST(Json, Strings) {
    EXPECT_EQ(Json::Parse(R"("\u00e4\u20ac\ud83d\ude00\/\b\f\n\r\t\"\\")").OrThrow().string(),
              "\xc3\xa4\xe2\x82\xac\xf0\x9f\x98\x80/\b\f\n\r\t\"\\");
    EXPECT_EQ(RoundTrip(R"("\u0000\u001f\u007f")"), "\"\\u0000\\u001f\x7f\"");
    EXPECT_EQ(RoundTrip(R"("\u0008\u0009\u000a\u000c\u000d\u0022\u005c\u002f")"), R"("\b\t\n\f\r\"\\/")");
    EXPECT_EQ(Json::Parse(R"("a\u0000b")").OrThrow().string(), std::string("a\0b", 3));
}

TEST(Json, Malformed) {
    for (const char* text : {"",
                             " ",
                             "nul",
                             "truex",
                             "[",
                             "]",
                             "[1,]",
                             "{,}",
                             "{\"a\"}",
                             "{\"a\":}",
                             "{a:1}",
                             "'a'",
                             "\"a",
                             "[1] 2",
                             "1 2",
                             "// c",
                             "\"\\x\"",
                             "\"\n\"",
                             "\"\\ud800\"",
                             "\"\\udc00\"",
                             "\"\xff\"",
                             "\"\xc0\x80\"",
                             "\"\xed\xa0\x80\"",
                             "\xff"}) {
        ExpectBad(text);
    }
    ExpectBad(std::string_view("1\0", 2));
    ExpectBad(std::string_view("[1]\0[2]", 7));
    ExpectBad(std::string_view("\0", 1));
}

TEST(Json, ErrorsNameThePosition) {
    EXPECT_STREQ(Json::Parse("{\"a\": nil}").error().what(),
                 "document is not JSON: error at byte 8, near \"\"a\": ni\"");
}

TEST(Json, Nesting) {
    auto nested = [](size_t levels) { return std::string(levels, '[') + std::string(levels, ']'); };
    EXPECT_EQ(RoundTrip(nested(kMaxNesting)), nested(kMaxNesting));
    ExpectBad(nested(kMaxNesting + 1), ErrorCode::kLimitExceeded);
    ExpectBad(std::string(1000000, '['), ErrorCode::kLimitExceeded);
    std::string objects;
    for (int i = 0; i <= kMaxNesting; i++) {
        objects += "{\"a\":";
    }
    ExpectBad(objects, ErrorCode::kLimitExceeded);
}

TEST(Json, Find) {
    Json json = Json::Parse(R"({"a":{"b":[1]},"c":null})").OrThrow();
    ASSERT_NE(json.Find("a"), nullptr);
    ASSERT_NE(json.Find("a")->Find("b"), nullptr);
    EXPECT_NE(json.Find("c"), nullptr);
    EXPECT_EQ(json.Find("b"), nullptr);
    EXPECT_EQ(json.Find("a")->Find("b")->Find("0"), nullptr);
    *json.Find("c") = Json::Integer(2);
    EXPECT_EQ(json.ToText(), R"({"a":{"b":[1]},"c":2})");
}

TEST(SameValue, ComparesNumbersExactly) {
    auto same = [](const char* a, const char* b) {
        return SameValue(Json::Parse(a).OrThrow(), Json::Parse(b).OrThrow());
    };
    EXPECT_TRUE(same("2", "2.0"));
    EXPECT_TRUE(same("2", "0.2e1"));
    EXPECT_TRUE(same("200", "2E+2"));
    EXPECT_TRUE(same("-0", "0.000e5"));
    EXPECT_TRUE(same("1e400", "10e399"));
    EXPECT_TRUE(same("0.0001", "1e-4"));
    EXPECT_FALSE(same("1e400", "1e401"));
    EXPECT_FALSE(same("1", "-1"));
    EXPECT_FALSE(same("9007199254740993", "9007199254740992"));  // one double
    EXPECT_FALSE(same("0.1", "0.1000000000000000055511151231257827"));
    EXPECT_FALSE(same("1", "\"1\""));
    EXPECT_FALSE(same("0", "false"));
    EXPECT_TRUE(same(R"({"a":[1,{"b":2.0}]})", R"({"a":[1.0,{"b":2}]})"));
    EXPECT_FALSE(same(R"({"a":1})", R"({"b":1})"));
    EXPECT_FALSE(same(R"({"a":1})", R"({"a":1,"b":1})"));
    EXPECT_FALSE(same("[1]", "[1,1]"));
    EXPECT_FALSE(same("[1,2]", "[1,3]"));
    EXPECT_FALSE(Json::Parse("2").OrThrow() == Json::Parse("2.0").OrThrow());
}

RC_GTEST_PROP(Json, TextRoundTrip, ()) {
    Json json = AnyJson(3);
    RC_ASSERT(Json::Parse(json.ToText()).OrThrow() == json);
    RC_ASSERT(SameValue(json, json));
}

RC_GTEST_PROP(Json, ParseNeverCrashes, (const std::string& text)) {
    Result<Json> json = Json::Parse(text);
    if (json.ok()) {
        RC_ASSERT(Json::Parse(json.value().ToText()).OrThrow() == json.value());
    }
}

}  // namespace
}  // namespace kvs

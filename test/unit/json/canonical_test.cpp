#include "kvs/json/canonical.h"

#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include "generator.h"

namespace kvs {
namespace {

std::string Canonical(std::string_view text) {
    return CanonicalText(Json::Parse(text).OrThrow()).OrThrow();
}

// RFC 8785, 3.2.2 to 3.2.4. Its numbers are rounded to doubles; ours are exact: 333333333.33333329 keeps its
// last digits and 1E30 is written out.
TEST(Canonical, SampleOfTheRfc) {
    EXPECT_EQ(Canonical(R"({
        "numbers": [333333333.33333329, 1E30, 4.50, 2e-3, 0.000000000000000000000000001],
        "string": "\u20ac$\u000F\u000aA'\u0042\u0022\u005c\\\"\/",
        "literals": [null, true, false]
    })"),
              "{\"literals\":[null,true,false],"
              "\"numbers\":[333333333.33333329,1000000000000000000000000000000,4.5,0.002,"
              "0.000000000000000000000000001],"
              "\"string\":\"\xe2\x82\xac$\\u000f\\nA'B\\\"\\\\\\\\\\\"/\"}");
}

// RFC 8785, 3.2.3: sorted by UTF-16 code units, so the emoji (D83D DE00) comes before the Hebrew letter
// (FB33).
TEST(Canonical, SortingSampleOfTheRfc) {
    EXPECT_EQ(Canonical(R"({
        "\u20ac": "Euro Sign",
        "\r": "Carriage Return",
        "\ufb33": "Hebrew Letter Dalet With Dagesh",
        "1": "One",
        "\ud83d\ude00": "Emoji: Grinning Face",
        "\u0080": "Control",
        "\u00f6": "Latin Small Letter O With Diaeresis"
    })"),
              "{\"\\r\":\"Carriage Return\",\"1\":\"One\",\"\xc2\x80\":\"Control\","
              "\"\xc3\xb6\":\"Latin Small Letter O With Diaeresis\",\"\xe2\x82\xac\":\"Euro Sign\","
              "\"\xf0\x9f\x98\x80\":\"Emoji: Grinning Face\","
              "\"\xef\xac\xb3\":\"Hebrew Letter Dalet With Dagesh\"}");
}

TEST(Canonical, Numbers) {
    const std::pair<const char*, const char*> cases[] = {
        {"0", "0"},
        {"-0", "0"},
        {"-0.0", "0"},
        {"0e5", "0"},
        {"0.000e-999999999", "0"},
        {"1", "1"},
        {"-1", "-1"},
        {"2.0", "2"},
        {"2.50", "2.5"},
        {"100", "100"},
        {"1e2", "100"},
        {"1.5E+3", "1500"},
        {"1500e-2", "15"},
        {"1500e-3", "1.5"},
        {"1500e-4", "0.15"},
        {"1500e-5", "0.015"},
        {"-12.5e-1", "-1.25"},
        {"0.001e3", "1"},
        {"0.0010", "0.001"},
        {"10.010", "10.01"},
        {"12345678901234567890.123456789", "12345678901234567890.123456789"},
        {"9007199254740993", "9007199254740993"},
    };
    for (auto [text, canonical] : cases) {
        EXPECT_EQ(CanonicalNumber(text).OrThrow(), canonical) << text;
        EXPECT_EQ(Canonical(text), canonical) << text;
    }
    EXPECT_EQ(CanonicalNumber("1e-300").OrThrow(), "0." + std::string(299, '0') + "1");
    EXPECT_EQ(CanonicalNumber("1e300").OrThrow(), "1" + std::string(300, '0'));
}

TEST(Canonical, NumbersOutOfRange) {
    EXPECT_EQ(CanonicalNumber("1e131071").OrThrow().size(), 131072u);
    EXPECT_EQ(CanonicalNumber("1e131072").error().code(), ErrorCode::kLimitExceeded);
    EXPECT_EQ(CanonicalNumber("1e-16383").OrThrow().size(), 16385u);
    EXPECT_EQ(CanonicalNumber("1e-16384").error().code(), ErrorCode::kLimitExceeded);
    EXPECT_EQ(CanonicalNumber("1e1000000").error().code(), ErrorCode::kLimitExceeded);
    EXPECT_EQ(CanonicalNumber("1e999999999").error().code(), ErrorCode::kLimitExceeded);
    EXPECT_EQ(CanonicalNumber("1e9999999999999").error().code(), ErrorCode::kLimitExceeded);
    EXPECT_EQ(CanonicalNumber("x").error().code(), ErrorCode::kInvalidArgument);
    for (const char* text : {"1e131072", "[1e131072]", "{\"a\":{\"b\":1e-16384}}"}) {
        EXPECT_EQ(CanonicalText(Json::Parse(text).OrThrow()).error().code(), ErrorCode::kLimitExceeded);
    }
}

// A few kilobytes that would be half a gigabyte.
TEST(Canonical, BoundsTheWhole) {
    Json::Array numbers(4000, Json::Number("1e131071").OrThrow());
    EXPECT_EQ(CanonicalText(Json::FromArray(std::move(numbers))).error().code(), ErrorCode::kLimitExceeded);
}

TEST(Canonical, EmptyContainers) {
    EXPECT_EQ(Canonical(" [ { } , [ ] , \"\" ] "), "[{},[],\"\"]");
}

// The order of JCS by its definition, to compare with.
std::u16string Utf16(std::string_view text) {
    std::u16string units;
    for (size_t i = 0; i < text.size();) {
        auto byte = static_cast<uint8_t>(text[i]);
        size_t length = byte < 0x80 ? 1 : byte < 0xe0 ? 2 : byte < 0xf0 ? 3 : 4;
        uint32_t character = length == 1 ? byte : byte & (0xff >> (length + 1));
        for (size_t k = 1; k < length; k++) {
            character = character << 6 | (static_cast<uint8_t>(text[i + k]) & 0x3f);
        }
        if (character >= 0x10000) {
            units += static_cast<char16_t>(0xd800 + ((character - 0x10000) >> 10));
            units += static_cast<char16_t>(0xdc00 + ((character - 0x10000) & 0x3ff));
        } else {
            units += static_cast<char16_t>(character);
        }
        i += length;
    }
    return units;
}

RC_GTEST_PROP(Canonical, MembersComeInUtf16Order, ()) {
    std::string left = AnyText();
    std::string right = AnyText();
    RC_PRE(left != right);
    Json json = Json::FromObject({{left, Json::Integer(1)}, {right, Json::Integer(1)}});
    std::string first;
    AppendQuotedJson(first, Utf16(left) < Utf16(right) ? left : right);
    std::string text = CanonicalText(json).OrThrow();
    RC_ASSERT(text.substr(0, first.size() + 4) == "{" + first + ":1,");
}

RC_GTEST_PROP(Canonical, IsAFixedPointOfEqualValue, ()) {
    Json json = AnyJson(3);
    std::string text = CanonicalText(json).OrThrow();
    Json again = Json::Parse(text).OrThrow();
    RC_ASSERT(SameValue(again, json));
    RC_ASSERT(CanonicalText(again).OrThrow() == text);
}

RC_GTEST_PROP(Canonical, EqualValuesHaveEqualTexts, ()) {
    std::string left = AnyNumberText();
    std::string right = *rc::gen::arbitrary<bool>()
                            ? AnyNumberText()
                            : left + (left.find_first_of(".eE") == std::string::npos ? ".0" : "");
    bool same = SameValue(Json::Number(left).OrThrow(), Json::Number(right).OrThrow());
    RC_ASSERT(same == (CanonicalNumber(left).OrThrow() == CanonicalNumber(right).OrThrow()));
}

}  // namespace
}  // namespace kvs

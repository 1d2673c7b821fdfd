#include "core/json/decimal.h"

#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include "generator.h"
#include "kvs/json/canonical.h"

namespace kvs {
namespace {

std::string Sum(const char* left, const char* right) {
    const std::optional<Decimal> sum = AddDecimals(ParseDecimal(left), ParseDecimal(right));
    return sum ? DecimalText(*sum) : "none";
}

TEST(DecimalTest, AddsExactly) {
    EXPECT_EQ(Sum("1", "2"), "3");
    EXPECT_EQ(Sum("0.1", "0.2"), "0.3");
    EXPECT_EQ(Sum("999", "1"), "1000");
    EXPECT_EQ(Sum("1000", "-1"), "999");
    EXPECT_EQ(Sum("-1000", "1"), "-999");
    EXPECT_EQ(Sum("1", "-1000"), "-999");
    EXPECT_EQ(Sum("-5", "5"), "0");
    EXPECT_EQ(Sum("-0", "0"), "0");
    EXPECT_EQ(Sum("1.50", "1.50"), "3");
    EXPECT_EQ(Sum("1e20", "1e-3"), "100000000000000000000.001");
    EXPECT_EQ(Sum("9007199254740993", "9007199254740993"), "18014398509481986");
    EXPECT_EQ(Sum("1e-16383", "0"), "1e-16383");
    EXPECT_EQ(Sum("123e100", "0"), "1.23e102");
}

TEST(DecimalTest, AddsWithinTheRangeOfNumericOnly) {
    EXPECT_EQ(Sum("5e131071", "4e131071"), "9e131071");
    EXPECT_EQ(Sum("5e131071", "5e131071"), "none");
    EXPECT_EQ(Sum("1e-16384", "0"), "none");
    EXPECT_EQ(Sum("1e999999999", "1"), "none");
    EXPECT_EQ(Sum("1", "1e-999999999"), "none");
    EXPECT_EQ(Sum("1e131071", "1e-16383").size(), 131072u + 1 + 16383);
}

RC_GTEST_PROP(DecimalTest, TextReadsBackAsItsValue, ()) {
    const Decimal value = ParseDecimal(AnyNumberText());
    const std::string text = DecimalText(value);
    RC_ASSERT(ValidateNumber(text).ok());
    RC_ASSERT(ParseDecimal(text) == value);
}

// Of integers that the compiler can add, at any decimal place.
RC_GTEST_PROP(DecimalTest, SumsAndComparisonsAreThoseOfIntegers, ()) {
    const auto left = *rc::gen::arbitrary<int32_t>();
    const auto right = *rc::gen::arbitrary<int16_t>();
    const std::string exponent = "e" + std::to_string(*rc::gen::inRange(-40, 40));
    const auto at = [&exponent](int64_t n) { return ParseDecimal(std::to_string(n) + exponent); };
    RC_ASSERT(AddDecimals(at(left), at(right)) == at(int64_t{left} + right));
    RC_ASSERT(AddDecimals(at(left), Negated(at(right))) == at(int64_t{left} - right));
    const int order = left < right ? -1 : left > right ? 1 : 0;
    const int found = CompareDecimals(at(left), at(right));
    RC_ASSERT((found < 0 ? -1 : found > 0 ? 1 : 0) == order);
}

RC_GTEST_PROP(DecimalTest, SumsObeyTheLawsOfArithmetic, ()) {
    const Decimal a = ParseDecimal(AnyNumberText());
    const Decimal b = ParseDecimal(AnyNumberText());
    const std::optional<Decimal> sum = AddDecimals(a, b);
    RC_PRE(sum.has_value());
    RC_ASSERT(AddDecimals(b, a) == sum);
    RC_ASSERT(AddDecimals(*sum, Negated(b)) == a);
    const int order = CompareDecimals(a, b);
    RC_ASSERT((order == 0) == (a == b));
    RC_ASSERT((CompareDecimals(b, a) < 0) == (order > 0));
    const Decimal difference = *AddDecimals(a, Negated(b));
    RC_ASSERT((order < 0) == difference.negative);
}

}  // namespace
}  // namespace kvs

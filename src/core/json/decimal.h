// The exact value of a JSON number.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "kvs/error.h"

namespace kvs {

// 0.DIGITS times ten to the power of `point`. Equal values have equal members.
struct Decimal {
    bool negative = false;
    std::string digits;  // neither beginning nor ending with 0; empty for zero
    int64_t point = 0;   // 0 for zero

    bool operator==(const Decimal&) const = default;
};

// Whether `text` is a number as JSON writes it, with an exponent of at most nine digits.
// Errors: kInvalidArgument, kLimitExceeded.
Status ValidateNumber(std::string_view text);

// `text` must have passed ValidateNumber.
Decimal ParseDecimal(std::string_view text);

// Sign of the comparison of the values.
int CompareDecimals(const Decimal& left, const Decimal& right);

Decimal Negated(Decimal decimal);

// Exactly; nullopt if the sum is outside the range of PostgreSQL's numeric, or a summand is.
std::optional<Decimal> AddDecimals(const Decimal& left, const Decimal& right);

// As JSON writes it: plain, or with an exponent where that would take many zeros.
std::string DecimalText(const Decimal& decimal);

}  // namespace kvs

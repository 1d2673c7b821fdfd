#include "core/json/decimal.h"

#include <algorithm>
#include <charconv>

#include "kvs/json/canonical.h"
#include "kvs/util/quote.h"

namespace kvs {

namespace {

constexpr size_t kMaxExponentDigits = 9;
constexpr int64_t kMaxPaddingZeros = 24;  // in a plain number

// The parts of a number, as written.
struct Parts {
    bool negative = false;
    std::string_view integer;
    std::string_view fraction;  // without the point
    bool exponent_negative = false;
    std::string_view exponent;  // digits, without leading zeros
};

std::string_view TakeDigits(std::string_view& text) {
    size_t count = std::min(text.find_first_not_of("0123456789"), text.size());
    std::string_view digits = text.substr(0, count);
    text.remove_prefix(count);
    return digits;
}

bool TakeOneOf(std::string_view& text, std::string_view characters) {
    if (text.empty() || characters.find(text.front()) == std::string_view::npos) {
        return false;
    }
    text.remove_prefix(1);
    return true;
}

void RemoveLeadingZeros(std::string_view& digits) {
    digits.remove_prefix(std::min(digits.find_first_not_of('0'), digits.size()));
}

// False if `text` is not a number as JSON writes it.
bool Split(std::string_view text, Parts* parts) {
    parts->negative = TakeOneOf(text, "-");
    parts->integer = TakeDigits(text);
    if (parts->integer.empty() || (parts->integer.size() > 1 && parts->integer.front() == '0')) {
        return false;
    }
    if (TakeOneOf(text, ".")) {
        parts->fraction = TakeDigits(text);
        if (parts->fraction.empty()) {
            return false;
        }
    }
    if (TakeOneOf(text, "eE")) {
        parts->exponent_negative = !text.empty() && text.front() == '-';
        TakeOneOf(text, "+-");
        parts->exponent = TakeDigits(text);
        if (parts->exponent.empty()) {
            return false;
        }
        RemoveLeadingZeros(parts->exponent);
    }
    return text.empty();
}

bool IsNumeric(const Decimal& decimal) {
    return decimal.point <= static_cast<int64_t>(kMaxIntegerDigits) &&
           static_cast<int64_t>(decimal.digits.size()) - decimal.point <=
               static_cast<int64_t>(kMaxFractionDigits);
}

// Sign of the comparison of the absolute values; neither is zero.
int CompareMagnitudes(const Decimal& left, const Decimal& right) {
    if (left.point != right.point) {
        return left.point < right.point ? -1 : 1;
    }
    return left.digits.compare(right.digits);  // neither ends with zeros, so a prefix is smaller
}

// Takes the zeros off both ends.
void Normalise(Decimal* decimal) {
    size_t leading_zeros = decimal->digits.find_first_not_of('0');
    if (leading_zeros == std::string::npos) {
        *decimal = Decimal();
        return;
    }
    decimal->digits.erase(decimal->digits.find_last_not_of('0') + 1);
    decimal->digits.erase(0, leading_zeros);
    decimal->point -= static_cast<int64_t>(leading_zeros);
}

// The digit of `decimal` that counts 10^exponent.
int DigitAt(const Decimal& decimal, int64_t exponent) {
    int64_t i = decimal.point - 1 - exponent;
    return i < 0 || i >= static_cast<int64_t>(decimal.digits.size()) ? 0 : decimal.digits[i] - '0';
}

}  // namespace

Status ValidateNumber(std::string_view text) {
    Parts parts;
    if (!Split(text, &parts)) {
        return Error(ErrorCode::kInvalidArgument, Quoted(text) + " is not a JSON number");
    }
    if (parts.exponent.size() > kMaxExponentDigits) {
        return Error(ErrorCode::kLimitExceeded, "exponent of number " + Quoted(text) + " is too large");
    }
    return Ok();
}

Decimal ParseDecimal(std::string_view text) {
    Parts parts;
    Split(text, &parts);
    int64_t exponent = 0;
    std::from_chars(parts.exponent.data(), parts.exponent.data() + parts.exponent.size(), exponent);

    Decimal decimal;
    decimal.digits.reserve(parts.integer.size() + parts.fraction.size());
    decimal.digits.append(parts.integer).append(parts.fraction);
    decimal.negative = parts.negative;
    decimal.point =
        static_cast<int64_t>(parts.integer.size()) + (parts.exponent_negative ? -exponent : exponent);
    Normalise(&decimal);
    return decimal;
}

int CompareDecimals(const Decimal& left, const Decimal& right) {
    const auto sign = [](const Decimal& decimal) {
        return decimal.digits.empty() ? 0 : decimal.negative ? -1 : 1;
    };
    if (sign(left) != sign(right)) {
        return sign(left) < sign(right) ? -1 : 1;
    }
    return sign(left) * (left.digits.empty() ? 0 : CompareMagnitudes(left, right));
}

Decimal Negated(Decimal decimal) {
    decimal.negative = !decimal.digits.empty() && !decimal.negative;
    return decimal;
}

std::optional<Decimal> AddDecimals(const Decimal& left, const Decimal& right) {
    if (!IsNumeric(left) || !IsNumeric(right)) {
        return std::nullopt;
    }
    if (left.digits.empty() || right.digits.empty()) {
        return left.digits.empty() ? right : left;
    }
    // The sign is that of the larger magnitude, from which the other is subtracted if it has another sign.
    const bool left_is_larger = CompareMagnitudes(left, right) >= 0;
    const Decimal& larger = left_is_larger ? left : right;
    const Decimal& smaller = left_is_larger ? right : left;
    const int direction = larger.negative == smaller.negative ? 1 : -1;

    const auto lowest = [](const Decimal& decimal) {
        return decimal.point - static_cast<int64_t>(decimal.digits.size());
    };
    const int64_t end = std::min(lowest(larger), lowest(smaller));
    Decimal sum;
    sum.negative = larger.negative;
    sum.point = larger.point + 1;  // one digit more for the carry
    sum.digits.assign(sum.point - end, '0');
    int carry = 0;
    for (int64_t exponent = end; exponent < sum.point; exponent++) {
        int digit = DigitAt(larger, exponent) + direction * DigitAt(smaller, exponent) + carry;
        carry = digit < 0 ? -1 : digit / 10;
        sum.digits[sum.point - 1 - exponent] = static_cast<char>('0' + (digit - 10 * carry));
    }
    Normalise(&sum);
    if (!IsNumeric(sum)) {
        return std::nullopt;
    }
    return sum;
}

std::string DecimalText(const Decimal& decimal) {
    if (decimal.digits.empty()) {
        return "0";
    }
    const auto size = static_cast<int64_t>(decimal.digits.size());
    std::string text = decimal.negative ? "-" : "";
    if (decimal.point > size + kMaxPaddingZeros || decimal.point < -kMaxPaddingZeros) {
        text += decimal.digits.front();
        if (size > 1) {
            text.append(".").append(decimal.digits, 1);
        }
        return text + "e" + std::to_string(decimal.point - 1);
    }
    if (decimal.point <= 0) {
        return text.append("0.").append(-decimal.point, '0') + decimal.digits;
    }
    if (decimal.point >= size) {
        return text.append(decimal.digits).append(decimal.point - size, '0');
    }
    return text.append(decimal.digits, 0, decimal.point).append(".").append(decimal.digits, decimal.point);
}

}  // namespace kvs

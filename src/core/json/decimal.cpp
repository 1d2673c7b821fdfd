#include "core/json/decimal.h"

#include <algorithm>
#include <charconv>

#include "kvs/util/quote.h"

namespace kvs {

namespace {

constexpr size_t kMaxExponentDigits = 9;

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
    size_t leading_zeros = decimal.digits.find_first_not_of('0');
    if (leading_zeros == std::string::npos) {
        return Decimal();
    }
    decimal.digits.erase(decimal.digits.find_last_not_of('0') + 1);
    decimal.digits.erase(0, leading_zeros);
    decimal.negative = parts.negative;
    decimal.point = static_cast<int64_t>(parts.integer.size()) - static_cast<int64_t>(leading_zeros) +
                    (parts.exponent_negative ? -exponent : exponent);
    return decimal;
}

}  // namespace kvs

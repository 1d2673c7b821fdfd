#include "kvs/json/canonical.h"

#include <algorithm>

#include "core/json/decimal.h"
#include "kvs/util/quote.h"

namespace kvs {

namespace {

// UTF-16 code units sort as the bytes of UTF-8 do, but for characters above U+FFFF: their surrogates come
// before U+E000 to U+FFFF, whose UTF-8 begins with EE or EF.
uint8_t Utf16Rank(char lead) {
    auto byte = static_cast<uint8_t>(lead);
    return byte == 0xee || byte == 0xef ? static_cast<uint8_t>(byte + 0x10) : byte;
}

bool Utf16Less(std::string_view left, std::string_view right) {
    auto [l, r] = std::mismatch(left.begin(), left.end(), right.begin(), right.end());
    if (l == left.end() || r == right.end()) {
        return left.size() < right.size();
    }
    return Utf16Rank(*l) < Utf16Rank(*r);
}

Status CheckDigits(std::string_view text, int64_t integer_digits, int64_t fraction_digits) {
    if (integer_digits > static_cast<int64_t>(kMaxIntegerDigits) ||
        fraction_digits > static_cast<int64_t>(kMaxFractionDigits)) {
        return Error(ErrorCode::kLimitExceeded, "number " + Quoted(text) + " is out of range",
                     "Numbers may have up to " + std::to_string(kMaxIntegerDigits) + " digits before and " +
                         std::to_string(kMaxFractionDigits) + " digits after the decimal point.");
    }
    return Ok();
}

// Appends a number that is known to be one.
Status AppendNumber(std::string& out, std::string_view text) {
    Decimal decimal = ParseDecimal(text);
    if (decimal.digits.empty()) {
        out += '0';
        return Ok();
    }
    auto count = static_cast<int64_t>(decimal.digits.size());
    if (Status status = CheckDigits(text, decimal.point, count - decimal.point); !status.ok()) {
        return status;
    }
    if (decimal.negative) {
        out += '-';
    }
    if (decimal.point <= 0) {
        out += "0.";
        out.append(static_cast<size_t>(-decimal.point), '0');
        out += decimal.digits;
    } else if (decimal.point >= count) {
        out += decimal.digits;
        out.append(static_cast<size_t>(decimal.point - count), '0');
    } else {
        out.append(decimal.digits, 0, static_cast<size_t>(decimal.point));
        out += '.';
        out.append(decimal.digits, static_cast<size_t>(decimal.point));
    }
    return Ok();
}

Status AppendCanonical(std::string& out, const Json& json);

Status AppendArray(std::string& out, const Json::Array& items) {
    char separator = '[';
    for (const Json& item : items) {
        out += separator;
        separator = ',';
        if (Status status = AppendCanonical(out, item); !status.ok()) {
            return status;
        }
    }
    out += separator == '[' ? "[]" : "]";
    return Ok();
}

Status AppendObject(std::string& out, const Json::Object& object) {
    std::vector<const Json::Object::value_type*> members;
    members.reserve(object.size());
    for (const auto& member : object) {
        members.push_back(&member);
    }
    std::sort(members.begin(), members.end(),
              [](const auto* left, const auto* right) { return Utf16Less(left->first, right->first); });
    char separator = '{';
    for (const auto* member : members) {
        out += separator;
        separator = ',';
        AppendQuotedJson(out, member->first);
        out += ':';
        if (Status status = AppendCanonical(out, member->second); !status.ok()) {
            return status;
        }
    }
    out += separator == '{' ? "{}" : "}";
    return Ok();
}

Status AppendCanonical(std::string& out, const Json& json) {
    if (out.size() > kMaxCanonicalSize) {
        return Error(ErrorCode::kLimitExceeded, "canonical form of the document is too long",
                     "It may have up to " + std::to_string(kMaxCanonicalSize) + " bytes.");
    }
    switch (json.kind()) {
        case Json::Kind::kNumber:
            return AppendNumber(out, json.number_text());
        case Json::Kind::kArray:
            return AppendArray(out, json.array());
        case Json::Kind::kObject:
            return AppendObject(out, json.object());
        default:
            out += json.ToText();
            return Ok();
    }
}

}  // namespace

Result<std::string> CanonicalText(const Json& document) {
    std::string text;
    if (Status status = AppendCanonical(text, document); !status.ok()) {
        return status.error();
    }
    return text;
}

Result<std::string> CanonicalNumber(std::string_view text) {
    if (Status status = ValidateNumber(text); !status.ok()) {
        return status.error();
    }
    std::string canonical;
    if (Status status = AppendNumber(canonical, text); !status.ok()) {
        return status.error();
    }
    return canonical;
}

}  // namespace kvs

// The canonical form of a JSON document: equal documents have equal texts, whatever they were written like.
//
// RFC 8785 (JCS): no white space, members in the order of their keys' UTF-16 code units, minimal escapes. It
// deviates in numbers: RFC 8785 rounds them to doubles, here they are exact plain decimals without exponent,
// without leading or trailing zeros, and -0 is 0.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

#include "kvs/error.h"
#include "kvs/json/json.h"

namespace kvs {

// The range of PostgreSQL's numeric.
constexpr size_t kMaxIntegerDigits = 131072;
constexpr size_t kMaxFractionDigits = 16383;

// A few characters of input can mean a hundred thousand digits, so the whole is bounded too.
constexpr size_t kMaxCanonicalSize = size_t{256} << 20;

// Errors: kLimitExceeded for a number outside the range above or a text over kMaxCanonicalSize.
Result<std::string> CanonicalText(const Json& document);

// The same for the text of one JSON number. Errors: also kInvalidArgument if it is none.
Result<std::string> CanonicalNumber(std::string_view text);

}  // namespace kvs

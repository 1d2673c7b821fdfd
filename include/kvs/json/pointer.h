// JSON pointers (RFC 6901): "/stock/0/count".
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "kvs/error.h"

namespace kvs {

// The tokens of a pointer, unescaped; none for "", which is the whole document. Errors: kInvalidArgument.
Result<std::vector<std::string>> ParseJsonPointer(std::string_view text);

// One token more.
void AppendJsonPointer(std::string* pointer, std::string_view token);

// The index that `token` means in an array: digits without a leading zero; nullopt if it is none.
std::optional<size_t> JsonArrayIndex(std::string_view token);

}  // namespace kvs

// User-given bytes made fit for people to read.
#pragma once

#include <string>
#include <string_view>

namespace kvs {

// For error messages: `text` in double quotes, cut after 64 bytes (with "..." inside the quotes), with
// control characters and whatever is not UTF-8 written as \xNN. The answer is always valid UTF-8 on one line.
std::string Quoted(std::string_view text);

// Bytes as the server writes a bytea: \x and two hexadecimal digits each.
std::string BytesText(std::string_view bytes);

}  // namespace kvs

// User-given bytes made fit for an error message.
#pragma once

#include <string>
#include <string_view>

namespace kvs {

// `text` in double quotes, cut after 64 bytes (with "..." inside the quotes), with control characters and
// whatever is not UTF-8 written as \xNN. The answer is always valid UTF-8 on one line.
std::string Quoted(std::string_view text);

}  // namespace kvs

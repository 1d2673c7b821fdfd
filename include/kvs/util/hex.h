// Bytes as hexadecimal digits.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace kvs {

// Two lower-case digits a byte, behind what `out` holds.
void AppendHex(std::string& out, std::string_view bytes);

// Writes the bytes that `hex`, of an even number of digits of either case, stands for; false if one of them
// is no digit.
bool ReadHex(std::string_view hex, uint8_t* out);

}  // namespace kvs

#include "kvs/hash.h"

namespace kvs {

namespace {

constexpr char kHexDigits[] = "0123456789abcdef";

// -1 if `digit` is no hexadecimal digit.
int HexValue(char digit) {
    if (digit >= '0' && digit <= '9') {
        return digit - '0';
    }
    if (digit >= 'a' && digit <= 'f') {
        return digit - 'a' + 10;
    }
    if (digit >= 'A' && digit <= 'F') {
        return digit - 'A' + 10;
    }
    return -1;
}

}  // namespace

std::string Hash::ToHex() const {
    std::string hex(2 * kSize, '\0');
    for (size_t i = 0; i < kSize; i++) {
        hex[2 * i] = kHexDigits[bytes[i] >> 4];
        hex[2 * i + 1] = kHexDigits[bytes[i] & 0x0f];
    }
    return hex;
}

std::optional<Hash> Hash::FromHex(std::string_view hex) {
    if (hex.size() != 2 * kSize) {
        return std::nullopt;
    }
    Hash hash;
    for (size_t i = 0; i < kSize; i++) {
        int high = HexValue(hex[2 * i]);
        int low = HexValue(hex[2 * i + 1]);
        if (high < 0 || low < 0) {
            return std::nullopt;
        }
        hash.bytes[i] = static_cast<uint8_t>(high << 4 | low);
    }
    return hash;
}

}  // namespace kvs

#include "kvs/util/hex.h"

namespace kvs {

namespace {

constexpr char kDigits[] = "0123456789abcdef";

// -1 if `digit` is no hexadecimal digit.
int DigitValue(char digit) {
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

void AppendHex(std::string& out, std::string_view bytes) {
    for (const char c : bytes) {
        out += kDigits[static_cast<uint8_t>(c) >> 4];
        out += kDigits[static_cast<uint8_t>(c) & 0x0f];
    }
}

bool ReadHex(std::string_view hex, uint8_t* out) {
    for (size_t i = 0; i + 1 < hex.size(); i += 2) {
        const int high = DigitValue(hex[i]);
        const int low = DigitValue(hex[i + 1]);
        if (high < 0 || low < 0) {
            return false;
        }
        *out++ = static_cast<uint8_t>(high << 4 | low);
    }
    return true;
}

}  // namespace kvs

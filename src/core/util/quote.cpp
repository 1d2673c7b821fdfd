#include "kvs/util/quote.h"

#include <cstdint>

#include "kvs/util/hex.h"

namespace kvs {

namespace {

constexpr size_t kMaxQuoted = 64;

// Bytes of the UTF-8 character at the front of `text`, 0 if there is none (RFC 3629: no surrogates, no
// overlong forms, nothing above U+10FFFF).
size_t Utf8Length(std::string_view text) {
    auto byte = [&](size_t i) { return i < text.size() ? static_cast<uint8_t>(text[i]) : uint8_t{0}; };
    auto continues = [&](size_t i) { return (byte(i) & 0xc0) == 0x80; };
    uint8_t first = byte(0);
    if (first < 0x80) {
        return 1;
    }
    if (first >= 0xc2 && first <= 0xdf) {
        return continues(1) ? 2 : 0;
    }
    if (first >= 0xe0 && first <= 0xef) {
        bool bad = (first == 0xe0 && byte(1) < 0xa0) || (first == 0xed && byte(1) > 0x9f);
        return !bad && continues(1) && continues(2) ? 3 : 0;
    }
    if (first >= 0xf0 && first <= 0xf4) {
        bool bad = (first == 0xf0 && byte(1) < 0x90) || (first == 0xf4 && byte(1) > 0x8f);
        return !bad && continues(1) && continues(2) && continues(3) ? 4 : 0;
    }
    return 0;
}

}  // namespace

std::string Quoted(std::string_view text) {
    std::string quoted = "\"";
    size_t position = 0;
    while (position < text.size()) {
        if (position >= kMaxQuoted) {
            quoted += "...";
            break;
        }
        size_t length = Utf8Length(text.substr(position));
        auto first = static_cast<uint8_t>(text[position]);
        if (length == 0 || first < 0x20 || first == 0x7f) {
            quoted += BytesText(text.substr(position, 1));
            position++;
        } else {
            quoted.append(text.substr(position, length));
            position += length;
        }
    }
    quoted += '"';
    return quoted;
}

std::string BytesText(std::string_view bytes) {
    std::string text = "\\x";
    text.reserve(2 + 2 * bytes.size());
    AppendHex(text, bytes);
    return text;
}

}  // namespace kvs

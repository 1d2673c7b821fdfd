#include "kvs/json/pointer.h"

#include <charconv>

#include "kvs/util/quote.h"

namespace kvs {

Result<std::vector<std::string>> ParseJsonPointer(std::string_view text) {
    std::vector<std::string> tokens;
    if (!text.empty() && text.front() != '/') {
        return Error(ErrorCode::kInvalidArgument, "pointer " + Quoted(text) + " does not begin with \"/\"",
                     "A JSON pointer looks like /stock/0/count.");
    }
    for (size_t i = 0; i < text.size(); i++) {
        if (text[i] == '/') {
            tokens.emplace_back();
        } else if (text[i] != '~') {
            tokens.back() += text[i];
        } else if (i + 1 < text.size() && (text[i + 1] == '0' || text[i + 1] == '1')) {
            tokens.back() += text[++i] == '0' ? '~' : '/';
        } else {
            return Error(ErrorCode::kInvalidArgument,
                         "pointer " + Quoted(text) + " has a \"~\" that is followed by neither 0 nor 1",
                         "In a JSON pointer ~ is written ~0 and / inside a name ~1.");
        }
    }
    return tokens;
}

void AppendJsonPointer(std::string* pointer, std::string_view token) {
    *pointer += '/';
    for (const char c : token) {
        if (c == '~') {
            *pointer += "~0";
        } else if (c == '/') {
            *pointer += "~1";
        } else {
            *pointer += c;
        }
    }
}

std::optional<size_t> JsonArrayIndex(std::string_view token) {
    size_t index = 0;
    const char* end = token.data() + token.size();
    const auto [stop, status] = std::from_chars(token.data(), end, index);
    const bool leading_zero = token.size() > 1 && token.front() == '0';
    if (status != std::errc() || stop != end || leading_zero) {
        return std::nullopt;
    }
    return index;
}

}  // namespace kvs

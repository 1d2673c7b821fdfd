#include "kvs/codec/key.h"

#include <algorithm>

#include "kvs/util/quote.h"

namespace kvs {

namespace {

Error BadKey(std::string_view serialized, const std::string& what, const char* hint) {
    return {ErrorCode::kInvalidArgument, "key " + Quoted(serialized) + " " + what, hint};
}

// The character that the escape at the front of `text` stands for; '\0' if there is none.
char Unescaped(std::string_view text) {
    std::string_view escape = text.substr(0, 3);
    if (escape == "%2F") {
        return '/';
    }
    if (escape == "%3A") {
        return ':';
    }
    if (escape == "%25") {
        return '%';
    }
    return '\0';
}

// Checks what stands before the first ':' (not empty), without taking it apart.
Status ValidateNamespace(std::string_view serialized, std::string_view segments) {
    bool segment_empty = true;
    for (size_t i = 0; i < segments.size(); i++) {
        char c = segments[i];
        if (c == '/') {
            if (segment_empty) {
                break;
            }
            segment_empty = true;
            continue;
        }
        segment_empty = false;
        if (c == '%' && Unescaped(segments.substr(i)) == '\0') {
            return BadKey(
                serialized, "has a bad escape in its namespace",
                "Only %2F, %3A and %25 (for \"/\", \":\" and \"%\") may follow a percent sign there.");
        }
    }
    if (segment_empty) {
        return BadKey(serialized, "has an empty namespace segment",
                      "Write a key that contains \":\" and has no namespace with a leading \":\".");
    }
    return Ok();
}

std::vector<std::string> UnescapeSegments(std::string_view segments) {
    std::vector<std::string> unescaped;
    for (size_t begin = 0; begin <= segments.size();) {
        const size_t end = std::min(segments.find('/', begin), segments.size());
        unescaped.push_back(UnescapeSegment(segments.substr(begin, end - begin)));
        begin = end + 1;
    }
    return unescaped;
}

}  // namespace

void AppendSegment(std::string& out, std::string_view segment) {
    for (char c : segment) {
        switch (c) {
            case '/':
                out += "%2F";
                break;
            case ':':
                out += "%3A";
                break;
            case '%':
                out += "%25";
                break;
            default:
                out += c;
        }
    }
}

std::string UnescapeSegment(std::string_view text) {
    std::string segment;
    for (size_t i = 0; i < text.size(); i++) {
        const char escaped = text[i] == '%' ? Unescaped(text.substr(i)) : '\0';
        segment += escaped == '\0' ? text[i] : escaped;
        i += escaped == '\0' ? 0 : 2;
    }
    return segment;
}

Status ValidateKey(std::string_view serialized) {
    if (serialized.empty()) {
        return Error(ErrorCode::kInvalidArgument, "key must not be empty");
    }
    if (serialized.size() > kMaxKeySize) {
        return BadKey(serialized, "is too long: " + std::to_string(serialized.size()) + " bytes",
                      "A key may have up to 2048 bytes, its namespace included.");
    }
    if (serialized.find('\0') != std::string_view::npos) {
        return BadKey(serialized, "contains a NUL byte", "");
    }
    size_t colon = serialized.find(':');
    if (colon == std::string_view::npos) {
        return Ok();
    }
    if (colon == serialized.size() - 1) {
        return BadKey(serialized, "is empty behind its namespace", "Write the key behind the \":\".");
    }
    if (colon == 0) {
        if (serialized.find(':', 1) == std::string_view::npos) {
            return BadKey(serialized, "has a needless leading \":\"",
                          "A leading \":\" is for keys without namespace that contain a \":\".");
        }
        return Ok();
    }
    return ValidateNamespace(serialized, serialized.substr(0, colon));
}

Status RefuseReservedKey(std::string_view serialized) {
    if (serialized.starts_with(kReservedKeys)) {
        return BadKey(serialized, "is reserved", "Keys that begin with \"__schema:\" are the store's own.");
    }
    return Ok();
}

Result<std::string> SerializeKey(const std::vector<std::string>& namespace_segments, std::string_view key) {
    if (key.empty()) {
        return Error(ErrorCode::kInvalidArgument, "key must not be empty");
    }
    std::string serialized;
    for (const std::string& segment : namespace_segments) {
        if (segment.empty()) {
            return Error(ErrorCode::kInvalidArgument, "namespace segment must not be empty");
        }
        if (!serialized.empty()) {
            serialized += '/';
        }
        AppendSegment(serialized, segment);
    }
    if (!namespace_segments.empty() || key.find(':') != std::string_view::npos) {
        serialized += ':';
    }
    serialized += key;
    if (Status status = ValidateKey(serialized); !status.ok()) {
        return status.error();
    }
    return serialized;
}

Result<ParsedKey> ParseKey(std::string_view serialized) {
    if (Status status = ValidateKey(serialized); !status.ok()) {
        return status.error();
    }
    ParsedKey parsed;
    size_t colon = serialized.find(':');
    if (colon == std::string_view::npos) {
        parsed.key = serialized;
        return parsed;
    }
    if (colon > 0) {
        parsed.namespace_segments = UnescapeSegments(serialized.substr(0, colon));
    }
    parsed.key = serialized.substr(colon + 1);
    return parsed;
}

}  // namespace kvs

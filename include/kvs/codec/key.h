// Keys: a namespace and a key in it, written as one string.
//
//     users/active:123    namespace ["users", "active"], key "123"
//     settings            no namespace, key "settings"
//     :a:b                no namespace, key "a:b"
//
// Everything before the first ':' is the namespace, its segments joined by '/'. Segments escape '/', ':' and
// '%' as %2F, %3A and %25; the key part is not escaped. A key without namespace is written with a leading ':'
// if, and only if, it contains one. So each key has one serialised form: Serialize(Parse(s)) = s and
// Parse(Serialize(k)) = k. The codec takes any byte but NUL; whether it is UTF-8 is the server's business.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "kvs/entry.h"
#include "kvs/error.h"

namespace kvs {

struct ParsedKey {
    std::vector<std::string> namespace_segments;  // unescaped, none empty; may be none
    std::string key;                              // not empty

    bool operator==(const ParsedKey&) const = default;
};

// All errors are Error(kInvalidArgument), also a serialised form above kMaxKeySize bytes.
Result<std::string> SerializeKey(const std::vector<std::string>& namespace_segments, std::string_view key);
Result<ParsedKey> ParseKey(std::string_view serialized);

// One segment of a namespace, as it is written in a key and back; a bad escape stays as it is.
void AppendSegment(std::string& out, std::string_view segment);
std::string UnescapeSegment(std::string_view text);

// Whether ParseKey would take it, without allocating unless there is an error to tell. Every write calls
// this.
Status ValidateKey(std::string_view serialized);

// Keys that begin so are the store's own: users do not give them values. What has come by otherwise, as from
// an earlier version, is read, deleted, restored, merged and transferred like all else.
constexpr std::string_view kReservedKeys = "__schema:";
Status RefuseReservedKey(std::string_view serialized);

}  // namespace kvs

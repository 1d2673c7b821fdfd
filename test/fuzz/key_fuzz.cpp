// Any bytes as a serialised key, and any bytes as the segments (separated by NUL) and the key of one.
#include <string>
#include <vector>

#include "kvs/codec/key.h"
#include "require.h"

namespace kvs {
namespace {

void CheckSerialized(std::string_view bytes) {
    Result<ParsedKey> parsed = ParseKey(bytes);
    Require(parsed.ok() == ValidateKey(bytes).ok());
    if (!parsed.ok()) {
        Require(parsed.error().code() == ErrorCode::kInvalidArgument);
        return;
    }
    Require(SerializeKey(parsed.value().namespace_segments, parsed.value().key).OrThrow() == bytes);
}

void CheckParts(std::string_view bytes) {
    ParsedKey parts;
    size_t end;
    while ((end = bytes.find('\0')) != std::string_view::npos) {
        parts.namespace_segments.emplace_back(bytes.substr(0, end));
        bytes.remove_prefix(end + 1);
    }
    parts.key = bytes;
    Result<std::string> serialized = SerializeKey(parts.namespace_segments, parts.key);
    if (serialized.ok()) {
        Require(ParseKey(serialized.value()).OrThrow() == parts);
    }
}

}  // namespace
}  // namespace kvs

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
    kvs::CheckSerialized(kvs::AsText(data, size));
    kvs::CheckParts(kvs::AsText(data, size));
    return 0;
}

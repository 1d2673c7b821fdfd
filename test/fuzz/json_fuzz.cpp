// Any text as a document, and as two documents with a line feed between them, one applied to the other.
#include <algorithm>
#include <optional>
#include <string>

#include "kvs/json/canonical.h"
#include "kvs/json/json.h"
#include "kvs/json/patch.h"
#include "require.h"

namespace kvs {
namespace {

std::optional<Json> CheckText(std::string_view text) {
    Result<Json> parsed = Json::Parse(text);
    if (!parsed.ok()) {
        ErrorCode code = parsed.error().code();
        Require(code == ErrorCode::kInvalidArgument || code == ErrorCode::kLimitExceeded);
        return std::nullopt;
    }
    const Json& json = parsed.value();
    Require(Json::Parse(json.ToText()).OrThrow() == json);
    Require(SameValue(json, json));
    Result<std::string> canonical = CanonicalText(json);
    if (canonical.ok()) {
        Json again = Json::Parse(canonical.value()).OrThrow();
        Require(SameValue(again, json));
        Require(CanonicalText(again).OrThrow() == canonical.value());
    } else {
        Require(canonical.error().code() == ErrorCode::kLimitExceeded);
    }
    return json;
}

void CheckPatches(const Json& document, const Json& patch) {
    Json merged = MergePatch(document, patch);
    Require(MergePatch(merged, patch) == merged);
    Result<Json> patched = JsonPatch(document, patch);
    if (patched.ok()) {
        Require(Json::Parse(patched.value().ToText()).OrThrow() == patched.value());
    }
}

}  // namespace
}  // namespace kvs

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
    std::string_view text = kvs::AsText(data, size);
    kvs::CheckText(text);
    size_t end = text.find('\n');
    if (end != std::string_view::npos) {
        std::optional<kvs::Json> document = kvs::CheckText(text.substr(0, end));
        std::optional<kvs::Json> patch = kvs::CheckText(text.substr(end + 1));
        if (document && patch) {
            kvs::CheckPatches(*document, *patch);
        }
    }
    return 0;
}

#include "kvs/local/local_services.h"

#include <chrono>
#include <string>
#include <utility>

#include "kvs/error.h"
#include "kvs/json/canonical.h"
#include "kvs/json/json.h"
#include "kvs/json/patch.h"
#include "kvs/local/openssl_hasher.h"

namespace kvs {

namespace {

void CheckSize(size_t size) {
    if (size > kMaxValueSize) {
        throw Error(ErrorCode::kLimitExceeded,
                    "document of " + std::to_string(size) + " bytes exceeds the limit of " +
                        std::to_string(kMaxValueSize) + " bytes",
                    "Split it over several keys.");
    }
}

std::string TextOf(const Json& document) {
    std::string text = document.ToText();
    CheckSize(text.size());
    return text;
}

}  // namespace

std::string NormalizedDocument(std::string_view text) {
    CheckSize(text.size());
    return TextOf(Json::Parse(text).OrThrow());
}

Timestamp SystemClock::Now() {
    const auto now = std::chrono::system_clock::now().time_since_epoch();
    return std::chrono::duration_cast<std::chrono::microseconds>(now).count();
}

std::string LocalKeyService::Serialize(const StoreKey& key) const {
    return SerializeKey(key.namespace_segments, key.key).OrThrow();
}

StoreKey LocalKeyService::Parse(std::string_view serialized_key) const {
    return ParseKey(serialized_key).OrThrow();
}

std::string LocalKeyService::NamespacePath(std::string_view serialized_key) const {
    const size_t colon = serialized_key.find(':');
    return std::string(colon == std::string_view::npos ? std::string_view()
                                                       : serialized_key.substr(0, colon));
}

Hash LocalHashingService::CalculateDataHash(const Value& value) const {
    OpenSslHasher hasher;
    if (value.type == ValueType::kBytes) {
        return hasher.Sha256(value.payload);
    }
    const Json document = Json::Parse(value.payload).OrThrow();
    return hasher.Sha256(CanonicalText(document).OrThrow());
}

WriteDecision LocalMetadataService::Decide(std::string_view key, const Previous& previous,
                                           const WriteRequest& request) const {
    return DecideWrite(key, previous, request);
}

Value LocalPatchService::Apply(const Value* current, std::string_view delta) const {
    CheckSize(delta.size());
    const Json patch = Json::Parse(delta).OrThrow();
    if (current != nullptr && current->type != ValueType::kJson) {
        throw Error(ErrorCode::kWrongType, "cannot patch a value of bytes",
                    "Only documents can be patched; put replaces the value as a whole.");
    }
    Json document = Json::Parse(current == nullptr ? "{}" : std::string_view(current->payload)).OrThrow();
    Value result;
    result.payload = TextOf(MergePatch(std::move(document), patch));
    return result;
}

}  // namespace kvs

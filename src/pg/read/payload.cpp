#include "pg/read/payload.h"

#include <string>
#include <vector>

#include "kvs/codec/key.h"
#include "kvs/error.h"
#include "kvs/json/json.h"
#include "kvs/json/pointer.h"
#include "kvs/util/quote.h"
#include "pg/read/read_view.h"
#include "pg/wall/convert.h"
#include "pg/wall/guard.h"
#include "pg/wall/jsonb_json.h"

namespace kvs::pg {

namespace {

constexpr const char* kMappingHint =
    "A field is \"key\" or {\"key\": ..., \"namespace\": [...], \"path\": \"/json/pointer\"}.";

// Where the value of a field comes from.
struct Source {
    std::string key;                // serialised
    std::vector<std::string> path;  // tokens of the pointer
};

[[noreturn]] void ThrowMalformed(std::string_view field, const std::string& problem) {
    throw Error(ErrorCode::kInvalidArgument, "mapping of field " + Quoted(field) + " " + problem,
                kMappingHint);
}

const std::string& StringMember(std::string_view field, const std::string& name, const Json& value) {
    if (!value.IsString()) {
        ThrowMalformed(field, "has a " + name + " that is not a string");
    }
    return value.string();
}

Source ParseSource(std::string_view field, const Json& mapping) {
    Source source;
    if (mapping.IsString()) {
        source.key = mapping.string();
        ValidateKey(source.key).OrThrow();
        return source;
    }
    if (!mapping.IsObject()) {
        ThrowMalformed(field, "is neither a string nor an object");
    }
    std::string_view key;
    std::vector<std::string> namespace_segments;
    for (const auto& [name, value] : mapping.object()) {
        if (name == "key") {
            key = StringMember(field, name, value);
        } else if (name == "path") {
            source.path = ParseJsonPointer(StringMember(field, name, value)).OrThrow();
        } else if (name == "namespace" && value.IsArray()) {
            for (const Json& segment : value.array()) {
                namespace_segments.push_back(StringMember(field, "namespace segment", segment));
            }
        } else if (name == "namespace") {
            ThrowMalformed(field, "has a namespace that is not an array");
        } else {
            ThrowMalformed(field, "has an unknown member " + Quoted(name));
        }
    }
    if (mapping.Find("key") == nullptr) {
        ThrowMalformed(field, "has no key");
    }
    source.key = SerializeKey(namespace_segments, key).OrThrow();
    return source;
}

// The document of a key as a jsonb in the current memory context; null if the key is absent.
Jsonb* ReadDocument(EntryReader* reader, const std::string& key) {
    const Datum key_datum = Guarded([&] { return MakeVarlena(key); });
    const std::optional<FoundEntry> found = reader->Find(key_datum, false);
    if (!found) {
        return nullptr;
    }
    if (found->item.type != ValueType::kJson) {
        throw Error(ErrorCode::kWrongType, "key " + Quoted(key) + " holds bytes, not JSON",
                    "A payload is made of documents; kvs.get_bytes() reads bytes.");
    }
    const std::string_view payload = reader->LoadPayload(found->item);
    return Guarded([&] { return DatumGetJsonbP(MakeVarlena(payload)); });
}

// Steps from `value` to its child at `token`; false if there is none. Server code.
bool StepInto(const std::string& token, std::optional<size_t> index, JsonbValue* value) {
    if (value->type != jbvBinary) {
        return false;
    }
    JsonbContainer* container = value->val.binary.data;
    JsonbValue* child = nullptr;
    if (JsonContainerIsObject(container)) {
        child =
            getKeyJsonValueFromContainer(container, token.data(), static_cast<int>(token.size()), nullptr);
    } else if (JsonContainerIsArray(container) && index && *index < JsonContainerSize(container)) {
        child = getIthJsonbValueFromContainer(container, static_cast<uint32>(*index));
    }
    if (child == nullptr) {
        return false;
    }
    *value = *child;
    return true;
}

// The part of `document` that the path leads to, JSON null if there is none.
JsonbValue Extract(Jsonb* document, const std::vector<std::string>& path) {
    JsonbValue value;
    value.type = jbvNull;
    if (document == nullptr) {
        return value;
    }
    Guarded([&] {
        if (!JB_ROOT_IS_SCALAR(document) || !JsonbExtractScalar(&document->root, &value)) {
            JsonbToJsonbValue(document, &value);
        }
    });
    for (const std::string& token : path) {
        const std::optional<size_t> index = JsonArrayIndex(token);
        if (!Guarded([&] { return StepInto(token, index, &value); })) {
            value.type = jbvNull;
            break;
        }
    }
    return value;
}

}  // namespace

Datum AssemblePayload(std::string_view mapping_bytes, std::optional<std::string_view> branch,
                      std::optional<std::string_view> as_of) {
    const Json mapping = JsonFromJsonb(mapping_bytes);
    if (!mapping.IsObject()) {
        throw Error(ErrorCode::kInvalidArgument, "mapping is not an object", kMappingHint);
    }
    EntryReader reader(OpenReadView(branch, as_of));
    JsonbParseState* state = nullptr;
    Guarded([&] { pushJsonbValue(&state, WJB_BEGIN_OBJECT, nullptr); });
    for (const auto& member : mapping.object()) {
        const std::string& field = member.first;
        const Source source = ParseSource(field, member.second);
        JsonbValue value = Extract(ReadDocument(&reader, source.key), source.path);
        Guarded([&] {
            JsonbValue name;
            name.type = jbvString;
            name.val.string.val = const_cast<char*>(field.data());
            name.val.string.len = static_cast<int>(field.size());
            pushJsonbValue(&state, WJB_KEY, &name);
            pushJsonbValue(&state, WJB_VALUE, &value);
        });
    }
    return Guarded(
        [&] { return JsonbPGetDatum(JsonbValueToJsonb(pushJsonbValue(&state, WJB_END_OBJECT, nullptr))); });
}

}  // namespace kvs::pg

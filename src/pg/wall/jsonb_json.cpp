#include "pg/wall/jsonb_json.h"

#include <algorithm>
#include <string>

#include "kvs/entry.h"
#include "kvs/error.h"
#include "kvs/json/canonical.h"
#include "pg/wall/guard.h"
#include "pg/wall/server_hasher.h"

namespace kvs::pg {

namespace {

// Levels of arrays and objects; `limit` + 1 if there are more.
int ContainerDepth(const JsonbContainer* container, int limit) {
    if (JsonContainerIsScalar(container)) {
        return 0;
    }
    if (limit == 0) {
        return 1;
    }
    const int count =
        static_cast<int>(JsonContainerSize(container)) * (JsonContainerIsObject(container) ? 2 : 1);
    const char* base = reinterpret_cast<const char*>(&container->children[count]);
    int deepest = 0;
    for (int i = 0; i < count; i++) {
        if (JBE_ISCONTAINER(container->children[i])) {
            const auto* child =
                reinterpret_cast<const JsonbContainer*>(base + INTALIGN(getJsonbOffset(container, i)));
            deepest = std::max(deepest, ContainerDepth(child, limit - 1));
        }
    }
    return deepest + 1;
}

std::string NumberText(Numeric number) {
    return Guarded(
        [&] { return DatumGetCString(DirectFunctionCall1(numeric_out, NumericGetDatum(number))); });
}

Json ConvertScalar(const JsonbValue& value) {
    switch (value.type) {
        case jbvNull:
            return Json();
        case jbvBool:
            return Json::Bool(value.val.boolean);
        case jbvNumeric:
            return Json::Number(NumberText(value.val.numeric)).OrThrow();
        case jbvString:
            return Json::String(std::string(value.val.string.val, static_cast<size_t>(value.val.string.len)));
        default:
            throw Error(ErrorCode::kCorruption, "unexpected kind of jsonb value");
    }
}

// The iterator's next token. Server code behind a guard.
JsonbIteratorToken NextToken(JsonbIterator** iterator, JsonbValue* value) {
    return Guarded([&] { return JsonbIteratorNext(iterator, value, false); });
}

Json ConvertArray(JsonbIterator** iterator);
Json ConvertObject(JsonbIterator** iterator);

Json ConvertValue(JsonbIterator** iterator, JsonbIteratorToken token, const JsonbValue& value) {
    switch (token) {
        case WJB_BEGIN_ARRAY:
            return ConvertArray(iterator);
        case WJB_BEGIN_OBJECT:
            return ConvertObject(iterator);
        default:
            return ConvertScalar(value);
    }
}

Json ConvertArray(JsonbIterator** iterator) {
    Json::Array items;
    JsonbValue value;
    for (JsonbIteratorToken token; (token = NextToken(iterator, &value)) != WJB_END_ARRAY;) {
        items.push_back(ConvertValue(iterator, token, value));
    }
    return Json::FromArray(std::move(items));
}

Json ConvertObject(JsonbIterator** iterator) {
    Json::Object members;
    JsonbValue value;
    while (NextToken(iterator, &value) == WJB_KEY) {
        std::string key(value.val.string.val, static_cast<size_t>(value.val.string.len));
        const JsonbIteratorToken token = NextToken(iterator, &value);
        members.insert_or_assign(std::move(key), ConvertValue(iterator, token, value));
    }
    return Json::FromObject(std::move(members));
}

void Push(JsonbParseState** state, JsonbIteratorToken token, JsonbValue* value, JsonbValue** result) {
    JsonbValue* pushed = pushJsonbValue(state, token, value);
    if (pushed != nullptr) {
        *result = pushed;
    }
}

// A JsonbValue that points into `scalar`, or into the current memory context.
void MakeScalar(const Json& scalar, JsonbValue* value) {
    switch (scalar.kind()) {
        case Json::Kind::kNull:
            value->type = jbvNull;
            break;
        case Json::Kind::kBool:
            value->type = jbvBool;
            value->val.boolean = scalar.bool_value();
            break;
        case Json::Kind::kNumber:
            value->type = jbvNumeric;
            value->val.numeric =
                DatumGetNumeric(DirectFunctionCall3(numeric_in, CStringGetDatum(scalar.number_text().c_str()),
                                                    ObjectIdGetDatum(InvalidOid), Int32GetDatum(-1)));
            break;
        default:
            value->type = jbvString;
            value->val.string.val = const_cast<char*>(scalar.string().data());
            value->val.string.len = static_cast<int>(scalar.string().size());
            break;
    }
}

// Server code: no object with a destructor lives in it.
void PushDocument(JsonbParseState** state, const Json& document, JsonbIteratorToken scalar_token,
                  JsonbValue** result) {
    check_stack_depth();
    if (document.IsArray()) {
        Push(state, WJB_BEGIN_ARRAY, nullptr, result);
        for (const Json& item : document.array()) {
            PushDocument(state, item, WJB_ELEM, result);
        }
        Push(state, WJB_END_ARRAY, nullptr, result);
    } else if (document.IsObject()) {
        Push(state, WJB_BEGIN_OBJECT, nullptr, result);
        for (const auto& [name, member] : document.object()) {
            JsonbValue key;
            key.type = jbvString;
            key.val.string.val = const_cast<char*>(name.data());
            key.val.string.len = static_cast<int>(name.size());
            Push(state, WJB_KEY, &key, result);
            PushDocument(state, member, WJB_VALUE, result);
        }
        Push(state, WJB_END_OBJECT, nullptr, result);
    } else {
        JsonbValue value;
        MakeScalar(document, &value);
        Push(state, scalar_token, &value, result);
    }
}

}  // namespace

void CheckJsonbDepth(std::string_view payload) {
    if (ContainerDepth(reinterpret_cast<const JsonbContainer*>(payload.data()), kMaxNesting) > kMaxNesting) {
        throw Error(ErrorCode::kLimitExceeded,
                    "document is nested more than " + std::to_string(kMaxNesting) + " levels deep");
    }
}

Json JsonFromJsonb(std::string_view payload) {
    // A copy, because a payload inside a tree's leaf has no alignment.
    auto* root = Guarded([&] {
        auto* aligned = static_cast<JsonbContainer*>(palloc(payload.size()));
        memcpy(aligned, payload.data(), payload.size());
        return aligned;
    });
    CheckJsonbDepth({reinterpret_cast<const char*>(root), payload.size()});
    const bool is_scalar = JsonContainerIsScalar(root);
    JsonbIterator* iterator = Guarded([&] { return JsonbIteratorInit(root); });
    JsonbValue value;
    const JsonbIteratorToken token = NextToken(&iterator, &value);
    Json document = ConvertValue(&iterator, token, value);
    // A scalar stands alone in an array.
    return is_scalar ? Json(document.array().at(0)) : document;
}

Datum JsonbFromJson(const Json& document) {
    return Guarded([&] {
        JsonbValue scalar;
        JsonbValue* root = &scalar;
        if (document.IsArray() || document.IsObject()) {
            JsonbParseState* state = nullptr;
            PushDocument(&state, document, WJB_ELEM, &root);
        } else {
            MakeScalar(document, &scalar);
        }
        return JsonbPGetDatum(JsonbValueToJsonb(root));
    });
}

Hash HashOfDocument(std::string_view payload) {
    const std::string text = CanonicalText(JsonFromJsonb(payload)).OrThrow();
    ServerHasher hasher;
    return hasher.Sha256(text);
}

}  // namespace kvs::pg

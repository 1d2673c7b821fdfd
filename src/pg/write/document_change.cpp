#include "pg/write/document_change.h"

#include <utility>
#include <vector>

#include "kvs/error.h"
#include "kvs/json/patch.h"
#include "kvs/json/pointer.h"
#include "kvs/util/quote.h"
#include "pg/wall/convert.h"
#include "pg/wall/guard.h"
#include "pg/wall/jsonb_json.h"

namespace kvs::pg {

namespace {

// `document` with `value` at the pointer, where a value stands already or an object can take a member.
Json SetAtPointer(Json document, const std::string& pointer, bool exists, const Json& value) {
    Json::Object operation{
        {"op", Json::String(exists ? "replace" : "add")}, {"path", Json::String(pointer)}, {"value", value}};
    Result<Json> changed =
        JsonPatch(std::move(document), Json::FromArray({Json::FromObject(std::move(operation))}));
    if (!changed.ok() && changed.error().code() == ErrorCode::kInvalidArgument) {
        throw Error(ErrorCode::kInvalidArgument,
                    "the document has no place for a number at path " + Quoted(pointer),
                    "The last step may be a new member of an object; what is before it must exist.");
    }
    return std::move(changed).OrThrow();
}

// The value at a JSON pointer; null if there is none.
const Json* FindAtPointer(const Json& document, const std::vector<std::string>& pointer) {
    const Json* at = &document;
    for (const std::string& token : pointer) {
        if (at->IsArray()) {
            const std::optional<size_t> index = JsonArrayIndex(token);
            at = index && *index < at->array().size() ? &at->array()[*index] : nullptr;
        } else {
            at = at->Find(token);
        }
        if (at == nullptr) {
            break;
        }
    }
    return at;
}

// `number` + `delta`, exactly. Server code under a guard.
std::string Add(const std::string& number, Numeric delta) {
    return Guarded([&] {
        const Datum left = DirectFunctionCall3(numeric_in, CStringGetDatum(number.c_str()),
                                               ObjectIdGetDatum(InvalidOid), Int32GetDatum(-1));
        return DatumGetCString(
            DirectFunctionCall1(numeric_out, DirectFunctionCall2(numeric_add, left, NumericGetDatum(delta))));
    });
}

}  // namespace

ValueFunction DocumentValue(Datum key, DocumentChange change) {
    return [key, change = std::move(change)](const CurrentEntry& current) -> std::optional<DataItem> {
        std::optional<Json> document;
        if (const DataItem* item = current.item()) {
            if (item->type != ValueType::kJson) {
                throw Error(ErrorCode::kWrongType,
                            "key " + Quoted(Contents(DatumGetPointer(key))) + " holds bytes, not JSON",
                            "Only documents can be patched.");
            }
            std::string blob;
            document = JsonFromJsonb(current.Payload(&blob));
        }
        const Datum changed = JsonbFromJson(change(std::move(document)));
        return JsonItem(Contents(DatumGetPointer(changed)));
    };
}

DocumentChange MergeChange(Json delta) {
    return [delta = std::move(delta)](std::optional<Json> document) {
        return MergePatch(std::move(document).value_or(Json::FromObject({})), delta);
    };
}

DocumentChange PatchChange(Datum key, Json operations) {
    return [key, operations = std::move(operations)](std::optional<Json> document) {
        if (!document) {
            throw Error(ErrorCode::kNotFound,
                        "key " + Quoted(Contents(DatumGetPointer(key))) + " does not exist");
        }
        return JsonPatch(*std::move(document), operations).OrThrow();
    };
}

DocumentChange IncrementChange(Datum key, Numeric delta, std::string_view path, std::string* sum) {
    return [=, pointer = std::string(path),
            tokens = ParseJsonPointer(path).OrThrow()](std::optional<Json> document) {
        const bool is_new = !document;
        Json target =
            is_new && !pointer.empty() ? Json::FromObject({}) : std::move(document).value_or(Json());
        const Json* number = is_new ? nullptr : FindAtPointer(target, tokens);
        if (number != nullptr && !number->IsNumber()) {
            const std::string place = pointer.empty() ? "" : " at path " + Quoted(pointer);
            throw Error(ErrorCode::kWrongType, "value of key " + Quoted(Contents(DatumGetPointer(key))) +
                                                   place + " is not a number");
        }
        *sum = Add(number == nullptr ? "0" : number->number_text(), delta);
        Json value = Json::Number(*sum).OrThrow();
        const bool exists = number != nullptr;
        return pointer.empty() ? value : SetAtPointer(std::move(target), pointer, exists, value);
    };
}

}  // namespace kvs::pg

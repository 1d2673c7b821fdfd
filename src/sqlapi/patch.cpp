// Writes that change a part of a document: patch (RFC 7396), json_patch (RFC 6902), increment.
#include <optional>
#include <string>
#include <vector>

#include "kvs/error.h"
#include "kvs/json/json.h"
#include "kvs/json/patch.h"
#include "kvs/json/pointer.h"
#include "kvs/util/quote.h"
#include "pg/table/access_guard.h"
#include "pg/wall/convert.h"
#include "pg/wall/entry_point.h"
#include "pg/wall/jsonb_json.h"
#include "pg/write/write_arguments.h"
#include "pg/write/writer.h"

namespace kvs::sqlapi {

using namespace kvs::pg;

namespace {

constexpr AclMode kPatchMode = ACL_SELECT | ACL_INSERT | ACL_UPDATE;

// What becomes of the document at a key; nullopt: there is none.
using DocumentChange = std::function<Json(std::optional<Json> document)>;

Written ChangeDocument(std::optional<std::string_view> branch, Datum key, const WriteArguments& arguments,
                       const DocumentChange& change) {
    std::string payload;
    const WriteRequest request = ToRequest(WriteKind::kPatch, Operation::kPatch, arguments);
    Writer writer(branch.value_or(std::string_view()));
    Written written = writer.Update(key, request, [&](const CurrentEntry& current) {
        std::optional<Json> document;
        if (current.item != nullptr) {
            if (current.item->type != ValueType::kJson) {
                throw Error(
                    ErrorCode::kWrongType,
                    "key \"" + std::string(Contents(DatumGetPointer(key))) + "\" holds bytes, not JSON",
                    "Only documents can be patched.");
            }
            std::string blob;
            document = JsonFromJsonb(current.Payload(&blob));
        }
        const Datum changed = JsonbFromJson(change(std::move(document)));
        payload = Contents(DatumGetPointer(changed));
        return JsonItem(payload);
    });
    writer.Finish();
    return written;
}

struct PatchArguments {
    Datum key;
    std::string_view patch;
    WriteArguments write;
    std::optional<std::string_view> branch;
};

// (key, delta or operations, expected_version, comment, modified_by, branch). Server code.
PatchArguments GetPatchArguments(FunctionCallInfo fcinfo, const char* command, const char* patch_name) {
    RequireWrite(kPatchMode, command);
    PatchArguments arguments;
    arguments.key = KeyArgument(fcinfo, 0);
    arguments.patch = RequiredJsonb(fcinfo, 1, patch_name);
    arguments.write = GetWriteArguments(fcinfo, {.expected_version = 2, .comment = 3, .modified_by = 4});
    arguments.branch = OptionalBytes(fcinfo, 5);
    return arguments;
}

Datum Patch(const PatchArguments& arguments, const DocumentChange& change) {
    const Written written = ChangeDocument(arguments.branch, arguments.key, arguments.write, change);
    PG_RETURN_INT64(static_cast<int64>(written.metadata.version));
}

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

std::string Increment(std::optional<std::string_view> branch, Datum key, Numeric delta,
                      std::string_view path) {
    const std::string pointer(path);
    const std::vector<std::string> tokens = ParseJsonPointer(path).OrThrow();
    std::string sum;
    ChangeDocument(branch, key, {}, [&](std::optional<Json> document) {
        const bool is_new = !document;
        Json target =
            is_new && !pointer.empty() ? Json::FromObject({}) : std::move(document).value_or(Json());
        const Json* number = is_new ? nullptr : FindAtPointer(target, tokens);
        if (number != nullptr && !number->IsNumber()) {
            const std::string place = pointer.empty() ? "" : " at path " + Quoted(pointer);
            throw Error(ErrorCode::kWrongType, "value of key " + Quoted(Contents(DatumGetPointer(key))) +
                                                   place + " is not a number");
        }
        sum = Add(number == nullptr ? "0" : number->number_text(), delta);
        Json value = Json::Number(sum).OrThrow();
        const bool exists = number != nullptr;
        return pointer.empty() ? value : SetAtPointer(std::move(target), pointer, exists, value);
    });
    return sum;
}

}  // namespace

KVS_FUNCTION(kvs_patch)
{
    const PatchArguments arguments = GetPatchArguments(fcinfo, "kvs.patch()", "delta");
    return Patch(arguments, [&](std::optional<Json> document) {
        return MergePatch(std::move(document).value_or(Json::FromObject({})), JsonFromJsonb(arguments.patch));
    });
}

KVS_FUNCTION(kvs_json_patch)
{
    const PatchArguments arguments = GetPatchArguments(fcinfo, "kvs.json_patch()", "operations");
    return Patch(arguments, [&](std::optional<Json> document) {
        if (!document) {
            throw Error(
                ErrorCode::kNotFound,
                "key \"" + std::string(Contents(DatumGetPointer(arguments.key))) + "\" does not exist");
        }
        return JsonPatch(*std::move(document), JsonFromJsonb(arguments.patch)).OrThrow();
    });
}

// (key, delta, path, branch)
KVS_FUNCTION(kvs_increment)
{
    RequireWrite(kPatchMode, "kvs.increment()");
    const Datum key = KeyArgument(fcinfo, 0);
    if (PG_ARGISNULL(1)) {
        ereport(ERROR, errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED), errmsg("delta must not be null"));
    }
    const Numeric delta = PG_GETARG_NUMERIC(1);
    if (numeric_is_nan(delta) || numeric_is_inf(delta)) {
        ereport(ERROR, errcode(ERRCODE_INVALID_PARAMETER_VALUE), errmsg("delta must be a finite number"));
    }
    const std::optional<std::string_view> path = OptionalBytes(fcinfo, 2);
    const std::optional<std::string_view> branch = OptionalBytes(fcinfo, 3);
    const std::string sum = Increment(branch, key, delta, path.value_or(std::string_view()));
    return Guarded([&] {
        return DirectFunctionCall3(numeric_in, CStringGetDatum(sum.c_str()), ObjectIdGetDatum(InvalidOid),
                                   Int32GetDatum(-1));
    });
}

}  // namespace kvs::sqlapi

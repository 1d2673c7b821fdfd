// Writes that change a part of a document: patch (RFC 7396), json_patch (RFC 6902), increment.
#include <optional>
#include <string>
#include <utility>

#include "kvs/json/json.h"
#include "pg/table/access_guard.h"
#include "pg/wall/entry_point.h"
#include "pg/wall/jsonb_json.h"
#include "pg/write/document_change.h"
#include "pg/write/write_arguments.h"
#include "pg/write/write_batch.h"

namespace kvs::sqlapi {

using namespace kvs::pg;

namespace {

constexpr AclMode kPatchMode = ACL_SELECT | ACL_INSERT | ACL_UPDATE;

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

Written Change(const std::optional<std::string_view>& branch, Datum key, const WriteArguments& arguments,
               DocumentChange change) {
    return WriteKey(branch.value_or(std::string_view()), key,
                    ToRequest(WriteKind::kPatch, Operation::kPatch, arguments),
                    DocumentValue(key, std::move(change)));
}

Datum Patch(const PatchArguments& arguments, DocumentChange change) {
    const Written written = Change(arguments.branch, arguments.key, arguments.write, std::move(change));
    PG_RETURN_INT64(static_cast<int64>(written.metadata.version));
}

}  // namespace

KVS_FUNCTION(kvs_patch)
{
    const PatchArguments arguments = GetPatchArguments(fcinfo, "kvs.patch()", "delta");
    return Patch(arguments, MergeChange(JsonFromJsonb(arguments.patch)));
}

KVS_FUNCTION(kvs_json_patch)
{
    const PatchArguments arguments = GetPatchArguments(fcinfo, "kvs.json_patch()", "operations");
    return Patch(arguments, PatchChange(arguments.key, JsonFromJsonb(arguments.patch)));
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
    std::string sum;
    Change(branch, key, {}, IncrementChange(key, delta, path.value_or(std::string_view()), &sum));
    return Guarded([&] {
        return DirectFunctionCall3(numeric_in, CStringGetDatum(sum.c_str()), ObjectIdGetDatum(InvalidOid),
                                   Int32GetDatum(-1));
    });
}

}  // namespace kvs::sqlapi

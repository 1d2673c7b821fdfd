// Point reads: get, get_bytes, get_entry, exists.
#include <optional>
#include <string>

#include "kvs/error.h"
#include "kvs/util/quote.h"
#include "pg/read/entry_row.h"
#include "pg/read/read_view.h"
#include "pg/table/access_guard.h"
#include "pg/wall/arguments.h"
#include "pg/wall/convert.h"
#include "pg/wall/entry_point.h"
#include "pg/wall/row.h"

namespace kvs::sqlapi {

using namespace kvs::pg;

namespace {

struct ReadArguments {
    Datum key;
    std::optional<std::string_view> branch;
    std::optional<std::string_view> as_of;
};

// (key, branch, as_of). Server code.
ReadArguments GetReadArguments(FunctionCallInfo fcinfo) {
    RequireRead();
    return {KeyArgument(fcinfo, 0), OptionalBytes(fcinfo, 1), OptionalBytes(fcinfo, 2)};
}

[[noreturn]] void ThrowWrongType(Datum key, ValueType found) {
    const std::string name(Contents(DatumGetPointer(key)));
    if (found == ValueType::kBytes) {
        throw Error(ErrorCode::kWrongType, "key " + Quoted(name) + " holds bytes, not JSON",
                    "Use kvs.get_bytes().");
    }
    throw Error(ErrorCode::kWrongType, "key " + Quoted(name) + " holds JSON, not bytes", "Use kvs.get().");
}

// The value as a varlena of its type; 0 if absent.
Datum GetValue(const ReadArguments& arguments, ValueType wanted) {
    EntryReader reader(OpenReadView(arguments.branch, arguments.as_of));
    const std::optional<FoundEntry> found = reader.Find(arguments.key, false);
    if (!found) {
        return 0;
    }
    if (found->item.type != wanted) {
        ThrowWrongType(arguments.key, found->item.type);
    }
    const std::string_view payload = reader.LoadPayload(found->item);
    return Guarded([&] { return MakeVarlena(payload); });
}

Datum ReturnValue(FunctionCallInfo fcinfo, ValueType type) {
    if (PG_ARGISNULL(0)) {
        PG_RETURN_NULL();
    }
    const Datum value = GetValue(GetReadArguments(fcinfo), type);
    if (value == 0) {
        PG_RETURN_NULL();
    }
    return value;
}

Datum GetEntry(FunctionCallInfo fcinfo, const ReadArguments& arguments) {
    EntryReader reader(OpenReadView(arguments.branch, arguments.as_of));
    const std::optional<FoundEntry> found = reader.Find(arguments.key, true);
    if (!found) {
        return NoRow(fcinfo);
    }
    EntryRow row = MakeEntryRow(Contents(DatumGetPointer(arguments.key)), found->item,
                                reader.LoadPayload(found->item), found->meta.bytes);
    return Guarded([&] { return row.Form(ResultRowType(fcinfo)); });
}

}  // namespace

KVS_FUNCTION(kvs_get)
{ return ReturnValue(fcinfo, ValueType::kJson); }

KVS_FUNCTION(kvs_get_bytes)
{ return ReturnValue(fcinfo, ValueType::kBytes); }

KVS_FUNCTION(kvs_exists)
{
    if (PG_ARGISNULL(0)) {
        PG_RETURN_NULL();
    }
    const ReadArguments arguments = GetReadArguments(fcinfo);
    EntryReader reader(OpenReadView(arguments.branch, arguments.as_of));
    PG_RETURN_BOOL(reader.Find(arguments.key, false).has_value());
}

KVS_FUNCTION(kvs_get_entry)
{
    if (PG_ARGISNULL(0)) {
        return NoRow(fcinfo);
    }
    return GetEntry(fcinfo, GetReadArguments(fcinfo));
}

}  // namespace kvs::sqlapi

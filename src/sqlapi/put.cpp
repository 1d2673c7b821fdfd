// Writes that replace a value: put, put_entry, put_bytes, cas, touch, delete.
#include <optional>
#include <string>

#include "pg/read/entry_row.h"
#include "pg/table/access_guard.h"
#include "pg/wall/convert.h"
#include "pg/wall/entry_point.h"
#include "pg/wall/row.h"
#include "pg/write/write_arguments.h"
#include "pg/write/write_batch.h"

namespace kvs::sqlapi {

using namespace kvs::pg;

namespace {

constexpr WritePositions kPutPositions{
    .expected_version = 2, .ttl = 3, .tags = 4, .comment = 5, .modified_by = 6, .schema_hash = 7};
constexpr int kPutBranch = 8;
constexpr AclMode kPutMode = ACL_INSERT | ACL_UPDATE;

std::string_view BranchName(const std::optional<std::string_view>& branch) {
    return branch.value_or(std::string_view());
}

Written PutItem(std::optional<std::string_view> branch, Datum key, const WriteArguments& arguments,
                const DataItem& item) {
    return WriteKey(BranchName(branch), key, ToRequest(WriteKind::kPut, Operation::kSet, arguments),
                    [&](const CurrentEntry&) { return item; });
}

struct PutArguments {
    Datum key;
    std::string_view value;
    WriteArguments write;
    std::optional<std::string_view> branch;
};

// Server code.
PutArguments GetPutArguments(FunctionCallInfo fcinfo, ValueType type, const char* command,
                             AclMode mode = kPutMode) {
    RequireWrite(mode, command);
    PutArguments arguments;
    arguments.key = KeyArgument(fcinfo, 0);
    arguments.value =
        type == ValueType::kJson ? RequiredJsonb(fcinfo, 1, "value") : RequiredBytes(fcinfo, 1, "bytes");
    arguments.write = GetWriteArguments(fcinfo, kPutPositions);
    arguments.branch = OptionalBytes(fcinfo, kPutBranch);
    return arguments;
}

int64 VersionOf(const Written& written) {
    return static_cast<int64>(written.metadata.version);
}

Datum PutReturningEntry(FunctionCallInfo fcinfo, const PutArguments& arguments) {
    DataItem item = JsonItem(arguments.value);
    const Written written = PutItem(arguments.branch, arguments.key, arguments.write, item);
    item.expires_at = written.expires_at;
    EntryRow row = MakeEntryRow(Contents(DatumGetPointer(arguments.key)), item, item.payload,
                                EncodeMetadata(written.metadata));
    return Guarded([&] { return row.Form(ResultRowType(fcinfo)); });
}

}  // namespace

KVS_FUNCTION(kvs_put)
{
    const PutArguments arguments = GetPutArguments(fcinfo, ValueType::kJson, "kvs.put()");
    const DataItem item = JsonItem(arguments.value);
    PG_RETURN_INT64(VersionOf(PutItem(arguments.branch, arguments.key, arguments.write, item)));
}

KVS_FUNCTION(kvs_put_entry)
{
    return PutReturningEntry(
        fcinfo, GetPutArguments(fcinfo, ValueType::kJson, "kvs.put_entry()", kPutMode | ACL_SELECT));
}

KVS_FUNCTION(kvs_put_bytes)
{
    const PutArguments arguments = GetPutArguments(fcinfo, ValueType::kBytes, "kvs.put_bytes()");
    const DataItem item = BytesItem(arguments.value);
    PG_RETURN_INT64(VersionOf(PutItem(arguments.branch, arguments.key, arguments.write, item)));
}

// (key, expected_version, value, branch). An expiry stays.
KVS_FUNCTION(kvs_cas)
{
    RequireWrite(kPutMode | ACL_SELECT, "kvs.cas()");
    const Datum key = KeyArgument(fcinfo, 0);
    const std::optional<int64> expected = OptionalInt8(fcinfo, 1);
    if (!expected) {
        ereport(ERROR, errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED), errmsg("expected_version must not be null"));
    }
    const std::string_view value = RequiredJsonb(fcinfo, 2, "value");
    const std::optional<std::string_view> branch = OptionalBytes(fcinfo, 3);
    const DataItem item = JsonItem(value);
    WriteRequest request = ToRequest(WriteKind::kCas, Operation::kSet, {});
    request.options.expected_version = expected;
    PG_RETURN_BOOL(
        WriteKey(BranchName(branch), key, request, [&](const CurrentEntry&) { return item; }).changed());
}

// (key, ttl, branch)
KVS_FUNCTION(kvs_touch)
{
    RequireWrite(kPutMode | ACL_SELECT, "kvs.touch()");
    const Datum key = KeyArgument(fcinfo, 0);
    const WriteArguments arguments = GetWriteArguments(fcinfo, {.ttl = 1});
    const std::optional<std::string_view> branch = OptionalBytes(fcinfo, 2);
    std::string blob;
    const WriteRequest request = ToRequest(WriteKind::kTouch, Operation::kExpire, arguments);
    const Written written = WriteKey(BranchName(branch), key, request,
                                     [&](const CurrentEntry& current) { return current.InlineItem(&blob); });
    PG_RETURN_BOOL(written.changed());
}

// (key, expected_version, comment, modified_by, branch)
KVS_FUNCTION(kvs_delete)
{
    RequireWrite(ACL_DELETE, "kvs.delete()");
    const Datum key = KeyArgument(fcinfo, 0);
    const WriteArguments arguments =
        GetWriteArguments(fcinfo, {.expected_version = 1, .comment = 2, .modified_by = 3});
    const std::optional<std::string_view> branch = OptionalBytes(fcinfo, 4);
    const WriteRequest request = ToRequest(WriteKind::kDelete, Operation::kDelete, arguments);
    PG_RETURN_BOOL(WriteKey(BranchName(branch), key, request).changed());
}

}  // namespace kvs::sqlapi

// Writes that replace a value: put, put_entry, put_bytes, cas, touch, delete.
#include <optional>
#include <string>

#include "pg/read/entry_row.h"
#include "pg/table/access_guard.h"
#include "pg/wall/convert.h"
#include "pg/wall/entry_point.h"
#include "pg/wall/row.h"
#include "pg/write/write_arguments.h"
#include "pg/write/writer.h"

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

// One change of one key.
Written WriteKey(std::optional<std::string_view> branch, Datum key, Operation operation,
                 const WriteOptions& options, const ChangeFunction& change) {
    Writer writer(BranchName(branch));
    Written written = writer.Update(key, operation, options, change);
    writer.Finish();
    return written;
}

Written PutItem(std::optional<std::string_view> branch, Datum key, const WriteArguments& arguments,
                const DataItem& item) {
    return WriteKey(branch, key, Operation::kSet, ToWriteOptions(arguments), [&](const CurrentEntry&) {
        return Change{Change::Kind::kPut, item};
    });
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
    const DataItem item = JsonItem(arguments.value, arguments.write.expires_at);
    const Written written = PutItem(arguments.branch, arguments.key, arguments.write, item);
    EntryRow row = MakeEntryRow(Contents(DatumGetPointer(arguments.key)), item, item.payload,
                                EncodeMetadata(written.metadata));
    return Guarded([&] { return row.Form(ResultRowType(fcinfo)); });
}

}  // namespace

KVS_FUNCTION(kvs_put)
{
    const PutArguments arguments = GetPutArguments(fcinfo, ValueType::kJson, "kvs.put()");
    const DataItem item = JsonItem(arguments.value, arguments.write.expires_at);
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
    const DataItem item = BytesItem(arguments.value, arguments.write.expires_at);
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
    const DataItem item = JsonItem(value, std::nullopt);
    const Written written =
        WriteKey(branch, key, Operation::kSet, ToWriteOptions({}), [&](const CurrentEntry& current) {
            if (!MatchesExpectedVersion(current.previous, *expected)) {
                return Change{Change::Kind::kNothing, {}};
            }
            Change change{Change::Kind::kPut, item};
            if (current.item != nullptr) {
                change.item.expires_at = current.item->expires_at;
            }
            return change;
        });
    PG_RETURN_BOOL(written.changed);
}

// (key, ttl, branch)
KVS_FUNCTION(kvs_touch)
{
    RequireWrite(kPutMode | ACL_SELECT, "kvs.touch()");
    const Datum key = KeyArgument(fcinfo, 0);
    const std::optional<TimestampTz> expires_at =
        PG_ARGISNULL(1) ? std::nullopt : std::optional<TimestampTz>(ExpiryOf(PG_GETARG_INTERVAL_P(1)));
    const std::optional<std::string_view> branch = OptionalBytes(fcinfo, 2);
    std::string blob;
    const Written written =
        WriteKey(branch, key, Operation::kExpire, ToWriteOptions({}), [&](const CurrentEntry& current) {
            if (current.item == nullptr) {
                return Change{Change::Kind::kNothing, {}};
            }
            Change change{Change::Kind::kPut, *current.item};
            LoadInline(&change.item, current.chunks, &blob);
            change.item.expires_at.reset();
            if (expires_at) {
                change.item.expires_at = FromServerTime(*expires_at);
            }
            return change;
        });
    PG_RETURN_BOOL(written.changed);
}

// (key, expected_version, comment, modified_by, branch)
KVS_FUNCTION(kvs_delete)
{
    RequireWrite(ACL_DELETE, "kvs.delete()");
    const Datum key = KeyArgument(fcinfo, 0);
    const WriteArguments arguments =
        GetWriteArguments(fcinfo, {.expected_version = 1, .comment = 2, .modified_by = 3});
    const std::optional<std::string_view> branch = OptionalBytes(fcinfo, 4);
    const Written written =
        WriteKey(branch, key, Operation::kDelete, ToWriteOptions(arguments), [](const CurrentEntry& current) {
            return Change{current.item == nullptr ? Change::Kind::kNothing : Change::Kind::kDelete, {}};
        });
    PG_RETURN_BOOL(written.changed);
}

}  // namespace kvs::sqlapi

#include "pg/write/write_arguments.h"

#include <string>

#include "kvs/error.h"
#include "pg/table/commit_table.h"
#include "pg/wall/convert.h"
#include "pg/wall/guard.h"
#include "pg/wall/jsonb_json.h"
#include "pg/wall/settings.h"

namespace kvs::pg {

namespace {

// kvs.author serves commits and changes, so their limits are one.
static_assert(kMaxAuthorSize == kMaxModifiedBySize);

std::optional<std::string_view> OptionalAt(FunctionCallInfo fcinfo, int position) {
    return position < 0 ? std::nullopt : OptionalBytes(fcinfo, position);
}

DataItem CheckedItem(ValueType type, std::string_view payload) {
    if (payload.size() > kMaxValueSize) {
        throw Error(ErrorCode::kLimitExceeded,
                    "value of " + std::to_string(payload.size()) + " bytes is too large",
                    "A value may have at most " + std::to_string(kMaxValueSize) +
                        " bytes in PostgreSQL's binary form.");
    }
    DataItem item;
    item.type = type;
    item.payload = payload;
    return item;
}

}  // namespace

TimestampTz ExpiryOf(Interval* ttl) {
    const TimestampTz now = GetCurrentTimestamp();
    const TimestampTz moment = DatumGetTimestampTz(
        DirectFunctionCall2(timestamptz_pl_interval, TimestampTzGetDatum(now), IntervalPGetDatum(ttl)));
    if (moment <= now) {
        ereport(ERROR, errcode(ERRCODE_INVALID_PARAMETER_VALUE), errmsg("ttl must be positive"));
    }
    return moment;
}

WriteArguments GetWriteArguments(FunctionCallInfo fcinfo, const WritePositions& positions) {
    WriteArguments arguments = {};
    if (positions.expected_version >= 0) {
        arguments.expected_version = OptionalInt8(fcinfo, positions.expected_version);
    }
    if (positions.ttl >= 0 && !PG_ARGISNULL(positions.ttl)) {
        arguments.expires_at = ExpiryOf(PG_GETARG_INTERVAL_P(positions.ttl));
    }
    if (positions.tags >= 0 && !PG_ARGISNULL(positions.tags)) {
        arguments.has_tags = true;
        arguments.tags = RequiredArray(fcinfo, positions.tags, "tags");
    }
    arguments.comment = OptionalAt(fcinfo, positions.comment);
    arguments.modified_by = OptionalAt(fcinfo, positions.modified_by);
    arguments.schema_hash = OptionalAt(fcinfo, positions.schema_hash);
    return arguments;
}

WriteRequest ToRequest(WriteKind kind, Operation operation, const WriteArguments& arguments) {
    WriteRequest request{.kind = kind, .operation = operation};
    if (arguments.expires_at) {
        request.expires_at = FromServerTime(*arguments.expires_at);
    }
    WriteOptions& options = request.options;
    options.expected_version = arguments.expected_version;
    options.modified_by = AuthorName(arguments.modified_by.value_or(std::string_view()));
    options.origin = SessionOrigin();
    options.comment = arguments.comment;
    options.schema_hash = arguments.schema_hash;
    if (arguments.has_tags) {
        std::vector<std::string>& tags = options.tags.emplace();
        for (int i = 0; i < arguments.tags.count; i++) {
            const Datum tag = arguments.tags.elements[i];
            tags.emplace_back(Guarded([&] { return DatumContents(tag); }));
        }
    }
    ValidateWriteOptions(options).OrThrow();
    return request;
}

DataItem JsonItem(std::string_view jsonb_payload) {
    CheckJsonbDepth(jsonb_payload);
    return CheckedItem(ValueType::kJson, jsonb_payload);
}

DataItem BytesItem(std::string_view bytes) {
    return CheckedItem(ValueType::kBytes, bytes);
}

}  // namespace kvs::pg

// Arguments and checks that all writing functions share.
#pragma once

#include <optional>
#include <string_view>
#include <vector>

#include "kvs/codec/item.h"
#include "kvs/entry/write_decision.h"
#include "pg/wall/arguments.h"
#include "pg/wall/server.h"

namespace kvs::pg {

// As they come from SQL: views only, so that nothing needs a destructor. Absent members are NULL.
struct WriteArguments {
    std::optional<int64> expected_version;
    std::optional<std::string_view> modified_by;
    std::optional<std::string_view> comment;
    std::optional<std::string_view> schema_hash;
    bool has_tags;
    DatumArray tags;
    std::optional<TimestampTz> expires_at;
};

// Positions of optional arguments in a function; -1: it has none.
struct WritePositions {
    int expected_version = -1;
    int ttl = -1;
    int tags = -1;
    int comment = -1;
    int modified_by = -1;
    int schema_hash = -1;
};

// Server code. Errors: 22023 for a ttl that is not positive.
WriteArguments GetWriteArguments(FunctionCallInfo fcinfo, const WritePositions& positions);

// The moment `ttl` from now. Server code. Errors: 22023 unless it lies in the future.
TimestampTz ExpiryOf(Interval* ttl);

// The core's request, its options validated; modified_by defaults to kvs.author or the session user. Errors:
// kLimitExceeded, kInvalidArgument.
WriteRequest ToRequest(WriteKind kind, Operation operation, const WriteArguments& arguments);

// A JSON item of these bytes, without expiry. Errors: kLimitExceeded for a document too large or too deeply
// nested.
DataItem JsonItem(std::string_view jsonb_payload);

// A bytes item, without expiry. Errors: kLimitExceeded.
DataItem BytesItem(std::string_view bytes);

}  // namespace kvs::pg

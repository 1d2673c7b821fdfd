// Arguments of SQL-callable functions. Server code: the first phase of an entry point, before any C++ object
// lives.
#pragma once

#include <optional>
#include <string_view>

#include "pg/wall/server.h"

namespace kvs::pg {

// Contents of a text, bytea or jsonb argument, detoasted; nullopt for NULL.
std::optional<std::string_view> OptionalBytes(FunctionCallInfo fcinfo, int argument);

// The same, empty for NULL.
inline std::string_view BytesOrEmpty(FunctionCallInfo fcinfo, int argument) {
    return OptionalBytes(fcinfo, argument).value_or(std::string_view());
}

// The same for an argument that must not be NULL. Errors: 22004, which names the argument.
std::string_view RequiredBytes(FunctionCallInfo fcinfo, int argument, const char* name);

// The message of a commit. Errors: 22004; 22023 for one that says nothing.
std::string_view RequiredMessage(FunctionCallInfo fcinfo, int argument);
std::optional<std::string_view> OptionalMessage(FunctionCallInfo fcinfo, int argument);

// Contents of a jsonb argument that must not be NULL, aligned as the server's jsonb functions want it.
std::string_view RequiredJsonb(FunctionCallInfo fcinfo, int argument, const char* name);

// Errors: 22004, which names the argument.
int64 RequiredInt8(FunctionCallInfo fcinfo, int argument, const char* name);

std::optional<int64> OptionalInt8(FunctionCallInfo fcinfo, int argument);
std::optional<int32> OptionalInt4(FunctionCallInfo fcinfo, int argument);
bool BoolOr(FunctionCallInfo fcinfo, int argument, bool otherwise);

// An interval argument in milliseconds, at most INT_MAX of them; nullopt for NULL. Errors: 22023 when
// negative, which names the argument.
std::optional<int64> OptionalMilliseconds(FunctionCallInfo fcinfo, int argument, const char* name);

// A key argument as a detoasted datum whose form has been checked. Errors: 22004, 22023.
Datum KeyArgument(FunctionCallInfo fcinfo, int argument);

// Throws the core's error (22023) unless `key` is a valid serialised key.
void ThrowUnlessKey(std::string_view key);

// How much a function may do: nullopt means no limit. Errors: 22023 when negative, which names the argument.
std::optional<int64> Limit(FunctionCallInfo fcinfo, int argument, const char* name = "max_rows");

// Elements of an array. `what` names the argument in errors: 22004 for a NULL array
// or a NULL element, 22023 for more than one dimension.
struct DatumArray {
    Datum* elements;
    int count;
};
DatumArray RequiredArray(FunctionCallInfo fcinfo, int argument, const char* what);

}  // namespace kvs::pg

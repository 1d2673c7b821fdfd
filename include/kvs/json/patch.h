// The two standard ways to change a JSON document.
#pragma once

#include "kvs/error.h"
#include "kvs/json/json.h"

namespace kvs {

constexpr size_t kMaxPatchOperations = 10000;

// RFC 7396: objects merge recursively, null removes a member, anything else replaces. Cannot fail.
Json MergePatch(Json target, const Json& patch);

// RFC 6902: `operations` applied in order to `document`; all of them or, with an error, none. `test` compares
// numbers by exact value. Errors, each naming the operation's index:
//   kInvalidArgument  a malformed operation or pointer, or a path that is not there
//   kWrongState       a failed test
//   kLimitExceeded    more than kMaxPatchOperations, or a document that grows beyond kMaxNesting or
//   kMaxValueSize
Result<Json> JsonPatch(Json document, const Json& operations);

}  // namespace kvs

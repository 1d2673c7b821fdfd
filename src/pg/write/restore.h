// Keys as they were in another state.
#pragma once

#include <string_view>

#include "pg/wall/server.h"

namespace kvs::pg {

// Writes to each key of the branch that matches the pattern what it held in the state that the ref means:
// value, expiry, tags and schema, with a new version. A key that did not exist there is deleted. Keys that
// hold it already are left alone. Returns how many were changed. Errors: kInvalidArgument, kUnknownRef, those
// of Writer::Update.
int64 RestoreKeys(std::string_view pattern, std::string_view ref, std::string_view branch);

}  // namespace kvs::pg

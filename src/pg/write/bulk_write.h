// Writes of many keys in one call. They take the keys in their order, so that two calls over the same keys
// cannot deadlock.
#pragma once

#include <optional>
#include <string_view>

#include "pg/wall/arguments.h"
#include "pg/wall/server.h"

namespace kvs::pg {

// Puts keys (text) and as many values (jsonb); of a key that is given twice the last value. Returns the
// number of entries written. Errors: kInvalidArgument for a malformed key, those of Writer::Update.
int64 PutMany(const DatumArray& keys, const DatumArray& values, std::string_view branch);

// Deletes the entries under a prefix that the statement sees, and returns their number; an entry that
// somebody else deletes at the same time is not counted.
int64 DeletePrefix(std::string_view prefix, std::optional<std::string_view> branch);

}  // namespace kvs::pg

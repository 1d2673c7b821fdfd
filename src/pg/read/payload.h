// One JSON object out of several documents.
#pragma once

#include <optional>
#include <string_view>

#include "pg/wall/server.h"

namespace kvs::pg {

// A jsonb object with the fields of `mapping`, which is the contents of a jsonb: each field names a key, or a
// key, a namespace and a path within the document. What is not there is JSON null. All documents are of one
// view. Errors: kInvalidArgument for a malformed mapping, kWrongType where a key holds bytes, kUnknownRef.
Datum AssemblePayload(std::string_view mapping, std::optional<std::string_view> branch,
                      std::optional<std::string_view> as_of);

}  // namespace kvs::pg

// Writes that make a document from the one that is there.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <string_view>

#include "kvs/json/json.h"
#include "pg/wall/server.h"
#include "pg/write/write_arguments.h"
#include "pg/write/writer.h"

namespace kvs::pg {

// What becomes of the document at a key; nullopt: there is none. Called once per pass of the writer.
using DocumentChange = std::function<Json(std::optional<Json> document)>;

// Errors: kWrongType where the key holds bytes, those of Writer::Update, and what `change` throws.
Written ChangeDocument(std::optional<std::string_view> branch, Datum key, const WriteArguments& arguments,
                       const DocumentChange& change);

// Adds to the number at a JSON pointer, which counts as 0 where there is none yet, and returns the sum.
// Exact: neither is ever rounded. Errors: kWrongType where it is no number, kInvalidArgument for a path that
// has no place in the document.
std::string IncrementNumber(std::optional<std::string_view> branch, Datum key, Numeric delta,
                            std::string_view path);

}  // namespace kvs::pg

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

// The value that a change of its document brings to a key; its bytes live in the memory context that is
// current when it is called. Errors: kWrongType where the key holds bytes, and what `change` throws.
ValueFunction DocumentValue(Datum key, DocumentChange change);

// RFC 7396; where there is no document, one is made.
DocumentChange MergeChange(Json delta);

// RFC 6902. Errors: kNotFound where there is no document, those of JsonPatch.
DocumentChange PatchChange(Datum key, Json operations);

// Adds to the number at a JSON pointer, which counts as 0 where there is none yet, and leaves the sum. Exact:
// neither is ever rounded. Errors: kWrongType where it is no number, kInvalidArgument for a path that has no
// place in the document, or is none.
DocumentChange IncrementChange(Datum key, Numeric delta, std::string_view path, std::string* sum);

}  // namespace kvs::pg

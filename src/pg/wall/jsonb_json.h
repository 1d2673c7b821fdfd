// Between jsonb and the core's exact Json, number by number and digit by digit.
#pragma once

#include <string_view>

#include "kvs/hash.h"
#include "kvs/json/json.h"
#include "pg/wall/server.h"

namespace kvs::pg {

// `payload` is the contents of a jsonb varlena, at any alignment. Errors: kLimitExceeded beyond kMaxNesting.
Json JsonFromJsonb(std::string_view payload);

// A jsonb in the current memory context. Errors: what numeric input raises.
Datum JsonbFromJson(const Json& document);

// SHA-256 of the canonical form of a document (kvs.data_hash). Errors: kLimitExceeded for a number whose
// plain form is absurdly long.
Hash HashOfDocument(std::string_view payload);

// Errors: kLimitExceeded for a document nested deeper than kMaxNesting. `payload` is aligned to 4 bytes.
void CheckJsonbDepth(std::string_view payload);

}  // namespace kvs::pg

// One version of a key.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

#include "pg/wall/server.h"

namespace kvs::pg {

// The document that a version of a key holds, as a jsonb; 0 where the version is a deletion or was never
// made. Errors: kWrongState if the history that would tell is not kept any more, kWrongType where the version
// holds bytes.
Datum DocumentOfVersion(std::string_view key, uint64_t version, std::optional<std::string_view> branch);

}  // namespace kvs::pg

// The form of a key's state as changes and working rows carry it.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "pg/wall/server.h"

namespace kvs::pg {

// What is wrong with it, empty if nothing is. `item` absent: a deletion. `version` and `seq` are what the row
// says besides.
std::string StateProblem(std::string_view meta, std::optional<std::string_view> item, int64 version,
                         int64 seq);

}  // namespace kvs::pg

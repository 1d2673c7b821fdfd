// Tags, _kvs.tag: names of commits that do not move.
#pragma once

#include <optional>
#include <string_view>

#include "kvs/hash.h"
#include "pg/wall/server.h"

namespace kvs::pg {

std::optional<Hash> FindTag(std::string_view name, Snapshot snapshot);

}  // namespace kvs::pg

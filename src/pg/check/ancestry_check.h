// Whether the ancestries of commits, by which n-th ancestors are found, are what the graph says. Nothing that
// is stored is believed but the parents: each ancestry is derived anew, from that of the first parent.
//
// Memory grows with the number of commits, by about 600 bytes each.
#pragma once

#include <functional>
#include <optional>
#include <string>

#include "kvs/hash.h"
#include "pg/wall/server.h"

namespace kvs::pg {

// Calls `visit` for each commit whose ancestry is another one or missing, with the right one, encoded. Of
// commits whose row is damaged (`is_damaged`), and of those whose first parents lead to one or to a missing
// commit, nothing follows. Under the active snapshot.
void ForEachWrongAncestry(const std::function<bool(const Hash&)>& is_damaged,
                          const std::function<void(const Hash&, const std::string& right)>& visit);

}  // namespace kvs::pg

// Import: many entries at once, straight into a branch's trees.
//
// An import rewrites the branch: the entries are sorted and the new trees are built without a lock; then the
// branch's writers are kept out for a moment, and if the branch has not changed since, its roots are swapped.
// If it has, its uncommitted rows are folded and the trees are built again from the sorted entries under the
// lock.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

#include "pg/wall/server.h"

namespace kvs::pg {

struct ImportReport {
    int64 rows;
    bool committed;  // false too where there is nothing new to commit
};

// Imports what `query` yields, run as the caller; commits if there is a message. Errors: those of the query;
// 22023 unless it is one statement that returns rows; 42804 for other columns than (text, jsonb); 21000 for a
// key that comes twice.
ImportReport ImportQuery(std::string_view query, std::string_view branch,
                         std::optional<std::string_view> message);

}  // namespace kvs::pg

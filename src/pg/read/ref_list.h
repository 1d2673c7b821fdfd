// All refs of the store at once: for questions that concern every branch and tag.
#pragma once

#include <cstdint>
#include <vector>

#include "kvs/hash.h"
#include "pg/table/branch_table.h"
#include "pg/wall/server.h"

namespace kvs::pg {

struct ListedRef {
    int32 branch_id;  // 0: a tag, or where a branch of a remote stood
    Hash commit;
};

// Branches by id, then tags by name, then those of remotes; main of a new store is among them. Reads the
// three tables.
std::vector<ListedRef> ListRefs(Snapshot snapshot);

// Whether there is another branch than this one. Reads no more than two rows that are alive.
bool HasOtherBranch(int32 branch_id, Snapshot snapshot);

// Whether `commit` can be reached from one of the refs. Cheap if one of them is it; else each commit that was
// made after it, by generation, and that they reach is read once, in the order of the refs; no more than
// `max_commits`, behind which it is taken for unreachable. Errors: kCorruption where a commit is missing.
bool IsReachable(const Hash& commit, const std::vector<ListedRef>& refs, Snapshot snapshot,
                 uint64_t max_commits = UINT64_MAX);

}  // namespace kvs::pg

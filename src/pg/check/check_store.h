// Verifies the whole store under one snapshot: every ref, commit, tree, blob, change and working row, and
// what no ref reaches. It reads the tables themselves, past every cache, and changes nothing.
//
// It looks in both directions: from what refers to what is referred to, and from the change log to the states
// that it must have made and back (branch_replay.h, change_claims.h). What it cannot see stands in
// docs/promises.md.
//
// Memory: an address per commit and range record, and three times maintenance_work_mem.
#pragma once

#include <functional>
#include <string>

#include "kvs/hash.h"
#include "pg/wall/server.h"

namespace kvs::pg {

// One row of kvs.check.
struct Finding {
    const char* severity;  // "error"; "info": nothing is wrong
    const char*
        type;  // missing_object, corrupt_object, dangling_ref, broken_history, wrong_count, orphaned_object
    std::string object;       // an address, a ref or a key
    std::string detail;       // lower case, no full stop
    bool is_garbage = false;  // nothing refers to the object: a collection removes it
    // A change that the log keeps and its branch has lost: put back as uncommitted work, it is there again.
    int64 lost_change = 0;
};

using FindingSink = std::function<void(const Finding& finding)>;

// `snapshot` is the active one. The access guard has to be asked before. Errors: what the server raises;
// damage of the store is no error but a finding. Answers whether all that refs lead to was reached, so that
// the rest is known to be garbage.
bool CheckStore(Snapshot snapshot, const FindingSink& sink);

}  // namespace kvs::pg

// What the operations that rewrite a branch by a ref are called on.
#pragma once

#include <string>
#include <string_view>

#include "kvs/hash.h"
#include "pg/table/branch_table.h"

namespace kvs::pg {

struct RewriteSubject {
    Branch branch;
    Hash commit;  // cannot be collected any more
};

// The branch (empty: the session's) and the commit that `ref` means for it, under the statement's snapshot.
// Garbage collection waits for the end of the transaction from now on. Errors: kUnknownRef, kSerialization.
RewriteSubject FindRewriteSubject(std::string_view ref, std::string_view branch);

// For messages: "commit 0123456789ab".
std::string NameCommit(const Hash& commit);

}  // namespace kvs::pg

// Where uncommitted work that was put aside is kept, _kvs.stash. A stash is a commit of the working state on
// top of the head it was made on; only its row refers to it.
#pragma once

#include <string>
#include <string_view>

#include "kvs/hash.h"
#include "pg/table/branch_table.h"
#include "pg/wall/server.h"

namespace kvs::pg {

// The number of the new row.
int64 AddStash(const Branch& branch, const Hash& commit, const std::string& author, std::string_view message);

// The stash's commit. Errors: kNotFound.
Hash FindStash(int64 id);

// Until the end of the transaction nobody else drops or pops it. Errors: kNotFound if somebody has.
void LockStash(int64 id);

// false if there is none.
bool DropStash(int64 id);

}  // namespace kvs::pg

#include "pg/branch/stash_table.h"

#include <iterator>
#include <string>

#include "kvs/error.h"
#include "pg/table/owner_query.h"
#include "pg/wall/convert.h"
#include "pg/wall/guard.h"
#include "pg/wall/lock_timeout.h"
#include "pg/wall/settings.h"

namespace kvs::pg {

namespace {

Hash ReadStash(int64 id, const char* sql) {
    OwnerQuery row(sql, {Parameter::Int8(id)}, true);
    std::optional<Hash> found;
    if (row.Next()) {
        found = row.Address(1);
    }
    row.Finish();
    if (!found) {
        throw Error(ErrorCode::kNotFound, "there is no stash " + std::to_string(id), "See view kvs.stashes.");
    }
    return *found;
}

}  // namespace

int64 AddStash(const Branch& branch, const Hash& commit, const std::string& author,
               std::string_view message) {
    OwnerQuery number("SELECT nextval('_kvs.stash_id')");
    number.Next();
    const int64 id = number.Int8(1);
    number.Finish();
    ExecuteAsOwner(
        "INSERT INTO _kvs.stash (id, branch, head, commit_hash, author, message, at)"
        " VALUES ($1, $2, $3, $4, $5, $6, now())",
        {Parameter::Int8(id), Parameter::Text(branch.name), Parameter::Address(branch.head),
         Parameter::Address(commit), Parameter::Text(author), Parameter::Text(message)});
    return id;
}

Hash FindStash(int64 id) {
    return ReadStash(id, "SELECT commit_hash FROM _kvs.stash WHERE id = $1");
}

void LockStash(int64 id) {
    const LockTimeoutScope bounded(settings.branch_lock_timeout);
    ReadStash(id, "SELECT commit_hash FROM _kvs.stash WHERE id = $1 FOR UPDATE");
}

bool DropStash(int64 id) {
    return ExecuteAsOwner("DELETE FROM _kvs.stash WHERE id = $1", {Parameter::Int8(id)}) > 0;
}

}  // namespace kvs::pg

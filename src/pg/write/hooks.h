// Commit hooks: SQL functions that are called with each commit of a branch.
//
// They run when the branch has been moved already, in the transaction that commits: a hook reads the new
// state as everybody will read it (HEAD is the commit, WORKING what lies over it, both by ref and by hash),
// and what it writes lands on it as uncommitted work. Nobody else sees any of it before the transaction
// commits, so an error of a pre_commit hook, which aborts the transaction or the savepoint, undoes commit and
// move alike: it never was.
#pragma once

#include <string_view>

#include "kvs/hash.h"

namespace kvs::pg {

// To be called by whoever has made a commit, after the branch's row was stored and the operation's snapshot
// released: calls the hooks whose pattern matches a key that the commit changed against its first parent;
// first those of pre_commit, then those of post_commit, each in the order of their names. Costs the look at
// an empty table where there are none. Errors: those of pre_commit hooks. An error of a post_commit hook
// undoes what that hook did and is raised as a warning, except a cancel.
void RunCommitHooks(std::string_view branch, const Hash& commit);

}  // namespace kvs::pg

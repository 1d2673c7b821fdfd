// What garbage collection starts from: the columns of the extension's tables that name commits and trees.
//
// A feature that stores references to commits or trees in a table of its own adds a line per column to
// kRootColumns in gc_roots.cpp; that is all it has to do, and it must do it. Two rules come with it: a row
// with a reference is written under LockChunksForBuild, and the source is read after that lock was taken.
//
// Working rows and change rows carry their payloads themselves, whatever the size, and name no chunk;
// kvs.check() finds those that do.
#pragma once

#include <functional>
#include <string>

#include "kvs/hash.h"
#include "pg/wall/server.h"

namespace kvs::pg {

struct Root {
    enum class Kind { kCommit, kDataTree, kMetadataTree, kStoredCommit };

    Kind kind;
    Hash address;
};

struct RootScope {
    TimestampTz reflog_since;     // moves before this moment keep nothing alive
    TransactionId changed_since;  // only rows that this transaction or a later one has written; invalid: all
};

// Where only changed rows are asked for, the commits that were stored are told too (kStoredCommit): one that
// no ref names yet, because what it came with is still on its way, was stored as whole and has to stay so. To
// a mark that saw it, it is garbage like any other, and goes before its chunks do.
//
// Calls `visit` with every reference to a tree or a commit, under the active snapshot, several times for one
// address. The empty tree and the initial commit are among them. Memory: that of a batch of rows. Errors:
// kCorruption for what is no address.
void ForEachRoot(const RootScope& scope, const std::function<void(const Root& root)>& visit);

// One SELECT of all references to commits, as column `hash`; $1 is RootScope::reflog_since.
std::string SelectCommitRoots();

}  // namespace kvs::pg

// Branches, _kvs.branch. A branch is its head commit and its working roots: the trees that the last flush or
// commit made. On top of them lie the rows of _kvs.working.
//
// In a new store no row exists, and branch `main` (id 1) is a constant: the initial commit and empty trees.
// The first operation that moves or creates a branch stores it. Nothing here is cached beyond the id of a
// name and where its row was: heads and roots are read in every operation under its snapshot.
//
// Each move writes the row anew in another epoch (epochs.h), which is the key that it is found by: from the
// newest on, since dead rows stay for as long as any transaction in the cluster is older than they.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <string_view>

#include "kvs/hash.h"
#include "pg/table/change_log.h"
#include "pg/table/epochs.h"
#include "pg/table/table_access.h"
#include "pg/wall/server.h"

namespace kvs::pg {

constexpr int32 kMainBranchId = 1;
constexpr const char* kMainBranchName = "main";

// When what is written to a branch becomes a commit by itself; a number above these: every so many
// microseconds.
constexpr int64 kAutocommitOff = -1;
constexpr int64 kAutocommitTransaction = 0;  // each transaction is one

struct Branch {
    int32 id;
    bool stored;  // false: main of a new store
    char name[256];
    Hash head;
    TreePair working;  // what the working rows overlay
    int64 autocommit;
    Epochs epochs;        // in which the working rows are
    int64 written_epoch;  // where others write until the move that made this row is committed
    bool moved_here;      // that move is of this transaction
    ItemPointerData tid;  // of the row, as seen under the snapshot

    // Where rows are inserted: the epoch that is current for everybody.
    int64 InsertEpoch() const { return moved_here ? written_epoch : epochs.current(); }
};

// The session's branch if `name` is empty. Errors: kUnknownRef.
Branch FindBranch(std::string_view name, Snapshot snapshot);

// Whether it is there, instead of an error.
bool TryFindBranch(std::string_view name, Snapshot snapshot, Branch* branch);

// A row as it stands in the table. What is damaged in it is for its readers to tell: an address that is none
// is unset.
struct BranchRow {
    int32 id;
    std::string_view name;  // valid within the call
    std::optional<Hash> head;
    std::optional<Hash> data_root;  // of the working state
    std::optional<Hash> meta_root;
};

// Calls `visit` for each branch, by id, until it answers false; main of a new store is one.
void ForEachBranch(Snapshot snapshot, const std::function<bool(const BranchRow& branch)>& visit);

// Locks the branch of this name for a writer (see locks.h) and returns its id. Costs no read where the
// name is known: whoever renames or deletes a branch holds a lock that conflicts, and calls
// ForgetBranchNames, which others hear of before they get their lock. Errors: kUnknownRef.
int32 LockBranchByName(std::string_view name, LOCKMODE mode);

// The same without waiting; 0 if the lock is not to be had now.
int32 TryLockBranchByName(std::string_view name, LOCKMODE mode);

// Tells every session that a name may mean another branch from now on. Server code.
void ForgetBranchNames();

// By id, when the branch was found before; false if it is gone. Server code.
bool ReadBranch(int32 id, Snapshot snapshot, Branch* branch);

// The same with an error where it is gone: 42704. Server code.
void RequireBranch(int32 id, Snapshot snapshot, Branch* branch);

// For who looks more than once: the table, opened for RequireBranch and IsUnmoved. Server code.
Table OpenBranches();
void RequireBranch(Table* branches, int32 id, Snapshot snapshot, Branch* branch);

// Whether the row that `branch` was read from is the newest still: if so, nobody has moved the branch since.
// False also where that is not known. Costs less than reading it again. Server code.
bool IsUnmoved(Table* branches, const Branch& branch);

// The live epochs for readers under `snapshot`, under which `branch` was read. Above READ COMMITTED the rows
// of this transaction may be in epochs that the snapshot does not show.
Epochs ReadableEpochs(const Branch& branch);

// Begins the branch's next epoch, if this transaction has not done so already. `may_be_dropped` says of each
// of branch->epochs whether it is known to be empty for good. The current one never is: others write to it.
void BeginEpoch(Branch* branch, const bool* may_be_dropped);

// What a flush leaves in the branch's row, for the view kvs.snapshots.
struct FlushMark {
    int64 rows;      // folded
    int64 last_seq;  // the newest change among them
};

// Moves the branch to what stands in `branch`, which was read under `snapshot`, in the epoch that BeginEpoch
// gave; stores main if it was virtual. `flushed` null keeps the last mark. Errors: kSerialization if somebody
// moved the branch since.
void MoveBranch(const Branch& branch, Snapshot snapshot, const FlushMark* flushed);

// Stores main if the store has no branch yet, so that others may be added.
void StoreMainBranch(Snapshot snapshot);

// Adds a branch. Errors: kAlreadyExists.
int32 AddBranch(std::string_view name, const Hash& head, const TreePair& working);

}  // namespace kvs::pg

// The locks of the store. All lie in the server's lock manager, which queues, times out and finds deadlocks,
// and all but a worker's last until the end of the (sub)transaction. Readers take none.
//
// One call takes what it needs of them in this order:
//
//   lock           tag                        mode                  who
//   extension      object kvs                 AccessShare           background workers
//                                             AccessExclusive       DROP EXTENSION, before it locks the
//                                             tables
//   upkeep         object chunk, 0            Exclusive             gc, repack, train_dictionaries, repair:
//                                                                   one of them at a time; nobody else
//   builds         relation _kvs.chunk        RowExclusive          who writes chunks, or moves a ref
//                                             ShareRowExclusive     who removes chunks, last of what he takes
//   deletions      object branch, 0           Exclusive             delete_branch
//   names of refs  object tag, hash of name   Exclusive             who gives a branch or a tag a name, or
//                                                                   takes it away; "REMOTE/": add_remote
//                                             Share                 "REMOTE/": who takes a name REMOTE/...
//   a branch       object branch, id          RowExclusive          who writes keys
//                                             ShareUpdateExclusive  flush, commit, rename_branch
//                                             ShareRowExclusive     who rewrites the branch, at the very end
//                                             AccessExclusive       delete_branch
//   staged merges, rows of _kvs.merge, .stash FOR UPDATE, SHARE     who ends a merge or pops a stash; who
//   stashes                                                         resolves a conflict
//   a commit       row of _kvs.commit         FOR KEY SHARE         who makes a ref or a commit name it
//   a key          row of _kvs.working        by its change         who writes the key
//   subscriptions  object subscription, id    RowShare              who consumes it
//                                             AccessExclusive       drop_subscription
//   their members  object subscription_member Exclusive             who acts as the member: one session at a
//                                                                   time
//   bindings       object binding, id         RowShare              the worker that applies it
//                                             AccessExclusive       pause, resume, unbind
//   their turns    object subscription, id, 1 Exclusive             who hands out events or takes them back,
//                                                                   for a moment, not for the transaction
//
// Beside the order stand kvs.lock's namespaces, which only calls of kvs.lock ask for; the sequencer's and
// those by which waiting sessions are found (pg/table/stream_signal.h), for which nobody waits; and members
// of the change log (pg/upkeep/change_retention.h), which nobody waits for. What only one may insert (a new
// epoch of the log, a chunk) the unique index of its table decides.
//
// Calls that follow one another in a transaction may begin again at the top, and a put that folds what has
// piled up takes the lock of builds behind that of its branch: who removes chunks waits for nobody any more,
// so that cannot close a circle.
//
// Within a WriterLocksOnly scope, which a hook's call opens, the session gets no lock on a branch that is
// stronger than a writer's: 55000, so that a commit does not call itself, and no branch moves under one that
// is being committed.
//
// All of this may also be called under Guarded. Errors: PgError; 55P03 for what has a bound.
#pragma once

#include <string_view>

#include "pg/wall/server.h"

namespace kvs::pg {

// --- the extension ---

// For a background worker, first of all in a transaction: the extension is there, and stays until the end of
// the transaction. Without this, a worker that uses one table after the other and somebody who drops all of
// them could wait for each other. Returns its OID, InvalidOid if it has gone. Server code.
Oid LockExtension();

// --- chunks ---

// For gc, repack, train_dictionaries and repair. Waits at most kvs.gc_lock_timeout.
void LockUpkeep();
// The same without waiting.
bool TryLockUpkeep();
// The same without waiting, for as long as a background worker runs.
bool TryLockUpkeepForWorker();
// To be called by a worker before it connects: releases that lock also when it ends by an error, which the
// server does not do.
void ReleaseWorkerLocksAtExit();
void UnlockUpkeepOfWorker();

// To be taken before the source of what is built is read: garbage collection waits for it.
void LockChunksForBuild();
bool TryLockChunksForBuild();

// No builder is at work under it, and all that builders did is visible to a snapshot that is taken after it.
// It stops no put and no reader. Waits at most kvs.gc_lock_timeout, with builders that come later behind it.
void LockChunksForSweep();
// For as long as kvs.gc_lock_timeout says, without queueing up, so that no builder waits behind it. False if
// there was no moment without a builder.
bool TryLockChunksForSweep();

// --- refs ---

// Deletions come one after the other, so that two of them cannot leave a store without a branch.
void LockBranchDeletions();

// Branches and tags share one name space; each has a table and a unique index of its own. Who needs two names
// takes them in one call.
void LockRefName(std::string_view name);
void LockRefNames(std::string_view a, std::string_view b);

// The same for the name of a remote: waits for whoever takes a name REMOTE/..., and keeps others from it.
void LockRemoteName(std::string_view remote);

// --- branches ---

void LockBranch(int32 branch, LOCKMODE mode);

// Waits at most kvs.branch_lock_timeout. `name`, of the branch, is for the detail of the error.
void LockBranchBounded(int32 branch, const char* name, LOCKMODE mode);

// False also where a WriterLocksOnly scope forbids the mode.
bool TryLockBranch(int32 branch, LOCKMODE mode);

// For the time in which a function of a user runs inside an operation on a branch.
class WriterLocksOnly {
  public:
    WriterLocksOnly();
    ~WriterLocksOnly();
    WriterLocksOnly(const WriterLocksOnly&) = delete;
    WriterLocksOnly& operator=(const WriterLocksOnly&) = delete;
};

// --- subscriptions ---

void LockSubscription(int32 subscription);
// Waits at most kvs.branch_lock_timeout for whoever consumes it, as the others here do for their like.
void LockSubscriptionForDrop(int32 subscription);

void LockMember(int32 subscription, std::string_view member);
bool TryLockMember(int32 subscription, std::string_view member);
void UnlockMember(int32 subscription, std::string_view member);

// Between these two nobody else hands out or takes back events of the subscription. Nothing that is waited
// for may be waited for meanwhile.
void BeginTurn(int32 subscription);
void EndTurn(int32 subscription);

// --- others ---

// A namespace of a branch, for kvs.lock: exclusively, or in a mode that excludes only who wants it
// exclusively.
void LockNamespace(int32 branch, std::string_view path, bool exclusively);

// Looks again and again for a lock on a relation, instead of queueing up, so that nobody waits behind it: for
// `patience` ms, 0: once, -1: without limit.
bool TryLockRelation(Oid relation, LOCKMODE mode, int patience);

// --- bindings ---

// For the worker, without waiting: false while somebody changes the binding.
bool TryLockBinding(int32 binding);
// Waits at most kvs.branch_lock_timeout for the worker's transaction.
void LockBindingForChange(int32 binding, const char* name);

}  // namespace kvs::pg

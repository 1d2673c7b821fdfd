// Flush: folds a branch's working rows into its trees. And commit: a flush, and a commit object of what it
// made.
//
// Both run beside writers (ShareUpdateExclusive on the branch) and never wait for a row: one that somebody
// changed since the snapshot stays, overlays the new tree, and equals it if its writer aborts.
#pragma once

#include <optional>
#include <string_view>

#include "kvs/hash.h"
#include "pg/table/branch_table.h"
#include "pg/wall/server.h"

namespace kvs::pg {

// A branch held for flush or commit, with the snapshot under which all of it is read.
class FlushSession {
  public:
    // Takes the locks, then the snapshot. Errors: kUnknownRef; kSerialization if the transaction's snapshot
    // is older than the branch's last move.
    explicit FlushSession(std::string_view branch);

    // The same for a branch whose lock this transaction holds already. `reads` kLatest: what is committed now
    // also at the stricter levels, for a transaction that has read all that it will.
    enum class Reads : uint8_t { kOperation, kLatest };
    explicit FlushSession(int32 branch_id, Reads reads = Reads::kOperation);

    // Folds the working rows; returns how many. branch() then has the new working roots.
    int64 Fold();

    // Stores the branch row as it is in branch() now.
    void Store();

    // Unregisters the snapshot. To be called on the normal way out.
    void Finish();

    Branch& branch() { return branch_; }
    Snapshot snapshot() const { return snapshot_; }

  private:
    void TakeSnapshot(int32 branch_id, Reads reads);
    void FindUnfinished();

    Branch branch_{};
    Snapshot snapshot_ = nullptr;
    bool may_be_dropped_[Epochs::kRoom] = {};  // of each epoch of branch_
    FlushMark mark_{0, 0};
    bool folded_ = false;
};

// After a fold under a lock that keeps writers out: a transaction with one snapshot has not folded what
// others wrote since, and those rows would hide what is put into the trees below them. Errors:
// kSerialization.
void RequireNothingLeft(const Branch& branch);

// kvs.flush: the number of rows folded.
int64 FlushBranch(std::string_view branch);

// kvs.commit: the hash, or nullopt if nothing changed since the head.
std::optional<Hash> CommitBranch(std::string_view branch, std::string_view message, std::string_view author);

// The same of a branch whose lock this transaction holds already.
std::optional<Hash> CommitLockedBranch(int32 branch_id, std::string_view message, FlushSession::Reads reads);

}  // namespace kvs::pg

// The snapshots that an operation takes for itself. Whoever takes one releases it on the normal way out;
// after an error the abort of the (sub)transaction does, so none of this has a destructor, and all of it may
// be used under Guarded too. Errors: PgError.
#pragma once

#include "pg/wall/guard.h"
#include "pg/wall/server.h"

namespace kvs::pg {

// What is committed now, and what this transaction did, at every isolation level: for questions that an old
// snapshot would answer wrongly.
inline Snapshot RegisterLatestSnapshot() {
    return Guarded([] { return RegisterSnapshot(GetLatestSnapshot()); });
}

// The one snapshot of an operation that changes the store: what is committed now at READ COMMITTED, the
// transaction's snapshot at the stricter levels.
inline Snapshot RegisterOperationSnapshot() {
    return Guarded([] {
        return RegisterSnapshot(IsolationUsesXactSnapshot() ? GetTransactionSnapshot() : GetLatestSnapshot());
    });
}

inline void ReleaseSnapshot(Snapshot registered) {
    Guarded([&] { UnregisterSnapshot(registered); });
}

// A registered snapshot that is the active one until both end: for SQL that is run meanwhile.
class ActiveSnapshot {
  public:
    explicit ActiveSnapshot(Snapshot registered) : snapshot_(registered) {
        Guarded([&] { PushActiveSnapshot(registered); });
    }

    // To be called on the normal way out.
    void Release() {
        Guarded([] { PopActiveSnapshot(); });
        ReleaseSnapshot(snapshot_);
    }

    Snapshot get() const { return snapshot_; }

  private:
    Snapshot snapshot_;
};

}  // namespace kvs::pg

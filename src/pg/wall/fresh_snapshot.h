// What is committed now, and what this transaction did, at every isolation level.
#pragma once

#include "pg/wall/guard.h"
#include "pg/wall/server.h"

namespace kvs::pg {

// A snapshot that is registered and active until it is released.
class FreshSnapshot {
  public:
    FreshSnapshot() {
        snapshot_ = Guarded([] {
            Snapshot latest = RegisterSnapshot(GetLatestSnapshot());
            PushActiveSnapshot(latest);
            return latest;
        });
    }

    // To be called on the normal way out.
    void Release() {
        Guarded([&] {
            PopActiveSnapshot();
            UnregisterSnapshot(snapshot_);
        });
    }

    Snapshot get() const { return snapshot_; }

  private:
    Snapshot snapshot_;
};

}  // namespace kvs::pg

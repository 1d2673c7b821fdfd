// The one snapshot of an operation that changes the store.
#pragma once

#include "pg/wall/server.h"

namespace kvs::pg {

// What is committed now at READ COMMITTED, the transaction's snapshot at the stricter levels; registered, so
// that the caller unregisters it. Server code: call under Guarded.
inline Snapshot RegisterOperationSnapshot() {
    return RegisterSnapshot(IsolationUsesXactSnapshot() ? GetTransactionSnapshot() : GetLatestSnapshot());
}

}  // namespace kvs::pg

// How often each operation was called, and how long it took, since the server started or since they were
// reset. In shared memory, so that all backends count together; there is a row for each operation of each
// database.
//
// Each row has several stripes, of which a backend counts in one, so that few of them write to the same cache
// lines. A call that is counted costs two atomic additions.
//
// Server code.
#pragma once

#include <functional>

#include "kvs/util/latency_histogram.h"
#include "pg/wall/server.h"

namespace kvs::pg {

constexpr const char* kOperationCountsTranche = "kvs_operation_counts";

size_t OperationCountsMemory();

// Creates or attaches; the caller holds AddinShmemInitLock.
void AttachOperationCounts();

// The row of an operation of this database; null if there is no room for it, which the server's log tells
// once. It stays as long as the server runs. To be called in a transaction.
struct CountedOperation;
CountedOperation* FindCountedOperation(const char* name);

// Counts a call that took `duration` ns.
void CountOperation(CountedOperation* operation, uint64 duration, bool failed);

// What the stripes of a row come to. Calls are those of the buckets.
struct OperationCounts {
    const char* operation;
    uint64 calls;
    uint64 errors;
    uint64 total;     // ns
    uint64 least;     // ns
    uint64 greatest;  // ns
    uint64 buckets[kLatencyBuckets];
};

// Calls `visit` with each operation of this database that was called. None if the library was not preloaded.
void ForEachOperation(const std::function<void(const OperationCounts& counts)>& visit);

// Sets those of this database to nothing. What is counted at that moment may or may not stay.
void ResetOperationCounts();

}  // namespace kvs::pg

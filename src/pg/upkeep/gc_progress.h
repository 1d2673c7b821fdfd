// How far the collections and repackings that run have come, for the view kvs.gc_progress. Kept in shared
// memory, so there is nothing to see unless the library was preloaded; reporting costs next to nothing either
// way.
#pragma once

#include <functional>

#include "pg/wall/server.h"

namespace kvs::pg {

enum class GcPhase : int { kCommits, kTrees, kComparing, kLocking, kRemoving, kPlanning, kPacking };

enum class GcCounter : int {
    kChunksTotal,     // in the table, estimated until all were compared
    kChunksMarked,    // found to be in use
    kChunksFound,     // found to be garbage
    kChunksRemoved,   // deleted
    kCommitsMarked,   // found to be in use
    kCommitsRemoved,  // deleted
    kChunksPacked,    // moved into packs
    kCount,
};

// Shows a collection or repacking of this backend while it lives. One at a time.
class GcReport {
  public:
    GcReport();
    ~GcReport();
    GcReport(const GcReport&) = delete;
    GcReport& operator=(const GcReport&) = delete;

    void Phase(GcPhase phase);
    void Set(GcCounter counter, int64 value);
    void Add(GcCounter counter, int64 value = 1);
};

struct GcProgress {
    int32 pid;
    Oid database;
    TimestampTz started_at;
    const char* phase;
    int64 counters[static_cast<int>(GcCounter::kCount)];
};

// Calls `visit` with each collection that runs in the cluster. Server code.
void ForEachGc(const std::function<void(const GcProgress& progress)>& visit);

// Called once, while the postmaster preloads the library.
void InstallGcProgressHooks();

}  // namespace kvs::pg

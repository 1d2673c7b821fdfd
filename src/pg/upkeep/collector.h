// Garbage collection: a mark (gc_mark.h), then sweeps that delete what it has found and what has not come
// into use since (gc_late_roots.h), commits first.
//
// A collection may be cancelled or crash at any moment: what was committed of it stays done, and nothing else
// is kept of it. The next one marks again and finds what is left, so running it again is how it is resumed. A
// commit is never deleted before its children, nor a chunk before the commits that reach it, so that what a
// crash leaves is a whole store.
#pragma once

#include <memory>
#include <optional>

#include "pg/chunk/pack_edit.h"
#include "pg/upkeep/garbage.h"
#include "pg/upkeep/gc_late_roots.h"
#include "pg/upkeep/gc_mark.h"
#include "pg/upkeep/gc_progress.h"
#include "pg/wall/server.h"

namespace kvs::pg {

struct CollectionResult {
    int64 objects_removed = 0;  // chunks and commits
    int64 bytes_removed = 0;    // as they were stored
    int64 objects_live = 0;
    int64 bytes_live = 0;
};

// kvs.gc in the transaction of its caller. The lock against builders is taken after the mark and held until
// the transaction ends. dry_run: locks nothing and tells what would be removed. reflog_retention: as the
// setting. Errors: 55P03, kCorruption.
CollectionResult CollectGarbage(bool dry_run, int reflog_retention);

// The same in many transactions, for a background worker. Errors: kCorruption.
class Collector {
  public:
    // What is kept between the transactions lives in `context`.
    explicit Collector(MemoryContext context);

    // In a transaction of its own.
    void FindGarbage();

    // kLockedOut: there was no moment without builders. kOverrun: so much has come into use meanwhile that a
    // new mark is needed.
    enum class Sweep { kMore, kDone, kLockedOut, kOverrun };

    // Deletes a part, in a transaction of its own.
    Sweep SweepBatch();

    // After kDone: notes the outcome, from which the next collection is reckoned. In a transaction of its
    // own.
    void Finish();

    const CollectionResult& result() const { return result_; }

  private:
    friend CollectionResult CollectGarbage(bool dry_run, int reflog_retention);

    void MarkUnder(Snapshot snapshot);
    bool HasWork() const;
    bool WalkLateRoots();
    bool Delete(size_t limit);
    bool DeleteCommits(Snapshot snapshot, size_t limit);
    bool DeleteChunks(Snapshot snapshot, size_t limit);
    bool DeleteMembers(Snapshot snapshot, size_t limit);
    void KeepMembersInUse(PackTable* packs, int64 pack, Snapshot snapshot, std::vector<int64>* members);
    void NoteOutcome();

    MemoryContext context_;
    bool spans_transactions_ = true;
    bool exact_bytes_ = false;
    int reflog_retention_;
    GcReport report_;
    TimestampTz reflog_since_ = 0;
    std::unique_ptr<Garbage> garbage_;
    std::unique_ptr<LateRoots> late_;
    PackEncoder encoder_;
    size_t next_commit_ = 0;
    bool moves_to_forget_ = false;  // some are too old and hold on to uncommitted work
    bool walked_ahead_ = false;
    MarkResult marked_;
    CollectionResult result_;
};

}  // namespace kvs::pg

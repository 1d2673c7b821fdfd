#include "pg/upkeep/collector.h"

#include <limits>

#include "pg/chunk/chunk_table.h"
#include "pg/table/catalog.h"
#include "pg/table/commit_table.h"
#include "pg/table/locks.h"
#include "pg/table/owner_query.h"
#include "pg/table/reflog_table.h"
#include "pg/table/table_access.h"
#include "pg/wall/convert.h"
#include "pg/wall/durability.h"
#include "pg/wall/guard.h"
#include "pg/wall/settings.h"
#include "pg/wall/snapshot.h"

namespace kvs::pg {

namespace {

constexpr size_t kBatch = 10000;  // objects that a worker deletes in one transaction

// Server code.
int64 EstimatedChunks() {
    Relation chunk = table_open(ObjectOid(Object::kChunk), AccessShareLock);
    const double rows = chunk->rd_rel->reltuples;
    table_close(chunk, AccessShareLock);
    return rows < 0 ? 0 : static_cast<int64>(rows);
}

TimestampTz ReflogSince(int retention) {
    return retention < 0 ? DT_NOBEGIN : GetCurrentTimestamp() - int64{retention} * USECS_PER_SEC;
}

}  // namespace

Collector::Collector(MemoryContext context)
    : context_(context), reflog_retention_(settings.reflog_retention) {}

void Collector::MarkUnder(Snapshot snapshot) {
    if (garbage_) {
        garbage_->Finish();
    }
    report_.Set(GcCounter::kChunksTotal, Guarded([] { return EstimatedChunks(); }));
    reflog_since_ = ReflogSince(reflog_retention_);
    garbage_ = std::make_unique<Garbage>(context_, spans_transactions_);
    late_ = std::make_unique<LateRoots>(garbage_.get(), reflog_since_, snapshot);
    next_commit_ = 0;
    moves_to_forget_ = HoldsDiscardedWork(reflog_since_);
    marked_ = Mark(snapshot, reflog_since_, exact_bytes_, &report_).Run(garbage_.get());
}

bool Collector::HasWork() const {
    return !garbage_->empty() || moves_to_forget_;
}

bool Collector::WalkLateRoots() {
    ActiveSnapshot fresh(RegisterLatestSnapshot());
    const bool walked = late_->Walk(fresh.get());
    fresh.Release();
    return walked;
}

// Commits as long as there are any, then chunks, then members of packs; answers whether there may be more.
// The lock is held.
bool Collector::Delete(size_t limit) {
    report_.Phase(GcPhase::kRemoving);
    Guarded([] { NoteWrite(); });
    ActiveSnapshot fresh(RegisterLatestSnapshot());
    const bool more = DeleteCommits(fresh.get(), limit) || DeleteChunks(fresh.get(), limit) ||
                      DeleteMembers(fresh.get(), limit);
    fresh.Release();
    return more;
}

// Whether there may be more.
bool Collector::DeleteCommits(Snapshot snapshot, size_t limit) {
    const std::vector<Hash>& commits = garbage_->commits();
    if (next_commit_ == commits.size() && !moves_to_forget_) {
        return false;
    }
    std::unordered_set<Hash, HashOfHash> deleted;
    for (; next_commit_ < commits.size() && deleted.size() < limit; next_commit_++) {
        const Hash& commit = commits[next_commit_];
        if (late_->IsInUse(commit)) {
            continue;
        }
        const int64 size = DeleteCommit(commit, snapshot);
        if (size > 0) {
            deleted.insert(commit);
            result_.objects_removed++;
            result_.bytes_removed += size;
            report_.Add(GcCounter::kCommitsRemoved);
        }
    }
    ForgetMoves(
        reflog_since_, [&](const Hash& commit) { return deleted.contains(commit); }, snapshot);
    moves_to_forget_ = false;
    return next_commit_ < commits.size();
}

bool Collector::DeleteChunks(Snapshot snapshot, size_t limit) {
    Table chunk = Guarded([] { return OpenChunksForWrite(); });
    Hash address;
    size_t done = 0;
    bool more = true;
    while (done < limit && (more = garbage_->NextChunk(&address))) {
        done++;
        if (late_->IsInUse(address)) {
            continue;
        }
        const int64 size = Guarded([&] {
            CHECK_FOR_INTERRUPTS();
            return DeleteChunkRow(&chunk, snapshot, address);
        });
        if (size >= 0) {
            result_.objects_removed++;
            result_.bytes_removed += size;
            report_.Add(GcCounter::kChunksRemoved);
        }
    }
    Guarded([&] {
        Close(&chunk);
        CommandCounterIncrement();
    });
    return more;
}

bool Collector::DeleteMembers(Snapshot snapshot, size_t limit) {
    PackTable packs = Guarded([] { return OpenPacks(RowExclusiveLock); });
    int64 pack;
    std::vector<int64> members;
    size_t done = 0;
    bool more = true;
    while (done < limit && (more = garbage_->NextPack(&pack, &members))) {
        done += members.size();
        KeepMembersInUse(&packs, pack, snapshot, &members);
        if (members.empty()) {
            continue;
        }
        result_.bytes_removed += RemovePackMembers(&packs, pack, members, snapshot, &encoder_);
        result_.objects_removed += static_cast<int64>(members.size());
        report_.Add(GcCounter::kChunksRemoved, static_cast<int64>(members.size()));
    }
    Guarded([&] {
        ClosePacks(&packs);
        CommandCounterIncrement();
    });
    return more;
}

// Takes out of `members` those that may have come into use.
void Collector::KeepMembersInUse(PackTable* packs, int64 pack, Snapshot snapshot,
                                 std::vector<int64>* members) {
    PackRow row = {};
    const bool found = Guarded([&] {
        const bool is_there = FindPack(packs, pack, snapshot);
        if (is_there) {
            row = ReadPackRow(packs, false);
            ExecClearTuple(packs->table.slot);
        }
        return is_there;
    });
    if (!found) {
        members->clear();
        return;
    }
    std::erase_if(*members, [&](int64 member) {
        return member >= row.count || late_->IsPrefixInUse(row.addresses[member]);
    });
    Guarded([&] { FreePackRow(&row); });
}

void Collector::NoteOutcome() {
    result_.objects_live = marked_.objects_live + marked_.objects_found - result_.objects_removed;
    result_.bytes_live = marked_.bytes_live + marked_.bytes_found - result_.bytes_removed;
    ExecuteAsOwner(
        "INSERT INTO _kvs.collection (at, objects_removed, bytes_removed, objects_live, bytes_live, "
        "chunks_inserted) VALUES (clock_timestamp(), $1, $2, $3, $4,"
        " pg_stat_get_tuples_inserted('_kvs.chunk'::regclass))",
        {Parameter::Int8(result_.objects_removed), Parameter::Int8(result_.bytes_removed),
         Parameter::Int8(result_.objects_live), Parameter::Int8(result_.bytes_live)});
}

// Three steps:
//   1. Mark, without a lock that writers feel: finds what nothing reached under the first snapshot.
//   2. Walk the late roots, first without the lock and then under it: what has come into use since the mark.
//   The first
//      walk is only there to make the second one short, since builders wait for the lock.
//   3. Delete what was found in 1 and not in 2. The lock against builders is held from before the second walk
//   to the
//      end of the transaction.
//
// Invariant: what is deleted was reached from nothing under the mark's snapshot, and from nothing that was
// written after it until the lock was there; and under the lock nobody takes an old chunk into use. If so
// much has come into use that the late roots cannot be remembered, the mark is repeated under the lock, and
// then needs no step 2.
//
//     a commit takes up garbage chunk C after the mark: C is a late root's, and stays
//     a commit wants C while C is being deleted: it waits for the lock, and then writes C anew
CollectionResult CollectGarbage(bool dry_run, int reflog_retention) {
    Collector collector(Guarded([] { return CurrentMemoryContext; }));
    collector.spans_transactions_ = false;
    collector.reflog_retention_ = reflog_retention;
    collector.exact_bytes_ = dry_run;
    if (!dry_run) {
        LockUpkeep();
    }
    collector.FindGarbage();
    if (dry_run) {
        collector.garbage_->Finish();
        const MarkResult& marked = collector.marked_;
        return {marked.objects_found, marked.bytes_found, marked.objects_live, marked.bytes_live};
    }
    if (collector.HasWork()) {
        // What was written during the mark is looked at ahead of the lock, as far as it goes.
        const bool may_hold = collector.WalkLateRoots();
        collector.report_.Phase(GcPhase::kLocking);
        LockChunksForSweep();
        if (!may_hold || !collector.WalkLateRoots()) {
            // Nothing changes any more, so this mark needs no second look.
            collector.FindGarbage();
        }
        collector.Delete(std::numeric_limits<size_t>::max());
    }
    collector.garbage_->Finish();
    collector.NoteOutcome();
    return collector.result_;
}

void Collector::FindGarbage() {
    ActiveSnapshot fresh(RegisterLatestSnapshot());
    MarkUnder(fresh.get());
    fresh.Release();
}

Collector::Sweep Collector::SweepBatch() {
    if (!HasWork()) {
        return Sweep::kDone;
    }
    if (!walked_ahead_ && !WalkLateRoots()) {
        return Sweep::kOverrun;
    }
    walked_ahead_ = true;
    report_.Phase(GcPhase::kLocking);
    if (!TryLockChunksForSweep()) {
        return Sweep::kLockedOut;
    }
    if (!WalkLateRoots()) {
        return Sweep::kOverrun;
    }
    return Delete(kBatch) ? Sweep::kMore : Sweep::kDone;
}

void Collector::Finish() {
    garbage_->Finish();
    NoteOutcome();
}

}  // namespace kvs::pg

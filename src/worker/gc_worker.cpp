// The collector that the launcher starts in a database: see gc_launcher.h. It drops empty epochs of working
// rows, removes old changes, collects garbage, trains dictionaries and packs what only history needs, these
// where the store has grown by enough, and gives back the room that this leaves. It belongs to no role and
// runs what SQL there is as the owner of the extension.
#include "pg/table/catalog.h"
#include "pg/table/empty_epochs.h"
#include "pg/table/locks.h"
#include "pg/table/stream_signal.h"
#include "pg/upkeep/change_retention.h"
#include "pg/upkeep/chunk_growth.h"
#include "pg/upkeep/collector.h"
#include "pg/upkeep/compaction.h"
#include "pg/upkeep/dictionary_training.h"
#include "pg/upkeep/repack.h"
#include "pg/wall/durability.h"
#include "pg/wall/entry_point.h"
#include "pg/wall/guard.h"
#include "pg/wall/server.h"
#include "pg/wall/settings.h"
#include "worker/database_worker.h"
#include "worker/gc_launcher.h"

extern "C" {
#include "catalog/namespace.h"
#include "commands/dbcommands.h"
#include "pgstat.h"
#include "postmaster/bgworker.h"
#include "postmaster/interrupt.h"
#include "storage/ipc.h"
#include "storage/latch.h"

PGDLLEXPORT void kvs_gc_worker_main(Datum argument);
}

namespace {

using namespace kvs::pg;

// Whoever stores one of them anew waits for the transaction.
constexpr int64 kChunksPerTransaction = 50000;

// A store at rest is put in order from this part of the growth on that it takes otherwise.
constexpr int kRestPart = 10;

// Begins a transaction with an active snapshot, in which the extension stays; ends the worker where it has
// gone. Server code.
void Begin(const char* activity) {
    SetCurrentStatementStartTimestamp();
    StartTransactionCommand();
    if (!OidIsValid(LockExtension())) {
        CommitTransactionCommand();
        proc_exit(0);
    }
    PushActiveSnapshot(GetTransactionSnapshot());
    pgstat_report_activity(STATE_RUNNING, activity);
}

void Commit() {
    PopActiveSnapshot();
    CommitTransactionCommand();
    pgstat_report_stat(true);
    pgstat_report_activity(STATE_IDLE, nullptr);
}

// What there is to do in this database. What nobody else does: the lock is held then.
struct Work {
    bool collect = false;
    bool trim = false;  // the change log
    bool is_locked = false;
};

// In a transaction.
Work FindWork() {
    Work work;
    work.collect = IsCollectionDue(settings.autogc_threshold, settings.autogc_growth);
    work.trim = settings.change_retention >= 0;
    if ((work.collect || work.trim) && !TryLockUpkeepForWorker()) {
        return {};
    }
    work.is_locked = work.collect || work.trim;
    return work;
}

// The switch may have been turned since.
bool MayGoOn(const bool* is_on) {
    return Guarded([&] {
        CHECK_FOR_INTERRUPTS();
        if (ConfigReloadPending) {
            ConfigReloadPending = false;
            ProcessConfigFile(PGC_SIGHUP);
        }
        return *is_on;
    });
}

void Report(const CollectionResult& result, Collector::Sweep outcome) {
    const char* reason = "";
    switch (outcome) {
        case Collector::Sweep::kDone:
            break;
        case Collector::Sweep::kMore:
            reason = "; stopped, because kvs.autogc is off";
            break;
        case Collector::Sweep::kLockedOut:
            reason = "; stopped, because somebody was building trees all the time";
            break;
        case Collector::Sweep::kOverrun:
            reason = "; stopped, because too much has changed meanwhile";
            break;
    }
    Guarded([&] {
        ereport(LOG,
                errmsg("automatic kvs collection in database \"%s\": removed %lld objects (%lld bytes)%s",
                       get_database_name(MyDatabaseId), static_cast<long long>(result.objects_removed),
                       static_cast<long long>(result.bytes_removed), reason));
    });
}

// Ahead of the collection, for which it may leave trees that only records of the log have held.
TrimResult Trim() {
    Guarded([] { Begin("kvs.gc: removing old changes"); });
    const TrimResult result =
        TrimChangeLog(settings.change_retention, settings.subscription_retention, settings.gc_lock_timeout);
    if (result.changes > 0) {
        Guarded([&] {
            ereport(LOG,
                    errmsg("automatic kvs collection in database \"%s\": removed %lld changes from the log",
                           get_database_name(MyDatabaseId), static_cast<long long>(result.changes)));
        });
    }
    Guarded([] { Commit(); });
    return result;
}

void Collect() {
    MemoryContext context = Guarded(
        [] { return AllocSetContextCreate(TopMemoryContext, "kvs collector", ALLOCSET_DEFAULT_SIZES); });
    Collector collector(context);
    Guarded([] { Begin("kvs.gc: marking"); });
    collector.FindGarbage();
    Guarded([] { Commit(); });
    Collector::Sweep swept = Collector::Sweep::kMore;
    while (swept == Collector::Sweep::kMore && MayGoOn(&settings.autogc)) {
        Guarded([] { Begin("kvs.gc: removing"); });
        swept = collector.SweepBatch();
        Guarded([] { Commit(); });
    }
    Guarded([] { Begin("kvs.gc: noting the outcome"); });
    if (swept == Collector::Sweep::kDone) {
        collector.Finish();
    }
    Report(collector.result(), swept);
    Guarded([] { Commit(); });
    if (collector.result().objects_removed > 0) {
        VacuumStore();
    }
}

void TrimAndCollect() {
    Guarded([] { Begin("kvs.gc: looking for growth"); });
    Work work = FindWork();
    Guarded([] { Commit(); });
    if (work.trim && Trim().range_records) {
        work.collect = true;
    }
    if (work.collect) {
        Collect();
    }
    if (work.is_locked) {
        Guarded([] { Begin("kvs.gc: done"); });
        UnlockUpkeepOfWorker();
        Guarded([] { Commit(); });
    }
}

// Ahead of packing, which uses what comes of it.
void Train() {
    Guarded([] { Begin("kvs: training dictionaries"); });
    if (IsTrainingDue() && TryLockUpkeep()) {
        Guarded([] { NoteWrite(); });
        for (const Training& training : TrainDictionaries()) {
            Guarded([&] {
                ereport(
                    LOG,
                    errmsg("automatic kvs training in database \"%s\": %s chunks that took %lld bytes take "
                           "%lld with a dictionary%s",
                           get_database_name(MyDatabaseId), ChunkClassName(training.chunk_class),
                           static_cast<long long>(training.bytes_without),
                           static_cast<long long>(training.bytes_with),
                           training.id ? "" : ", which does not pay"));
            });
        }
    }
    Guarded([] { Commit(); });
}

enum class Packing { kMore, kDone, kLockedOut };

// In a transaction of its own: packs a part.
Packing RepackPart(RepackResult* sum) {
    if (!TryLockUpkeep() || !TryLockChunksForBuild()) {
        return Packing::kLockedOut;
    }
    Guarded([] { NoteWrite(); });
    GcReport report;
    const RepackResult part = Repack(RepackScope::kNewCommits, kChunksPerTransaction, &report);
    sum->chunks_rewritten += part.chunks_rewritten;
    sum->bytes_before += part.bytes_before;
    sum->bytes_after += part.bytes_after;
    return part.is_complete ? Packing::kDone : Packing::kMore;
}

void ReportRepacking(const RepackResult& result, Packing outcome) {
    const char* reason = outcome == Packing::kMore        ? "; stopped, because kvs.autorepack is off"
                         : outcome == Packing::kLockedOut ? "; stopped, because of a collection or repacking"
                                                          : "";
    Guarded([&] {
        ereport(LOG, errmsg("automatic kvs repacking in database \"%s\": packed %lld chunks of %lld bytes, "
                            "which take %lld bytes now%s",
                            get_database_name(MyDatabaseId), static_cast<long long>(result.chunks_rewritten),
                            static_cast<long long>(result.bytes_before),
                            static_cast<long long>(result.bytes_after), reason));
    });
}

// What is due. In a transaction.
struct Repacking {
    bool pack = false;
    bool move = false;
};

Repacking FindRepacking() {
    const bool is_at_rest = IsAtRest(settings.autogc_naptime);
    const int64 threshold = settings.autorepack_threshold;
    return {IsRepackingDue(is_at_rest ? threshold / kRestPart : threshold), is_at_rest};
}

// After each part the room that it leaves is free for the next.
void PackNew() {
    RepackResult result;
    Packing packed = Packing::kMore;
    while (packed == Packing::kMore && MayGoOn(&settings.autorepack)) {
        Guarded([] { Begin("kvs.repack: packing"); });
        packed = RepackPart(&result);
        Guarded([] { Commit(); });
        if (packed != Packing::kLockedOut) {
            VacuumStore();
        }
    }
    Guarded([] { Begin("kvs.repack: reporting"); });
    ReportRepacking(result, packed);
    Guarded([] { Commit(); });
}

// While nobody commits, because whoever does so needs the room.
void GiveRoomBack() {
    int64 moved = kChunksPerTransaction;
    while (moved >= kChunksPerTransaction && MayGoOn(&settings.autorepack)) {
        Guarded([] { Begin("kvs.repack: giving room back"); });
        moved = TryLockUpkeep() && TryLockChunksForBuild() ? MoveRowsForward(kChunksPerTransaction) : 0;
        Guarded([] { Commit(); });
        if (moved > 0) {
            VacuumStore();
        }
    }
    for (void (*rebuild)() : {RebuildChunkIndex, RebuildWorkingIndex}) {
        Guarded([] { Begin("kvs.repack: rebuilding an index"); });
        if (TryLockUpkeep()) {
            rebuild();
        }
        Guarded([] { Commit(); });
    }
}

void RepackNew() {
    Guarded([] { Begin("kvs.repack: looking for growth"); });
    const Repacking due = FindRepacking();
    Guarded([] { Commit(); });
    if (due.pack) {
        PackNew();
    }
    if (due.move) {
        GiveRoomBack();
    }
}

// A transaction for each branch, so that none is locked for long.
void DropEpochs() {
    Guarded([] { Begin("kvs.gc: looking for empty epochs"); });
    const std::vector<int32> branches = BranchesWithOlderEpochs();
    Guarded([] { Commit(); });
    for (const int32 branch : branches) {
        if (!MayGoOn(&settings.autogc)) {
            return;
        }
        Guarded([] { Begin("kvs.gc: dropping empty epochs"); });
        DropEmptyEpochs(branch);
        Guarded([] { Commit(); });
    }
}

// Where none runs, as in a database that nobody has written to since the server started.
void StartSequencer() {
    Guarded([] {
        Begin("kvs: looking for a sequencer");
        ObjectOid(Object::kTick);
        EnsureSequencer();
        Commit();
    });
}

void LookAfterStore() {
    if (settings.sequencer) {
        StartSequencer();
    }
    if (MyBgworkerEntry->bgw_extra[0] == kvs::worker::kOnlyStartSequencer) {
        return;
    }
    if (MayGoOn(&settings.autogc)) {
        DropEpochs();
    }
    if (MayGoOn(&settings.autogc)) {
        TrimAndCollect();
    }
    if (MayGoOn(&settings.autotrain)) {
        Train();
    }
    if (MayGoOn(&settings.autorepack)) {
        RepackNew();
    }
}

}  // namespace

extern "C" void kvs_gc_worker_main(Datum database) {
    kvs::worker::ConnectDatabaseWorker(DatumGetObjectId(database));
    Enter([] { LookAfterStore(); });
    proc_exit(0);
}

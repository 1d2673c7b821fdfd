// The sequencer of a database (pg/stream/sequencer.h): waits until somebody has committed changes, orders
// them, and wakes whoever waits for that. Started by the launcher, by the first writer, or by
// kvs.start_workers(); it ends when the extension is not there, or when the database has another one.
//
// Writers wake it by its latch (pg/table/stream_signal.h). Between two steps lie at least kvs.tick_interval,
// so that the cost of a step is shared by what is committed meanwhile, and more where a step takes longer: up
// to 5 ms, most of the time is left to others. The first change after a rest is ordered at once. After an
// error it goes on with a new look at what is stored, in ever longer intervals.
#include <algorithm>
#include <memory>
#include <optional>
#include <string>

#include "pg/binding/binding_table.h"
#include "pg/stream/listener_table.h"
#include "pg/stream/notifier.h"
#include "pg/stream/sequencer.h"
#include "pg/stream/worker_table.h"
#include "pg/table/stream_signal.h"
#include "pg/wall/entry_point.h"
#include "pg/wall/guard.h"
#include "pg/wall/server.h"
#include "pg/wall/settings.h"
#include "pg/wall/snapshot.h"
#include "worker/database_worker.h"

extern "C" {
PGDLLEXPORT void kvs_sequencer_main(Datum database);
}

namespace {

using namespace kvs::pg;
using namespace kvs::worker;

// Without a signal: while transactions run that have drawn numbers, of which some may be prepared; and else,
// to make up for a signal that was missed.
constexpr long kLookWithGaps = 200;  // ms
constexpr long kLookAtRest = 10000;

// Until so long after its begin it looks more often: a session may take a process for the sequencer that
// finds another one and ends, and so wake the wrong one.
constexpr long kBeginning = 5000;

// Each notification wakes all sessions of the database that listen, up to PostgreSQL 18: the more there are,
// the more events a step is to tell them.
constexpr size_t kListenersPerMillisecond = 50;

// From one step to the next, so many times what the step took, but no longer than that: the more there is to
// order, the less often those who listen are woken, and nine tenths of the time are left to who writes.
constexpr int64 kShareOfSteps = 10;
constexpr int64 kLongestPause = 5000;  // us

// Between two tries to start a worker beside it, and after one that found no room for it.
constexpr int64 kStartInterval = 1000;
constexpr int64 kStartWithoutRoom = 60000;

constexpr long kFirstRetry = 100;  // ms

constexpr DatabaseWorker kSequencer = {WorkerKind::kSequencer, kSequencerName, "kvs: ordering changes",
                                       "It goes on behind the last position that it gave."};

// What is remembered from step to step. After an error it is made anew from what is stored.
struct Memory {
    Sequencer sequencer;
    Notifier notifier;
};

void Notify(Memory* memory, int64 first) {
    Guarded([] { CommandCounterIncrement(); });
    ActiveSnapshot active(RegisterLatestSnapshot());
    memory->notifier.Notify(first, memory->sequencer.last_pos(), active.get());
    active.Release();
}

// How many events there were; nullopt if the sequencer is to end.
std::optional<uint64_t> StepUnlessStopped(Memory* memory) {
    ActiveSnapshot active(RegisterLatestSnapshot());
    std::optional<uint64_t> events;
    if (!IsStopped(kSequencerName, active.get())) {
        events = memory->sequencer.Step(active.get());
    }
    active.Release();
    if (events.value_or(0) > 0) {
        Notify(memory, memory->sequencer.last_pos() - static_cast<int64>(*events) + 1);
    }
    return events;
}

// From time to time.
void Tidy() {
    Guarded([] { PushActiveSnapshot(GetTransactionSnapshot()); });
    RemoveDeadListeners();
    Guarded([] { PopActiveSnapshot(); });
}

// One step; false if there is to be none any more. `was_woken`: perhaps by a consumer who has given something
// free (stream_signal.h).
bool Step(std::unique_ptr<Memory>* memory, bool was_woken, bool tidy, bool* failed) {
    std::optional<uint64_t> events = 0;
    StepEnd end;
    while ((end = RunStep(kSequencer, [&] { events = StepUnlessStopped(memory->get()); })) == StepEnd::kNew) {
        *memory = std::make_unique<Memory>();
    }
    if (end == StepEnd::kDone && !events) {
        return false;
    }
    if (end == StepEnd::kDone && (*events > 0 || was_woken)) {
        end = RunStep(kSequencer, [] { Guarded([] { WakeWaitingSessions(); }); });
    }
    if (end == StepEnd::kDone && tidy) {
        end = RunStep(kSequencer, Tidy);
    }
    *failed = end == StepEnd::kFailed;
    if (end != StepEnd::kDone) {
        *memory = std::make_unique<Memory>();
    }
    return end != StepEnd::kGone;
}

// A worker beside the sequencer, which wakes and starts it.
struct Follower {
    WorkerKind kind;
    const char* name;
    bool (*is_wanted)();         // in a transaction with an active snapshot
    TimestampTz next_start = 0;  // before it there is no further try
};

// Wakes it, or has it started, unless it is too early for that.
void LookAfter(Follower* follower) {
    const TimestampTz now = GetCurrentTimestamp();
    if (Guarded([&] { return WakeWorker(follower->kind); }) || now < follower->next_start) {
        return;
    }
    bool is_wanted = false;
    RunStep(kSequencer, [&] {
        ActiveSnapshot active(RegisterLatestSnapshot());
        is_wanted = follower->is_wanted();
        active.Release();
    });
    const bool lacks_room =
        is_wanted && !Guarded([&] { return StartWorker(follower->kind, MyDatabaseId, MyProcPid); });
    if (lacks_room) {
        Guarded([&] {
            ereport(LOG, errmsg("could not start a kvs %s worker: no free background worker", follower->name),
                    errhint("Consider increasing the configuration parameter \"max_worker_processes\"."));
        });
    }
    follower->next_start = TimestampTzPlusMilliseconds(now, lacks_room ? kStartWithoutRoom : kStartInterval);
}

// Milliseconds from the beginning of a step to the next one.
long IntervalAfter(TimestampTz begin, size_t listeners) {
    const int64 pause = std::min(kShareOfSteps * (GetCurrentTimestamp() - begin), kLongestPause);
    return static_cast<long>(std::max<int64>(settings.tick_interval, pause / 1000)) +
           static_cast<long>(listeners / kListenersPerMillisecond);
}

void Run() {
    auto memory = std::make_unique<Memory>();
    RetryPauses pauses(kFirstRetry);
    TimestampTz tidied_at = 0;
    Follower followers[] = {{WorkerKind::kMaintenance, kMaintenanceName, [] { return settings.maintenance; }},
                            {WorkerKind::kBindings, kBindingsName, HasBindings}};
    const TimestampTz begun_at = GetCurrentTimestamp();
    bool was_woken = false;
    for (;;) {
        const TimestampTz begin = GetCurrentTimestamp();
        const bool tidy = TimestampDifferenceExceeds(tidied_at, begin, kLookAtRest);
        bool failed;
        if (!Step(&memory, was_woken, tidy, &failed)) {
            return;
        }
        if (failed) {
            pauses.Sleep();
        } else {
            pauses.Reset();
            const long interval = IntervalAfter(begin, memory->notifier.channels());
            for (Follower& follower : followers) {
                LookAfter(&follower);
            }
            SleepSince(begin, interval);
            tidied_at = tidy ? begin : tidied_at;
        }
        const bool looks_often =
            memory->sequencer.HasGaps() || !TimestampDifferenceExceeds(begun_at, begin, kBeginning);
        was_woken = SleepOrWake(looks_often ? kLookWithGaps : kLookAtRest);
    }
}

}  // namespace

extern "C" void kvs_sequencer_main(Datum database) {
    ConnectDatabaseWorker(DatumGetObjectId(database));
    // A position that was handed out is never given again.
    SetConfigOption("synchronous_commit", "on", PGC_SUSET, PGC_S_OVERRIDE);
    Enter([] {
        if (BecomeDatabaseWorker(kSequencer)) {
            Run();
            // So that it sees that it is stopped, too.
            for (const WorkerKind kind : {WorkerKind::kMaintenance, WorkerKind::kBindings}) {
                Guarded([&] { WakeWorker(kind); });
            }
        }
    });
    proc_exit(0);
}

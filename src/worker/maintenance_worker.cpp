// The maintenance worker of a database: follows the stream, deletes entries that have expired
// (pg/maintenance/expirer.h), folds working rows that have piled up or are old (pg/maintenance/flusher.h),
// and commits branches from time to time (pg/maintenance/autocommitter.h). The sequencer starts it, and wakes
// it with each of its steps; it ends when the extension is not there, when the workers are stopped
// (kvs.stop_workers) and when kvs.maintenance is off.
//
// It sleeps until it is time for something, or something comes into the stream. Between two rounds lies a
// pause, so that what comes and ends meanwhile is dealt with together.
#include <algorithm>

#include "pg/maintenance/autocommitter.h"
#include "pg/maintenance/expirer.h"
#include "pg/maintenance/flusher.h"
#include "pg/stream/worker_table.h"
#include "pg/wall/entry_point.h"
#include "pg/wall/guard.h"
#include "pg/wall/server.h"
#include "pg/wall/settings.h"
#include "pg/wall/snapshot.h"
#include "worker/database_worker.h"

extern "C" {
PGDLLEXPORT void kvs_maintenance_main(Datum database);
}

namespace {

using namespace kvs::pg;
using namespace kvs::worker;

constexpr long kPause = 200;  // ms

// Without a signal, should one be missed.
constexpr long kLookAtRest = 10000;

constexpr long kFirstRetry = 200;  // ms

constexpr DatabaseWorker kMaintenance = {WorkerKind::kMaintenance, kMaintenanceName,
                                         "kvs: maintaining branches", "It begins anew with what is stored."};

// What is remembered from round to round.
struct Memory {
    Expirer expirer;
    Flusher flusher;
    Autocommitter autocommitter;
};

// A part of a round, which is a transaction of its own; and what is to be done when it has failed: true if
// that is put off by itself, so that the others can go on.
struct Step {
    Progress (*run)(Memory* memory);
    bool (*reset)(Memory* memory);
};

Progress Follow(Memory* memory) {
    const Progress progress = memory->expirer.Follow(GetActiveSnapshot());
    memory->flusher.Add(memory->expirer.TakeCounts());
    return progress;
}

bool ResetExpirer(Memory* memory) {
    return memory->expirer.Reset();
}

constexpr Step kSteps[] = {
    {Follow, ResetExpirer},
    {[](Memory* memory) { return memory->expirer.Scan(); }, ResetExpirer},
    {[](Memory* memory) { return memory->expirer.Expire(); }, ResetExpirer},
    {[](Memory* memory) { return memory->autocommitter.Commit(); },
     [](Memory* memory) { return memory->autocommitter.Reset(); }},
    {[](Memory* memory) { return memory->flusher.Flush(); },
     [](Memory* memory) { return memory->flusher.Reset(); }},
};

// What a round has come to.
struct Round {
    StepEnd end = StepEnd::kDone;
    bool is_stopped = false;
    bool more = false;
    bool later = false;
};

Round RunRound(Memory* memory) {
    Round round;
    for (const Step& step : kSteps) {
        Progress progress = Progress::kDone;
        round.end = RunStep(kMaintenance, [&] {
            ActiveSnapshot active(RegisterLatestSnapshot());
            round.is_stopped = IsStopped(kSequencerName, active.get());
            if (!round.is_stopped) {
                progress = step.run(memory);
            }
            active.Release();
        });
        if (round.end == StepEnd::kFailed && step.reset(memory)) {
            round.end = StepEnd::kDone;
            progress = Progress::kMore;
        }
        if (round.end != StepEnd::kDone || round.is_stopped) {
            return round;
        }
        round.more |= progress == Progress::kMore;
        round.later |= progress == Progress::kLater;
        // What is not known yet may end before what is known.
        if (step.run == Follow && round.more) {
            return round;
        }
    }
    return round;
}

// Until when there is nothing to do, in ms from now.
long TimeToSleep(const Memory& memory) {
    const TimestampTz now = GetCurrentTimestamp();
    const TimestampTz next =
        std::min({memory.expirer.next(), memory.autocommitter.next(), memory.flusher.next()});
    return next <= now ? 0 : std::min(TimestampDifferenceMilliseconds(now, next) + 1, kLookAtRest);
}

void Run() {
    Memory memory;
    RetryPauses pauses(kFirstRetry);
    while (settings.maintenance) {
        const TimestampTz begin = GetCurrentTimestamp();
        const Round round = RunRound(&memory);
        if (round.end == StepEnd::kGone || round.is_stopped) {
            return;
        }
        if (round.end == StepEnd::kFailed) {
            pauses.Sleep();
        } else if (round.end == StepEnd::kNew) {
            memory = {};
        }
        if (round.end != StepEnd::kDone) {
            continue;
        }
        pauses.Reset();
        if (round.more) {
            SleepOrWake(0);
            continue;
        }
        SleepSince(begin, kPause);
        if (!round.later) {
            SleepOrWake(TimeToSleep(memory));
        }
    }
}

}  // namespace

extern "C" void kvs_maintenance_main(Datum database) {
    ConnectDatabaseWorker(DatumGetObjectId(database));
    // Nobody waits for it, and what is lost is done again.
    SetConfigOption("kvs.durability", "async", PGC_SUSET, PGC_S_OVERRIDE);
    SetConfigOption("synchronous_commit", "off", PGC_SUSET, PGC_S_OVERRIDE);
    // It waits for nobody; but a commit hook may.
    SetConfigOption("lock_timeout", "5s", PGC_SUSET, PGC_S_OVERRIDE);
    Enter([] {
        if (BecomeDatabaseWorker(kMaintenance)) {
            Run();
        }
    });
    proc_exit(0);
}

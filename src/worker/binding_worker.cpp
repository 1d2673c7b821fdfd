// The worker of the bindings of a database: brings bound tables and their keys together
// (pg/binding/applier.h), batch by batch, each a transaction of its own. The sequencer starts it where there
// are bindings, and wakes it with each of its steps; it ends when there are none, when the extension is not
// there, and when the workers are stopped (kvs.stop_workers).
//
// The bindings take turns, so that none keeps the others waiting for longer than a batch takes. One that
// fails is tried again in ever longer intervals; one that cannot go on is paused, with the reason.
#include <algorithm>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "pg/binding/applier.h"
#include "pg/stream/worker_table.h"
#include "pg/table/locks.h"
#include "pg/wall/entry_point.h"
#include "pg/wall/guard.h"
#include "pg/wall/server.h"
#include "pg/wall/snapshot.h"
#include "worker/database_worker.h"

extern "C" {
#include "commands/dbcommands.h"
#include "utils/syscache.h"

PGDLLEXPORT void kvs_bindings_main(Datum database);
}

namespace {

using namespace kvs::pg;
using namespace kvs::worker;

// Between two rounds: what is committed meanwhile comes together.
constexpr long kPause = 5;  // ms

// Where somebody changes the binding, or rewrites its branch.
constexpr long kWhenHindered = 100;  // ms

// Until a position is stored behind which nothing has come.
constexpr long kUnnoted = 100;  // ms

// Without a signal, should one be missed.
constexpr long kLookAtRest = 10000;

// After a failed batch.
constexpr long kFirstRetry = 200;  // ms
constexpr long kLongestRetry = 30000;

constexpr DatabaseWorker kBindings = {WorkerKind::kBindings, kBindingsName, "kvs: writing bound tables",
                                      "The batch is tried again."};

// What is remembered of a binding.
struct Turn {
    std::unique_ptr<BindingApplier> applier;
    std::string shape;  // that it was opened with
    long retry = kFirstRetry;
    TimestampTz not_before = 0;
};

// What there is to do; false if there is nothing any more.
StepEnd FindBindings(std::vector<int32>* active, bool* is_wanted) {
    return RunStep(kBindings, [&] {
        ActiveSnapshot snapshot(RegisterLatestSnapshot());
        *is_wanted = !IsStopped(kSequencerName, snapshot.get()) && HasBindings();
        *active = ActiveBindings();
        snapshot.Release();
    });
}

// UndoStep without a problem: somebody was in the way.
BatchEnd RunBatch(int32 id, Turn* turn, std::string* problem) {
    ActiveSnapshot snapshot(RegisterLatestSnapshot());
    BatchEnd end = BatchEnd::kDone;
    Binding binding;
    if (!TryLockBinding(id)) {
        end = BatchEnd::kLater;
    } else if (ReadBinding(id, &binding) && !binding.is_paused) {
        if (turn->applier == nullptr || turn->shape != binding.shape) {
            turn->applier = std::make_unique<BindingApplier>(binding);
            turn->shape = binding.shape;
        }
        try {
            end = turn->applier->RunBatch(binding, snapshot.get());
        } catch (const BindingProblem& error) {
            *problem = error.what();
            throw UndoStep();
        } catch (const TargetHeld&) {
            throw UndoStep();
        }
    }
    snapshot.Release();
    return end;
}

StepEnd PauseBinding(int32 id, const std::string& problem) {
    return RunStep(kBindings, [&] {
        ActiveSnapshot snapshot(RegisterLatestSnapshot());
        Binding binding;
        if (ReadBinding(id, &binding)) {
            SetPaused(id, true, problem);
            if (!Guarded([&] { return SearchSysCacheExists1(RELOID, ObjectIdGetDatum(binding.target)); })) {
                ForgetTarget(id);
            }
            Guarded([&] {
                ereport(LOG,
                        errmsg("kvs binding \"%s\" of database \"%s\" is paused: %s", binding.name.c_str(),
                               get_database_name(MyDatabaseId), problem.c_str()),
                        errhint("kvs.resume_binding() lets it go on."));
            });
        }
        snapshot.Release();
    });
}

// One batch of a binding. False if the extension has gone.
bool TakeTurn(int32 id, Turn* turn, bool* more) {
    BatchEnd end = BatchEnd::kDone;
    std::string problem;
    const StepEnd step = RunStep(kBindings, [&] { end = RunBatch(id, turn, &problem); });
    const TimestampTz now = GetCurrentTimestamp();
    if (step == StepEnd::kDone) {
        turn->retry = kFirstRetry;
        turn->not_before =
            end == BatchEnd::kLater ? TimestampTzPlusMilliseconds(now, kWhenHindered) : TimestampTz{0};
        *more |= end == BatchEnd::kMore;
        return true;
    }
    turn->applier.reset();
    if (step == StepEnd::kUndone && problem.empty()) {
        turn->not_before = TimestampTzPlusMilliseconds(now, kWhenHindered);
        return true;
    }
    if (step == StepEnd::kUndone) {
        return PauseBinding(id, problem) != StepEnd::kGone;
    }
    turn->not_before = TimestampTzPlusMilliseconds(now, turn->retry);
    turn->retry = std::min(2 * turn->retry, kLongestRetry);
    return step != StepEnd::kGone;
}

// Until when there is nothing to do, in ms from now.
long TimeToSleep(const std::map<int32, Turn>& turns) {
    const TimestampTz now = GetCurrentTimestamp();
    long time = kLookAtRest;
    for (const auto& [id, turn] : turns) {
        if (turn.applier != nullptr && turn.applier->has_unnoted()) {
            time = std::min(time, kUnnoted);
        }
        if (turn.applier != nullptr && turn.applier->next_due() != DT_NOEND) {
            time = std::min(time, TimestampDifferenceMilliseconds(now, turn.applier->next_due()) + 1);
        }
        if (turn.not_before != 0) {
            time = std::min(time, TimestampDifferenceMilliseconds(now, turn.not_before) + 1);
        }
    }
    return time;
}

void Run() {
    std::map<int32, Turn> turns;
    RetryPauses pauses(kFirstRetry);
    for (;;) {
        const TimestampTz begin = GetCurrentTimestamp();
        std::vector<int32> active;
        bool is_wanted = true;
        const StepEnd found = FindBindings(&active, &is_wanted);
        if (found == StepEnd::kGone || !is_wanted) {
            return;
        }
        if (found != StepEnd::kDone) {
            turns.clear();
            pauses.Sleep();
            continue;
        }
        pauses.Reset();
        std::erase_if(turns, [&](const auto& turn) {
            return !std::binary_search(active.begin(), active.end(), turn.first);
        });
        bool more = false;
        for (const int32 id : active) {
            if (turns[id].not_before <= begin && !TakeTurn(id, &turns[id], &more)) {
                return;
            }
        }
        if (more) {
            SleepOrWake(0);
            continue;
        }
        SleepSince(begin, kPause);
        SleepOrWake(TimeToSleep(turns));
    }
}

}  // namespace

extern "C" void kvs_bindings_main(Datum database) {
    ConnectDatabaseWorker(DatumGetObjectId(database));
    // What is lost is done again.
    SetConfigOption("kvs.durability", "async", PGC_SUSET, PGC_S_OVERRIDE);
    SetConfigOption("synchronous_commit", "off", PGC_SUSET, PGC_S_OVERRIDE);
    // Values are compared as texts, whoever writes them.
    SetConfigOption("timezone", "UTC", PGC_SUSET, PGC_S_OVERRIDE);
    SetConfigOption("datestyle", "ISO", PGC_SUSET, PGC_S_OVERRIDE);
    SetConfigOption("intervalstyle", "iso_8601", PGC_SUSET, PGC_S_OVERRIDE);
    SetConfigOption("extra_float_digits", "1", PGC_SUSET, PGC_S_OVERRIDE);
    SetConfigOption("bytea_output", "hex", PGC_SUSET, PGC_S_OVERRIDE);
    Enter([] {
        if (BecomeDatabaseWorker(kBindings)) {
            Run();
        }
    });
    proc_exit(0);
}

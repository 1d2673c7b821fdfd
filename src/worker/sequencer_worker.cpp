// The sequencer of a database (pg/stream/sequencer.h): waits until somebody has committed changes, orders
// them, and wakes whoever waits for that. Started by the launcher, by the first writer, or by
// kvs.start_workers(); it ends when the extension is not there, or when the database has another one.
//
// Writers wake it by its latch (pg/table/stream_signal.h). Between two steps lie at least kvs.tick_interval,
// so that the cost of a step is shared by what is committed meanwhile; the first change after a rest is
// ordered at once. After an error it goes on with a new look at what is stored, in ever longer intervals.
#include <algorithm>
#include <memory>
#include <optional>
#include <string>

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

extern "C" {
#include "commands/dbcommands.h"
#include "commands/extension.h"
#include "pgstat.h"
#include "postmaster/bgworker.h"
#include "postmaster/interrupt.h"
#include "storage/latch.h"
#include "tcop/tcopprot.h"

PGDLLEXPORT void kvs_sequencer_main(Datum database);
}

namespace {

using namespace kvs::pg;

// Without a signal: while transactions run that have drawn numbers, of which some may be prepared; and else,
// to make up for a signal that was missed.
constexpr long kLookWithGaps = 200;  // ms
constexpr long kLookAtRest = 10000;

// Until so long after its begin it looks more often: a session may take a process for the sequencer that
// finds another one and ends, and so wake the wrong one.
constexpr long kBeginning = 5000;

// Each notification wakes all sessions of the database that listen, up to PostgreSQL 18: the more there are,
// the more events a step is to tell them.
constexpr int kListenersPerMillisecond = 50;

constexpr long kFirstRetry = 100;
constexpr long kLastRetry = 30000;

// Server code.
void Begin() {
    SetCurrentStatementStartTimestamp();
    StartTransactionCommand();
    pgstat_report_activity(STATE_RUNNING, "kvs: ordering changes");
}

void Commit() {
    CommitTransactionCommand();
    pgstat_report_stat(false);
    pgstat_report_activity(STATE_IDLE, nullptr);
}

bool IsInstalled() {
    return OidIsValid(get_extension_oid("kvs", true));
}

// Whether this process is to be the sequencer.
bool Prepare() {
    Guarded([] {
        Begin();
        PushActiveSnapshot(GetTransactionSnapshot());
    });
    const bool is_wanted = Guarded([] { return IsInstalled(); }) && IsToBegin(kSequencerName) &&
                           Guarded([] { return BecomeSequencer(); });
    Guarded([] {
        PopActiveSnapshot();
        Commit();
    });
    return is_wanted;
}

// After an error: rolls back, and tells of it. False if the extension has gone.
bool Recover(const char* message) {
    Guarded([] {
        AbortCurrentTransaction();
        Begin();
        PushActiveSnapshot(GetTransactionSnapshot());
    });
    const bool is_installed = Guarded([] { return IsInstalled(); });
    if (is_installed) {
        Guarded([&] {
            ereport(LOG,
                    errmsg("kvs sequencer of database \"%s\": %s", get_database_name(MyDatabaseId), message),
                    errdetail("It goes on behind the last position that it gave."));
        });
        NoteWorkerError(kSequencerName, message);
    }
    Guarded([] {
        PopActiveSnapshot();
        Commit();
    });
    return is_installed;
}

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
    Guarded([] {
        Begin();
        PushActiveSnapshot(GetTransactionSnapshot());
    });
    RemoveDeadListeners();
    Guarded([] {
        PopActiveSnapshot();
        Commit();
    });
}

// One step; false if there is to be none any more. `was_woken`: perhaps by a consumer who has given something
// free (stream_signal.h).
bool Step(std::unique_ptr<Memory>* memory, bool was_woken, bool tidy, bool* failed) {
    *failed = true;
    const char* message = "out of memory";
    std::string text;
    try {
        Guarded([] { Begin(); });
        const std::optional<uint64_t> events = StepUnlessStopped(memory->get());
        Guarded([] { Commit(); });
        if (!events) {
            return false;
        }
        if (*events > 0 || was_woken) {
            Guarded([] {
                StartTransactionCommand();
                WakeWaitingSessions();
                CommitTransactionCommand();
            });
        }
        if (tidy) {
            Tidy();
        }
        *failed = false;
        return true;
    } catch (const PgError& error) {
        text = error.what();
        message = text.c_str();
    } catch (const std::bad_alloc&) {
    } catch (const std::exception& error) {
        text = error.what();
        message = text.c_str();
    }
    *memory = std::make_unique<Memory>();
    return Recover(message);
}

// Sleeps until there may be something to do; true if it was woken.
bool Sleep(long milliseconds) {
    return Guarded([&] {
        const int cause = WaitLatch(MyLatch, WL_LATCH_SET | WL_TIMEOUT | WL_EXIT_ON_PM_DEATH, milliseconds,
                                    PG_WAIT_EXTENSION);
        ResetLatch(MyLatch);
        CHECK_FOR_INTERRUPTS();
        if (ConfigReloadPending) {
            ConfigReloadPending = false;
            ProcessConfigFile(PGC_SIGHUP);
        }
        return (cause & WL_LATCH_SET) != 0;
    });
}

// Waits without minding signals, so that what is committed meanwhile comes together.
void Pause(TimestampTz since, int interval) {
    const long elapsed = TimestampDifferenceMilliseconds(since, GetCurrentTimestamp());
    if (elapsed < interval) {
        Guarded([&] { pg_usleep((interval - elapsed) * 1000L); });
    }
}

void Run() {
    auto memory = std::make_unique<Memory>();
    long retry = kFirstRetry;
    TimestampTz tidied_at = 0;
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
            Guarded([&] { pg_usleep(retry * 1000L); });
            retry = std::min(2 * retry, kLastRetry);
        } else {
            retry = kFirstRetry;
            const auto listeners = static_cast<int>(memory->notifier.channels());
            Pause(begin, settings.tick_interval + listeners / kListenersPerMillisecond);
            tidied_at = tidy ? begin : tidied_at;
        }
        const bool looks_often =
            memory->sequencer.HasGaps() || !TimestampDifferenceExceeds(begun_at, begin, kBeginning);
        was_woken = Sleep(looks_often ? kLookWithGaps : kLookAtRest);
    }
}

}  // namespace

extern "C" void kvs_sequencer_main(Datum database) {
    pqsignal(SIGHUP, SignalHandlerForConfigReload);
    pqsignal(SIGTERM, die);
    BackgroundWorkerUnblockSignals();
    BackgroundWorkerInitializeConnectionByOid(DatumGetObjectId(database), InvalidOid, 0);
    // One step sees all that is committed, and a position that was handed out is never given again.
    SetConfigOption("default_transaction_isolation", "read committed", PGC_SUSET, PGC_S_OVERRIDE);
    SetConfigOption("synchronous_commit", "on", PGC_SUSET, PGC_S_OVERRIDE);
    Enter([] {
        if (Prepare()) {
            Run();
        }
    });
    proc_exit(0);
}

#include "worker/database_worker.h"

#include <algorithm>
#include <string>

#include "pg/stream/worker_table.h"
#include "pg/table/locks.h"
#include "pg/wall/guard.h"

extern "C" {
#include "commands/dbcommands.h"
#include "pgstat.h"
#include "postmaster/bgworker.h"
#include "postmaster/interrupt.h"
#include "storage/latch.h"
#include "tcop/tcopprot.h"
}

namespace kvs::worker {

using namespace kvs::pg;

namespace {

// Which the worker works for: who drops an extension and creates it anew gets another one.
Oid extension;

// Server code.
void Begin(const char* activity) {
    SetCurrentStatementStartTimestamp();
    StartTransactionCommand();
    pgstat_report_activity(STATE_RUNNING, activity);
}

void Commit() {
    CommitTransactionCommand();
    pgstat_report_stat(false);
    pgstat_report_activity(STATE_IDLE, nullptr);
}

// After an error: rolls back, and tells of it. False if the extension has gone.
bool Recover(const DatabaseWorker& worker, const char* message) {
    Guarded([&] {
        AbortCurrentTransaction();
        Begin(worker.activity);
        PushActiveSnapshot(GetTransactionSnapshot());
    });
    const bool is_installed = Guarded([] { return OidIsValid(LockExtension()); });
    if (is_installed) {
        Guarded([&] {
            ereport(LOG,
                    errmsg("kvs %s of database \"%s\": %s", worker.name, get_database_name(MyDatabaseId),
                           message),
                    errdetail_internal("%s", worker.recovery));
        });
        NoteWorkerError(worker.name, message);
    }
    Guarded([] {
        PopActiveSnapshot();
        Commit();
    });
    return is_installed;
}

// Server code.
void AnswerSignals() {
    CHECK_FOR_INTERRUPTS();
    if (ConfigReloadPending) {
        ConfigReloadPending = false;
        ProcessConfigFile(PGC_SIGHUP);
    }
}

}  // namespace

StepEnd RunStep(const DatabaseWorker& worker, const std::function<void()>& body) {
    const char* message = "out of memory";
    std::string text;
    try {
        const Oid before = extension;
        extension = Guarded([&] {
            Begin(worker.activity);
            return LockExtension();
        });
        if (extension == before) {
            body();
        }
        Guarded([] { Commit(); });
        return extension == before ? StepEnd::kDone : OidIsValid(extension) ? StepEnd::kNew : StepEnd::kGone;
    } catch (const UndoStep&) {
        Guarded([] {
            AbortCurrentTransaction();
            pgstat_report_activity(STATE_IDLE, nullptr);
        });
        return StepEnd::kUndone;
    } catch (const PgError& error) {
        text = error.what();
        message = text.c_str();
    } catch (const std::bad_alloc&) {
    } catch (const std::exception& error) {
        text = error.what();
        message = text.c_str();
    }
    return Recover(worker, message) ? StepEnd::kFailed : StepEnd::kGone;
}

bool BecomeDatabaseWorker(const DatabaseWorker& worker) {
    Guarded([&] {
        Begin(worker.activity);
        PushActiveSnapshot(GetTransactionSnapshot());
    });
    extension = Guarded([] { return LockExtension(); });
    const bool is_wanted = OidIsValid(extension) && IsToBegin(kSequencerName) &&
                           Guarded([&] { return BecomeWorker(worker.kind); });
    Guarded([] {
        PopActiveSnapshot();
        Commit();
    });
    return is_wanted;
}

void ConnectDatabaseWorker(Oid database) {
    pqsignal(SIGHUP, SignalHandlerForConfigReload);
    pqsignal(SIGTERM, die);
    BackgroundWorkerUnblockSignals();
    pg::ReleaseWorkerLocksAtExit();
    BackgroundWorkerInitializeConnectionByOid(database, InvalidOid, 0);
    // A step sees all that is committed, and may write whatever sessions of the database do by default.
    SetConfigOption("default_transaction_isolation", "read committed", PGC_SUSET, PGC_S_OVERRIDE);
    SetConfigOption("default_transaction_read_only", "off", PGC_SUSET, PGC_S_OVERRIDE);
}

bool SleepOrWake(long milliseconds) {
    return Guarded([&] {
        const int cause = WaitLatch(MyLatch, WL_LATCH_SET | WL_TIMEOUT | WL_EXIT_ON_PM_DEATH, milliseconds,
                                    PG_WAIT_EXTENSION);
        ResetLatch(MyLatch);
        AnswerSignals();
        return (cause & WL_LATCH_SET) != 0;
    });
}

void SleepSince(TimestampTz since, long milliseconds) {
    const long elapsed = TimestampDifferenceMilliseconds(since, GetCurrentTimestamp());
    if (elapsed < milliseconds) {
        Guarded([&] {
            WaitLatch(nullptr, WL_TIMEOUT | WL_EXIT_ON_PM_DEATH, milliseconds - elapsed, PG_WAIT_EXTENSION);
            AnswerSignals();
        });
    }
}

void RetryPauses::Sleep() {
    constexpr long kLongest = 30000;
    SleepSince(GetCurrentTimestamp(), next_);
    next_ = std::min(2 * next_, kLongest);
}

}  // namespace kvs::worker

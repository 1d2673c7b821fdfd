// What the workers have in common that live as long as their database has the extension: each does its work
// in transactions, and goes on with a new look at what is stored when one has failed.
#pragma once

#include <functional>

#include "pg/table/stream_signal.h"
#include "pg/wall/server.h"

namespace kvs::worker {

struct DatabaseWorker {
    pg::WorkerKind kind;
    const char* name;      // in _kvs.worker
    const char* activity;  // as pg_stat_activity shows it
    const char* recovery;  // what it does after an error, as a sentence
};

enum class StepEnd {
    kDone,
    kFailed,  // was rolled back and is reported
    kUndone,  // was rolled back, since the body asked for it
    kNew,     // the extension is not the one of the step before: nothing was run, what is remembered is of no
              // use
    kGone,    // so has the extension
};

// To be thrown by the body of a step that is to be rolled back.
struct UndoStep {};

// Runs `body`, C++ code, in a transaction of its own.
StepEnd RunStep(const DatabaseWorker& worker, const std::function<void()>& body);

// Whether this process is to be the worker: the extension is there, the workers are not stopped, and no other
// process is.
bool BecomeDatabaseWorker(const DatabaseWorker& worker);

// Connects to the database, with settings that let a worker do its work. Server code, to be called first.
void ConnectDatabaseWorker(Oid database);

// Sleeps until the time is over or somebody sets the latch, which is answered.
bool SleepOrWake(long milliseconds);

// Sleeps until so many milliseconds have gone by since then, without minding the latch: what comes meanwhile
// comes together.
void SleepSince(TimestampTz since, long milliseconds);

// The pauses of a worker whose steps fail: each twice as long as the one before, until a step has succeeded.
class RetryPauses {
  public:
    explicit RetryPauses(long first) : first_(first), next_(first) {}  // ms

    void Sleep();
    void Reset() { next_ = first_; }

  private:
    long first_;
    long next_;
};

}  // namespace kvs::worker

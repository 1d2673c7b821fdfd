// What is remembered of background workers, _kvs.worker.
#pragma once

#include "pg/wall/server.h"

namespace kvs::pg {

// Of the one worker that there is of each database.
constexpr const char* kSequencerName = "sequencer";

// Whether kvs.stop_workers() was called, and kvs.start_workers() not since.
bool IsStopped(const char* name, Snapshot snapshot);

// The same for a worker that begins, perhaps because a transaction that is about to commit wants it to: waits
// for that.
bool IsToBegin(const char* name);

void SetStopped(const char* name, bool is_stopped);

void NoteWorkerError(const char* name, const char* message);

}  // namespace kvs::pg

// What is remembered of background workers, _kvs.worker.
#pragma once

#include <optional>

#include "pg/wall/server.h"

namespace kvs::pg {

// Of the workers that there are of each database.
constexpr const char* kSequencerName = "sequencer";
constexpr const char* kMaintenanceName = "maintenance";
constexpr const char* kBindingsName = "bindings";

// Whether kvs.stop_workers() was called, and kvs.start_workers() not since: the sequencer's row says so for
// all.
bool IsStopped(const char* name, Snapshot snapshot);

// The same for a worker that begins, perhaps because a transaction that is about to commit wants it to: waits
// for that.
bool IsToBegin(const char* name);

void SetStopped(const char* name, bool is_stopped);

// The position to which a worker has followed the stream; nullopt: it has not begun. In a transaction of the
// worker.
std::optional<int64> ReadWorkerPos(const char* name);
void StoreWorkerPos(const char* name, int64 pos);

void NoteWorkerError(const char* name, const char* message);

}  // namespace kvs::pg

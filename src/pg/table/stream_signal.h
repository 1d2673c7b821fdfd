// Who waits for whom in the change stream: committing sessions wake the sequencer of their database, and it
// wakes the sessions that wait for events. Both are found without memory of our own, so that the stream works
// whether the library was preloaded or not:
//
//   sequencer          the background worker of this type in this database; a session looks for it once, and
//                      again when the process is another
//   sessions that wait hold a lock in share mode, which is asked for its holders
//
// Beside the sequencer a database has workers that follow the stream, for maintenance
// (worker/maintenance_worker.cpp) and for bound tables (worker/binding_worker.cpp); the sequencer starts and
// wakes them. Each worker holds a lock for as long as it runs, so that a
// database has one of a kind. Who wakes sets a latch, which costs nothing where it is set already, and never
// waits: a signal too many is harmless, and one that is missed, as that of COMMIT PREPARED, is made up for by
// a look from time to time.
//
// Server code: call under Guarded.
#pragma once

#include "pg/wall/server.h"

namespace kvs::pg {

enum class WorkerKind { kSequencer, kMaintenance, kBindings };

// --- sessions that write ---

// This transaction has drawn the number of a change: when it commits, the sequencer is woken. One is started
// where there is none and the library was preloaded (kvs.sequencer).
void NoteChanges();

// This transaction has changed rows of bound tables: when it commits, the sequencer is woken, which wakes the
// worker of the bindings.
void NoteMarks();

// --- sessions that consume ---

// When this transaction ends, what it gives free may be what others wait for: the sequencer is woken, which
// wakes them. kOnAbort: only if it is rolled back.
enum class FreedWhen { kAtEnd, kOnAbort };
void NoteFreed(FreedWhen when);

// --- workers ---

// For as long as this process runs; false if another process is that worker of this database.
bool BecomeWorker(WorkerKind kind);

// Asks the server to start the worker of a database, which ends at once if it has one already; false if there
// is no room for a background worker. `notify_pid` is told when it begins and ends; 0: nobody.
bool StartWorker(WorkerKind kind, Oid database, int notify_pid);

// Ends the workers of a database, if it has any, without waiting for that.
void StopWorkers(Oid database);

// --- the sequencer ---

// Sets the latch of every session of this database that waits for events.
void WakeWaitingSessions();

// Sets the latch of a worker beside the sequencer; false if this database has none.
bool WakeWorker(WorkerKind kind);

// Waits until this database has a sequencer that was started; false if it does not come in time.
bool WaitForSequencer(int milliseconds);

// Whether this database has a sequencer, which is woken, or one was asked for just now, where the library was
// preloaded.
bool EnsureSequencer();

// --- sessions that wait ---

// To be called before the look at what has been waited for, so that no signal is missed; and StopWaiting on
// the normal way out.
void BeginWaiting();
void StopWaiting();

// Sleeps until there may be something new, at most so many milliseconds.
void WaitForSignal(int64 milliseconds);

}  // namespace kvs::pg

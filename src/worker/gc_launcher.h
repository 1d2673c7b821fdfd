// Garbage collection without being asked: a launcher, which belongs to no database, starts a collector in
// each database in turn, every kvs.autogc_naptime; the collector looks whether kvs is there and has grown by
// kvs.autogc_threshold chunks and kvs.autogc_growth percent since the last collection, and collects then.
//
// One collector runs at a time. Neither is started on a standby, or does anything while kvs.autogc is off.
#pragma once

namespace kvs::worker {

// Called once, while the postmaster preloads the library.
void RegisterGcLauncher();

}  // namespace kvs::worker

// Garbage collection without being asked: a launcher, which belongs to no database, starts a collector in
// each database in turn, every kvs.autogc_naptime; the collector looks whether kvs is there and has grown by
// kvs.autogc_threshold chunks and kvs.autogc_growth percent since the last collection, and collects then.
//
// It also starts the sequencer of a database that has none (kvs.sequencer); the launcher has that done at
// once when it begins.
//
// One collector runs at a time. Neither is started on a standby.
#pragma once

namespace kvs::worker {

// In bgw_extra of a collector that is to do nothing else.
constexpr char kOnlyStartSequencer = 's';

// Called once, while the postmaster preloads the library.
void RegisterGcLauncher();

}  // namespace kvs::worker

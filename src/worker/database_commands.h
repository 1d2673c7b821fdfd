// DROP DATABASE and other commands that want a database for themselves end its sequencer first, which would
// keep them waiting and then make them fail.
#pragma once

namespace kvs::worker {

// Called once, while the postmaster preloads the library.
void InstallDatabaseCommandHook();

}  // namespace kvs::worker

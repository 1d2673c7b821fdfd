// The background worker behind kvs.durability = batched: flushes the WAL at least every kvs.batch_interval,
// so that an acknowledged write is lost only by a crash within that time.
#pragma once

namespace kvs::worker {

// Called once, while the postmaster preloads the library.
void RegisterWalFlusher();

}  // namespace kvs::worker

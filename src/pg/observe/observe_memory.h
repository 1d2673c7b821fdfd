// Shared memory for what is known of operations: asked for and attached in the server's hooks.
#pragma once

namespace kvs::pg {

// Called once, while the postmaster preloads the library. From then on operations are observed as the
// settings say.
void InstallObserveHooks();

}  // namespace kvs::pg

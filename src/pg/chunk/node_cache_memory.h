// Shared memory for the node cache: asked for and attached in the server's hooks.
#pragma once

namespace kvs::pg {

// Called once, while the postmaster preloads the library.
void InstallNodeCacheHooks();

}  // namespace kvs::pg

// What happens when the server loads the library.
#include "pg/chunk/node_cache_memory.h"
#include "pg/observe/observe_memory.h"
#include "pg/upkeep/gc_progress.h"
#include "pg/wall/server.h"
#include "pg/wall/settings.h"
#include "worker/database_commands.h"
#include "worker/gc_launcher.h"
#include "worker/wal_flusher.h"

extern "C" {
PG_MODULE_MAGIC;
PGDLLEXPORT void _PG_init();
}

extern "C" void _PG_init() {
    kvs::pg::DefineSettings();
    if (process_shared_preload_libraries_in_progress) {
        kvs::pg::InstallNodeCacheHooks();
        kvs::pg::InstallGcProgressHooks();
        kvs::pg::InstallObserveHooks();
        kvs::worker::RegisterWalFlusher();
        kvs::worker::RegisterGcLauncher();
        kvs::worker::InstallDatabaseCommandHook();
    }
}

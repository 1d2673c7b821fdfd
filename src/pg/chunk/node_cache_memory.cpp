#include "pg/chunk/node_cache_memory.h"

#include "pg/chunk/shared_node_cache.h"
#include "pg/wall/server.h"
#include "pg/wall/settings.h"

namespace kvs::pg {

namespace {

shmem_request_hook_type previous_request_hook;
shmem_startup_hook_type previous_startup_hook;

size_t Capacity() {
    return static_cast<size_t>(settings.node_cache_size) * 1024;
}

void Request() {
    if (previous_request_hook != nullptr) {
        previous_request_hook();
    }
    RequestAddinShmemSpace(SharedNodeCache::SharedSize(Capacity()));
    RequestNamedLWLockTranche(kNodeCacheTranche, kNodeCachePartitions);
}

void Attach() {
    if (previous_startup_hook != nullptr) {
        previous_startup_hook();
    }
    LWLockAcquire(AddinShmemInitLock, LW_EXCLUSIVE);
    SharedNodeCache::Attach(Capacity());
    LWLockRelease(AddinShmemInitLock);
}

}  // namespace

void InstallNodeCacheHooks() {
    previous_request_hook = shmem_request_hook;
    shmem_request_hook = Request;
    previous_startup_hook = shmem_startup_hook;
    shmem_startup_hook = Attach;
}

}  // namespace kvs::pg

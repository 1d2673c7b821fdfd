#include "pg/observe/observe_memory.h"

#include "pg/observe/observer.h"
#include "pg/observe/operation_counts.h"
#include "pg/observe/operation_log.h"
#include "pg/wall/server.h"

namespace kvs::pg {

namespace {

shmem_request_hook_type previous_request_hook;
shmem_startup_hook_type previous_startup_hook;

void Request() {
    if (previous_request_hook != nullptr) {
        previous_request_hook();
    }
    RequestAddinShmemSpace(OperationCountsMemory());
    RequestNamedLWLockTranche(kOperationCountsTranche, 1);
    RequestAddinShmemSpace(OperationLogMemory());
    RequestNamedLWLockTranche(kOperationLogTranche, kOperationLogLocks);
}

void Attach() {
    if (previous_startup_hook != nullptr) {
        previous_startup_hook();
    }
    LWLockAcquire(AddinShmemInitLock, LW_EXCLUSIVE);
    AttachOperationCounts();
    AttachOperationLog();
    LWLockRelease(AddinShmemInitLock);
    observe_call = ObserveCall;
}

}  // namespace

void InstallObserveHooks() {
    previous_request_hook = shmem_request_hook;
    shmem_request_hook = Request;
    previous_startup_hook = shmem_startup_hook;
    shmem_startup_hook = Attach;
}

}  // namespace kvs::pg

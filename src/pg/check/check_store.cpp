#include "pg/check/check_store.h"

#include "pg/check/check_commits.h"
#include "pg/check/check_history.h"
#include "pg/check/check_objects.h"
#include "pg/wall/guard.h"

namespace kvs::pg {

bool CheckStore(Snapshot snapshot, const FindingSink& sink) {
    MemoryContext scratch = Guarded(
        [] { return AllocSetContextCreate(CurrentMemoryContext, "kvs check", ALLOCSET_DEFAULT_SIZES); });
    ObjectCheck objects(snapshot, sink);
    CommitCheck commits(snapshot, scratch, &objects, sink);
    commits.CheckRows();
    commits.CheckRefs();
    CheckChangeLog(&objects, scratch, sink);
    CheckWorkingRows(sink);
    commits.ReportUnreached();
    objects.Finish();
    Guarded([&] { MemoryContextDelete(scratch); });
    return objects.all_reached();
}

}  // namespace kvs::pg

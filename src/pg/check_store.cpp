#include "pg/check_store.h"

#include "pg/check_commits.h"
#include "pg/check_history.h"
#include "pg/check_objects.h"

namespace kvs::pg {

void CheckStore(Snapshot snapshot, const FindingSink& sink) {
    ObjectCheck objects(snapshot, sink);
    CommitCheck commits(snapshot, &objects, sink);
    commits.CheckRows();
    commits.CheckRefs();
    CheckChangeLog(&objects, sink);
    CheckWorkingRows(sink);
    commits.ReportUnreached();
    objects.Finish();
}

}  // namespace kvs::pg

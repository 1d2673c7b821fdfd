#include "pg/check/check_store.h"

#include "pg/check/branch_replay.h"
#include "pg/check/change_claims.h"
#include "pg/check/check_commits.h"
#include "pg/check/check_history.h"
#include "pg/check/check_objects.h"
#include "pg/check/check_records.h"
#include "pg/check/check_working.h"
#include "pg/check/log_epochs.h"
#include "pg/chunk/dictionary_cache.h"
#include "pg/wall/guard.h"

namespace kvs::pg {

bool CheckStore(Snapshot snapshot, const FindingSink& sink) {
    MemoryContext scratch = Guarded(
        [] { return AllocSetContextCreate(CurrentMemoryContext, "kvs check", ALLOCSET_DEFAULT_SIZES); });
    // Everything else that is read is read from the tables anyway.
    DictionaryCache::Get().Forget();
    const LogEpochs epochs;
    ChangeClaims claims(&epochs);
    ObjectCheck objects(snapshot, &claims, sink);
    BranchReplay replay(&objects, &epochs, sink);
    CommitCheck commits(snapshot, scratch, &objects, sink);
    commits.CheckRows();
    commits.CheckRefs();
    const int64 low_seq = CheckChangeLog(&objects, &epochs, &claims, &replay, scratch, sink);
    CheckWorkingRows(epochs, sink);
    replay.Run(low_seq);
    claims.Compare(&objects, low_seq, sink);
    CheckBranchRecords(low_seq, sink);
    CheckStagedMerges(sink);
    commits.ReportUnreached();
    objects.Finish();
    // What was damaged may be whole again when the transaction is rolled back.
    DictionaryCache::Get().Forget();
    Guarded([&] { MemoryContextDelete(scratch); });
    return objects.all_reached();
}

}  // namespace kvs::pg

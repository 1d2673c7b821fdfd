// What the server learns of the foreign data wrapper: its callbacks.
//
// Reading only. Rows are never changed through a foreign table, and the server says so itself where a
// callback for it is missing.
#include "fdw/callbacks.h"
#include "pg/wall/entry_point.h"

namespace kvs::fdw {

// A lock that locks nothing is worse than none. Where the rows of another table are locked or changed, those
// of ours that they are joined with are copied, to be looked at again.
RowMarkType GetForeignRowMarkType(RangeTblEntry* table, LockClauseStrength strength) {
    if (strength == LCS_NONE) {
        return ROW_MARK_COPY;
    }
    ereport(ERROR, errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
            errmsg("rows of foreign table \"%s\" cannot be locked", get_rel_name(table->relid)),
            errhint("Lock keys with kvs.lock(), or write with expected_version. In a join, name the tables "
                    "to lock with FOR UPDATE OF."));
}

}  // namespace kvs::fdw

KVS_INNER_FUNCTION(kvs_fdw_handler)
{
    FdwRoutine* routine = makeNode(FdwRoutine);
    routine->GetForeignRelSize = kvs::fdw::GetForeignRelSize;
    routine->GetForeignPaths = kvs::fdw::GetForeignPaths;
    routine->GetForeignUpperPaths = kvs::fdw::GetForeignUpperPaths;
    routine->GetForeignPlan = kvs::fdw::GetForeignPlan;
    routine->BeginForeignScan = kvs::fdw::BeginForeignScan;
    routine->IterateForeignScan = kvs::fdw::IterateForeignScan;
    routine->ReScanForeignScan = kvs::fdw::ReScanForeignScan;
    routine->EndForeignScan = kvs::fdw::EndForeignScan;
    routine->GetForeignRowMarkType = kvs::fdw::GetForeignRowMarkType;
    routine->IsForeignScanParallelSafe = kvs::fdw::IsForeignScanParallelSafe;
    routine->ExplainForeignScan = kvs::fdw::ExplainForeignScan;
    routine->AnalyzeForeignTable = kvs::fdw::AnalyzeForeignTable;
    PG_RETURN_POINTER(routine);
}

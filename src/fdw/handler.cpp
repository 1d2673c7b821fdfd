// What the server learns of the foreign data wrapper: its callbacks.
//
// Reading only. Rows are never changed through a foreign table, and the server says so itself where a
// callback for it is missing; a lock of rows (FOR UPDATE) keeps copies of them, and holds nobody else up.
#include "fdw/callbacks.h"
#include "pg/wall/entry_point.h"

KVS_FUNCTION(kvs_fdw_handler)
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
    routine->IsForeignScanParallelSafe = kvs::fdw::IsForeignScanParallelSafe;
    routine->ExplainForeignScan = kvs::fdw::ExplainForeignScan;
    routine->AnalyzeForeignTable = kvs::fdw::AnalyzeForeignTable;
    PG_RETURN_POINTER(routine);
}

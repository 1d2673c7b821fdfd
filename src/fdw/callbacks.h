// The callbacks of the foreign data wrapper, as the server calls them. Each lets no C++ exception out.
#pragma once

#include "pg/wall/planner.h"

namespace kvs::fdw {

// plan.cpp
void GetForeignRelSize(PlannerInfo* root, RelOptInfo* rel, Oid table);
ForeignScan* GetForeignPlan(PlannerInfo* root, RelOptInfo* rel, Oid table, ForeignPath* path,
                            List* target_list, List* clauses, Plan* outer_plan);

// path.cpp
void GetForeignPaths(PlannerInfo* root, RelOptInfo* rel, Oid table);
void GetForeignUpperPaths(PlannerInfo* root, UpperRelationKind stage, RelOptInfo* input, RelOptInfo* output,
                          void* extra);

// scan.cpp
void BeginForeignScan(ForeignScanState* node, int flags);
TupleTableSlot* IterateForeignScan(ForeignScanState* node);
void ReScanForeignScan(ForeignScanState* node);
void EndForeignScan(ForeignScanState* node);
bool IsForeignScanParallelSafe(PlannerInfo* root, RelOptInfo* rel, RangeTblEntry* entry);

// explain.cpp
void ExplainForeignScan(ForeignScanState* node, ExplainState* state);

// analyze.cpp
bool AnalyzeForeignTable(Relation table, AcquireSampleRowsFunc* function, BlockNumber* pages);

}  // namespace kvs::fdw

// What the planner is told of a foreign table, and what a plan carries to its execution.
#pragma once

#include "fdw/columns.h"
#include "fdw/key_condition.h"
#include "fdw/options.h"
#include "pg/wall/planner.h"

namespace kvs::fdw {

// RelOptInfo.fdw_private of a foreign table and of the upper relations that stand on it alone. Planner
// memory.
struct TablePlan {
    RelOptInfo* rel;  // the foreign table's
    TableOptions options;
    TableColumns columns;
    uint32 wanted;     // entry columns needed above the scan
    bool covered;      // the conditions on the key are all the restrictions there are
    bool by_key;       // the conditions name single keys
    double entries;    // in the table
    double scanned;    // entries that the conditions on the key leave
    QualCost recheck;  // of the restrictions that are checked for each of these
    bool presorted;    // of an upper relation: the order asked for is the key's
    bool backward;     // of an upper relation: ... descending
};

// ForeignPath.fdw_private; no list: a forward scan without limit.
enum PathItem { kPathBackward, kPathLimit };
List* MakePathItems(bool backward, bool limit);
bool PathFlag(const ForeignPath* path, PathItem item);

// ForeignScan.fdw_private.
enum PlanItem {
    kPlanColumns,   // integers, see TableColumns
    kPlanWanted,    // integer: entry columns to fill in, as bits
    kPlanTests,     // integers: the KeyTest of each condition; the operands are the first of
                    // ForeignScan.fdw_exprs
    kPlanBackward,  // boolean
    kPlanLimit,     // boolean: the last two of ForeignScan.fdw_exprs are the limit and the offset
    kPlanPrefix,    // string or null, like those below
    kPlanBranch,
    kPlanAsOf,
};

inline List* PlanList(const ForeignScan* plan, PlanItem item) {
    return static_cast<List*>(list_nth(plan->fdw_private, item));
}
inline bool PlanFlag(const ForeignScan* plan, PlanItem item) {
    return boolVal(list_nth(plan->fdw_private, item));
}
TableOptions PlanOptions(const ForeignScan* plan);

// Estimates and costs. All server code.

// Fills in covered, by_key, entries, scanned, recheck and the relation's size.
void EstimateTable(PlannerInfo* root, RelOptInfo* rel, TablePlan* table);

// The cost of reading `scanned` entries, one by one or as a range, and returning `rows` of them.
struct ScanCost {
    Cost startup;
    Cost total;
};
ScanCost CostScan(const TablePlan& table, const PathTarget* target, bool by_key, double scanned,
                  const QualCost& recheck, double rows);

// Tells the planner that keys are unique, by an index that exists for this purpose alone.
void DeclareKeyUnique(RelOptInfo* rel, const TableColumns& columns);

}  // namespace kvs::fdw

// The server's planner and its interfaces for foreign data wrappers, with what differs between its versions
// (15 to 18) levelled out; what pg/compat.h is for the rest of the server.
#pragma once

#include "pg/server.h"

extern "C" {
#include "access/stratnum.h"
#include "catalog/pg_am_d.h"
#include "catalog/pg_operator_d.h"
#include "catalog/pg_opfamily_d.h"
#include "commands/defrem.h"
#include "commands/explain.h"
#include "commands/vacuum.h"
#include "foreign/fdwapi.h"
#include "foreign/foreign.h"
#include "nodes/nodeFuncs.h"
#include "nodes/pathnodes.h"
#include "optimizer/clauses.h"
#include "optimizer/cost.h"
#include "optimizer/optimizer.h"
#include "optimizer/pathnode.h"
#include "optimizer/paths.h"
#include "optimizer/plancat.h"
#include "optimizer/planmain.h"
#include "optimizer/restrictinfo.h"
#include "optimizer/tlist.h"
#include "parser/parsetree.h"
#include "utils/pg_locale.h"
#include "utils/ruleutils.h"
#include "utils/sampling.h"
#include "utils/selfuncs.h"
#if PG_VERSION_NUM >= 180000
#include "commands/explain_format.h"
#include "commands/explain_state.h"
#endif
}

namespace kvs::pg {

// All of these are server code.

inline ForeignPath* CreateForeignScanPath(PlannerInfo* root, RelOptInfo* rel, double rows, Cost startup_cost,
                                          Cost total_cost, List* pathkeys, Relids required_outer) {
#if PG_VERSION_NUM >= 180000
    return create_foreignscan_path(root, rel, nullptr, rows, 0, startup_cost, total_cost, pathkeys,
                                   required_outer, nullptr, NIL, NIL);
#elif PG_VERSION_NUM >= 170000
    return create_foreignscan_path(root, rel, nullptr, rows, startup_cost, total_cost, pathkeys,
                                   required_outer, nullptr, NIL, NIL);
#else
    return create_foreignscan_path(root, rel, nullptr, rows, startup_cost, total_cost, pathkeys,
                                   required_outer, nullptr, NIL);
#endif
}

inline ForeignPath* CreateForeignUpperPath(PlannerInfo* root, RelOptInfo* rel, PathTarget* target,
                                           double rows, Cost startup_cost, Cost total_cost, List* pathkeys,
                                           List* fdw_private) {
#if PG_VERSION_NUM >= 180000
    return create_foreign_upper_path(root, rel, target, rows, 0, startup_cost, total_cost, pathkeys, nullptr,
                                     NIL, fdw_private);
#elif PG_VERSION_NUM >= 170000
    return create_foreign_upper_path(root, rel, target, rows, startup_cost, total_cost, pathkeys, nullptr,
                                     NIL, fdw_private);
#else
    return create_foreign_upper_path(root, rel, target, rows, startup_cost, total_cost, pathkeys, nullptr,
                                     fdw_private);
#endif
}

// The pathkeys of an ascending order by `expression` if the query knows such an order, else NIL.
inline List* FindPathKeys(PlannerInfo* root, Expr* expression, Oid less_operator, Relids relids) {
#if PG_VERSION_NUM >= 160000
    return build_expression_pathkey(root, expression, less_operator, relids, false);
#else
    return build_expression_pathkey(root, expression, nullptr, less_operator, relids, false);
#endif
}

inline bool IsDescending(const PathKey* pathkey) {
#if PG_VERSION_NUM >= 180000
    return pathkey->pk_cmptype == COMPARE_GT;
#else
    return pathkey->pk_strategy == BTGreaterStrategyNumber;
#endif
}

// Whether the collation orders by bytes.
inline bool IsBytewise(Oid collation) {
#if PG_VERSION_NUM >= 180000
    return pg_newlocale_from_collation(collation)->collate_is_c;
#else
    return lc_collate_is_c(collation);
#endif
}

// The role whose privileges count in a scan of a base relation.
inline Oid ScanRole(ForeignScanState* node) {
    auto* plan = reinterpret_cast<ForeignScan*>(node->ss.ps.plan);
#if PG_VERSION_NUM >= 160000
    const Oid role = plan->checkAsUser;
#else
    const Oid role = exec_rt_fetch(plan->scan.scanrelid, node->ss.ps.state)->checkAsUser;
#endif
    return OidIsValid(role) ? role : GetUserId();
}

}  // namespace kvs::pg

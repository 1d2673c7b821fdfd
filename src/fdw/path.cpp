// The ways to scan a foreign table that the planner may choose from.
#include <algorithm>

#include "fdw/callbacks.h"
#include "fdw/plan.h"
#include "pg/wall/entry_point.h"

namespace kvs::fdw {

namespace {

using namespace kvs::pg;

void AddScanPath(PlannerInfo* root, RelOptInfo* rel, const TablePlan& table, List* pathkeys, bool backward) {
    const ScanCost cost =
        CostScan(table, rel->reltarget, table.by_key, table.scanned, table.recheck, rel->rows);
    ForeignPath* path = KVS_CREATE_FOREIGNSCAN_PATH(root, rel, rel->rows, cost.startup, cost.total, pathkeys,
                                                    rel->lateral_relids);
    path->fdw_private = MakePathItems(backward, false);
    add_path(rel, reinterpret_cast<Path*>(path));
}

// The ascending order by key, if anything in the query could use it, else NIL.
List* KeyOrder(PlannerInfo* root, RelOptInfo* rel, const TableColumns& columns) {
    if (columns.key == 0 || !KVS_COLLATION_IS_C(columns.key_collation)) {
        return NIL;
    }
    auto* key = reinterpret_cast<Expr*>(
        makeVar(static_cast<int>(rel->relid), columns.key, TEXTOID, -1, columns.key_collation, 0));
    return KVS_BUILD_EXPRESSION_PATHKEY(root, key, TextLessOperator, rel->relids);
}

// Whether `pathkey` is an order by the key, in either direction. There are no nulls to be first or last.
bool IsOrderByKey(List* key_order, const PathKey* pathkey) {
    if (key_order == NIL) {
        return false;
    }
    const auto* ascending = static_cast<PathKey*>(linitial(key_order));
    return pathkey->pk_eclass == ascending->pk_eclass && pathkey->pk_opfamily == ascending->pk_opfamily;
}

// Every scan is in the order of the keys, so the ascending path costs nothing more than none.
void AddOrderedPaths(PlannerInfo* root, RelOptInfo* rel, const TablePlan& table) {
    List* key_order = KeyOrder(root, rel, table.columns);
    AddScanPath(root, rel, table, truncate_useless_pathkeys(root, rel, key_order), false);
    if (root->query_pathkeys == NIL) {
        return;
    }
    auto* wanted = static_cast<PathKey*>(linitial(root->query_pathkeys));
    if (IsOrderByKey(key_order, wanted) && wanted != linitial(key_order)) {
        AddScanPath(root, rel, table, list_make1(wanted), KVS_IS_DESCENDING(wanted));
    }
}

// The rows of other relations that a path needs if it is to use the clause; null if that cannot be.
Relids OuterOf(PlannerInfo* root, RelOptInfo* rel, const TablePlan& table, RestrictInfo* clause) {
    KeyCondition condition;
    if (!join_clause_is_movable_to(clause, rel) ||
        !MatchKeyCondition(root, rel, table.columns, clause, &condition)) {
        return nullptr;
    }
    Relids outer = bms_union(clause->clause_relids, rel->lateral_relids);
    outer = bms_del_member(outer, static_cast<int>(rel->relid));
    return bms_is_empty(outer) ? nullptr : outer;
}

List* AddOuter(PlannerInfo* root, RelOptInfo* rel, const TablePlan& table, RestrictInfo* clause,
               List* infos) {
    Relids outer = OuterOf(root, rel, table, clause);
    return outer == nullptr ? infos
                            : list_append_unique_ptr(infos, get_baserel_parampathinfo(root, rel, outer));
}

bool IsKeyMember(PlannerInfo*, RelOptInfo* rel, EquivalenceClass*, EquivalenceMember* member, void* columns) {
    return IsKeyColumn(rel, *static_cast<const TableColumns*>(columns),
                       reinterpret_cast<Node*>(member->em_expr));
}

// Scans for the inner side of a nested loop, whose key comes from the outer row.
void AddParameterizedPaths(PlannerInfo* root, RelOptInfo* rel, TablePlan* table) {
    List* infos = NIL;
    ListCell* cell;
    foreach (cell, rel->joininfo) {
        infos = AddOuter(root, rel, *table, static_cast<RestrictInfo*>(lfirst(cell)), infos);
    }
    if (rel->has_eclass_joins) {
        List* equalities = generate_implied_equalities_for_column(root, rel, IsKeyMember, &table->columns,
                                                                  rel->lateral_referencers);
        foreach (cell, equalities) {
            infos = AddOuter(root, rel, *table, static_cast<RestrictInfo*>(lfirst(cell)), infos);
        }
    }
    foreach (cell, infos) {
        auto* info = static_cast<ParamPathInfo*>(lfirst(cell));
        bool by_key = table->by_key;
        List* pushed = NIL;
        List* checked = NIL;
        ListCell* clause_cell;
        foreach (clause_cell, info->ppi_clauses) {
            auto* clause = static_cast<RestrictInfo*>(lfirst(clause_cell));
            KeyCondition condition;
            if (MatchKeyCondition(root, rel, table->columns, clause, &condition) && condition.exact) {
                pushed = lappend(pushed, clause);
                by_key |= condition.test == KeyTest::kEqual || condition.test == KeyTest::kAnyOf;
            } else {
                checked = lappend(checked, clause);
            }
        }
        const int relid = static_cast<int>(rel->relid);
        const double scanned =
            clamp_row_est(table->scanned * clauselist_selectivity(root, pushed, relid, JOIN_INNER, nullptr));
        const double share = clauselist_selectivity(root, checked, relid, JOIN_INNER, nullptr) *
                             std::min(1.0, rel->rows / table->scanned);
        QualCost recheck;
        cost_qual_eval(&recheck, checked, root);
        recheck.startup += table->recheck.startup;
        recheck.per_tuple += table->recheck.per_tuple;
        info->ppi_rows = clamp_row_est(scanned * share);
        const ScanCost cost = CostScan(*table, rel->reltarget, by_key, scanned, recheck, info->ppi_rows);
        ForeignPath* path = KVS_CREATE_FOREIGNSCAN_PATH(root, rel, info->ppi_rows, cost.startup, cost.total,
                                                        NIL, info->ppi_req_outer);
        add_path(rel, reinterpret_cast<Path*>(path));
    }
}

// Remembers, for the final relation, whether a scan of the table yields the order that the query asks for.
void NoteFinalOrder(PlannerInfo* root, RelOptInfo* input, RelOptInfo* output) {
    // A relation that was proven empty before it was planned has no private part.
    if (input->reloptkind != RELOPT_BASEREL || input->fdw_private == nullptr ||
        output->fdw_private != nullptr) {
        return;
    }
    auto* table = static_cast<TablePlan*>(palloc(sizeof(TablePlan)));
    *table = *static_cast<TablePlan*>(input->fdw_private);
    table->presorted = root->sort_pathkeys == NIL;
    if (list_length(root->sort_pathkeys) == 1) {
        auto* wanted = static_cast<PathKey*>(linitial(root->sort_pathkeys));
        table->presorted = IsOrderByKey(KeyOrder(root, input, table->columns), wanted);
        table->backward = table->presorted && KVS_IS_DESCENDING(wanted);
    }
    output->fdw_private = table;
}

// A scan that stops by itself where the query's LIMIT is reached.
void AddLimitedPath(PlannerInfo* root, RelOptInfo* input, RelOptInfo* output,
                    const FinalPathExtraData& extra) {
    const Query* query = root->parse;
    if (query->commandType != CMD_SELECT || query->rowMarks != NIL || query->hasTargetSRFs ||
        !extra.limit_needed || query->limitOption != LIMIT_OPTION_COUNT || input->fdw_private == nullptr) {
        return;
    }
    const auto* table = static_cast<TablePlan*>(input->fdw_private);
    RelOptInfo* rel = table->rel;
    if (rel->reloptkind != RELOPT_BASEREL || !table->covered || (input != rel && !table->presorted)) {
        return;
    }
    PathTarget* target = root->upper_targets[UPPERREL_FINAL];
    const ScanCost cost = CostScan(*table, target, table->by_key, table->scanned, table->recheck, rel->rows);
    double rows = rel->rows;
    Cost startup = cost.startup;
    Cost total = cost.total;
    adjust_limit_rows_costs(&rows, &startup, &total, extra.offset_est, extra.count_est);
    // Rows do not pass through a node of their own.
    total = std::max(startup, total - rows * cpu_operator_cost);
    ForeignPath* path = KVS_CREATE_FOREIGN_UPPER_PATH(root, rel, target, rows, startup, total,
                                                      input == rel ? NIL : root->sort_pathkeys,
                                                      MakePathItems(table->backward, true));
    add_path(output, reinterpret_cast<Path*>(path));
}

}  // namespace

void GetForeignPaths(PlannerInfo* root, RelOptInfo* rel, Oid) {
    Enter([&] {
        auto* table = static_cast<TablePlan*>(rel->fdw_private);
        AddOrderedPaths(root, rel, *table);
        AddParameterizedPaths(root, rel, table);
    });
}

void GetForeignUpperPaths(PlannerInfo* root, UpperRelationKind stage, RelOptInfo* input, RelOptInfo* output,
                          void* extra) {
    Enter([&] {
        if (stage == UPPERREL_ORDERED) {
            NoteFinalOrder(root, input, output);
        } else if (stage == UPPERREL_FINAL) {
            AddLimitedPath(root, input, output, *static_cast<FinalPathExtraData*>(extra));
        }
    });
}

}  // namespace kvs::fdw

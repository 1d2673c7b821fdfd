#include "fdw/plan.h"

#include "fdw/callbacks.h"
#include "pg/wall/entry_point.h"

namespace kvs::fdw {

namespace {

Node* MakeOptionalString(const char* text) {
    return text != nullptr ? reinterpret_cast<Node*>(makeString(pstrdup(text))) : nullptr;
}

const char* OptionalString(const ForeignScan* plan, PlanItem item) {
    auto* node = static_cast<Node*>(list_nth(plan->fdw_private, item));
    return node != nullptr ? strVal(node) : nullptr;
}

// The entry columns that an expression or a list of them needs from the relation.
uint32 ColumnsOf(const TablePlan& table, const RelOptInfo* rel, List* expressions) {
    Bitmapset* attributes = nullptr;
    pull_varattnos(reinterpret_cast<Node*>(expressions), rel->relid, &attributes);
    return NeededColumns(table.columns, attributes);
}

void PlanTable(PlannerInfo* root, RelOptInfo* rel, Oid oid) {
    auto* table = static_cast<TablePlan*>(palloc0(sizeof(TablePlan)));
    table->rel = rel;
    table->options = ReadTableOptions(oid);
    Relation relation = table_open(oid, NoLock);  // the planner holds a lock
    table->columns = MatchColumns(relation);
    table_close(relation, NoLock);
    table->wanted = ColumnsOf(*table, rel, rel->reltarget->exprs);
    rel->fdw_private = table;
    DeclareKeyUnique(rel, table->columns);
    EstimateTable(root, rel, table);
}

// How a scan's clauses are to be evaluated.
struct ScanClauses {
    List* tests;     // integers
    List* operands;  // as many
    List* pushed;    // the clauses of these
    List* checked;   // clauses that are evaluated for each row, among them those of inexact tests
};

ScanClauses SplitClauses(PlannerInfo* root, RelOptInfo* rel, const TablePlan& table, List* clauses) {
    ScanClauses split = {NIL, NIL, NIL, NIL};
    ListCell* cell;
    foreach (cell, clauses) {
        auto* clause = static_cast<RestrictInfo*>(lfirst(cell));
        if (clause->pseudoconstant) {
            continue;  // a node above sees to it
        }
        KeyCondition condition;
        const bool matches = MatchKeyCondition(root, rel, table.columns, clause, &condition);
        if (matches) {
            split.tests = lappend_int(split.tests, static_cast<int>(condition.test));
            split.operands = lappend(split.operands, condition.operand);
            split.pushed = lappend(split.pushed, clause->clause);
        }
        if (!matches || !condition.exact) {
            split.checked = lappend(split.checked, clause->clause);
        }
    }
    return split;
}

ForeignScan* PlanScan(PlannerInfo* root, RelOptInfo* rel, const ForeignPath* path, List* target_list,
                      List* clauses) {
    const auto* table = static_cast<TablePlan*>(rel->fdw_private);
    const ScanClauses split = SplitClauses(root, rel, *table, clauses);
    const uint32 wanted = table->wanted | ColumnsOf(*table, rel, split.checked);
    const bool has_limit = PathFlag(path, kPathLimit);
    List* expressions = split.operands;
    if (has_limit) {
        expressions = lappend(lappend(expressions, root->parse->limitCount), root->parse->limitOffset);
    }
    List* columns = NIL;
    for (int i = 0; i < table->columns.count; i++) {
        columns = lappend_int(columns, table->columns.columns[i]);
    }
    // In the order of PlanItem.
    List* items = list_make4(columns, makeInteger(static_cast<int>(wanted)), split.tests,
                             makeBoolean(PathFlag(path, kPathBackward)));
    items = lappend(items, makeBoolean(has_limit));
    items = lappend(items, MakeOptionalString(table->options.prefix));
    items = lappend(items, MakeOptionalString(table->options.branch));
    items = lappend(items, MakeOptionalString(table->options.as_of));
    // The pushed clauses are checked again where a row is one that another transaction has changed meanwhile.
    return make_foreignscan(target_list, split.checked, rel->relid, expressions, items, NIL, split.pushed,
                            nullptr);
}

}  // namespace

List* MakePathItems(bool backward, bool limit) {
    return list_make2(makeBoolean(backward), makeBoolean(limit));
}

bool PathFlag(const ForeignPath* path, PathItem item) {
    return path->fdw_private != NIL && boolVal(list_nth(path->fdw_private, item));
}

TableOptions PlanOptions(const ForeignScan* plan) {
    return {OptionalString(plan, kPlanPrefix), OptionalString(plan, kPlanBranch),
            OptionalString(plan, kPlanAsOf)};
}

void GetForeignRelSize(PlannerInfo* root, RelOptInfo* rel, Oid table) {
    pg::Enter([&] { PlanTable(root, rel, table); });
}

ForeignScan* GetForeignPlan(PlannerInfo* root, RelOptInfo* rel, Oid, ForeignPath* path, List* target_list,
                            List* clauses, Plan*) {
    return pg::Enter([&] { return PlanScan(root, rel, path, target_list, clauses); });
}

}  // namespace kvs::fdw

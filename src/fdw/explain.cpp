// What EXPLAIN tells of a scan: where it reads, which keys, in what order, and with ANALYZE what that took.
#include "fdw/callbacks.h"
#include "fdw/plan.h"
#include "fdw/scan.h"
#include "pg/wall/context_object.h"
#include "pg/wall/entry_point.h"

namespace kvs::fdw {

namespace {

using namespace kvs::pg;

const char* KeyLabel(const List* tests) {
    const char* label = "Key Range";
    ListCell* cell;
    foreach (cell, tests) {
        const auto test = static_cast<KeyTest>(lfirst_int(cell));
        if (test == KeyTest::kEqual) {
            return "Key";
        }
        if (test == KeyTest::kAnyOf) {
            label = "Keys";
        }
    }
    return label;
}

bool HasInitPlanFor(const Plan* plan, int parameter) {
    ListCell* cell;
    foreach (cell, plan->initPlan) {
        if (list_member_int(static_cast<SubPlan*>(lfirst(cell))->setParam, parameter)) {
            return true;
        }
    }
    return false;
}

// The callback is not told the nodes above this one, so the server cannot name what they compute, and takes
// an unknown name for its own error. Such parameters are shown by their numbers, as those from outside are.
Node* NumberParameters(Node* node, void* plan) {
    if (node == nullptr) {
        return nullptr;
    }
    if (IsA(node, Param)) {
        const auto* parameter = reinterpret_cast<Param*>(node);
        if (parameter->paramkind == PARAM_EXEC &&
            !HasInitPlanFor(static_cast<Plan*>(plan), parameter->paramid)) {
            auto* numbered = static_cast<Param*>(copyObjectImpl(parameter));
            numbered->paramkind = PARAM_EXTERN;
            return reinterpret_cast<Node*>(numbered);
        }
    }
    return KVS_EXPRESSION_TREE_MUTATOR(node, NumberParameters, plan);
}

void ExplainExpression(const char* label, Node* expression, ForeignScanState* node, ExplainState* state) {
    Plan* plan = node->ss.ps.plan;
    List* context = set_deparse_context_plan(state->deparse_cxt, plan, NIL);
    expression = NumberParameters(expression, plan);
    ExplainPropertyText(label, deparse_expression(expression, context, state->verbose, false), state);
}

void ExplainRowCount(const char* label, Node* expression, ForeignScanState* node, ExplainState* state) {
    if (expression == nullptr) {
        return;
    }
    if (IsA(expression, Const) && !reinterpret_cast<Const*>(expression)->constisnull) {
        ExplainPropertyInteger(label, nullptr,
                               DatumGetInt64(reinterpret_cast<Const*>(expression)->constvalue), state);
    } else {
        ExplainExpression(label, expression, node, state);
    }
}

void ExplainLimit(const ForeignScan* plan, ForeignScanState* node, ExplainState* state) {
    const int count = list_length(plan->fdw_exprs);
    ExplainRowCount("Limit", static_cast<Node*>(list_nth(plan->fdw_exprs, count - 2)), node, state);
    ExplainRowCount("Offset", static_cast<Node*>(list_nth(plan->fdw_exprs, count - 1)), node, state);
}

void ExplainScan(ForeignScanState* node, ExplainState* state) {
    auto* plan = reinterpret_cast<ForeignScan*>(node->ss.ps.plan);
    const TableOptions options = PlanOptions(plan);
    ExplainPropertyText("Branch", options.EffectiveBranch(), state);
    if (options.EffectiveAsOf() != nullptr) {
        ExplainPropertyText("As Of", options.EffectiveAsOf(), state);
    }
    if (options.prefix != nullptr) {
        ExplainPropertyText("Prefix", options.prefix, state);
    }
    if (plan->fdw_recheck_quals != NIL) {
        ExplainExpression(KeyLabel(PlanList(plan, kPlanTests)),
                          reinterpret_cast<Node*>(make_ands_explicit(plan->fdw_recheck_quals)), node, state);
    }
    if (PlanFlag(plan, kPlanBackward)) {
        ExplainPropertyText("Order", "backward", state);
    }
    if (PlanFlag(plan, kPlanLimit)) {
        ExplainLimit(plan, node, state);
    }
    if (state->analyze && node->fdw_state != nullptr) {
        const TableScan* scan = static_cast<ContextObject<TableScan>*>(node->fdw_state)->get();
        ExplainPropertyInteger("Nodes Read", nullptr, static_cast<int64>(scan->nodes_read()), state);
        ExplainPropertyInteger("Chunks Fetched", nullptr, static_cast<int64>(scan->chunks_fetched()), state);
    }
}

}  // namespace

void ExplainForeignScan(ForeignScanState* node, ExplainState* state) {
    Enter([&] { ExplainScan(node, state); });
}

}  // namespace kvs::fdw

#include "fdw/key_condition.h"

#include <string>
#include <vector>

#include "pg/wall/convert.h"
#include "pg/wall/guard.h"

namespace kvs::fdw {

namespace {

using namespace kvs::pg;

struct KeyOperator {
    Oid oid;
    KeyTest test;
    bool ordered;  // depends on the collation's order, not on its equality alone
};

constexpr Oid kTextLessOrEqual = 665;
constexpr Oid kTextGreater = 666;

constexpr KeyOperator kKeyOperators[] = {
    {TextEqualOperator, KeyTest::kEqual, false},         {TextLessOperator, KeyTest::kBelow, true},
    {kTextLessOrEqual, KeyTest::kAtMost, true},          {kTextGreater, KeyTest::kAbove, true},
    {TextGreaterEqualOperator, KeyTest::kAtLeast, true}, {TextPrefixOperator, KeyTest::kStartsWith, false},
    {OID_TEXT_LIKE_OP, KeyTest::kLike, false},
};

// Whether the collation's equality, and its order if that matters, are those of bytes.
bool AgreesWithBytes(Oid collation, bool ordered) {
    if (!OidIsValid(collation)) {
        return false;
    }
    return ordered ? KVS_COLLATION_IS_C(collation) : get_collation_isdeterministic(collation);
}

bool FindOperator(Oid oid, Oid collation, KeyTest* test) {
    for (const KeyOperator& candidate : kKeyOperators) {
        if (candidate.oid == oid) {
            *test = candidate.test;
            return AgreesWithBytes(collation, candidate.ordered);
        }
    }
    return false;
}

// Whether the expression has a value once the scan starts.
bool IsOperand(PlannerInfo* root, const RelOptInfo* rel, Node* expression, Oid type) {
    return exprType(expression) == type && !contain_volatile_functions(expression) &&
           !contain_subplans(expression) &&
           !bms_is_member(static_cast<int>(rel->relid), pull_varnos(root, expression));
}

// LIKE with a pattern known now becomes a simpler test. False if nothing can be made of it.
bool SimplifyLike(KeyCondition* condition) {
    condition->exact = false;
    if (!IsA(condition->operand, Const)) {
        return true;
    }
    auto* pattern = reinterpret_cast<Const*>(condition->operand);
    if (pattern->constisnull) {
        return false;
    }
    const std::string_view text = DatumContents(pattern->constvalue);
    auto* literal = static_cast<char*>(palloc(text.size() + 1));
    size_t literal_size;
    const LikeShape shape = ParseLike(text, literal, &literal_size);
    if (shape == LikeShape::kMalformed || (shape == LikeShape::kPrefixAndMore && literal_size == 0)) {
        return false;
    }
    condition->test = shape == LikeShape::kLiteral ? KeyTest::kEqual : KeyTest::kStartsWith;
    condition->exact = shape != LikeShape::kPrefixAndMore;
    condition->operand = reinterpret_cast<Expr*>(
        makeConst(TEXTOID, -1, pattern->constcollid, -1, MakeVarlena({literal, literal_size}), false, false));
    return true;
}

// `left` operator `right` with a text on either side.
bool MatchComparison(PlannerInfo* root, RelOptInfo* rel, const TableColumns& columns, Oid operator_oid,
                     Oid collation, Node* left, Node* right, KeyCondition* condition) {
    Node* operand = right;
    if (!IsKeyColumn(rel, columns, left)) {
        if (!IsKeyColumn(rel, columns, right)) {
            return false;
        }
        operator_oid = get_commutator(operator_oid);
        operand = left;
    }
    condition->exact = true;
    condition->operand = reinterpret_cast<Expr*>(operand);
    return FindOperator(operator_oid, collation, &condition->test) &&
           IsOperand(root, rel, operand, TEXTOID) &&
           (condition->test != KeyTest::kLike || SimplifyLike(condition));
}

bool MatchAnyOf(PlannerInfo* root, RelOptInfo* rel, const TableColumns& columns, ScalarArrayOpExpr* clause,
                KeyCondition* condition) {
    auto* array = static_cast<Node*>(lsecond(clause->args));
    condition->test = KeyTest::kAnyOf;
    condition->exact = true;
    condition->operand = reinterpret_cast<Expr*>(array);
    return clause->useOr && clause->opno == TextEqualOperator &&
           AgreesWithBytes(clause->inputcollid, false) &&
           IsKeyColumn(rel, columns, static_cast<Node*>(linitial(clause->args))) &&
           IsOperand(root, rel, array, TEXTARRAYOID);
}

}  // namespace

bool IsKeyColumn(const RelOptInfo* rel, const TableColumns& columns, Node* expression) {
    while (IsA(expression, RelabelType) && exprType(expression) == TEXTOID) {
        expression = reinterpret_cast<Node*>(reinterpret_cast<RelabelType*>(expression)->arg);
    }
    if (!IsA(expression, Var) || columns.key == 0) {
        return false;
    }
    const auto* column = reinterpret_cast<Var*>(expression);
    return column->varno == static_cast<decltype(column->varno)>(rel->relid) &&
           column->varattno == columns.key && column->varlevelsup == 0;
}

bool MatchKeyCondition(PlannerInfo* root, RelOptInfo* rel, const TableColumns& columns, RestrictInfo* clause,
                       KeyCondition* condition) {
    // A condition is tried before any other clause, so it must not leak rows that a security barrier hides.
    if (clause->pseudoconstant || !restriction_is_securely_promotable(clause, rel)) {
        return false;
    }
    auto* node = reinterpret_cast<Node*>(clause->clause);
    if (IsA(node, OpExpr)) {
        auto* operation = reinterpret_cast<OpExpr*>(node);
        return list_length(operation->args) == 2 &&
               MatchComparison(root, rel, columns, operation->opno, operation->inputcollid,
                               static_cast<Node*>(linitial(operation->args)),
                               static_cast<Node*>(lsecond(operation->args)), condition);
    }
    if (IsA(node, FuncExpr)) {
        auto* call = reinterpret_cast<FuncExpr*>(node);
        return call->funcid == F_STARTS_WITH &&
               IsKeyColumn(rel, columns, static_cast<Node*>(linitial(call->args))) &&
               MatchComparison(root, rel, columns, TextPrefixOperator, call->inputcollid,
                               static_cast<Node*>(linitial(call->args)),
                               static_cast<Node*>(lsecond(call->args)), condition);
    }
    return IsA(node, ScalarArrayOpExpr) &&
           MatchAnyOf(root, rel, columns, reinterpret_cast<ScalarArrayOpExpr*>(node), condition);
}

void ApplyKeyTest(KeyTest test, Datum value, bool is_null, KeySet* keys) {
    if (is_null) {
        keys->Clear();
        return;
    }
    if (test == KeyTest::kAnyOf) {
        Datum* elements;
        bool* nulls;
        int count;
        Guarded([&] {
            deconstruct_array(DatumGetArrayTypeP(value), TEXTOID, -1, false, TYPALIGN_INT, &elements, &nulls,
                              &count);
        });
        std::vector<std::string> any;
        any.reserve(count);
        for (int i = 0; i < count; i++) {
            if (!nulls[i]) {
                any.emplace_back(Contents(DatumGetPointer(elements[i])));
            }
        }
        keys->RestrictToAnyOf(std::move(any));
        return;
    }
    const std::string_view text = Guarded([&] { return DatumContents(value); });
    switch (test) {
        case KeyTest::kEqual:
            keys->RestrictTo(text);
            break;
        case KeyTest::kBelow:
            keys->RestrictToBelow(text);
            break;
        case KeyTest::kAtMost:
            keys->RestrictToAtMost(text);
            break;
        case KeyTest::kAtLeast:
            keys->RestrictToAtLeast(text);
            break;
        case KeyTest::kAbove:
            keys->RestrictToAbove(text);
            break;
        case KeyTest::kStartsWith:
            keys->RestrictToPrefix(text);
            break;
        case KeyTest::kLike: {
            std::string literal(text.size(), '\0');
            size_t literal_size;
            const LikeShape shape = ParseLike(text, literal.data(), &literal_size);
            literal.resize(literal_size);
            // A malformed pattern fails where LIKE itself is evaluated.
            if (shape == LikeShape::kLiteral) {
                keys->RestrictTo(literal);
            } else {
                keys->RestrictToPrefix(literal);
            }
            break;
        }
        case KeyTest::kAnyOf:
            break;
    }
}

}  // namespace kvs::fdw

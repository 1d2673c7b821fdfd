// Conditions of a query that tell which keys to read.
#pragma once

#include "fdw/columns.h"
#include "fdw/key_set.h"
#include "pg/wall/planner.h"

namespace kvs::fdw {

using ::Node;  // the server's, not the tree's

// What is asked of the key; the other side is the operand, an expression that has a value before the scan
// starts. The values travel in plans.
enum class KeyTest : int {
    kEqual,
    kAnyOf,  // equals an element of an array
    kBelow,
    kAtMost,
    kAtLeast,
    kAbove,
    kStartsWith,
    kLike,
};

struct KeyCondition {
    KeyTest test;
    Expr* operand;
    bool exact;  // the test decides the clause; otherwise the clause remains to be checked for each row
};

// Whether a restriction or join clause of `rel` is a condition on its key. The operand of a join clause
// contains columns of other relations. Server code.
bool MatchKeyCondition(PlannerInfo* root, RelOptInfo* rel, const TableColumns& columns, RestrictInfo* clause,
                       KeyCondition* condition);

// Whether the expression is the key's column of `rel`. Server code.
bool IsKeyColumn(const RelOptInfo* rel, const TableColumns& columns, Node* expression);

// Narrows `keys` by a test with the operand's value, of type text or, for kAnyOf, text[]. Errors: PgError.
void ApplyKeyTest(KeyTest test, Datum value, bool is_null, KeySet* keys);

}  // namespace kvs::fdw

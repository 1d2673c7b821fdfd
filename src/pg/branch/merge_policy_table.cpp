#include "pg/branch/merge_policy_table.h"

#include <iterator>

#include "kvs/error.h"
#include "kvs/pattern/pattern.h"
#include "kvs/util/quote.h"
#include "pg/table/owner_query.h"
#include "pg/wall/convert.h"
#include "pg/wall/guard.h"

namespace kvs::pg {

MergePolicies LoadMergePolicies() {
    MergePolicies policies;
    OwnerQuery rule("SELECT pattern, policy FROM _kvs.merge_policy ORDER BY pattern");
    while (rule.Next()) {
        policies.Set(Pattern::Parse(rule.Bytes(1)).OrThrow(), ParseMergePolicy(rule.Bytes(2)).OrThrow());
    }
    rule.Finish();
    return policies;
}

void SetMergePolicy(std::string_view pattern, std::string_view policy) {
    Pattern::Parse(pattern).OrThrow();
    ParseMergePolicy(policy).OrThrow();
    ExecuteAsOwner(policy == "conflict"
                       ? "DELETE FROM _kvs.merge_policy WHERE pattern = $1 AND $2 IS NOT NULL"
                       : "INSERT INTO _kvs.merge_policy (pattern, policy) VALUES ($1, $2)"
                         " ON CONFLICT (pattern) DO UPDATE SET policy = excluded.policy",
                   {Parameter::Text(pattern), Parameter::Text(policy)});
}

void SetCrdtPolicy(std::string_view pattern, std::string_view type) {
    const Result<PolicySpec> spec = ParseMergePolicy(type);
    if (!spec.ok() || !spec.value().convergent()) {
        throw Error(ErrorCode::kInvalidArgument, "unknown CRDT type " + Quoted(type),
                    "Use counter, set, lww, max or min.");
    }
    SetMergePolicy(pattern, type);
}

}  // namespace kvs::pg

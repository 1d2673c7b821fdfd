#include "pg/branch/conflict_resolution.h"

#include <iterator>
#include <string>

#include "kvs/error.h"
#include "kvs/util/quote.h"
#include "pg/branch/staged_merge.h"
#include "pg/table/branch_table.h"
#include "pg/table/owner_query.h"
#include "pg/wall/convert.h"
#include "pg/wall/guard.h"

namespace kvs::pg {

namespace {

void RequireValue(const ConflictDecision& decision) {
    const bool is_value = ParseResolution(decision.resolution) == Resolution::Kind::kValue;
    if (is_value && DatumGetPointer(decision.value) == nullptr) {
        throw Error(ErrorCode::kNullValue, "resolution value needs a value",
                    "Pass value => ..., or resolve with delete.");
    }
    if (!is_value && DatumGetPointer(decision.value) != nullptr) {
        throw Error(ErrorCode::kInvalidArgument,
                    "resolution " + std::string(decision.resolution) + " takes no value",
                    "Resolve with value => ... and resolution value.");
    }
}

// One value for several places of a document is a mistake.
void RequireOnePlace(int32 branch_id, std::string_view key) {
    OwnerQuery row("SELECT count(*) FROM _kvs.conflict WHERE branch_id = $1 AND key = $2",
                   {Parameter::Int4(branch_id), Parameter::Text(key)}, true);
    row.Next();
    const int64 places = row.Int8(1);
    row.Finish();
    if (places > 1) {
        throw Error(ErrorCode::kInvalidArgument,
                    "key " + Quoted(key) + " has conflicts at " + std::to_string(places) + " paths",
                    "Say which one is meant with path => ...");
    }
}

}  // namespace

bool ResolveConflicts(const ConflictDecision& decision) {
    RequireValue(decision);
    const Branch branch = FindBranch(decision.branch, GetActiveSnapshot());
    RequireStagedMerge(branch.id, branch.name, StagedMergeLock::kShared);
    const bool has_value = DatumGetPointer(decision.value) != nullptr;
    if (has_value && !decision.path) {
        RequireOnePlace(branch.id, decision.key);
    }
    return ExecuteAsOwner(
               "UPDATE _kvs.conflict SET resolution = $3, value = $4"
               " WHERE branch_id = $1 AND key = $2 AND path = coalesce($5, path)",
               {Parameter::Int4(branch.id), Parameter::Text(decision.key),
                Parameter::Text(decision.resolution),
                has_value ? Parameter::Of(JSONBOID, decision.value) : Parameter::Null(JSONBOID),
                decision.path ? Parameter::Text(*decision.path) : Parameter::Null(TEXTOID)}) > 0;
}

}  // namespace kvs::pg

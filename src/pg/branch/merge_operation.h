// What merge, revert and cherry-pick have in common: a three-way merge into a branch, as a plan.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "kvs/hash.h"
#include "pg/branch/branch_rewrite.h"
#include "pg/branch/merge_policy_table.h"
#include "pg/branch/three_way_merge.h"

namespace kvs::pg {

enum class MergeStrategy { kManual, kOurs, kTheirs };

// Errors: kInvalidArgument.
MergeStrategy ParseMergeStrategy(std::string_view text);

// How the strategy decides conflicts.
KeyResolver ResolverOf(MergeStrategy strategy);

// The state that a merge of two commits starts from: that of their merge base. Where there are several, as
// after criss-cross merges, the bases are merged with each other first, and where they conflict, what their
// own base says counts.
TreePair MergeBaseRoots(const Hash& ours, const Hash& theirs, ChunkStore* chunks, Snapshot snapshot);

// Plans to put what `theirs` changed since `base` into the branch's head and its working state. Fills
// plan->numbers, previous and working; the answer's roots are the new head's. With conflicts the plan stays
// as it was. Refuses where uncommitted work is in the way.
RewrittenTrees PlanThreeWay(const Branch& branch, ChunkStore* chunks, Snapshot snapshot, const TreePair& base,
                            const TreePair& theirs, const MergeRules& rules, RewritePlan* plan);

// For messages: the keys of the first conflicts.
std::string NameConflicts(const std::vector<KeyConflict>& conflicts);

// Error(kWrongState) of an operation that stages none: "revert of commit ... meets conflicts: ...".
[[noreturn]] void ThrowConflicts(const std::string& operation, const std::vector<KeyConflict>& conflicts,
                                 const char* hint);

struct MergeRequest {
    std::string_view branch;  // empty: the session's
    Hash source;
    std::string message;
};

struct MergeReport {
    std::optional<Hash> commit;  // the branch's new head; none: it stays where it was
    bool fast_forward = false;
    bool up_to_date = false;
    int64 merged = 0;
    std::vector<KeyConflict> conflicts;
};

// What a caller has to say in the course of a merge.
struct MergeSteps {
    KeyResolver resolve;
    std::function<void()> restart;  // before each computation; may be empty
    InputsChanged inputs_changed;   // see RewriteBranch; may be empty
    // Under the branch's lock, before anything is applied: what will be.
    std::function<void(const Branch& branch, const MergeReport& report)> before_apply;
};

// Merges a commit into a branch; with conflicts left nothing is applied. Errors: as RewriteBranch and
// PlanThreeWay.
MergeReport MergeInto(const MergeRequest& request, const MergeSteps& steps);

}  // namespace kvs::pg

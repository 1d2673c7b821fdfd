// The course of a merge as users see it: looked at beforehand, done or staged, continued, given up.
#pragma once

#include <optional>
#include <string_view>
#include <vector>

#include "pg/branch/merge_operation.h"

namespace kvs::pg {

struct MergeCall {
    std::string_view source;  // a ref, as the target resolves it
    std::string_view target;  // as in FindBranch
    std::optional<std::string_view> message;
    MergeStrategy strategy;
};

// Merges, or stages the merge when conflicts are left; a NOTICE says so, as it does when the branch has the
// source already. Errors: kUnknownRef; kWrongState where a merge is staged already; those of MergeInto.
MergeReport MergeRef(const MergeCall& call);

// The conflicts that a merge would meet with strategy manual; changes nothing. Errors: kUnknownRef.
std::vector<KeyConflict> PreviewMerge(std::string_view source, std::string_view target);

// Computes the branch's staged merge anew with the decisions made so far, and applies it, or stages what is
// left of the conflicts, with a NOTICE. Errors: kWrongState if none is staged; those of MergeInto.
MergeReport ContinueMerge(std::optional<std::string_view> message, std::string_view branch);

// Forgets the branch's staged merge; false if there is none.
bool AbortMerge(std::string_view branch);

}  // namespace kvs::pg

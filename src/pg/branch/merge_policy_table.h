// Which keys merge by which policy, _kvs.merge_policy.
#pragma once

#include <string_view>

#include "kvs/merge/merge_policy.h"

namespace kvs::pg {

// As the owner sees them now.
MergePolicies LoadMergePolicies();

// "conflict", which is what holds without any, forgets the pattern. Errors: kInvalidArgument.
void SetMergePolicy(std::string_view pattern, std::string_view policy);

// The same for a policy that never leaves a conflict. Errors: kInvalidArgument for any other.
void SetCrdtPolicy(std::string_view pattern, std::string_view type);

}  // namespace kvs::pg

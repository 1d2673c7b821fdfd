// Options of branches: kvs.set_branch_option.
#pragma once

#include <string_view>

namespace kvs::pg {

// False if the branch has that setting already. Waits for its writers, so that each change is made under one
// setting, which its transaction knows. What is uncommitted when autocommit becomes `transaction` is
// committed together with that. Errors: kInvalidArgument for what is no option, or no setting of it;
// kUnknownRef; kSerialization; 55P03.
bool SetBranchOption(std::string_view branch, std::string_view option, std::string_view setting);

}  // namespace kvs::pg

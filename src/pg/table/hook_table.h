// Commit hooks, _kvs.hook: which function is called for which commits, and as whom.
//
// Functions and roles are kept by name, so that a dump and pg_upgrade carry them along, and are looked up
// when the hook is called: see stored_function.h.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "pg/wall/server.h"

namespace kvs::pg {

enum class HookEvent { kPreCommit, kPostCommit };

// "pre_commit", "post_commit".
const char* HookEventName(HookEvent event);

struct Hook {
    std::string name;
    HookEvent event;
    std::string function;        // signature
    std::string function_owner;  // role that it belonged to
    std::string pattern;
    std::string creator;  // role that it runs as
};

// All hooks that are committed now or made by this transaction, in the order of their names.
std::vector<Hook> ReadHooks();

// Errors: kAlreadyExists, kInvalidArgument for a malformed name.
void AddHook(const Hook& hook);

// False if there is none of that name. Errors: 42501 unless the current role has the privileges of the
// hook's creator or of the extension's owner.
bool DropHook(std::string_view name);

}  // namespace kvs::pg

// The call of a hook's function: as the role that created the hook, in a restricted context.
#pragma once

#include <string_view>

#include "pg/table/hook_table.h"
#include "pg/wall/server.h"

namespace kvs::pg {

// The function as a hook keeps it. Errors: 42883 there is no such function; 42P17 it does not take one jsonb,
// returns a set, is no plain function, or is temporary; 42501 the current role may not call it. Server code.
const char* HookFunctionSignature(Oid function);

// Calls the function of `hook` with the jsonb `argument`, as its creator, under
// SECURITY_RESTRICTED_OPERATION, with search_path = pg_catalog, pg_temp and kvs.branch = `branch`; user and
// settings are restored on every exit. Errors: the function's own; 42883 the function was dropped; 42704 the
// creator was; 42501 the creator may no longer call the function or read the store.
void CallHook(const Hook& hook, Datum argument, const char* branch);

}  // namespace kvs::pg

// The call of a hook's function: as the role that created the hook, in a restricted context.
#pragma once

#include "pg/table/hook_table.h"
#include "pg/table/stored_function.h"
#include "pg/wall/server.h"

namespace kvs::pg {

// The function as a hook of the current role keeps it. Errors: 42883 there is no such function; 42P17 it does
// not take one jsonb, returns a set, is no plain function, or is temporary; those of DescribeFunction. Server
// code.
StoredFunction DescribeHookFunction(Oid function);

// Calls the function of `hook` with the jsonb `argument`, as its creator, under
// SECURITY_RESTRICTED_OPERATION, with search_path = pg_catalog, pg_temp and kvs.branch = `branch`; user and
// settings are restored on every exit. Errors: the function's own; 23514 a pre_commit hook returned false;
// 42883 the function was dropped; 42704 the creator was; 42501 the function is not the one that was added
// (see stored_function.h), or the creator may no longer call it or read the store.
void CallHook(const Hook& hook, Datum argument, const char* branch);

}  // namespace kvs::pg

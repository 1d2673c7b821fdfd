// Functions of users that the store keeps by name and calls later, as the role that stored them.
//
// A name is what a dump, pg_upgrade and another cluster can carry; it protects nothing. The function may be
// dropped, and whoever may create functions in its schema can make another of that signature. And whoever
// owns a function may replace its body at any time, so what runs as a role must belong to somebody who may
// act for that role anyway. Hence two rules, asked when a function is stored and whenever it is used: it
// belongs to the role that it belonged to when it was stored, and that role has the privileges of the role
// that it is called as (it is that role, a member of it, or a superuser). Roles are kept by name too; one
// that was dropped or renamed is unknown. What is unknown is refused.
//
// Server code.
#pragma once

#include "pg/wall/server.h"

namespace kvs::pg {

struct StoredFunction {
    const char* signature;  // qualified, unless the function is the system's own
    const char* owner;      // name of the role that it belonged to when it was stored; empty: not known
};

// `function` as it is to be kept by the current role, palloc'ed. Errors: 42501 the current role may not call
// it, or its owner does not have the privileges of the current role; 42883 there is no such function.
StoredFunction DescribeFunction(Oid function);

// A stored function as it is found now.
struct FoundFunction {
    Oid function;         // invalid: it must not be called, because of
    int sqlstate;         // 42883, 42501
    const char* problem;  // an error message, palloc'ed
};

// Looks a stored function up, to be called as the current role. Errors: 42501 the current role may not use
// its schema, or may not call it.
FoundFunction FindStoredFunction(const StoredFunction& stored);

}  // namespace kvs::pg

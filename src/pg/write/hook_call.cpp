#include "pg/write/hook_call.h"

#include "pg/table/access_guard.h"
#include "pg/table/locks.h"
#include "pg/table/role_scope.h"
#include "pg/wall/guard.h"

extern "C" {
#include "catalog/objectaccess.h"
#include "catalog/pg_proc.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"
#include "utils/regproc.h"
#include "utils/syscache.h"
}

namespace kvs::pg {

namespace {

// While it lives, the current user is a hook's creator, in a restricted context on the branch.
class HookScope {
  public:
    HookScope(Oid creator, const char* branch) : creator_(creator, SECURITY_RESTRICTED_OPERATION) {
        Guarded([&] {
            set_config_option("kvs.branch", branch, PGC_USERSET, PGC_S_SESSION, GUC_ACTION_SAVE, true, 0,
                              false);
        });
    }

  private:
    WriterLocksOnly locks_;
    RoleScope creator_;
};

// What the error callback and the guarded bodies need of a hook.
struct HookNames {
    const char* name;
    HookEvent event;
    StoredFunction function;
    const char* creator;
};

void AddContext(void* argument) {
    const auto* names = static_cast<HookNames*>(argument);
    errcontext("kvs %s hook \"%s\"", HookEventName(names->event), names->name);
}

// Guarded; errors tell of the hook.
template <typename Body>
auto GuardedForHook(HookNames* names, Body&& body) {
    return Guarded([&] {
        ErrorContextCallback callback{error_context_stack, AddContext, names};
        error_context_stack = &callback;
        const auto result = body();
        error_context_stack = callback.previous;
        return result;
    });
}

// Server code.
[[noreturn]] void Refuse(const HookNames& names, int sqlstate, const char* problem) {
    ereport(ERROR, errcode(sqlstate), errmsg_internal("%s", problem),
            errhint("Undo what changed, or remove hook \"%s\" with kvs.drop_hook(%s); who adds it again with "
                    "kvs.add_hook() is its creator from then on.",
                    names.name, quote_literal_cstr(names.name)));
    pg_unreachable();
}

// The role that a hook runs as. Server code.
Oid RequireCreator(const HookNames& names) {
    const Oid creator = get_role_oid(names.creator, true);
    if (!OidIsValid(creator)) {
        Refuse(names, ERRCODE_UNDEFINED_OBJECT,
               psprintf("role \"%s\", which created hook \"%s\", does not exist", names.creator, names.name));
    }
    if (!MayRead(creator)) {
        Refuse(
            names, ERRCODE_INSUFFICIENT_PRIVILEGE,
            psprintf("role \"%s\", which created hook \"%s\", does not have SELECT on kvs.entries any more",
                     names.creator, names.name));
    }
    return creator;
}

// Errors: 42P17 unless the function takes what a hook is told. Server code.
void RequireHookForm(Oid function) {
    HeapTuple tuple = SearchSysCache1(PROCOID, ObjectIdGetDatum(function));
    if (!HeapTupleIsValid(tuple)) {
        ereport(ERROR, errcode(ERRCODE_UNDEFINED_FUNCTION),
                errmsg("function with OID %u does not exist", function));
    }
    auto* form = reinterpret_cast<Form_pg_proc>(GETSTRUCT(tuple));
    const char* problem = nullptr;
    if (form->prokind != PROKIND_FUNCTION) {
        problem = "It is not a plain function.";
    } else if (form->pronargs != 1 || form->proargtypes.values[0] != JSONBOID) {
        problem = "It does not take one argument of type jsonb.";
    } else if (form->proretset) {
        problem = "It returns a set.";
    } else if (isAnyTempNamespace(form->pronamespace)) {
        problem = "It is temporary, and others could not commit without it.";
    }
    ReleaseSysCache(tuple);
    if (problem != nullptr) {
        ereport(ERROR, errcode(ERRCODE_INVALID_OBJECT_DEFINITION),
                errmsg("function %s cannot be a hook", format_procedure(function)),
                errdetail_internal("%s", problem),
                errhint("A hook is a function like check_changes(changes jsonb) RETURNS void."));
    }
}

// Server code, as the creator.
Oid RequireFunction(const HookNames& names) {
    const FoundFunction found = FindStoredFunction(names.function);
    if (!OidIsValid(found.function)) {
        Refuse(names, found.sqlstate, found.problem);
    }
    RequireHookForm(found.function);
    return found.function;
}

// True if the function has answered no: it returns a boolean, and this is false. Server code, as the creator.
bool Rejects(Oid function, Datum argument) {
    InvokeFunctionExecuteHook(function);
    FmgrInfo info;
    fmgr_info(function, &info);
    LOCAL_FCINFO(call, 1);
    InitFunctionCallInfoData(*call, &info, 1, InvalidOid, nullptr, nullptr);
    call->args[0].value = argument;
    call->args[0].isnull = false;
    const Datum result = FunctionCallInvoke(call);
    return getBaseType(get_func_rettype(function)) == BOOLOID && !call->isnull && !DatumGetBool(result);
}

}  // namespace

StoredFunction DescribeHookFunction(Oid function) {
    RequireHookForm(function);
    return DescribeFunction(function);
}

void CallHook(const Hook& hook, Datum argument, const char* branch) {
    HookNames names{hook.name.c_str(),
                    hook.event,
                    {hook.function.c_str(), hook.function_owner.c_str()},
                    hook.creator.c_str()};
    const Oid creator = GuardedForHook(&names, [&] { return RequireCreator(names); });
    HookScope scope(creator, branch);
    GuardedForHook(&names, [&] {
        const bool rejects = Rejects(RequireFunction(names), argument);
        if (rejects && names.event == HookEvent::kPreCommit) {
            ereport(ERROR, errcode(ERRCODE_CHECK_VIOLATION),
                    errmsg("hook \"%s\" rejects the commit", names.name),
                    errdetail("Function %s returned false.", names.function.signature));
        }
        return rejects;
    });
}

}  // namespace kvs::pg

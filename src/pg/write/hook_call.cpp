#include "pg/write/hook_call.h"

#include "pg/table/access_guard.h"
#include "pg/table/branch_lock.h"
#include "pg/wall/convert.h"
#include "pg/wall/guard.h"

extern "C" {
#include "catalog/objectaccess.h"
#include "catalog/pg_authid.h"
#include "catalog/pg_proc.h"
#include "utils/builtins.h"
#include "utils/regproc.h"
#include "utils/syscache.h"
}

namespace kvs::pg {

namespace {

// Server code.
void SetForScope(const char* name, const char* value) {
    set_config_option(name, value, PGC_USERSET, PGC_S_SESSION, GUC_ACTION_SAVE, true, 0, false);
}

// While it lives, the current user is a hook's creator, in a restricted context. The destructor cannot fail;
// after a server error the (sub)transaction's abort restores the same.
class HookScope {
  public:
    HookScope(Oid creator, const char* branch) {
        Guarded([&] {
            GetUserIdAndSecContext(&user_, &security_context_);
            guc_level_ = NewGUCNestLevel();
            SetForScope("search_path", "pg_catalog, pg_temp");
            SetForScope("kvs.branch", branch);
            SetUserIdAndSecContext(
                creator, security_context_ | SECURITY_LOCAL_USERID_CHANGE | SECURITY_RESTRICTED_OPERATION);
        });
    }
    ~HookScope() {
        AtEOXact_GUC(false, guc_level_);
        SetUserIdAndSecContext(user_, security_context_);
    }
    HookScope(const HookScope&) = delete;
    HookScope& operator=(const HookScope&) = delete;

  private:
    WriterLocksOnly locks_;
    Oid user_;
    int security_context_;
    int guc_level_;
};

// What the error callback and the guarded body need of a hook.
struct HookNames {
    const char* name;
    const char* event;
    const char* function;
};

void AddContext(void* argument) {
    const auto* names = static_cast<HookNames*>(argument);
    errcontext("kvs %s hook \"%s\"", names->event, names->name);
}

// Server code, as the creator.
void RequireCreator(Oid creator, const HookNames& names) {
    if (!SearchSysCacheExists1(AUTHOID, ObjectIdGetDatum(creator))) {
        ereport(
            ERROR, errcode(ERRCODE_UNDEFINED_OBJECT),
            errmsg("the role that created hook \"%s\" does not exist any more", names.name),
            errdetail("The hook calls %s as that role.", names.function),
            errhint("The owner of the extension can remove it with kvs.drop_hook(%s); who adds it again with "
                    "kvs.add_hook() is its creator from then on.",
                    quote_literal_cstr(names.name)));
    }
    if (!MayRead(creator)) {
        ereport(ERROR, errcode(ERRCODE_INSUFFICIENT_PRIVILEGE), errmsg("permission denied for the kvs store"),
                errdetail("Role \"%s\" created hook \"%s\" and may not read what is committed any more.",
                          GetUserNameFromId(creator, false), names.name),
                errhint("Remove the hook with kvs.drop_hook(%s), or grant SELECT ON kvs.entries to the role.",
                        quote_literal_cstr(names.name)));
    }
}

// The function of a signature, InvalidOid if there is none. Server code, under the hook's search_path.
Oid FindFunction(const char* signature) {
    LOCAL_FCINFO(call, 1);
    InitFunctionCallInfoData(*call, nullptr, 1, InvalidOid, nullptr, nullptr);
    call->args[0].value = MakeVarlena(signature);
    call->args[0].isnull = false;
    const Datum found = to_regprocedure(call);
    return call->isnull ? InvalidOid : DatumGetObjectId(found);
}

// Server code.
void RequireExecute(Oid function) {
    const AclResult allowed = KVS_PROC_ACLCHECK(function, GetUserId(), ACL_EXECUTE);
    if (allowed != ACLCHECK_OK) {
        aclcheck_error(allowed, OBJECT_FUNCTION, get_func_name(function));
    }
}

// Server code, as the creator.
void Invoke(const HookNames& names, Datum argument) {
    const Oid function = FindFunction(names.function);
    if (!OidIsValid(function)) {
        ereport(ERROR, errcode(ERRCODE_UNDEFINED_FUNCTION),
                errmsg("function %s of hook \"%s\" does not exist", names.function, names.name),
                errhint("Create the function again, or remove the hook with kvs.drop_hook(%s).",
                        quote_literal_cstr(names.name)));
    }
    RequireExecute(function);
    InvokeFunctionExecuteHook(function);
    FmgrInfo info;
    fmgr_info(function, &info);
    LOCAL_FCINFO(call, 1);
    InitFunctionCallInfoData(*call, &info, 1, InvalidOid, nullptr, nullptr);
    call->args[0].value = argument;
    call->args[0].isnull = false;
    // What it returns is nobody's concern.
    FunctionCallInvoke(call);
}

}  // namespace

const char* HookFunctionSignature(Oid function) {
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
    RequireExecute(function);
    // Qualified unless the function is the system's own: so it is found again under the hook's search_path.
    const int guc_level = NewGUCNestLevel();
    SetForScope("search_path", "pg_catalog, pg_temp");
    const char* signature = format_procedure(function);
    AtEOXact_GUC(false, guc_level);
    return signature;
}

void CallHook(const Hook& hook, Datum argument, const char* branch) {
    HookNames names{hook.name.c_str(), HookEventName(hook.event), hook.function.c_str()};
    HookScope scope(hook.creator, branch);
    Guarded([&] {
        ErrorContextCallback callback{error_context_stack, AddContext, &names};
        error_context_stack = &callback;
        RequireCreator(hook.creator, names);
        Invoke(names, argument);
        error_context_stack = callback.previous;
    });
}

}  // namespace kvs::pg

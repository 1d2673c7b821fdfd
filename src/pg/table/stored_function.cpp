#include "pg/table/stored_function.h"

#include "pg/wall/convert.h"

extern "C" {
#include "catalog/pg_proc.h"
#include "utils/lsyscache.h"
#include "utils/regproc.h"
#include "utils/syscache.h"
}

namespace kvs::pg {

namespace {

// Signatures are written and read under one search_path, so that each finds its function again.
template <typename Body>
auto UnderSystemPath(Body&& body) {
    const int guc_level = NewGUCNestLevel();
    set_config_option("search_path", "pg_catalog, pg_temp", PGC_USERSET, PGC_S_SESSION, GUC_ACTION_SAVE, true,
                      0, false);
    const auto result = body();
    AtEOXact_GUC(false, guc_level);
    return result;
}

Oid OwnerOf(Oid function) {
    HeapTuple tuple = SearchSysCache1(PROCOID, ObjectIdGetDatum(function));
    if (!HeapTupleIsValid(tuple)) {
        ereport(ERROR, errcode(ERRCODE_UNDEFINED_FUNCTION),
                errmsg("function with OID %u does not exist", function));
    }
    const Oid owner = reinterpret_cast<Form_pg_proc>(GETSTRUCT(tuple))->proowner;
    ReleaseSysCache(tuple);
    return owner;
}

void RequireExecute(Oid function) {
    const AclResult allowed = KVS_PROC_ACLCHECK(function, GetUserId(), ACL_EXECUTE);
    if (allowed != ACLCHECK_OK) {
        aclcheck_error(allowed, OBJECT_FUNCTION, get_func_name(function));
    }
}

// The function of a signature, InvalidOid if there is none.
Oid Lookup(const char* signature) {
    LOCAL_FCINFO(call, 1);
    InitFunctionCallInfoData(*call, nullptr, 1, InvalidOid, nullptr, nullptr);
    call->args[0].value = MakeVarlena(signature);
    call->args[0].isnull = false;
    const Datum found = to_regprocedure(call);
    return call->isnull ? InvalidOid : DatumGetObjectId(found);
}

const char* NameOf(Oid role) {
    return GetUserNameFromId(role, false);
}

}  // namespace

StoredFunction DescribeFunction(Oid function) {
    const Oid owner = OwnerOf(function);
    RequireExecute(function);
    const char* signature = UnderSystemPath([&] { return format_procedure(function); });
    if (!has_privs_of_role(owner, GetUserId())) {
        ereport(
            ERROR, errcode(ERRCODE_INSUFFICIENT_PRIVILEGE),
            errmsg("role \"%s\" cannot have function %s called in its name", NameOf(GetUserId()), signature),
            errdetail("The function belongs to role \"%s\", which does not have the privileges of role "
                      "\"%s\" and would get them by replacing it.",
                      NameOf(owner), NameOf(GetUserId())),
            errhint("Do this as role \"%s\", or let the function belong to a role that has the privileges "
                    "of role \"%s\".",
                    NameOf(owner), NameOf(GetUserId())));
    }
    return {signature, NameOf(owner)};
}

FoundFunction FindStoredFunction(const StoredFunction& stored) {
    const Oid function = UnderSystemPath([&] { return Lookup(stored.signature); });
    if (!OidIsValid(function)) {
        return {InvalidOid, ERRCODE_UNDEFINED_FUNCTION,
                psprintf("function %s does not exist", stored.signature)};
    }
    if (stored.owner[0] == '\0') {
        return {InvalidOid, ERRCODE_INSUFFICIENT_PRIVILEGE,
                psprintf("the role that function %s belonged to when it was added is not known",
                         stored.signature)};
    }
    const Oid owner = OwnerOf(function);
    if (strcmp(NameOf(owner), stored.owner) != 0) {
        return {InvalidOid, ERRCODE_INSUFFICIENT_PRIVILEGE,
                psprintf("function %s belongs to role \"%s\", not to role \"%s\" as when it was added",
                         stored.signature, NameOf(owner), stored.owner)};
    }
    if (!has_privs_of_role(owner, GetUserId())) {
        return {InvalidOid, ERRCODE_INSUFFICIENT_PRIVILEGE,
                psprintf("function %s belongs to role \"%s\", which does not have the privileges of role "
                         "\"%s\" any more",
                         stored.signature, NameOf(owner), NameOf(GetUserId()))};
    }
    RequireExecute(function);
    return {function, 0, nullptr};
}

}  // namespace kvs::pg

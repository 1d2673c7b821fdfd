#include "pg/table/access_guard.h"

#include "pg/table/catalog.h"
#include "pg/wall/settings.h"

extern "C" {
#include "catalog/pg_authid_d.h"
}

namespace kvs::pg {

namespace {

bool HasAll(Oid role, AclMode mode) {
    return pg_class_aclmask(ObjectOid(Object::kEntries), role, mode, ACLMASK_ALL) == mode;
}

[[noreturn]] void Deny(Oid role, AclMode mode) {
    StringInfoData privileges;
    initStringInfo(&privileges);
    const struct {
        AclMode bit;
        const char* name;
    } names[] = {
        {ACL_SELECT, "SELECT"}, {ACL_INSERT, "INSERT"}, {ACL_UPDATE, "UPDATE"}, {ACL_DELETE, "DELETE"}};
    for (const auto& name : names) {
        if ((mode & name.bit) != 0) {
            appendStringInfo(&privileges, "%s%s", privileges.len > 0 ? ", " : "", name.name);
        }
    }
    const bool has_columns =
        pg_attribute_aclcheck_all(ObjectOid(Object::kEntries), role, mode, ACLMASK_ANY) == ACLCHECK_OK;
    ereport(ERROR, errcode(ERRCODE_INSUFFICIENT_PRIVILEGE), errmsg("permission denied for the kvs store"),
            has_columns ? errdetail("Privileges on single columns of kvs.entries do not count.") : 0,
            errhint("The owner grants access with GRANT %s ON kvs.entries TO ROLE.", privileges.data));
    pg_unreachable();
}

}  // namespace

bool MayRead(Oid role) {
    return HasAll(role, ACL_SELECT);
}

void RequireRead(Oid role) {
    if (!MayRead(role)) {
        Deny(role, ACL_SELECT);
    }
}

void RequireReadFigures() {
    if (!has_privs_of_role(GetUserId(), ROLE_PG_READ_ALL_STATS)) {
        RequireRead();
    }
}

void RequireWrite(AclMode mode, const char* command) {
    if (XactReadOnly || IsInParallelMode()) {
        PreventCommandIfReadOnly(command);
        PreventCommandIfParallelMode(command);
    }
    if (!HasAll(GetUserId(), mode)) {
        Deny(GetUserId(), mode);
    }
    if (settings.as_of[0] != '\0') {
        ereport(ERROR, errcode(ERRCODE_READ_ONLY_SQL_TRANSACTION),
                errmsg("cannot execute %s while kvs.as_of is set", command),
                errdetail("This session reads the state as of \"%s\".", settings.as_of),
                errhint("RESET kvs.as_of to write to the live state."));
    }
}

void RequireCreator(const char* creator, const char* kind, const char* name, const char* action) {
    const Oid role = get_role_oid(creator, true);
    if ((!OidIsValid(role) || !has_privs_of_role(GetUserId(), role)) &&
        !has_privs_of_role(GetUserId(), OwnerId())) {
        ereport(ERROR, errcode(ERRCODE_INSUFFICIENT_PRIVILEGE),
                errmsg("must have the privileges of the creator of %s \"%s\" to %s it", kind, name, action),
                errhint("The owner of the extension may %s any %s.", action, kind));
    }
}

}  // namespace kvs::pg

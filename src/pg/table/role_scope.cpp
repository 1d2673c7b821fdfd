#include "pg/table/role_scope.h"

#include "pg/wall/guard.h"

namespace kvs::pg {

RoleScope::RoleScope(Oid role, int restrictions) {
    Guarded([&] {
        GetUserIdAndSecContext(&user_, &security_context_);
        guc_level_ = NewGUCNestLevel();
        set_config_option("search_path", "pg_catalog, pg_temp", PGC_USERSET, PGC_S_SESSION, GUC_ACTION_SAVE,
                          true, 0, false);
        SetUserIdAndSecContext(role, security_context_ | SECURITY_LOCAL_USERID_CHANGE | restrictions);
    });
}

RoleScope::~RoleScope() {
    AtEOXact_GUC(false, guc_level_);
    SetUserIdAndSecContext(user_, security_context_);
}

}  // namespace kvs::pg

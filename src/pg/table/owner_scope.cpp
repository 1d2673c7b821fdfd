#include "pg/table/owner_scope.h"

#include "pg/wall/guard.h"

extern "C" {
#include "executor/spi.h"
}

namespace kvs::pg {

OwnerScope::OwnerScope() {
    Guarded([&] {
        GetUserIdAndSecContext(&user_, &security_context_);
        const Oid owner = OwnerId();
        guc_level_ = NewGUCNestLevel();
        set_config_option("search_path", "pg_catalog, pg_temp", PGC_USERSET, PGC_S_SESSION, GUC_ACTION_SAVE,
                          true, 0, false);
        SetUserIdAndSecContext(owner, security_context_ | SECURITY_LOCAL_USERID_CHANGE);
    });
}

OwnerScope::~OwnerScope() {
    AtEOXact_GUC(false, guc_level_);
    SetUserIdAndSecContext(user_, security_context_);
}

uint64 ExecuteAsOwner(const char* sql, int count, Oid* types, Datum* values, const char* nulls) {
    OwnerScope owner;
    return Guarded([&] {
        SPI_connect();
        const int result = SPI_execute_with_args(sql, count, types, values, nulls, false, 0);
        if (result < 0) {
            elog(ERROR, "could not execute \"%s\": %s", sql, SPI_result_code_string(result));
        }
        const uint64 processed = SPI_processed;
        SPI_finish();
        return processed;
    });
}

}  // namespace kvs::pg

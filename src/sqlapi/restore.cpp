// Keys as they were: restore.
#include "pg/write/restore.h"

#include "pg/table/access_guard.h"
#include "pg/wall/arguments.h"
#include "pg/wall/entry_point.h"

namespace kvs::sqlapi {

using namespace kvs::pg;

// (pattern, ref, branch)
KVS_FUNCTION(kvs_restore)
{
    RequireWrite(ACL_SELECT | ACL_INSERT | ACL_UPDATE | ACL_DELETE, "kvs.restore()");
    const std::string_view pattern = RequiredBytes(fcinfo, 0, "pattern");
    const std::string_view ref = RequiredBytes(fcinfo, 1, "ref");
    PG_RETURN_INT64(RestoreKeys(pattern, ref, BytesOrEmpty(fcinfo, 2)));
}

}  // namespace kvs::sqlapi

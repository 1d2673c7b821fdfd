// import
#include "pg/branch/import.h"

#include <optional>

#include "pg/table/access_guard.h"
#include "pg/wall/arguments.h"
#include "pg/wall/entry_point.h"

namespace kvs::sqlapi {

using namespace kvs::pg;

// (query, branch, message)
KVS_FUNCTION(kvs_import)
{
    // With a message it is a commit as well.
    RequireWrite(ACL_INSERT | ACL_UPDATE | (PG_ARGISNULL(2) ? 0 : ACL_DELETE), "kvs.import()");
    const std::string_view query = RequiredBytes(fcinfo, 0, "query");
    const std::string_view branch = BytesOrEmpty(fcinfo, 1);
    PG_RETURN_INT64(ImportQuery(query, branch, OptionalBytes(fcinfo, 2)));
}

}  // namespace kvs::sqlapi

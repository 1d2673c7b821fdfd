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
    const std::optional<std::string_view> message = OptionalMessage(fcinfo, 2);
    const ImportReport report = ImportQuery(query, branch, message);
    if (message && !report.committed) {
        ereport(NOTICE, errmsg("nothing to commit"));
    }
    PG_RETURN_INT64(report.rows);
}

}  // namespace kvs::sqlapi

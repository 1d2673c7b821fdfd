// Writes of many keys: mput, delete_prefix.
#include "pg/table/access_guard.h"
#include "pg/wall/arguments.h"
#include "pg/wall/entry_point.h"
#include "pg/write/bulk_write.h"

namespace kvs::sqlapi {

using namespace kvs::pg;

// (keys, vals, branch)
KVS_FUNCTION(kvs_mput)
{
    RequireWrite(ACL_INSERT | ACL_UPDATE, "kvs.mput()");
    const DatumArray keys = RequiredArray(fcinfo, 0, "keys");
    const DatumArray values = RequiredArray(fcinfo, 1, "vals");
    if (keys.count != values.count) {
        ereport(ERROR, errcode(ERRCODE_INVALID_PARAMETER_VALUE),
                errmsg("keys and vals must have the same number of elements"),
                errdetail("There are %d keys and %d values.", keys.count, values.count));
    }
    PG_RETURN_INT64(PutMany(keys, values, BytesOrEmpty(fcinfo, 2)));
}

// (prefix, branch)
KVS_FUNCTION(kvs_delete_prefix)
{
    RequireWrite(ACL_DELETE, "kvs.delete_prefix()");
    const std::string_view prefix = RequiredBytes(fcinfo, 0, "prefix");
    PG_RETURN_INT64(DeletePrefix(prefix, OptionalBytes(fcinfo, 1)));
}

}  // namespace kvs::sqlapi

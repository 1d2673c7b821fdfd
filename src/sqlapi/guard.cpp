// What the views of schema kvs ask.
#include "kvs/version/commit.h"
#include "pg/table/access_guard.h"
#include "pg/wall/convert.h"
#include "pg/wall/entry_point.h"

namespace kvs::sqlapi {

using namespace kvs::pg;

KVS_INNER_FUNCTION(kvs_guard_read)
{
    RequireRead();
    PG_RETURN_BOOL(true);
}

KVS_INNER_FUNCTION(kvs_initial_commit)
{ return HashDatum(kInitialCommit); }

}  // namespace kvs::sqlapi

// What the views of schema kvs ask.
#include "kvs/version/commit.h"
#include "pg/table/access_guard.h"
#include "pg/wall/convert.h"
#include "pg/wall/entry_point.h"

KVS_FUNCTION(kvs_guard_read)
{
    kvs::pg::RequireRead();
    PG_RETURN_BOOL(true);
}

KVS_FUNCTION(kvs_initial_commit)
{ return kvs::pg::HashDatum(kvs::kInitialCommit); }

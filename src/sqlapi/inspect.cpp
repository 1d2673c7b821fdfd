// A look inside the store: inspect_commit, inspect_tree, dump_object.
#include "pg/read/inspect.h"

#include "pg/table/access_guard.h"
#include "pg/wall/arguments.h"
#include "pg/wall/entry_point.h"
#include "pg/wall/jsonb_json.h"

namespace kvs::sqlapi {

using namespace kvs::pg;

// (ref)
KVS_FUNCTION(kvs_inspect_commit)
{
    RequireRead();
    return JsonbFromJson(InspectCommit(RequiredBytes(fcinfo, 0, "ref")));
}

// (ref_or_root)
KVS_FUNCTION(kvs_inspect_tree)
{
    RequireRead();
    return JsonbFromJson(InspectTree(RequiredBytes(fcinfo, 0, "ref_or_root")));
}

// (hash)
KVS_FUNCTION(kvs_dump_object)
{
    RequireRead();
    return JsonbFromJson(DumpObject(RequiredBytes(fcinfo, 0, "hash")));
}

}  // namespace kvs::sqlapi

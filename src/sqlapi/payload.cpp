// One object out of several documents: create_payload.
#include "pg/read/payload.h"

#include "pg/table/access_guard.h"
#include "pg/wall/arguments.h"
#include "pg/wall/entry_point.h"

namespace kvs::sqlapi {

using namespace kvs::pg;

// (mapping, branch, as_of)
KVS_FUNCTION(kvs_create_payload)
{
    RequireRead();
    const std::string_view mapping = RequiredJsonb(fcinfo, 0, "mapping");
    return AssemblePayload(mapping, OptionalBytes(fcinfo, 1), OptionalBytes(fcinfo, 2));
}

}  // namespace kvs::sqlapi

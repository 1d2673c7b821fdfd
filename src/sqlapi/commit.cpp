// commit and flush.
#include <optional>

#include "pg/table/access_guard.h"
#include "pg/wall/arguments.h"
#include "pg/wall/entry_point.h"
#include "pg/wall/row.h"
#include "pg/write/flush.h"

namespace kvs::sqlapi {

using namespace kvs::pg;

namespace {

// The hash as text; 0 if nothing changed.
Datum CommitHex(std::optional<std::string_view> branch, std::string_view message, std::string_view author) {
    const std::optional<Hash> commit = CommitBranch(branch.value_or(std::string_view()), message, author);
    if (!commit) {
        return 0;
    }
    return Guarded([&] { return HexDatum(*commit); });
}

}  // namespace

// (message, author, branch)
KVS_FUNCTION(kvs_commit)
{
    RequireWrite(ACL_INSERT | ACL_UPDATE | ACL_DELETE, "kvs.commit()");
    const std::string_view message = RequiredMessage(fcinfo, 0);
    const std::string_view author = BytesOrEmpty(fcinfo, 1);
    const Datum hash = CommitHex(OptionalBytes(fcinfo, 2), message, author);
    if (hash == 0) {
        ereport(NOTICE, errmsg("nothing to commit"));
        PG_RETURN_NULL();
    }
    return hash;
}

// (branch)
KVS_FUNCTION(kvs_flush)
{
    RequireWrite(ACL_INSERT | ACL_UPDATE | ACL_DELETE, "kvs.flush()");
    PG_RETURN_INT64(FlushBranch(BytesOrEmpty(fcinfo, 0)));
}

}  // namespace kvs::sqlapi

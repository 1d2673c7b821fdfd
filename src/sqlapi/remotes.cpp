// Remotes: add_remote, drop_remote, fetch, push, pull, clone.
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "pg/branch/ref_edit.h"
#include "pg/table/access_guard.h"
#include "pg/table/locks.h"
#include "pg/table/remote_table.h"
#include "pg/wall/arguments.h"
#include "pg/wall/collected_rows.h"
#include "pg/wall/convert.h"
#include "pg/wall/entry_point.h"
#include "remote/conninfo.h"
#include "remote/transfer.h"

namespace kvs::sqlapi {

using namespace kvs::pg;

namespace {

constexpr AclMode kEditMode = ACL_INSERT | ACL_UPDATE | ACL_DELETE;

enum TransferColumn { kRef, kOldCommit, kNewCommit, kChunks, kBytes, kTransferColumns };

void ReturnTransfers(const CollectedRows& rows, const std::vector<remote::RefTransfer>& transfers) {
    for (const remote::RefTransfer& transfer : transfers) {
        Guarded([&] {
            Row<kTransferColumns> row;
            row.Set(kRef, MakeVarlena(transfer.ref));
            if (transfer.old_commit) {
                row.Set(kOldCommit, HexDatum(*transfer.old_commit));
            }
            if (transfer.new_commit) {
                row.Set(kNewCommit, HexDatum(*transfer.new_commit));
            }
            row.Set(kChunks, Int64GetDatum(transfer.chunks));
            row.Set(kBytes, Int64GetDatum(transfer.bytes));
            AddRow(rows, row);
        });
    }
}

void AddCheckedRemote(std::string_view name, std::string_view conninfo) {
    LockRemoteName(name);
    AddRemote(name, {std::string(conninfo), remote::CheckConninfo(conninfo)});
}

// Server code. max_bytes of kvs.fetch.
int64 ByteLimit(FunctionCallInfo fcinfo, int argument) {
    const int64 limit = OptionalInt8(fcinfo, argument).value_or(PG_INT64_MAX);
    if (limit <= 0) {
        ereport(ERROR, errcode(ERRCODE_INVALID_PARAMETER_VALUE), errmsg("max_bytes must be positive"));
    }
    return limit;
}

}  // namespace

// (name, conninfo)
KVS_FUNCTION(kvs_add_remote)
{
    RequireWrite(kEditMode, "kvs.add_remote()");
    const std::string_view name = RequiredBytes(fcinfo, 0, "name");
    AddCheckedRemote(name, RequiredBytes(fcinfo, 1, "conninfo"));
    PG_RETURN_BOOL(true);
}

// (name)
KVS_FUNCTION(kvs_drop_remote)
{
    RequireWrite(kEditMode, "kvs.drop_remote()");
    PG_RETURN_BOOL(DropRemote(RequiredBytes(fcinfo, 0, "name")));
}

// (remote, branch, max_bytes, prune)
KVS_FUNCTION(kvs_fetch)
{
    RequireWrite(kEditMode, "kvs.fetch()");
    const std::string_view name = RequiredBytes(fcinfo, 0, "remote");
    const std::optional<std::string_view> branch = OptionalBytes(fcinfo, 1);
    const int64 limit = ByteLimit(fcinfo, 2);
    ReturnTransfers(CollectRows(fcinfo), remote::Fetch(name, branch, limit, BoolOr(fcinfo, 3, false)));
    PG_RETURN_NULL();
}

// (remote, branch, force)
KVS_FUNCTION(kvs_push)
{
    RequireWrite(kEditMode, "kvs.push()");
    const std::string_view name = RequiredBytes(fcinfo, 0, "remote");
    const std::string_view branch = RequiredBytes(fcinfo, 1, "branch");
    const bool force = BoolOr(fcinfo, 2, false);
    ReturnTransfers(CollectRows(fcinfo), {remote::Push(name, branch, force)});
    PG_RETURN_NULL();
}

// (remote, branch)
KVS_FUNCTION(kvs_pull)
{
    RequireWrite(kEditMode, "kvs.pull()");
    const std::string_view name = RequiredBytes(fcinfo, 0, "remote");
    const std::string_view branch = RequiredBytes(fcinfo, 1, "branch");
    ReturnTransfers(CollectRows(fcinfo), {remote::Pull(name, branch)});
    PG_RETURN_NULL();
}

// (remote)
KVS_FUNCTION(kvs_clone)
{
    RequireWrite(kEditMode, "kvs.clone()");
    const std::string_view name = RequiredBytes(fcinfo, 0, "remote");
    ReturnTransfers(CollectRows(fcinfo), remote::Clone(name));
    PG_RETURN_NULL();
}

}  // namespace kvs::sqlapi

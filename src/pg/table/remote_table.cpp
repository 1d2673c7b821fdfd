#include "pg/table/remote_table.h"

#include "kvs/error.h"
#include "kvs/util/quote.h"
#include "kvs/version/ref.h"
#include "pg/table/branch_table.h"
#include "pg/table/owner_query.h"
#include "pg/table/table_access.h"
#include "pg/table/tag_table.h"
#include "pg/wall/convert.h"
#include "pg/wall/guard.h"
#include "pg/wall/snapshot.h"

namespace kvs::pg {

namespace {

enum RemoteRefColumn { kRemoteColumn = 1, kBranchColumn, kHeadColumn };

void ValidateRemoteName(std::string_view name) {
    ValidateRefName(name).OrThrow();
    if (name.find('/') != std::string_view::npos) {
        throw Error(ErrorCode::kInvalidArgument, Quoted(name) + " is not a valid name of a remote",
                    "A slash parts a remote's name from that of a branch.");
    }
    if (name == kBundleRemote) {
        throw Error(ErrorCode::kInvalidArgument, Quoted(name) + " is not a valid name of a remote",
                    "Refs of that name are what bundles brought.");
    }
}

// A name that is both a branch's and a remote's would hide the latter.
void RequireNoRefBelow(std::string_view remote) {
    const std::string prefix = std::string(remote) + "/";
    std::string taken;
    ActiveSnapshot latest(RegisterLatestSnapshot());
    ForEachBranch(latest.get(), [&](const BranchRow& branch) {
        if (branch.name.starts_with(prefix)) {
            taken = "branch " + Quoted(branch.name);
        }
        return taken.empty();
    });
    ForEachTag(latest.get(), [&](std::string_view name, const std::optional<Hash>&) {
        if (name.starts_with(prefix)) {
            taken = "tag " + Quoted(name);
        }
        return taken.empty();
    });
    latest.Release();
    if (!taken.empty()) {
        throw Error(ErrorCode::kAlreadyExists, taken + " exists, whose name would be one of the remote's",
                    "Choose another name for the remote, or rename the branch.");
    }
}

}  // namespace

void AddRemote(std::string_view name, const Remote& remote) {
    ValidateRemoteName(name);
    RequireNoRefBelow(name);
    const char* user = Guarded([] { return GetUserNameFromId(GetUserId(), false); });
    const uint64 added = ExecuteAsOwner(
        "INSERT INTO _kvs.remote (name, conninfo, server_owner, added_by, added_at) "
        "VALUES ($1, $2, $3, $4, clock_timestamp()) ON CONFLICT (name) DO NOTHING",
        {Parameter::Text(name), Parameter::Text(remote.conninfo), Parameter::Text(remote.server_owner),
         Parameter::Text(user)});
    if (added == 0) {
        throw Error(ErrorCode::kAlreadyExists, "remote " + Quoted(name) + " already exists");
    }
}

bool DropRemote(std::string_view name) {
    const bool dropped =
        ExecuteAsOwner("DELETE FROM _kvs.remote WHERE name = $1", {Parameter::Text(name)}) > 0;
    if (dropped) {
        ExecuteAsOwner("DELETE FROM _kvs.remote_ref WHERE remote = $1", {Parameter::Text(name)});
    }
    return dropped;
}

bool HasRemote(std::string_view name) {
    if (name == kBundleRemote) {
        return true;
    }
    ActiveSnapshot latest(RegisterLatestSnapshot());
    OwnerQuery query("SELECT FROM _kvs.remote WHERE name = $1", {Parameter::Text(name)});
    const bool found = query.Next();
    query.Finish();
    latest.Release();
    return found;
}

Remote FindRemote(std::string_view name) {
    OwnerQuery query("SELECT conninfo, server_owner FROM _kvs.remote WHERE name = $1",
                     {Parameter::Text(name)});
    std::optional<Remote> remote;
    if (query.Next()) {
        remote = {std::string(query.Bytes(1)), std::string(query.Bytes(2))};
    }
    query.Finish();
    if (!remote) {
        throw Error(ErrorCode::kUnknownRef, "remote " + Quoted(name) + " does not exist",
                    "The view kvs.remotes lists the remotes; kvs.add_remote(name, conninfo) adds one.");
    }
    return *remote;
}

std::optional<Hash> FindRemoteRef(std::string_view name, Snapshot snapshot) {
    const size_t slash = name.find('/');
    if (slash == std::string_view::npos) {
        return std::nullopt;
    }
    Hash hash;
    const bool found = Guarded([&] {
        Table table = OpenForRead(Object::kRemoteRef, Object::kRemoteRefPkey);
        ScanKeyData keys[2];
        KeyText(&keys[0], 1, MakeVarlena(name.substr(0, slash)));
        KeyText(&keys[1], 2, MakeVarlena(name.substr(slash + 1)));
        const bool hit = Lookup(&table, snapshot, keys, 2);
        if (hit) {
            hash = DatumHash(table.Get(kHeadColumn));
        }
        Close(&table);
        return hit;
    });
    return found ? std::optional<Hash>(hash) : std::nullopt;
}

void ForEachRemoteRef(Snapshot snapshot, const std::function<bool(const RemoteRefRow& ref)>& visit) {
    RemoteRefRow row;
    ForEachRow(
        Object::kRemoteRef, Object::kRemoteRefPkey, snapshot, ForwardScanDirection, nullptr, 0,
        [&](const Table& table) {
            row.remote = DatumContents(table.Get(kRemoteColumn));
            row.branch = DatumContents(table.Get(kBranchColumn));
            row.head = DatumAddress(table.Get(kHeadColumn));
        },
        [&] { return visit(row); });
}

void RemoveRemoteRef(std::string_view remote, std::string_view branch) {
    ExecuteAsOwner("DELETE FROM _kvs.remote_ref WHERE remote = $1 AND branch = $2",
                   {Parameter::Text(remote), Parameter::Text(branch)});
}

void SetRemoteRef(std::string_view remote, std::string_view branch, const Hash& head) {
    ExecuteAsOwner(
        "INSERT INTO _kvs.remote_ref AS r (remote, branch, head, updated_at) "
        "VALUES ($1, $2, $3, clock_timestamp()) "
        "ON CONFLICT (remote, branch) DO UPDATE SET head = excluded.head, updated_at = excluded.updated_at",
        {Parameter::Text(remote), Parameter::Text(branch), Parameter::Address(head)});
}

}  // namespace kvs::pg

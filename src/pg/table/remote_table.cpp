#include "pg/table/remote_table.h"

#include "kvs/error.h"
#include "kvs/version/ref.h"
#include "pg/table/owner_query.h"
#include "pg/table/owner_scope.h"
#include "pg/table/table_access.h"
#include "pg/wall/convert.h"
#include "pg/wall/guard.h"

namespace kvs::pg {

namespace {

constexpr int kHeadColumn = 3;

void ValidateRemoteName(std::string_view name) {
    ValidateRefName(name).OrThrow();
    if (name.find('/') != std::string_view::npos) {
        throw Error(ErrorCode::kInvalidArgument,
                    "\"" + std::string(name) + "\" is not a valid name of a remote",
                    "A slash parts a remote's name from that of a branch.");
    }
    if (name == kBundleRemote) {
        throw Error(ErrorCode::kInvalidArgument,
                    "\"" + std::string(name) + "\" is not a valid name of a remote",
                    "Refs of that name are what bundles brought.");
    }
}

}  // namespace

void AddRemote(std::string_view name, std::string_view conninfo) {
    ValidateRemoteName(name);
    Oid types[] = {TEXTOID, TEXTOID, TEXTOID};
    Datum values[std::size(types)];
    Guarded([&] {
        values[0] = MakeVarlena(name);
        values[1] = MakeVarlena(conninfo);
        values[2] = MakeVarlena(GetUserNameFromId(GetUserId(), false));
    });
    const uint64 added = ExecuteAsOwner(
        "INSERT INTO _kvs.remote (name, conninfo, added_by, added_at) VALUES ($1, $2, $3, clock_timestamp()) "
        "ON CONFLICT (name) DO NOTHING",
        std::size(types), types, values, "   ");
    if (added == 0) {
        throw Error(ErrorCode::kAlreadyExists, "remote \"" + std::string(name) + "\" already exists");
    }
}

bool DropRemote(std::string_view name) {
    Oid types[] = {TEXTOID};
    Datum values[] = {Guarded([&] { return MakeVarlena(name); })};
    const bool dropped = ExecuteAsOwner("DELETE FROM _kvs.remote WHERE name = $1", 1, types, values, " ") > 0;
    if (dropped) {
        ExecuteAsOwner("DELETE FROM _kvs.remote_ref WHERE remote = $1", 1, types, values, " ");
    }
    return dropped;
}

std::string FindRemote(std::string_view name) {
    Oid types[] = {TEXTOID};
    Datum values[] = {Guarded([&] { return MakeVarlena(name); })};
    OwnerQuery query("SELECT conninfo FROM _kvs.remote WHERE name = $1", 1, types, values);
    std::optional<std::string> conninfo;
    if (query.Next()) {
        conninfo = query.Bytes(1);
    }
    query.Finish();
    if (!conninfo) {
        throw Error(ErrorCode::kUnknownRef, "remote \"" + std::string(name) + "\" does not exist",
                    "The view kvs.remotes lists the remotes; kvs.add_remote(name, conninfo) adds one.");
    }
    return *conninfo;
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

void SetRemoteRef(std::string_view remote, std::string_view branch, const Hash& head) {
    Oid types[] = {TEXTOID, TEXTOID, BYTEAOID};
    Datum values[std::size(types)];
    Guarded([&] {
        values[0] = MakeVarlena(remote);
        values[1] = MakeVarlena(branch);
        values[2] = HashDatum(head);
    });
    ExecuteAsOwner(
        "INSERT INTO _kvs.remote_ref AS r (remote, branch, head, updated_at) "
        "VALUES ($1, $2, $3, clock_timestamp()) "
        "ON CONFLICT (remote, branch) DO UPDATE SET head = excluded.head, updated_at = excluded.updated_at",
        std::size(types), types, values, "   ");
}

}  // namespace kvs::pg

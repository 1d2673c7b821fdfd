// What other stores call when they fetch from this one or push to it: schema kvs_remote.
#include <optional>
#include <string>
#include <string_view>

#include "pg/branch/branch_move.h"
#include "pg/branch/ref_edit.h"
#include "pg/branch/tag_edit.h"
#include "pg/table/access_guard.h"
#include "pg/transfer/served_objects.h"
#include "pg/wall/arguments.h"
#include "pg/wall/collected_rows.h"
#include "pg/wall/convert.h"
#include "pg/wall/entry_point.h"

namespace kvs::sqlapi {

using namespace kvs::pg;

namespace {

constexpr AclMode kEditMode = ACL_INSERT | ACL_UPDATE | ACL_DELETE;

// Makes rows of an answer's objects. To be called in the first phase; what it returns, in the second.
SendObject IntoRows(FunctionCallInfo fcinfo) {
    return [rows = CollectRows(fcinfo)](std::string_view object) {
        Guarded([&] {
            Row<1> row;
            row.Set(0, MakeVarlena(object));
            AddRow(rows, row);
            pfree(DatumGetPointer(row.Value(0)));
        });
    };
}

int64 Receive(int64 (*receive)(const DatumArray&), const DatumArray& objects) {
    BeginRefEdit();
    return receive(objects);
}

// 0 for nullopt.
Datum OptionalAddress(const std::optional<Hash>& address) {
    return address ? Guarded([&] { return HashDatum(*address); }) : Datum{0};
}

Datum MoveBranch(std::string_view branch, std::string_view head, bool force) {
    BeginRefEdit();
    return OptionalAddress(MoveBranchTo(branch, RequireWholeCommit(head), {force, "push"}));
}

struct TagArguments {
    std::string_view name;
    std::string_view commit;
    std::optional<std::string_view> message;
    std::string_view tagger;
    TimestampTz created_at;
};

Datum MoveTag(const TagArguments& arguments, bool force) {
    BeginRefEdit();
    return OptionalAddress(PlaceTag(
        {std::string(arguments.name), RequireWholeCommit(arguments.commit),
         std::optional<std::string>(arguments.message), std::string(arguments.tagger), arguments.created_at},
        force));
}

}  // namespace

// (wanted, max_rows)
KVS_FUNCTION(kvs_remote_commits)
{
    RequireRead();
    const DatumArray wanted = RequiredArray(fcinfo, 0, "wanted");
    const int32 count = OptionalInt4(fcinfo, 1).value_or(1);
    SendCommits(wanted, count, IntoRows(fcinfo));
    PG_RETURN_NULL();
}

// (addresses)
KVS_FUNCTION(kvs_remote_chunks)
{
    RequireRead();
    const DatumArray addresses = RequiredArray(fcinfo, 0, "addresses");
    SendChunks(addresses, IntoRows(fcinfo));
    PG_RETURN_NULL();
}

// (hashes)
KVS_FUNCTION(kvs_remote_known_commits)
{
    RequireRead();
    const DatumArray commits = RequiredArray(fcinfo, 0, "hashes");
    SendKnownCommits(commits, IntoRows(fcinfo));
    PG_RETURN_NULL();
}

// (addresses)
KVS_FUNCTION(kvs_remote_missing_chunks)
{
    RequireRead();
    const DatumArray addresses = RequiredArray(fcinfo, 0, "addresses");
    SendMissingChunks(addresses, IntoRows(fcinfo));
    PG_RETURN_NULL();
}

// (frames)
KVS_FUNCTION(kvs_remote_receive_chunks)
{
    RequireWrite(kEditMode, "kvs_remote.receive_chunks()");
    PG_RETURN_INT64(Receive(ReceiveChunks, RequiredArray(fcinfo, 0, "frames")));
}

// (commits)
KVS_FUNCTION(kvs_remote_receive_commits)
{
    RequireWrite(kEditMode, "kvs_remote.receive_commits()");
    PG_RETURN_INT64(Receive(ReceiveCommits, RequiredArray(fcinfo, 0, "commits")));
}

// (branch, head, force)
KVS_FUNCTION(kvs_remote_move_branch)
{
    RequireWrite(kEditMode, "kvs_remote.move_branch()");
    const std::string_view branch = RequiredBytes(fcinfo, 0, "branch");
    const std::string_view head = RequiredBytes(fcinfo, 1, "head");
    const Datum before = MoveBranch(branch, head, BoolOr(fcinfo, 2, false));
    if (before == 0) {
        PG_RETURN_NULL();
    }
    return before;
}

// (name, head, message, tagger, created_at, force)
KVS_FUNCTION(kvs_remote_place_tag)
{
    RequireWrite(kEditMode, "kvs_remote.place_tag()");
    const TagArguments arguments = {RequiredBytes(fcinfo, 0, "name"), RequiredBytes(fcinfo, 1, "head"),
                                    OptionalBytes(fcinfo, 2), RequiredBytes(fcinfo, 3, "tagger"),
                                    PG_ARGISNULL(4) ? GetCurrentTimestamp() : PG_GETARG_TIMESTAMPTZ(4)};
    const Datum before = MoveTag(arguments, BoolOr(fcinfo, 5, false));
    if (before == 0) {
        PG_RETURN_NULL();
    }
    return before;
}

}  // namespace kvs::sqlapi

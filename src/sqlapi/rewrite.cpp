// Rewriting a branch: revert, cherry_pick, reset, rebase, squash, and putting work aside.
#include <optional>

#include "pg/branch/rebase.h"
#include "pg/branch/reset.h"
#include "pg/branch/squash.h"
#include "pg/branch/stash.h"
#include "pg/branch/stash_table.h"
#include "pg/branch/transplant.h"
#include "pg/table/access_guard.h"
#include "pg/wall/arguments.h"
#include "pg/wall/collected_rows.h"
#include "pg/wall/convert.h"
#include "pg/wall/entry_point.h"

namespace kvs::sqlapi {

using namespace kvs::pg;

namespace {

constexpr AclMode kRewriteRights = ACL_SELECT | ACL_INSERT | ACL_UPDATE | ACL_DELETE;

// The hash as text. Without one, NULL and a NOTICE that says why.
Datum HexOrNull(FunctionCallInfo fcinfo, const std::optional<Hash>& commit, const char* otherwise) {
    return Guarded([&] {
        if (!commit) {
            ereport(NOTICE, errmsg("%s", otherwise));
            fcinfo->isnull = true;
            return Datum{0};
        }
        return HexDatum(*commit);
    });
}

enum RebaseColumn { kOldCommit, kNewCommit, kRebaseColumns };

void RebaseInto(const CollectedRows& rows, std::string_view branch, std::string_view onto,
                MergeStrategy strategy) {
    for (const MovedCommit& moved : RebaseBranch(branch, onto, strategy)) {
        Guarded([&] {
            Row<kRebaseColumns> row;
            row.Set(kOldCommit, HexDatum(moved.old_commit));
            if (moved.new_commit) {
                row.Set(kNewCommit, HexDatum(*moved.new_commit));
            }
            AddRow(rows, row);
        });
    }
}

}  // namespace

// (ref, parent, branch)
KVS_FUNCTION(kvs_revert)
{
    RequireWrite(kRewriteRights, "kvs.revert()");
    const std::string_view ref = RequiredBytes(fcinfo, 0, "ref");
    return HexOrNull(fcinfo, RevertCommit(ref, OptionalInt4(fcinfo, 1), BytesOrEmpty(fcinfo, 2)),
                     "nothing changes");
}

// (ref, strategy, branch)
KVS_FUNCTION(kvs_cherry_pick)
{
    RequireWrite(kRewriteRights, "kvs.cherry_pick()");
    const std::string_view ref = RequiredBytes(fcinfo, 0, "ref");
    const std::string_view strategy = RequiredBytes(fcinfo, 1, "strategy");
    return HexOrNull(fcinfo, CherryPick(ref, ParseMergeStrategy(strategy), BytesOrEmpty(fcinfo, 2)),
                     "nothing changes");
}

// (ref, mode, branch)
KVS_FUNCTION(kvs_reset)
{
    RequireWrite(kRewriteRights, "kvs.reset()");
    const std::string_view ref = RequiredBytes(fcinfo, 0, "ref");
    const std::string_view mode = RequiredBytes(fcinfo, 1, "mode");
    const Hash head = ResetBranch(ref, ParseResetMode(mode), BytesOrEmpty(fcinfo, 2));
    return HexOrNull(fcinfo, head, "");
}

// (branch, onto, strategy)
KVS_FUNCTION(kvs_rebase)
{
    RequireWrite(kRewriteRights, "kvs.rebase()");
    const std::string_view branch = RequiredBytes(fcinfo, 0, "branch");
    const std::string_view onto = RequiredBytes(fcinfo, 1, "onto");
    const std::string_view strategy = RequiredBytes(fcinfo, 2, "strategy");
    RebaseInto(CollectRows(fcinfo), branch, onto, ParseMergeStrategy(strategy));
    PG_RETURN_NULL();
}

// (from_ref, message, branch)
KVS_FUNCTION(kvs_squash)
{
    RequireWrite(kRewriteRights, "kvs.squash()");
    const std::string_view from_ref = RequiredBytes(fcinfo, 0, "from_ref");
    const std::string_view message = RequiredMessage(fcinfo, 1);
    return HexOrNull(fcinfo, SquashBranch(from_ref, message, BytesOrEmpty(fcinfo, 2)),
                     "the commits cancel out: none takes their place");
}

// (message, branch)
KVS_FUNCTION(kvs_stash)
{
    RequireWrite(kRewriteRights, "kvs.stash()");
    const std::optional<int64> id = StashWork(BytesOrEmpty(fcinfo, 1), BytesOrEmpty(fcinfo, 0));
    if (!id) {
        ereport(NOTICE, errmsg("there is no uncommitted work to put aside"));
        PG_RETURN_NULL();
    }
    PG_RETURN_INT64(*id);
}

// (id)
KVS_FUNCTION(kvs_stash_drop)
{
    RequireWrite(kRewriteRights, "kvs.stash_drop()");
    PG_RETURN_BOOL(DropStash(RequiredInt8(fcinfo, 0, "id")));
}

}  // namespace kvs::sqlapi

// Rewriting a branch: revert, cherry_pick, reset, rebase, squash, and putting work aside.
#include <optional>
#include <string>
#include <vector>

#include "pg/branch/rebase.h"
#include "pg/branch/reset.h"
#include "pg/branch/squash.h"
#include "pg/branch/stash.h"
#include "pg/branch/stash_table.h"
#include "pg/branch/transplant.h"
#include "pg/table/access_guard.h"
#include "pg/wall/arguments.h"
#include "pg/wall/convert.h"
#include "pg/wall/entry_point.h"
#include "pg/wall/stream.h"

namespace kvs::sqlapi {

using namespace kvs::pg;

namespace {

constexpr AclMode kRewriteRights = ACL_SELECT | ACL_INSERT | ACL_UPDATE | ACL_DELETE;

// The hash as text. Without one, NULL and a NOTICE that says why.
Datum HexOrNull(FunctionCallInfo fcinfo, const std::optional<Hash>& commit, const char* otherwise) {
    const std::string hex = commit ? commit->ToHex() : std::string();
    return Guarded([&] {
        if (hex.empty()) {
            ereport(NOTICE, errmsg("%s", otherwise));
            fcinfo->isnull = true;
            return Datum{0};
        }
        return MakeVarlena(hex);
    });
}

// (branch, onto, strategy)
class RebaseRows {
  public:
    explicit RebaseRows(FunctionCallInfo fcinfo) {
        struct Arguments {
            std::string_view branch;
            std::string_view onto;
            std::string_view strategy;
        };
        const Arguments arguments = Guarded([&] {
            row_type_ = ResultRowType(fcinfo);
            return Arguments{RequiredBytes(fcinfo, 0, "branch"), RequiredBytes(fcinfo, 1, "onto"),
                             RequiredBytes(fcinfo, 2, "strategy")};
        });
        commits_ = RebaseBranch(arguments.branch, arguments.onto, ParseMergeStrategy(arguments.strategy));
    }

    bool Next(FunctionCallInfo, Datum* row, bool*) {
        if (next_ == commits_.size()) {
            return false;
        }
        const MovedCommit& moved = commits_[next_++];
        const std::string old_hex = moved.old_commit.ToHex();
        const std::string new_hex = moved.new_commit ? moved.new_commit->ToHex() : std::string();
        *row = Guarded([&] {
            Datum values[] = {MakeVarlena(old_hex), MakeVarlena(new_hex)};
            bool nulls[] = {false, new_hex.empty()};
            return FormRow(row_type_, values, nulls);
        });
        return true;
    }

  private:
    std::vector<MovedCommit> commits_;
    size_t next_ = 0;
    TupleDesc row_type_;
};

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
    return StreamRows<RebaseRows>(fcinfo);
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

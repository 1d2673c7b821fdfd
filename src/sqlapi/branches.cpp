// Branches: create_branch, delete_branch, rename_branch, set_branch_option, switch_branch, current_branch.
#include <string_view>

#include "pg/branch/branch_edit.h"
#include "pg/branch/branch_option.h"
#include "pg/branch/ref_edit.h"
#include "pg/table/access_guard.h"
#include "pg/wall/arguments.h"
#include "pg/wall/convert.h"
#include "pg/wall/entry_point.h"
#include "pg/wall/settings.h"
#include "pg/wall/snapshot.h"

namespace kvs::sqlapi {

using namespace kvs::pg;

namespace {

constexpr AclMode kEditMode = ACL_INSERT | ACL_UPDATE | ACL_DELETE;

void SwitchBranch(std::string_view name) {
    // Not the statement's snapshot: switch_branch(create_branch(...)) is one statement.
    Snapshot snapshot = RegisterOperationSnapshot();
    const Branch branch = FindNamedBranch(name, snapshot);
    ReleaseSnapshot(snapshot);
    SetSessionBranch(branch.name);
}

}  // namespace

// (name, from_ref)
KVS_FUNCTION(kvs_create_branch)
{
    RequireWrite(kEditMode, "kvs.create_branch()");
    const std::string_view name = RequiredBytes(fcinfo, 0, "name");
    CreateBranch(name, OptionalBytes(fcinfo, 1).value_or("HEAD"));
    return PG_GETARG_DATUM(0);
}

// (name, force)
KVS_FUNCTION(kvs_delete_branch)
{
    RequireWrite(kEditMode, "kvs.delete_branch()");
    DeleteBranch(RequiredBytes(fcinfo, 0, "name"), BoolOr(fcinfo, 1, false));
    PG_RETURN_BOOL(true);
}

// (name, new_name)
KVS_FUNCTION(kvs_rename_branch)
{
    RequireWrite(kEditMode, "kvs.rename_branch()");
    const std::string_view name = RequiredBytes(fcinfo, 0, "name");
    RenameBranch(name, RequiredBytes(fcinfo, 1, "new_name"));
    PG_RETURN_BOOL(true);
}

// (branch, option, setting)
KVS_FUNCTION(kvs_set_branch_option)
{
    RequireWrite(kEditMode, "kvs.set_branch_option()");
    const std::string_view branch = RequiredBytes(fcinfo, 0, "branch");
    const std::string_view option = RequiredBytes(fcinfo, 1, "option");
    PG_RETURN_BOOL(SetBranchOption(branch, option, RequiredBytes(fcinfo, 2, "setting")));
}

// (name)
KVS_FUNCTION(kvs_switch_branch)
{
    RequireRead();
    SwitchBranch(RequiredBytes(fcinfo, 0, "name"));
    return PG_GETARG_DATUM(0);
}

KVS_FUNCTION(kvs_current_branch)
{
    RequireRead();
    return MakeVarlena(settings.branch);
}

}  // namespace kvs::sqlapi

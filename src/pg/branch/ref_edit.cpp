#include "pg/branch/ref_edit.h"

#include <algorithm>
#include <string>

#include "kvs/error.h"
#include "kvs/util/quote.h"
#include "pg/table/commit_table.h"
#include "pg/table/locks.h"
#include "pg/table/remote_table.h"
#include "pg/table/tag_table.h"
#include "pg/wall/durability.h"
#include "pg/wall/guard.h"
#include "pg/wall/snapshot.h"

namespace kvs::pg {

void BeginRefEdit() {
    Guarded([] { NoteWrite(); });
    LockChunksForBuild();
}

Branch FindNamedBranch(std::string_view name, Snapshot snapshot) {
    if (name.empty()) {
        throw Error(ErrorCode::kUnknownRef, "branch \"\" does not exist");
    }
    return FindBranch(name, snapshot);
}

bool IsNameOfRemote(std::string_view name) {
    const size_t slash = name.find('/');
    return slash != std::string_view::npos && HasRemote(name.substr(0, slash));
}

void RequireFreeName(std::string_view name) {
    if (IsNameOfRemote(name)) {
        const std::string remote(name.substr(0, name.find('/')));
        throw Error(ErrorCode::kInvalidArgument,
                    "name " + Quoted(name) + " is that of a branch of remote " + Quoted(remote),
                    remote == kBundleRemote ? "So are called the branches and tags that bundles brought."
                                            : "Choose another name, or another one for the remote.");
    }
    Snapshot latest = RegisterLatestSnapshot();
    Branch branch;
    const char* taken_by = nullptr;
    if (TryFindBranch(name, latest, &branch)) {
        taken_by = "branch";
    } else if (FindTag(name, latest)) {
        taken_by = "tag";
    }
    ReleaseSnapshot(latest);
    if (taken_by != nullptr) {
        throw Error(ErrorCode::kAlreadyExists, std::string(taken_by) + " " + Quoted(name) + " already exists",
                    "Branches and tags share one name space.");
    }
}

void SetSessionBranch(std::string_view name) {
    const std::string value(name);
    Guarded([&] {
        set_config_option("kvs.branch", value.c_str(), PGC_USERSET, PGC_S_SESSION, GUC_ACTION_SET, true, 0,
                          false);
    });
}

}  // namespace kvs::pg

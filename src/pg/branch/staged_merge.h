// Merges that wait for their conflicts to be resolved, _kvs.merge and _kvs.conflict. A staged merge lies
// beside its branch and changes nothing of it: others go on reading, writing and committing there.
//
// A decision holds for what was seen when it was made: if one of the three values has changed by the time of
// merge_continue, the conflict is open again. Only "ours" goes along with a changed ours.
#pragma once

#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "kvs/hash.h"
#include "pg/branch/merge_operation.h"
#include "pg/branch/three_way_merge.h"
#include "pg/wall/server.h"

namespace kvs::pg {

struct StagedMerge {
    int32 branch_id = 0;
    std::optional<int64> stash_id;  // a stash is being applied; nothing will be committed
    std::string source;             // as it was named
    Hash source_commit;
    std::string message;
};

// Who decides conflicts shares the staged merge with others who do; who ends it, or stages its conflicts
// anew, has it for himself. Both until the end of the transaction; waits last at most
// kvs.branch_lock_timeout.
enum class StagedMergeLock { kNone, kShared, kExclusive };

// As it is committed now, or as this transaction left it.
std::optional<StagedMerge> FindStagedMerge(int32 branch_id, StagedMergeLock lock = StagedMergeLock::kNone);

// Error(kWrongState) if there is one, or if there is none.
void RequireNoStagedMerge(int32 branch_id, std::string_view branch);
StagedMerge RequireStagedMerge(int32 branch_id, std::string_view branch,
                               StagedMergeLock lock = StagedMergeLock::kNone);

// Stages a merge with its conflicts. Errors: kWrongState if there is one already.
void StageMerge(const StagedMerge& merge, std::string_view branch, const std::vector<KeyConflict>& conflicts);

// Merges merge.source_commit into the branch, or stages it, with a NOTICE, when conflicts are left. Errors:
// as MergeInto; kWrongState if a merge is staged already.
MergeReport MergeOrStage(const StagedMerge& merge, std::string_view branch, const KeyResolver& resolve);

// Tells the user which conflicts wait.
void NoticeConflicts(const std::vector<KeyConflict>& conflicts, std::string_view branch);

// Forgets it; false if there was none.
bool DropStagedMerge(int32 branch_id);

// The decisions made so far, for the merge that is computed again.
class StagedResolutions {
  public:
    explicit StagedResolutions(int32 branch_id);

    // Refers to this object.
    KeyResolver Resolver();

    // Forgets which decisions were asked for, before the merge is computed once more.
    void Restart() { used_.clear(); }

    // Reads them again; true if they are others now.
    bool Reload();

    // The conflicts that are left, put in the place of those staged before; decisions that still hold stay.
    void Restage(const std::vector<KeyConflict>& left);

  private:
    struct Decision {
        MergeConflict seen;
        Resolution resolution;

        bool operator==(const Decision&) const = default;
    };

    void Load();

    int32 branch_id_;
    std::map<std::pair<std::string, std::string>, Decision> decisions_;  // by key and path
    std::set<std::pair<std::string, std::string>> used_;
};

// "ours", "theirs", "base", "delete", "value". Errors: kInvalidArgument.
Resolution::Kind ParseResolution(std::string_view text);

}  // namespace kvs::pg

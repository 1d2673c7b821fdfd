#include "pg/read/ref_list.h"

#include <algorithm>
#include <string>
#include <unordered_set>

#include "kvs/version/commit.h"
#include "pg/table/commit_table.h"
#include "pg/table/remote_table.h"
#include "pg/table/tag_table.h"
#include "pg/wall/guard.h"
#include "pg/wall/memory_scope.h"
#include "pg/wall/store_error.h"

namespace kvs::pg {

namespace {

Hash Whole(const std::optional<Hash>& address, const char* table) {
    if (!address) {
        throw Damaged(std::string(table) + " holds something that is no address");
    }
    return *address;
}

}  // namespace

std::vector<ListedRef> ListRefs(Snapshot snapshot) {
    std::vector<ListedRef> refs;
    ForEachBranch(snapshot, [&](const BranchRow& branch) {
        refs.push_back({branch.id, Whole(branch.head, "_kvs.branch")});
        return true;
    });
    ForEachTag(snapshot, [&](std::string_view, const std::optional<Hash>& commit) {
        refs.push_back({0, Whole(commit, "_kvs.tag")});
        return true;
    });
    ForEachRemoteRef(snapshot, [&](const RemoteRefRow& ref) {
        refs.push_back({0, Whole(ref.head, "_kvs.remote_ref")});
        return true;
    });
    return refs;
}

bool HasOtherBranch(int32 branch_id, Snapshot snapshot) {
    bool found = false;
    ForEachBranch(snapshot, [&](const BranchRow& branch) {
        found = branch.id != branch_id;
        return !found;
    });
    return found;
}

bool IsReachable(const Hash& commit, const std::vector<ListedRef>& refs, Snapshot snapshot,
                 uint64_t max_commits) {
    if (std::any_of(refs.begin(), refs.end(), [&](const ListedRef& ref) { return ref.commit == commit; })) {
        return true;
    }
    MemoryContext scratch = Guarded([] {
        return AllocSetContextCreate(CurrentMemoryContext, "kvs reachability", ALLOCSET_DEFAULT_SIZES);
    });
    bool found = false;
    {
        MemoryScope scope(scratch);
        CommitTable graph(snapshot);
        const uint64_t generation = graph.ReadTip(commit).generation;
        std::unordered_set<Hash, HashOfHash> met;
        std::vector<Hash> to_visit;
        for (size_t i = 0; i < refs.size() && !found; i++) {
            to_visit.push_back(refs[i].commit);
            while (!to_visit.empty() && !found && met.size() < max_commits) {
                const Hash at = to_visit.back();
                to_visit.pop_back();
                if (!met.insert(at).second) {
                    continue;
                }
                Guarded([&] {
                    CHECK_FOR_INTERRUPTS();
                    MemoryContextReset(scratch);
                });
                const CommitLinks links = at == refs[i].commit ? graph.ReadTip(at) : graph.ReadLinks(at);
                // Nothing at or below its generation leads up to it.
                if (links.generation > generation) {
                    to_visit.insert(to_visit.end(), links.parents.begin(), links.parents.end());
                }
                found = at == commit;
            }
        }
    }
    Guarded([&] { MemoryContextDelete(scratch); });
    return found;
}

}  // namespace kvs::pg

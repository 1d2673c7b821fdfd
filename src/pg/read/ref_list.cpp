#include "pg/read/ref_list.h"

#include <algorithm>
#include <unordered_set>

#include "kvs/version/commit.h"
#include "pg/table/commit_table.h"
#include "pg/table/table_access.h"
#include "pg/wall/convert.h"
#include "pg/wall/guard.h"
#include "pg/wall/memory_scope.h"

namespace kvs::pg {

namespace {

constexpr int kBranchIdColumn = 1;
constexpr int kBranchHeadColumn = 3;
constexpr int kTagCommitColumn = 2;
constexpr int kRemoteRefHeadColumn = 3;

// Calls `visit` on each row in the order of the index, until it answers false. Server code.
template <typename Visit>
void ForEachRow(Object object, Object index, Snapshot snapshot, Visit visit) {
    Table table = OpenForRead(object, index);
    IndexScanDesc scan = BeginScan(&table, snapshot, nullptr, 0);
    while (index_getnext_slot(scan, ForwardScanDirection, table.slot)) {
        CHECK_FOR_INTERRUPTS();
        if (!visit(&table)) {
            break;
        }
    }
    index_endscan(scan);
    Close(&table);
}

}  // namespace

std::vector<ListedRef> ListRefs(Snapshot snapshot) {
    std::vector<ListedRef> refs;
    Guarded([&] {
        ForEachRow(Object::kBranch, Object::kBranchPkey, snapshot, [&](Table* table) {
            refs.push_back(
                {DatumGetInt32(table->Get(kBranchIdColumn)), DatumHash(table->Get(kBranchHeadColumn))});
            return true;
        });
        if (refs.empty()) {
            refs.push_back({kMainBranchId, kInitialCommit});
        }
        ForEachRow(Object::kTag, Object::kTagPkey, snapshot, [&](Table* table) {
            refs.push_back({0, DatumHash(table->Get(kTagCommitColumn))});
            return true;
        });
        ForEachRow(Object::kRemoteRef, Object::kRemoteRefPkey, snapshot, [&](Table* table) {
            refs.push_back({0, DatumHash(table->Get(kRemoteRefHeadColumn))});
            return true;
        });
    });
    return refs;
}

bool HasOtherBranch(int32 branch_id, Snapshot snapshot) {
    bool found = false;
    Guarded([&] {
        ForEachRow(Object::kBranch, Object::kBranchPkey, snapshot, [&](Table* table) {
            found = DatumGetInt32(table->Get(kBranchIdColumn)) != branch_id;
            return !found;
        });
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
        const uint64_t generation = graph.ReadLinks(commit).generation;
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
                const CommitLinks links = graph.ReadLinks(at);
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

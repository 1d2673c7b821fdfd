#include "pg/table/commit_cache.h"

#include <utility>

#include "kvs/util/clock_cache.h"

namespace kvs::pg {

namespace {

constexpr size_t kCapacity = size_t{8} << 20;
constexpr size_t kCommitOverhead = 160;  // bytes of bookkeeping per commit

size_t SizeOf(const KnownCommit& known) {
    const Commit& commit = known.commit;
    size_t size = sizeof(KnownCommit) + kCommitOverhead + commit.parents.size() * Hash::kSize +
                  commit.author.size() + commit.committer.size() + commit.message.size();
    for (const auto& [name, root] : commit.trees) {
        size += sizeof(commit.trees[0]) + name.size();
    }
    if (known.ancestry != nullptr) {
        size += sizeof(Ancestry) + known.ancestry->pointers.size() * Hash::kSize;
    }
    return size;
}

ClockCache<KnownCommitRef>& Cache() {
    static auto* cache = new ClockCache<KnownCommitRef>();
    return *cache;
}

}  // namespace

KnownCommitRef FindKnownCommit(const Hash& hash) {
    return Cache().Find(hash);
}

void RememberCommit(const Hash& hash, KnownCommitRef commit) {
    const size_t size = SizeOf(*commit);
    Cache().Add(hash, std::move(commit), size, kCapacity);
}

}  // namespace kvs::pg

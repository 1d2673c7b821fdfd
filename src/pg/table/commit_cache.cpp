#include "pg/table/commit_cache.h"

#include <utility>

#include "kvs/util/clock_cache.h"

namespace kvs::pg {

namespace {

constexpr size_t kCapacity = size_t{8} << 20;
constexpr size_t kAncestryCapacity = size_t{1} << 20;
constexpr size_t kOverhead = 160;  // bytes of bookkeeping of one that is remembered

size_t SizeOf(const Ancestry& ancestry) {
    return sizeof(Ancestry) + ancestry.pointers.size() * Hash::kSize;
}

size_t SizeOf(const Commit& commit) {
    size_t size = sizeof(Commit) + kOverhead + commit.parents.size() * Hash::kSize + commit.author.size() +
                  commit.committer.size() + commit.message.size();
    for (const auto& [name, root] : commit.trees) {
        size += sizeof(commit.trees[0]) + name.size();
    }
    return size;
}

ClockCache<CommitRef>& Cache() {
    static auto* cache = new ClockCache<CommitRef>();
    return *cache;
}

ClockCache<AncestryRef>& Ancestries() {
    static auto* cache = new ClockCache<AncestryRef>();
    return *cache;
}

}  // namespace

CommitRef FindKnownCommit(const Hash& hash) {
    return Cache().Find(hash);
}

void RememberCommit(const Hash& hash, CommitRef commit) {
    const size_t size = SizeOf(*commit);
    Cache().Add(hash, std::move(commit), size, kCapacity);
}

AncestryRef FindKnownAncestry(const Hash& hash) {
    return Ancestries().Find(hash);
}

void RememberAncestry(const Hash& hash, AncestryRef ancestry) {
    const size_t size = kOverhead + SizeOf(*ancestry);
    Ancestries().Add(hash, std::move(ancestry), size, kAncestryCapacity);
}

}  // namespace kvs::pg

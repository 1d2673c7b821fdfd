#include "pg/check/subtree_memory.h"

#include <utility>

namespace kvs::pg {

namespace {

constexpr size_t kEntryOverhead = 190;  // bytes of a remembered subtree without its keys

}  // namespace

const Subtree* SubtreeMemory::Generations::Find(const Hash& address) {
    if (const auto found = young_.find(address); found != young_.end()) {
        return &found->second;
    }
    const auto found = old_.find(address);
    if (found == old_.end()) {
        return nullptr;
    }
    // What is met again stays.
    const Subtree subtree = std::move(found->second);
    old_.erase(found);
    Add(address, subtree);
    return &young_.find(address)->second;
}

void SubtreeMemory::Generations::Add(const Hash& address, const Subtree& subtree) {
    if (young_size_ > limit_) {
        old_ = std::move(young_);
        young_.clear();
        young_size_ = 0;
    }
    if (young_.insert_or_assign(address, subtree).second) {
        young_size_ += kEntryOverhead + subtree.first_key.size() + subtree.last_key.size();
    }
}

const Subtree* SubtreeMemory::Find(const Hash& address) {
    const Subtree* leaf = leaves_.Find(address);
    return leaf != nullptr ? leaf : internal_.Find(address);
}

void SubtreeMemory::Add(const Hash& address, const Subtree& subtree) {
    (subtree.level > 0 ? internal_ : leaves_).Add(address, subtree);
}

}  // namespace kvs::pg

// The versions of places of a tree, as repacking puts them together.
#pragma once

#include <cstddef>
#include <unordered_map>
#include <vector>

#include "kvs/hash.h"

namespace kvs::pg {

// A chunk that is cold, and what replaced it.
struct Replaced {
    Hash address;
    Hash next;
};

// Chunks in families, each family in the order in which its members are added.
class Families {
  public:
    void Add(const Replaced& chunk) {
        const auto found = open_.find(chunk.address);
        size_t family = families_.size();
        if (found == open_.end()) {
            families_.emplace_back();
        } else {
            family = found->second;
            open_.erase(found);
        }
        families_[family].push_back(chunk);
        open_.insert_or_assign(chunk.next, family);
        size_++;
    }

    size_t size() const { return size_; }
    const std::vector<std::vector<Replaced>>& all() const { return families_; }

  private:
    std::vector<std::vector<Replaced>> families_;
    std::unordered_map<Hash, size_t, HashOfHash> open_;  // by what is to come next
    size_t size_ = 0;
};

}  // namespace kvs::pg

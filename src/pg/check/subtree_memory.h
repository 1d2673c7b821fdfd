// What TreeAudit knows of the subtrees that it has checked, in bounded memory: what was not asked for in a
// long time is forgotten. Internal nodes, of which there are few, are remembered apart, so that leaves do not
// drive them out.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <unordered_map>

#include "kvs/hash.h"

namespace kvs::pg {

struct Subtree {
    // What first_key says: nothing; that the first key is greater than it; that it is it.
    enum class FirstKey { kUnknown, kFloor, kExact };

    bool whole = false;
    bool at_edge = false;  // checked where the last node of a level need not be full
    bool single = false;   // an internal node with one child
    int level = -1;        // -1: the chunk could not be read as a node
    uint64_t entries = 0;
    std::optional<uint64_t> fingerprint;  // the sum of its leaves'; never of one that is not whole
    FirstKey first_is = FirstKey::kUnknown;
    std::string first_key;
    std::string last_key;

    // Whether all its keys are greater than `key`; nullopt if that is not known.
    std::optional<bool> StartsAfter(const std::string& key) const {
        if (first_is == FirstKey::kExact) {
            return first_key > key;
        }
        return first_is == FirstKey::kFloor && first_key >= key ? std::optional(true) : std::nullopt;
    }
};

class SubtreeMemory {
  public:
    // `limit`: about how many bytes it may take.
    explicit SubtreeMemory(size_t limit) : leaves_(limit - limit / 4), internal_(limit / 4) {}

    // Null if it is not known. Valid until the next call of either.
    const Subtree* Find(const Hash& address);
    void Add(const Hash& address, const Subtree& subtree);

  private:
    // Two generations: when the young one is full, it becomes the old one, and the old one is forgotten.
    class Generations {
      public:
        explicit Generations(size_t limit) : limit_(limit / 2) {}
        const Subtree* Find(const Hash& address);
        void Add(const Hash& address, const Subtree& subtree);

      private:
        using Map = std::unordered_map<Hash, Subtree, HashOfHash>;

        size_t limit_;
        size_t young_size_ = 0;
        Map young_;
        Map old_;
    };

    Generations leaves_;
    Generations internal_;
};

}  // namespace kvs::pg

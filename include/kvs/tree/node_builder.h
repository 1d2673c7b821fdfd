// Collects the items of one node and encodes them (docs/node-format.md).
//
// Owns copies of everything added; reusable after Clear, and then allocates no more.
// Errors: an item above the limits, a key that does not ascend or a node above kMaxNodeSize throws.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "kvs/hash.h"
#include "kvs/tree/node.h"

namespace kvs {

class NodeBuilder {
  public:
    explicit NodeBuilder(int level) : level_(level) {}

    int level() const { return level_; }
    size_t count() const { return key_ends_.size(); }
    bool empty() const { return key_ends_.empty(); }
    // Entries below the node as far as it is filled.
    uint64_t entries() const { return entries_; }
    // Key of the item added last; the builder must not be empty.
    std::string_view last_key() const { return Key(count() - 1); }

    // Address of the child added first; the builder must be that of an internal node and not empty.
    Hash first_child() const { return Hash::FromBytes(std::string_view(values_).substr(0, Hash::kSize)); }

    // A leaf's item. Keys must come in strictly ascending order.
    void AddEntry(std::string_view key, std::string_view value);
    // An internal node's item: the last key below the child, its address, its number of entries.
    void AddChild(std::string_view last_key, const Hash& address, uint64_t entries);

    // The items in [first, last) of a node of this level, as if each were added by itself.
    void AddItems(const Node& node, size_t first, size_t last);

    // The node's bytes; the builder keeps its items.
    std::string Encode() const;

    void Clear();

  private:
    std::string_view Key(size_t i) const {
        const size_t begin = i == 0 ? 0 : key_ends_[i - 1];
        return std::string_view(keys_).substr(begin, key_ends_[i] - begin);
    }
    void RequireBehindLast(std::string_view key) const;
    void AddKey(std::string_view key);

    int level_;
    uint64_t entries_ = 0;
    std::string keys_;                     // whole keys, one after the other
    std::vector<uint32_t> key_ends_;       // into keys_
    std::string values_;                   // leaf: the values; internal: the child addresses
    std::vector<uint32_t> value_ends_;     // leaf: into values_
    std::vector<uint64_t> child_entries_;  // internal
};

}  // namespace kvs

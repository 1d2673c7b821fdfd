// Point reads of a prolly tree.
//
// A Tree is a store and a root address: two words, made on the stack where it is needed, sharing nothing. The
// store must outlive it. No operation allocates beyond what the store's ReadNode does.
// Errors: what NodeStore throws; Error(kCorruption) where a child does not fit its parent.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "kvs/hash.h"
#include "kvs/node_store.h"
#include "kvs/tree/node.h"

namespace kvs {

// Keys in [start, end); without an end all keys from start on.
struct KeyRange {
    std::string start;
    std::optional<std::string> end;

    // The keys that start with `prefix`.
    static KeyRange Prefix(std::string_view prefix);

    bool Contains(std::string_view key) const { return key >= start && (!end || key < *end); }
};

// A value in a leaf. The view is valid as long as `leaf` is held.
struct FoundValue {
    std::string_view value;
    NodeRef leaf;
};

class Tree {
  public:
    Tree(NodeStore& store, const Hash& root) : store_(&store), root_(root) {}

    const Hash& root() const { return root_; }
    NodeStore& store() const { return *store_; }
    bool empty() const { return root_ == kEmptyRoot; }

    // The leaf may be borrowed (NodeStore::BorrowNode): hold it no longer than the operation lasts.
    std::optional<FoundValue> Get(std::string_view key) const;

    // Called with the index of the key and its value, nullopt if the tree has none; the view is valid during
    // the call.
    using GetManyCallback = std::function<void(size_t index, std::optional<std::string_view> value)>;

    // Looks all keys up in one descent that reads each node once, and calls back in their order. The keys
    // must ascend, and may repeat; Error(kInvalidArgument) otherwise.
    void GetMany(std::span<const std::string_view> keys, const GetManyCallback& callback) const;

    // Number of entries.
    uint64_t Count() const;
    // Number of entries with a key smaller than `key`.
    uint64_t Rank(std::string_view key) const;
    // Number of entries in the range.
    uint64_t Count(const KeyRange& range) const;

  private:
    NodeStore* store_;
    Hash root_;
};

}  // namespace kvs

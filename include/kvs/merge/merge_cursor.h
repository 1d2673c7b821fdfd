// What theirs changed since the base, in key order, with what ours made of the same keys.
//
// The cost is that of theirs' changes, not of the trees nor of ours' changes: subtrees that theirs shares
// with the base are skipped unread, and ours is read only on the paths to theirs' changes, no further down
// than where it meets a subtree that it shares with the base. Memory is a path in each tree. The store must
// outlive the cursor. Errors: as Tree.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string_view>

#include "kvs/hash.h"
#include "kvs/node_store.h"
#include "kvs/tree/tree.h"
#include "kvs/tree/tree_pair.h"

namespace kvs {

// A key in one of the states, as it is encoded in the leaves (kvs/codec/item.h).
struct EntryState {
    std::string_view meta;                 // empty: never written
    std::optional<std::string_view> item;  // nullopt: deleted, or never written

    // Written but without an item: a tombstone.
    bool written() const { return !meta.empty(); }

    bool operator==(const EntryState&) const = default;
};

class MergeCursor {
  public:
    MergeCursor(NodeStore& store, const TreePair& base, const TreePair& ours, const TreePair& theirs);
    ~MergeCursor();
    MergeCursor(MergeCursor&&) noexcept;
    MergeCursor& operator=(MergeCursor&&) noexcept;

    // Moves to the next key whose metadata or item differ between base and theirs; false after the last.
    bool Next();

    // Of the key that Next moved to. All views are valid until the next call of Next.
    std::string_view key() const;
    const EntryState& base() const;
    const EntryState& ours() const;
    const EntryState& theirs() const;
    // Whether ours differs from the base; if not, theirs is taken over as it is.
    bool ours_changed() const;

    // Where ours is as the base: from a key of theirs that ours did not change to the next one that it did.
    struct OneSidedRange {
        KeyRange keys;
        uint64_t passed = 0;  // how many keys of it Next has moved to before this one
    };
    // The range that key() lies in, which must not be a key that ours changed. The first key of each range
    // costs a walk down the trees.
    const OneSidedRange& one_sided_range();

    // Next will move to a key that is not smaller than `key`, which is larger than key().
    void SkipTo(std::string_view key);

  private:
    class Impl;
    std::unique_ptr<Impl> impl_;
};

}  // namespace kvs

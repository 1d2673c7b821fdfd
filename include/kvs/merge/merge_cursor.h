// What theirs changed since the base, in key order, with what ours made of the same keys.
//
// The cost is that of theirs' changes, not of the trees nor of ours' changes: subtrees that theirs shares
// with the base are skipped unread, and ours is read only on the paths to theirs' changes, no further down
// than where it meets a subtree that it shares with the base. Memory is a path in each tree. The store must
// outlive the cursor. Errors: as Tree.
#pragma once

#include <memory>
#include <optional>
#include <string_view>

#include "kvs/hash.h"
#include "kvs/node_store.h"
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

  private:
    class Impl;
    std::unique_ptr<Impl> impl_;
};

}  // namespace kvs

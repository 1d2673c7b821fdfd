// What differs between two trees, in key order.
//
// Subtrees with equal addresses are skipped unread at the highest level where they meet, so the cost is that
// of the changes, not of the trees; memory is one path in each tree. The store must outlive the cursor.
// Errors: as Tree.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string_view>

#include "kvs/hash.h"
#include "kvs/node_store.h"
#include "kvs/tree/tree.h"

namespace kvs {

// At least one side is there; if both are, they differ in bytes.
struct TreeChange {
    std::string_view key;
    std::optional<std::string_view> from;
    std::optional<std::string_view> to;
};

// Whether the trees hold the same in `range` because the same subtrees reach into it; if not, they may
// differ. Reads one node of a level at the most, and no leaf. For those who compare many trees of which most
// are alike there.
bool ShareRange(NodeStore& store, const Hash& a, const Hash& b, const KeyRange& range);

class DiffCursor {
  public:
    // Changes of keys in `range` only; the rest of the trees is not visited.
    DiffCursor(NodeStore& store, const Hash& from, const Hash& to, KeyRange range = {});
    ~DiffCursor();
    DiffCursor(DiffCursor&&) noexcept;
    DiffCursor& operator=(DiffCursor&&) noexcept;

    // The next change, nullopt after the last. Its views are valid until the next call.
    std::optional<TreeChange> Next();

    // How many changes are left, which are not returned any more. Subtrees that lie between two entries of
    // the other tree are counted unread.
    uint64_t CountRest();

  private:
    class Impl;
    std::unique_ptr<Impl> impl_;
};

}  // namespace kvs

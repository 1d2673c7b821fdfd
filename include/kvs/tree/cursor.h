// An ordered walk over the entries of a tree, in both directions.
//
// A cursor stands on an entry or is not Valid(). It keeps the nodes of its path alive; key() and value() are
// valid until the cursor moves. Moving inside a leaf reads nothing. The store must outlive the cursor.
// Errors: as Tree; a cursor whose move threw is not Valid().
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "kvs/hash.h"
#include "kvs/node_store.h"
#include "kvs/tree/node.h"

namespace kvs {

class Cursor {
  public:
    // Stands nowhere until the first seek, and reads nothing until then.
    Cursor(NodeStore& store, const Hash& root) : store_(&store), root_(root) {}

    // Each seek and move tells whether the cursor stands on an entry then.
    bool SeekFirst();
    bool SeekLast();
    // First key >= `key`. Seeking from where it stands costs only the levels in which the paths differ.
    bool Seek(std::string_view key);
    // Last key < `key`.
    bool SeekBefore(std::string_view key);
    // The entry with `n` smaller keys.
    bool SeekNth(uint64_t n);

    // The cursor must be Valid().
    bool Next() {
        if (++index_ < leaf_count_) {
            return true;
        }
        return NextLeaf();
    }
    bool Prev() {
        if (index_ > 0) {
            --index_;
            return true;
        }
        return PrevLeaf();
    }

    bool Valid() const { return index_ < leaf_count_; }

    // The cursor must be Valid(). The key is assembled in a buffer of the cursor's.
    std::string_view key() const;
    std::string_view value() const { return leaf_->Value(index_); }
    // Sign of the comparison of the cursor's key with `other`, without assembling it.
    int CompareKey(std::string_view other) const { return leaf_->CompareKey(index_, other); }
    // Holding it keeps value() alive when the cursor moves on.
    const NodeRef& leaf() const { return leaf_; }
    size_t index() const { return index_; }
    // Number of entries before this one.
    uint64_t Rank() const;

  private:
    struct Frame {
        NodeRef node;      // internal
        size_t index = 0;  // of the child that the path goes through
    };

    // Forgets the position and reads the root; false if the tree is empty.
    bool Open();
    void Invalidate();
    bool EnterLeaf(NodeRef leaf, size_t index);
    // Goes down from `node` to its first or last entry.
    bool Descend(NodeRef node, bool last);
    bool NextLeaf();
    bool PrevLeaf();

    NodeStore* store_;
    Hash root_;
    NodeRef root_node_;          // read at the first seek
    std::vector<Frame> frames_;  // from the root to the leaf's parent
    NodeRef leaf_;
    size_t index_ = 0;
    size_t leaf_count_ = 0;  // 0: not valid
    mutable std::string key_;
    mutable const Node* key_leaf_ = nullptr;  // whose prefix key_ starts with
};

}  // namespace kvs

// Makes a new tree from an old one and a batch of changes; builds a tree from nothing in the same way.
//
// The changes come in strictly ascending key order. The editor streams: it holds one open node per level, and
// of the old tree it reads only the nodes on the paths to changed keys (and those behind them until the old
// and the new node boundaries meet again). A node that comes out as it was is not written.
//
// A range of keys can be taken over from another tree: only the nodes at its two ends are read, whatever lies
// between them, and the subtrees in the middle become part of the new tree as they are.
//
// Nodes are written while the changes come in. An editor that is dropped before Finish, or that threw, leaves
// chunks behind that nothing refers to, and no other trace. The store must outlive the editor.
// Errors: keys that do not ascend are Error(kInvalidArgument), an item above the limits kLimitExceeded; what
// NodeStore throws.
#pragma once

#include <memory>
#include <string_view>

#include "kvs/hash.h"
#include "kvs/node_store.h"
#include "kvs/tree/tree.h"

namespace kvs {

class TreeEditor {
  public:
    // `root` may be kEmptyRoot.
    TreeEditor(NodeStore& store, const Hash& root);
    ~TreeEditor();
    TreeEditor(const TreeEditor&) = delete;
    TreeEditor& operator=(const TreeEditor&) = delete;

    // Inserts or replaces.
    void Put(std::string_view key, std::string_view value);
    // Deleting a key that is not there changes nothing.
    void Delete(std::string_view key);

    // Makes the entries in `range` those of the tree at `source`, which is in the same store. What they were
    // and lies in no whole subtree of it is deleted entry by entry.
    void Splice(const Hash& source, const KeyRange& range);

    // The root of the new tree. Nothing may be called afterwards.
    Hash Finish();

  private:
    class Impl;
    std::unique_ptr<Impl> impl_;
};

}  // namespace kvs

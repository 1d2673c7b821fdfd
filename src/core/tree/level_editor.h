// The edit of one level of a tree: turns the changes to its items into the changes to the items of the level
// above. Private to the editor.
//
// A run starts at the beginning of the old node that holds the first changed key. From there the items, old
// and changed, go through the splitter, until a new node ends exactly where an old one did: behind that point
// the old nodes stand as they are, until the next changed key. What the run replaced becomes deletes of the
// old nodes' last keys, what it made becomes puts of the new nodes' last keys, both in key order; they are
// applied to the level above while they come.
//
//     old nodes [a c] [f k] [p t], put g; the run starts at f
//     no boundary at g:   [f g k]     ends where [f k] did; above: put k (the new address)
//     a boundary at g:    [f g] [k]   the same;             above: put g, put k
//     delete k instead:   [f p t]     ends where [p t] did; above: delete k, put t
//
// Invariant: between two calls of Apply, all new nodes before the last change have been written and put into
// the level above, but for one that is open in the builder, and every old node whose end the run has passed
// is deleted there, overwritten there, or held in replaced_.
//
// Levels above the old root have no old nodes, nor has any level of the empty tree: there, everything that is
// put is all there is.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "kvs/hash.h"
#include "kvs/tree/node_builder.h"
#include "kvs/tree/splitter.h"
#include "kvs/tree/tree.h"
#include "old_tree.h"

namespace kvs {

// A change to an item of a level. A put of a leaf's item has a value, of an internal node's a child.
struct ItemEdit {
    std::string_view key;
    bool is_put = false;
    std::string_view value = {};
    Hash child = {};
    uint64_t entries = 0;
};

class LevelEditor {
  public:
    LevelEditor(OldTree& old, int level)
        : old_(old), level_(level), cursor_(old, level), builder_(level), splitter_(level) {}

    // Keys must ascend strictly.
    void Apply(const ItemEdit& edit);

    // Makes the items in the range those that `source` has there. The range lies behind all keys so far, and
    // the next key behind the range. Nodes that both its ends leave whole are not visited, but put into the
    // level above by the same way.
    void Splice(OldTree& source, const KeyRange& range);

    // Finishes this level and those above; the root of the new tree.
    Hash Finish();

  private:
    enum class State {
        // No run: the builder is empty, and the old nodes stand from here on, or there are none.
        kOutside,
        // In a run, and the open node has begun with an old one, and its keys and their items' sizes are
        // those of that one so far. These are all that the splitter looks at, so that the old node tells
        // where there is no boundary, without asking it.
        kInStep,
        // In a run, and the open node is not like an old one: the splitter tells.
        kOutOfStep,
        // The run has consumed the last old node: what is put now is all that follows.
        kAtEnd,
    };

    bool has_old_nodes() const { return level_ <= old_.height(); }
    // Whether the level above has items of its own; else this level's nodes are all it gets.
    bool has_old_parents() const { return level_ < old_.height(); }

    bool ChangesNothing(const ItemEdit& edit) const;
    void AdvanceTo(const std::string_view* key);
    void AddOldItems(size_t stop);
    void AddOldItem();
    void AddItem(const ItemEdit& item, bool known_inside);
    void LeaveOldNode(bool kept_last_item);
    void CloseNode();
    void FlushReplaced();
    void EmitPut(const ItemEdit& put);
    void ReplaceItems(OldTree& source, const KeyRange& range);
    bool EndsNodeWith(const std::string& key);
    void SpliceNodes(OldTree& source, const KeyRange& range);
    LevelEditor& Parent();
    Hash SingleNode() const;

    OldTree& old_;
    const int level_;

    // Where the run stands in the old level.
    LevelCursor cursor_;
    State state_ = State::kOutside;
    size_t position_ = 0;  // next item of cursor_.node(), in a run

    // The node that is being filled.
    NodeBuilder builder_;
    Splitter splitter_;
    NodeRef ending_;  // the old node whose last key is that of the item added last

    // Last keys of old nodes that the run has consumed and no put has overwritten yet. They are held until a
    // further item is added: only then is it certain that the open node does not end before them.
    std::vector<std::string> replaced_;
    std::string key_;  // of the old item being added

    // What came out. Without old parents the first node is held back: it may be the root.
    uint64_t nodes_out_ = 0;
    std::string first_key_;
    ItemEdit first_;
    size_t first_count_ = 0;  // items in it
    Hash first_child_;        // its first child
    std::unique_ptr<LevelEditor> parent_;
};

}  // namespace kvs

// What an editor reads of the tree that it starts from. Private to the editor.
#pragma once

#include <array>
#include <string_view>
#include <utility>
#include <vector>

#include "kvs/hash.h"
#include "kvs/tree/node.h"
#include "read.h"

namespace kvs {

// The old tree, and the nodes read last on each level: the editors of all levels walk nearly the same path,
// and each node of it is read once.
class OldTree {
  public:
    OldTree(NodeStore& store, const Hash& root) : store_(store), root_(root) {
        if (root != kEmptyRoot) {
            root_node_ = store.ReadNode(root);
            recent_.resize(root_node_->level() + 1);
        }
    }

    NodeStore& store() const { return store_; }
    const Hash& root() const { return root_; }
    const NodeRef& root_node() const { return root_node_; }
    // Level of the root; -1 for the empty tree.
    int height() const { return root_node_ ? root_node_->level() : -1; }

    NodeRef Child(const Node& parent, size_t i) {
        std::array<Recent, 2>& recent = recent_[parent.level() - 1];
        const std::string_view address = parent.ChildHashBytes(i);
        for (const Recent& slot : recent) {
            if (slot.node && slot.address.AsBytes() == address) {
                return slot.node;
            }
        }
        std::swap(recent[0], recent[1]);
        recent[0] = {Hash::FromBytes(address), ReadChild(store_, parent, i)};
        return recent[0].node;
    }

  private:
    struct Recent {
        Hash address;
        NodeRef node;
    };

    NodeStore& store_;
    Hash root_;
    NodeRef root_node_;
    std::vector<std::array<Recent, 2>> recent_;  // by level
};

// Stands on one node of one level of the old tree, and moves forward only.
class LevelCursor {
  public:
    LevelCursor(OldTree& tree, int level) : tree_(tree), level_(level) {}

    const NodeRef& node() const { return node_; }
    bool IsLast() const {
        for (const Frame& frame : frames_) {
            if (frame.index + 1 < frame.node->count()) {
                return false;
            }
        }
        return true;
    }

    // Goes to the first node whose last key is not smaller than `key`, or else to the last node. `key` must
    // not be smaller than that of an earlier seek.
    void Seek(std::string_view key) {
        if (!node_) {
            Descend(tree_.root_node(), key);
            return;
        }
        if (node_->CompareKey(node_->count() - 1, key) >= 0) {
            return;
        }
        while (!frames_.empty()) {
            const Node& node = *frames_.back().node;
            if (frames_.size() == 1 || node.CompareKey(node.count() - 1, key) >= 0) {
                NodeRef top = std::move(frames_.back().node);
                frames_.pop_back();
                Descend(std::move(top), key);
                return;
            }
            frames_.pop_back();
        }
    }

    // Goes to the next node; there must be one.
    void Next() {
        while (frames_.back().index + 1 == frames_.back().node->count()) {
            frames_.pop_back();
        }
        ++frames_.back().index;
        NodeRef node = tree_.Child(*frames_.back().node, frames_.back().index);
        while (node->level() > level_) {
            frames_.push_back({node, 0});
            node = tree_.Child(*node, 0);
        }
        node_ = std::move(node);
    }

  private:
    struct Frame {
        NodeRef node;
        size_t index = 0;
    };

    void Descend(NodeRef node, std::string_view key) {
        while (node->level() > level_) {
            size_t index = node->LowerBound(key);
            if (index == node->count()) {
                --index;
            }
            NodeRef child = tree_.Child(*node, index);
            frames_.push_back({std::move(node), index});
            node = std::move(child);
        }
        node_ = std::move(node);
    }

    OldTree& tree_;
    int level_;
    std::vector<Frame> frames_;  // from the root to the node's parent
    NodeRef node_;
};

}  // namespace kvs

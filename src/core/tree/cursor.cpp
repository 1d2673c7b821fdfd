#include "kvs/tree/cursor.h"

#include "read.h"

namespace kvs {

namespace {

// Whether the first key >= `key` is certain to stand below `node`: its last key is not smaller, and a key
// before the answer stands below it too.
bool Covers(const Node& node, std::string_view key) {
    const int first = node.CompareKey(0, key);
    return (node.is_leaf() ? first <= 0 : first < 0) && node.CompareKey(node.count() - 1, key) >= 0;
}

}  // namespace

bool Cursor::Open() {
    Invalidate();
    if (root_ == kEmptyRoot) {
        return false;
    }
    if (!root_node_) {
        root_node_ = store_->ReadNode(root_);
    }
    return true;
}

void Cursor::Invalidate() {
    frames_.clear();
    leaf_.reset();
    leaf_count_ = 0;
}

bool Cursor::EnterLeaf(NodeRef leaf, size_t index) {
    leaf_ = std::move(leaf);
    leaf_count_ = leaf_->count();
    index_ = index;
    key_leaf_ = nullptr;
    return true;
}

bool Cursor::Descend(NodeRef node, bool last) {
    while (true) {
        const size_t index = last ? node->count() - 1 : 0;
        if (node->is_leaf()) {
            return EnterLeaf(std::move(node), index);
        }
        frames_.push_back({std::move(node), index});
        node = ReadChild(*store_, *frames_.back().node, index);
    }
}

bool Cursor::SeekFirst() {
    return Open() && Descend(root_node_, false);
}

bool Cursor::SeekLast() {
    return Open() && Descend(root_node_, true);
}

bool Cursor::Seek(std::string_view key) {
    if (Valid() && Covers(*leaf_, key)) {
        index_ = leaf_->LowerBound(key);
        return true;
    }
    while (Valid() && !frames_.empty() && !Covers(*frames_.back().node, key)) {
        frames_.pop_back();
    }
    NodeRef node;
    if (!Valid() || frames_.empty()) {
        if (!Open()) {
            return false;
        }
        node = root_node_;
    } else {
        node = std::move(frames_.back().node);
        frames_.pop_back();
        leaf_count_ = 0;
    }
    while (true) {
        const size_t i = node->LowerBound(key);
        if (i == node->count()) {
            Invalidate();
            return false;
        }
        if (node->is_leaf()) {
            return EnterLeaf(std::move(node), i);
        }
        frames_.push_back({std::move(node), i});
        node = ReadChild(*store_, *frames_.back().node, i);
    }
}

bool Cursor::SeekBefore(std::string_view key) {
    return Seek(key) ? Prev() : SeekLast();
}

bool Cursor::SeekNth(uint64_t n) {
    if (!Open() || n >= root_node_->entries()) {
        return false;
    }
    NodeRef node = root_node_;
    while (!node->is_leaf()) {
        size_t i = 0;
        while (n >= node->ChildEntries(i)) {
            n -= node->ChildEntries(i);
            ++i;
        }
        frames_.push_back({std::move(node), i});
        node = ReadChild(*store_, *frames_.back().node, i);
    }
    return EnterLeaf(std::move(node), n);
}

bool Cursor::NextLeaf() {
    leaf_count_ = 0;
    while (!frames_.empty()) {
        Frame& frame = frames_.back();
        if (++frame.index < frame.node->count()) {
            return Descend(ReadChild(*store_, *frame.node, frame.index), false);
        }
        frames_.pop_back();
    }
    Invalidate();
    return false;
}

bool Cursor::PrevLeaf() {
    leaf_count_ = 0;
    while (!frames_.empty()) {
        Frame& frame = frames_.back();
        if (frame.index > 0) {
            --frame.index;
            return Descend(ReadChild(*store_, *frame.node, frame.index), true);
        }
        frames_.pop_back();
    }
    Invalidate();
    return false;
}

std::string_view Cursor::key() const {
    const std::string_view prefix = leaf_->prefix();
    if (key_leaf_ != leaf_.get()) {
        key_.assign(prefix);
        key_leaf_ = leaf_.get();
    } else {
        key_.resize(prefix.size());
    }
    key_.append(leaf_->KeySuffix(index_));
    return key_;
}

uint64_t Cursor::Rank() const {
    uint64_t rank = index_;
    for (const Frame& frame : frames_) {
        for (size_t i = 0; i < frame.index; ++i) {
            rank += frame.node->ChildEntries(i);
        }
    }
    return rank;
}

}  // namespace kvs

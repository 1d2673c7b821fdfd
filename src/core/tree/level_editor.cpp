#include "level_editor.h"

#include <algorithm>

namespace kvs {

// Catches up with the old items before the key, then puts the new item in the place of the old one, if there
// is one.
void LevelEditor::Apply(const ItemEdit& edit) {
    bool ends_old_node = false;
    bool in_step = false;
    if (has_old_nodes()) {
        AdvanceTo(&edit.key);
        if (state_ == State::kOutside) {
            cursor_.Seek(edit.key);
            if (ChangesNothing(edit)) {
                return;
            }
            state_ = State::kInStep;
            position_ = 0;
            AdvanceTo(&edit.key);
        }
        const Node& node = *cursor_.node();
        if (position_ < node.count() && node.CompareKey(position_, edit.key) == 0) {
            in_step = state_ == State::kInStep && edit.is_put &&
                      (!node.is_leaf() || node.Value(position_).size() == edit.value.size());
            ++position_;
            ends_old_node = position_ == node.count();
        }
        if (state_ == State::kInStep && !in_step) {
            state_ = State::kOutOfStep;
        }
    }
    if (edit.is_put) {
        ending_ = ends_old_node ? cursor_.node() : nullptr;
        AddItem(edit, in_step && !ends_old_node);
    }
    if (ends_old_node) {
        LeaveOldNode(edit.is_put);
    }
}

bool LevelEditor::ChangesNothing(const ItemEdit& edit) const {
    const Node& node = *cursor_.node();
    const std::optional<size_t> i = node.Find(edit.key);
    if (!edit.is_put || !i) {
        return !edit.is_put && !i;
    }
    return node.is_leaf() ? node.Value(*i) == edit.value
                          : node.ChildHash(*i) == edit.child && node.ChildEntries(*i) == edit.entries;
}

// In a run, adds the old items before `key` (null: all of them), until it meets the old nodes again or the
// level ends.
void LevelEditor::AdvanceTo(const std::string_view* key) {
    while (state_ == State::kInStep || state_ == State::kOutOfStep) {
        if (position_ == cursor_.node()->count()) {
            cursor_.Next();
            position_ = 0;
        }
        const size_t count = cursor_.node()->count();
        const size_t stop = key != nullptr ? cursor_.node()->LowerBound(*key) : count;
        AddOldItems(stop);
        if (stop < count) {
            return;
        }
    }
}

// Adds the items of the cursor's node up to `stop`: in step all of them at once, but for the node's last one,
// after which there may be a boundary.
void LevelEditor::AddOldItems(size_t stop) {
    const NodeRef& node = cursor_.node();
    const size_t inside = std::min(stop, node->count() - 1);
    if (state_ == State::kInStep && position_ < inside) {
        const size_t count = inside - position_;
        const size_t keys_size = count * node->prefix().size() + node->KeySuffixes(position_, inside).size();
        FlushReplaced();
        builder_.AddItems(*node, position_, inside);
        splitter_.AddInside(
            level_ == 0 ? count * LeafItemSize(0, 0) + keys_size + node->Values(position_, inside).size()
                        : count * InternalItemSize(0) + keys_size,
            count);
        position_ = inside;
    }
    while (position_ < stop) {
        AddOldItem();
    }
}

void LevelEditor::AddOldItem() {
    const NodeRef& node = cursor_.node();
    ItemEdit item;
    item.key = node->Key(position_, &key_);
    item.is_put = true;
    if (node->is_leaf()) {
        item.value = node->Value(position_);
    } else {
        item.child = node->ChildHash(position_);
        item.entries = node->ChildEntries(position_);
    }
    ++position_;
    const bool ends_old_node = position_ == node->count();
    ending_ = ends_old_node ? node : nullptr;
    AddItem(item, state_ == State::kInStep && !ends_old_node);
    if (ends_old_node) {
        LeaveOldNode(true);
    }
}

// `known_inside`: the old node tells that there is no boundary after this item.
void LevelEditor::AddItem(const ItemEdit& item, bool known_inside) {
    FlushReplaced();
    size_t size;
    if (level_ == 0) {
        builder_.AddEntry(item.key, item.value);
        size = LeafItemSize(item.key.size(), item.value.size());
    } else {
        builder_.AddChild(item.key, item.child, item.entries);
        size = InternalItemSize(item.key.size());
    }
    if (known_inside) {
        splitter_.AddInside(size);
    } else if (splitter_.Add(item.key, size)) {
        CloseNode();
    }
}

// The run has consumed the cursor's node to its end. Its entry in the level above has to go, unless the node
// that has just been closed ends with the same item: then it was overwritten. If a new node ends here as
// well, the run is over.
void LevelEditor::LeaveOldNode(bool kept_last_item) {
    const Node& node = *cursor_.node();
    if (has_old_parents() && !(kept_last_item && builder_.empty())) {
        node.AppendKey(node.count() - 1, &replaced_.emplace_back());
    }
    if (builder_.empty()) {
        FlushReplaced();
    }
    if (cursor_.IsLast()) {
        state_ = State::kAtEnd;
    } else {
        state_ = builder_.empty() ? State::kOutside : State::kOutOfStep;
    }
}

// Three cases write nothing: a single child, which takes this node's place as the root; a node that came out
// as the old one that ends here, whose entry above stands as it is; and that one without an entry above, the
// old root.
void LevelEditor::CloseNode() {
    ItemEdit put;
    put.key = builder_.last_key();
    put.is_put = true;
    put.entries = builder_.entries();
    std::string encoded = builder_.Encode();
    if (nodes_out_ == 0 && !has_old_parents()) {
        first_count_ = builder_.count();
        first_child_ = level_ == 0 ? Hash{} : builder_.first_child();
    }
    const bool is_single_child = level_ > 0 && nodes_out_ == 0 && !has_old_parents() && builder_.count() == 1;
    const bool unchanged = ending_ && ending_->bytes() == encoded;
    if (is_single_child) {
        EmitPut(put);  // its child takes its place as the root
    } else if (!unchanged) {
        put.child = old_.store().WriteNode(std::move(encoded));
        EmitPut(put);
    } else if (!has_old_parents()) {
        put.child = old_.root();
        EmitPut(put);
    }
    builder_.Clear();
    splitter_.Reset();
}

void LevelEditor::FlushReplaced() {
    for (const std::string& key : replaced_) {
        Parent().Apply({.key = key});
    }
    replaced_.clear();
}

void LevelEditor::EmitPut(const ItemEdit& put) {
    ++nodes_out_;
    if (!has_old_parents()) {
        if (nodes_out_ == 1) {
            first_key_ = put.key;
            first_ = put;
            first_.key = first_key_;
            return;
        }
        if (nodes_out_ == 2) {
            Parent().Apply(first_);
        }
    }
    Parent().Apply(put);
}

LevelEditor& LevelEditor::Parent() {
    if (!parent_) {
        parent_ = std::make_unique<LevelEditor>(old_, level_ + 1);
    }
    return *parent_;
}

Hash LevelEditor::Finish() {
    AdvanceTo(nullptr);
    if (!builder_.empty()) {
        // The level's last node. An old node that ended with the same key is overwritten, not deleted.
        if (!replaced_.empty() && replaced_.front() == builder_.last_key()) {
            replaced_.erase(replaced_.begin());
        }
        CloseNode();
        FlushReplaced();
    }
    if (parent_) {
        return parent_->Finish();
    }
    // Nothing has reached the level above. If there is one, its nodes stand. The top level of the old tree
    // has one node, whose run ends only with the level.
    if (has_old_parents() || (has_old_nodes() && state_ == State::kOutside)) {
        return old_.root();
    }
    return SingleNode();
}

// This level has at most one node. The root is the lowest such node: not one with a single child.
Hash LevelEditor::SingleNode() const {
    if (nodes_out_ == 0) {
        return kEmptyRoot;
    }
    if (level_ == 0 || first_count_ > 1) {
        return first_.child;
    }
    Hash root = first_child_;
    while (true) {
        const NodeRef node = old_.store().ReadNode(root);
        if (node->is_leaf() || node->count() > 1) {
            return root;
        }
        root = node->ChildHash(0);
    }
}

}  // namespace kvs

#include <algorithm>
#include <optional>
#include <string>

#include "level_editor.h"

namespace kvs {

namespace {

// The smallest key behind `key`.
std::string After(std::string key) {
    key.push_back('\0');
    return key;
}

// The items of one level of a tree, from a key on.
class LevelItems {
  public:
    LevelItems(OldTree& tree, int level, std::string_view start) : cursor_(tree, level) {
        if (level > tree.height()) {
            return;
        }
        cursor_.Seek(start);
        index_ = cursor_.node()->LowerBound(start);
        Read();
    }

    // False behind the last item.
    bool valid() const { return valid_; }
    std::string_view key() const { return key_; }

    ItemEdit Put() const {
        const Node& node = *cursor_.node();
        ItemEdit item{.key = key_, .is_put = true};
        if (node.is_leaf()) {
            item.value = node.Value(index_);
        } else {
            item.child = node.ChildHash(index_);
            item.entries = node.ChildEntries(index_);
        }
        return item;
    }

    void Next() {
        if (++index_ == cursor_.node()->count() && !cursor_.IsLast()) {
            cursor_.Next();
            index_ = 0;
        }
        Read();
    }

  private:
    void Read() {
        const Node& node = *cursor_.node();
        valid_ = index_ < node.count();
        if (valid_) {
            key_ = node.Key(index_, &buffer_);
        }
    }

    LevelCursor cursor_;
    size_t index_ = 0;
    bool valid_ = false;
    std::string_view key_;
    std::string buffer_;
};

// The last key of the first node of `level` that ends at or behind `start`; nullopt behind the last one.
std::optional<std::string> EndOfNodeAt(OldTree& tree, int level, const std::string& start) {
    LevelCursor cursor(tree, level);
    cursor.Seek(start);
    const Node& node = *cursor.node();
    std::string last;
    node.AppendKey(node.count() - 1, &last);
    if (last >= start) {
        return last;
    }
    if (!cursor.IsLast()) [[unlikely]] {
        throw Error(ErrorCode::kCorruption, "a tree node does not fit its parent: last key");
    }
    return std::nullopt;
}

// The last key of the last node of `level` that ends before `end` (null: anywhere) and is not the last one of
// its level, whose end is none that the splitter has made; nullopt if there is none.
std::optional<std::string> EndOfNodeBefore(OldTree& tree, int level, const std::string* end) {
    std::optional<std::string> found;
    NodeRef node = tree.root_node();
    // Whatever key an inner node has is the last one of a node of each level below it.
    while (node->level() > level) {
        const size_t i = std::min(end != nullptr ? node->LowerBound(*end) : node->count(), node->count() - 1);
        if (i > 0) {
            node->AppendKey(i - 1, &found.emplace());
        }
        node = tree.Child(*node, i);
    }
    return found;
}

}  // namespace

void LevelEditor::Splice(OldTree& source, const KeyRange& range) {
    KeyRange rest = range;
    while (level_ < source.height()) {
        // Item by item, until a node of the source ends where a new one does.
        const std::optional<std::string> end = EndOfNodeAt(source, level_, rest.start);
        if (!end || !range.Contains(*end)) {
            break;
        }
        ReplaceItems(source, {rest.start, After(*end)});
        rest.start = After(*end);
        if (!EndsNodeWith(*end)) {
            continue;
        }
        // From here on the nodes of the source are those of the new tree.
        const std::optional<std::string> last =
            EndOfNodeBefore(source, level_, range.end ? &*range.end : nullptr);
        if (last && *last >= rest.start) {
            SpliceNodes(source, {rest.start, After(*last)});
            rest.start = After(*last);
        }
        break;
    }
    ReplaceItems(source, rest);
}

void LevelEditor::ReplaceItems(OldTree& source, const KeyRange& range) {
    LevelItems old_items(old_, level_, range.start);
    LevelItems new_items(source, level_, range.start);
    const auto in_range = [&](const LevelItems& items) {
        return items.valid() && (!range.end || items.key() < *range.end);
    };
    while (true) {
        const bool has_old = in_range(old_items);
        const bool has_new = in_range(new_items);
        if (!has_old && !has_new) {
            return;
        }
        const int order = !has_old ? 1 : !has_new ? -1 : old_items.key().compare(new_items.key());
        if (order < 0) {
            Apply({.key = old_items.key()});
        } else {
            Apply(new_items.Put());
            new_items.Next();
        }
        if (order <= 0) {
            old_items.Next();
        }
    }
}

// Whether a node of the new level ends with `key`, which is the last one that was put.
bool LevelEditor::EndsNodeWith(const std::string& key) {
    const std::string after = After(key);
    const std::string_view stop = after;
    AdvanceTo(&stop);
    if (state_ != State::kOutside || !has_old_nodes()) {
        return builder_.empty();
    }
    // Here the old nodes stand. One without a parent would have to be put into the level above.
    cursor_.Seek(key);
    const Node& node = *cursor_.node();
    return has_old_parents() && !cursor_.IsLast() && node.CompareKey(node.count() - 1, key) == 0;
}

// The range begins behind the end of a new node, and of one of the source, and ends with one of the source.
void LevelEditor::SpliceNodes(OldTree& source, const KeyRange& range) {
    if (!has_old_parents()) {
        if (nodes_out_ == 1) {
            Parent().Apply(first_);
        }
        ++nodes_out_;
    }
    Parent().Splice(source, range);
    if (!has_old_nodes()) {
        return;
    }
    // Of the old level goes on what lies behind the range.
    cursor_.Seek(*range.end);
    position_ = cursor_.node()->LowerBound(*range.end);
    if (position_ == cursor_.node()->count()) {
        state_ = State::kAtEnd;
    } else if (position_ > 0) {
        state_ = State::kOutOfStep;
    } else {
        // A node without an entry above, the old root, cannot stand.
        state_ = has_old_parents() ? State::kOutside : State::kInStep;
    }
}

}  // namespace kvs

#include "kvs/merge/merge_cursor.h"

#include <algorithm>
#include <utility>
#include <vector>

#include "core/tree/read.h"
#include "kvs/tree/diff.h"
#include "kvs/tree/node.h"

namespace kvs {

namespace {

// How three states are compared at the cost of theirs' changes. The diff of base and theirs drives: each
// change of it gives base and theirs. What ours has at that key is looked up on two paths, in ours and in the
// base, downwards from the root: where both paths come to one node, ours has below it what the base has, and
// is read no further.
//
//     base and ours share all but the leaf of "m"; theirs changed "c" and "m"
//     c: the two paths meet at the first child of the root: ours = base;  m: they do not meet: ours is read
//
// Data and metadata are two such merges side by side, and the smaller of their next keys is the cursor's.
// Invariant: the paths stand at the key moved to last, and keys ascend, so no node of a path is read twice.

// The path to a key that moves on to larger keys, read no further down than asked for. What the paths to two
// keys have in common is read once.
class Path {
  public:
    Path(NodeStore& store, const Hash& root) : store_(store), root_(root) {}

    // Keys must ascend.
    void MoveTo(std::string_view key) {
        if (root_ == kEmptyRoot) {
            return;
        }
        if (levels_.empty()) {
            NodeRef root = store_.ReadNode(root_);
            loaded_ = root->level();
            levels_.resize(loaded_ + 1);
            levels_.back() = {std::move(root), 0};
        }
        key_ = key;
        for (int level = height(); level >= loaded_; --level) {
            Level& here = levels_[level];
            const size_t i = here.node->LowerBound(key);
            if (i == here.node->count()) {
                if (level < height()) [[unlikely]] {
                    ThrowTooSmall(levels_[level + 1]);
                }
                at_end_ = true;
                return;
            }
            if (i != here.index) {
                here.index = i;
                loaded_ = level;
            }
        }
    }

    // Level of the root; -1 for the empty tree.
    int height() const { return static_cast<int>(levels_.size()) - 1; }
    // Whether all keys of the tree are smaller than the one moved to.
    bool at_end() const { return at_end_ || levels_.empty(); }

    // Address of the node of `level` on the path; not at_end().
    Hash NodeHash(int level) {
        if (level == height()) {
            return root_;
        }
        Load(level + 1);
        return levels_[level + 1].node->ChildHash(levels_[level + 1].index);
    }

    // The value of the key. Valid until the next move.
    std::optional<std::string_view> Value() {
        if (at_end()) {
            return std::nullopt;
        }
        Load(0);
        const Level& leaf = levels_[0];
        if (leaf.node->CompareKey(leaf.index, key_) != 0) {
            return std::nullopt;
        }
        return leaf.node->Value(leaf.index);
    }

  private:
    struct Level {
        NodeRef node;
        size_t index = 0;  // of the first item that may hold a key >= key_
    };

    // A child ends with the key that its parent has for it, so that no key on the path is behind it.
    [[noreturn]] static void ThrowTooSmall(const Level& above) {
        ThrowMisfit(above.node->ChildHash(above.index), "last key");
    }

    void Load(int level) {
        while (loaded_ > level) {
            const Level& above = levels_[loaded_];
            NodeRef child = ReadChild(store_, *above.node, above.index);
            const size_t i = child->LowerBound(key_);
            if (i == child->count()) [[unlikely]] {
                ThrowTooSmall(above);
            }
            --loaded_;
            levels_[loaded_] = {std::move(child), i};
        }
    }

    NodeStore& store_;
    const Hash root_;
    std::string_view key_;       // the caller's
    std::vector<Level> levels_;  // by level; empty until the first move
    int loaded_ = 0;             // the lowest level whose node lies on the path
    bool at_end_ = false;
};

// One of the two trees of each state.
class TreeMerge {
  public:
    TreeMerge(NodeStore& store, const Hash& base, const Hash& ours, const Hash& theirs)
        : store_(store),
          base_root_(base),
          ours_root_(ours),
          theirs_root_(theirs),
          diff_(store, base, theirs),
          ours_is_base_(base == ours),
          base_(store, base),
          ours_(store, ours) {}

    struct Values {
        std::optional<std::string_view> base;
        std::optional<std::string_view> ours;
        std::optional<std::string_view> theirs;
    };

    // The next change of theirs; nullptr after the last.
    const TreeChange* change() const { return change_ ? &*change_ : nullptr; }
    void Advance() { change_ = diff_.Next(); }

    // change() will be the first one that is not smaller than `key`.
    void SkipTo(std::string_view key) {
        if (change_ && change_->key < key) {
            diff_ = DiffCursor(store_, base_root_, theirs_root_, {std::string(key), std::nullopt});
            Advance();
        }
    }

    // The first key from `start` on that ours changed.
    std::optional<std::string> NextOfOurs(std::string_view start) const {
        DiffCursor ours(store_, base_root_, ours_root_, {std::string(start), std::nullopt});
        const std::optional<TreeChange> change = ours.Next();
        return change ? std::optional<std::string>(change->key) : std::nullopt;
    }

    // What stands at `key`, which is no larger than that of change(). Keys must ascend.
    Values At(std::string_view key) {
        Values values;
        if (change_ && change_->key == key) {
            values.base = change_->from;
            values.theirs = change_->to;
        } else {
            base_.MoveTo(key);
            values.base = base_.Value();
            values.theirs = values.base;
        }
        values.ours = OursAt(key, values.base);
        return values;
    }

  private:
    // Goes down ours and the base, and stops where they meet.
    std::optional<std::string_view> OursAt(std::string_view key, std::optional<std::string_view> in_base) {
        if (ours_is_base_) {
            return in_base;
        }
        ours_.MoveTo(key);
        base_.MoveTo(key);
        if (!ours_.at_end() && !base_.at_end()) {
            for (int level = std::min(ours_.height(), base_.height()); level >= 0; --level) {
                if (ours_.NodeHash(level) == base_.NodeHash(level)) {
                    return in_base;
                }
            }
        }
        return ours_.Value();
    }

    NodeStore& store_;
    const Hash base_root_;
    const Hash ours_root_;
    const Hash theirs_root_;
    DiffCursor diff_;
    std::optional<TreeChange> change_;
    const bool ours_is_base_;
    Path base_;
    Path ours_;
};

}  // namespace

class MergeCursor::Impl {
  public:
    Impl(NodeStore& store, const TreePair& base, const TreePair& ours, const TreePair& theirs)
        : data_(store, base.data_root, ours.data_root, theirs.data_root),
          meta_(store, base.meta_root, ours.meta_root, theirs.meta_root) {
        data_.Advance();
        meta_.Advance();
    }

    bool Next() {
        for (TreeMerge* tree : {&data_, &meta_}) {
            if (started_ && tree->change() != nullptr && tree->change()->key == key_) {
                tree->Advance();
            }
        }
        started_ = true;
        const TreeChange* data = data_.change();
        const TreeChange* meta = meta_.change();
        if (data == nullptr && meta == nullptr) {
            return false;
        }
        // A copy: its views stay where they are while the trees move on.
        key_ = data == nullptr || (meta != nullptr && meta->key < data->key) ? meta->key : data->key;
        const TreeMerge::Values items = data_.At(key_);
        const TreeMerge::Values metas = meta_.At(key_);
        base_ = {metas.base.value_or(""), items.base};
        ours_ = {metas.ours.value_or(""), items.ours};
        theirs_ = {metas.theirs.value_or(""), items.theirs};
        if (one_sided_) {
            one_sided_->passed++;
        }
        return true;
    }

    const OneSidedRange& one_sided_range() {
        if (!one_sided_ || !one_sided_->keys.Contains(key_)) {
            one_sided_ = OneSidedRange{{key_, data_.NextOfOurs(key_)}, 0};
            std::optional<std::string>& end = one_sided_->keys.end;
            if (std::optional<std::string> in_meta = meta_.NextOfOurs(key_);
                in_meta && (!end || *in_meta < *end)) {
                end = std::move(in_meta);
            }
        }
        return *one_sided_;
    }

    void SkipTo(std::string_view key) {
        data_.SkipTo(key);
        meta_.SkipTo(key);
    }

    std::string_view key() const { return key_; }
    const EntryState& base() const { return base_; }
    const EntryState& ours() const { return ours_; }
    const EntryState& theirs() const { return theirs_; }

  private:
    TreeMerge data_;
    TreeMerge meta_;
    bool started_ = false;
    std::string key_;
    EntryState base_;
    EntryState ours_;
    EntryState theirs_;
    std::optional<OneSidedRange> one_sided_;
};

MergeCursor::MergeCursor(NodeStore& store, const TreePair& base, const TreePair& ours, const TreePair& theirs)
    : impl_(std::make_unique<Impl>(store, base, ours, theirs)) {}

MergeCursor::~MergeCursor() = default;
MergeCursor::MergeCursor(MergeCursor&&) noexcept = default;
MergeCursor& MergeCursor::operator=(MergeCursor&&) noexcept = default;

bool MergeCursor::Next() {
    return impl_->Next();
}

std::string_view MergeCursor::key() const {
    return impl_->key();
}

const EntryState& MergeCursor::base() const {
    return impl_->base();
}

const EntryState& MergeCursor::ours() const {
    return impl_->ours();
}

const EntryState& MergeCursor::theirs() const {
    return impl_->theirs();
}

bool MergeCursor::ours_changed() const {
    return impl_->ours() != impl_->base();
}

const MergeCursor::OneSidedRange& MergeCursor::one_sided_range() {
    return impl_->one_sided_range();
}

void MergeCursor::SkipTo(std::string_view key) {
    impl_->SkipTo(key);
}

}  // namespace kvs

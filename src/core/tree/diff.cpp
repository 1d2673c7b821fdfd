#include "kvs/tree/diff.h"

#include <algorithm>
#include <string>
#include <vector>

#include "read.h"

namespace kvs {

namespace {

// How two trees are compared. Each side stands before its first entry that has not been compared yet. There,
// again and again:
//   1. If subtrees with one address start here in both trees, both sides move behind the largest such pair,
//   unread.
//      It need not be at one height in the two trees as a whole: levels are counted from the leaves.
//   2. Otherwise both paths are read down to the next entry, and the one with the smaller key is a change of
//   its side
//      alone; equal keys with different values are a change of both. Only the sides that had the entry move
//      behind it.
//
//     from: [a b] [c d] [e f]    to: [a b] [c x] [e f]    each in [..] a leaf
//     a: leaf [a b] in both, skipped;  c: no leaf in common, equal entries;  d < x: "d" deleted;  x < e: "x"
//     added; e: leaf [e f] starts here in both, skipped
//
// Invariant: all changes with keys before both positions have been returned. After step 2 the sides may stand
// at different keys (behind d, before x). Step 1 is right there too: subtrees with one address begin with one
// key, so they start at both sides only if these stand at the same key.

// A position between entries of one tree that knows, without reading further down, which subtrees start
// there.
class Side {
  public:
    Side(NodeStore& store, const Hash& root) : store_(store) {
        if (root == kEmptyRoot) {
            at_end_ = true;
            return;
        }
        NodeRef node = store.ReadNode(root);
        loaded_ = node->level();
        levels_.resize(loaded_ + 1);
        levels_.back().node = std::move(node);
    }

    bool at_end() const { return at_end_; }
    void SetAtEnd() { at_end_ = true; }
    // Level of the root; -1 for the empty tree.
    int height() const { return static_cast<int>(levels_.size()) - 1; }

    // The highest level that has an item starting here.
    int Top() const {
        for (int level = loaded_; level < height(); ++level) {
            if (levels_[level].index > 0) {
                return level;
            }
        }
        return height();
    }

    // Reads the path down to `level`. Below the level read last the position is the start of the subtree.
    void Load(int level) {
        while (loaded_ > level) {
            const Level& above = levels_[loaded_];
            levels_[loaded_ - 1] = {ReadChild(store_, *above.node, above.index), 0};
            --loaded_;
        }
    }

    // Moves within the node of `level` to the first item that may hold a key >= `key`.
    void SeekIn(int level, std::string_view key) {
        Load(level);
        Level& here = levels_[level];
        here.index = here.node->LowerBound(key);
        at_end_ = here.index == here.node->count();
    }

    // Moves behind the items of `level` > 0 from here on whose subtrees end before both keys (null: any key),
    // as far as they lie in one node; the number of entries in them.
    uint64_t SkipBefore(int level, const std::string_view* key, const std::string* end) {
        Level& here = levels_[level];
        size_t stop = here.node->count();
        if (key != nullptr) {
            stop = std::min(stop, here.node->LowerBound(*key));
        }
        if (end != nullptr) {
            stop = std::min(stop, here.node->LowerBound(*end));
        }
        if (stop <= here.index) {
            return 0;
        }
        uint64_t entries = 0;
        for (; here.index < stop; ++here.index) {
            entries += here.node->ChildEntries(here.index);
        }
        --here.index;
        Skip(level);
        return entries;
    }

    Hash ChildHash(int level) const { return levels_[level].node->ChildHash(levels_[level].index); }

    // Moves behind the item of `level`.
    void Skip(int level) {
        while (++levels_[level].index == levels_[level].node->count()) {
            if (level == height()) {
                at_end_ = true;
                return;
            }
            ++level;
        }
        loaded_ = level;
    }

    // Whether the entry before this position is known not to be smaller than `key`.
    bool IsBehind(std::string_view key) const {
        const Level& lowest = levels_[Top()];
        return lowest.index > 0 && lowest.node->CompareKey(lowest.index - 1, key) >= 0;
    }

    // The entry here; the path must be loaded.
    const Node& leaf() const { return *levels_[0].node; }
    size_t index() const { return levels_[0].index; }

  private:
    struct Level {
        NodeRef node;
        size_t index = 0;
    };

    NodeStore& store_;
    std::vector<Level> levels_;  // by level
    int loaded_ = 0;             // the lowest level whose node belongs to this position
    bool at_end_ = false;
};

}  // namespace

class DiffCursor::Impl {
  public:
    Impl(NodeStore& store, const Hash& from, const Hash& to, KeyRange range)
        : range_(std::move(range)),
          from_(store, from == to ? kEmptyRoot : from),
          to_(store, from == to ? kEmptyRoot : to) {
        if (!range_.start.empty()) {
            SeekStart();
        }
    }

    std::optional<TreeChange> Next() {
        const std::optional<int> order = Find();
        return order ? std::optional(Emit(*order)) : std::nullopt;
    }

    uint64_t CountRest() {
        uint64_t count = 0;
        while (const std::optional<int> order = Find()) {
            const uint64_t skipped = *order < 0   ? SkipAlone(from_, to_)
                                     : *order > 0 ? SkipAlone(to_, from_)
                                                  : 0;
            if (skipped == 0) {
                Emit(*order);
            }
            count += std::max<uint64_t>(skipped, 1);
        }
        return count;
    }

  private:
    // Moves both sides to the next change (steps 1 and 2 above): the sign of which side's key comes first, 0
    // for a key of both; nullopt after the last.
    std::optional<int> Find() {
        if (from_emitted_) {
            from_.Skip(0);
        }
        if (to_emitted_) {
            to_.Skip(0);
        }
        from_emitted_ = to_emitted_ = false;
        while (true) {
            StopBehindRange(from_);
            StopBehindRange(to_);
            if (!from_.at_end() && !to_.at_end() && SkipEqualSubtrees()) {
                continue;
            }
            LoadEntry(from_);
            LoadEntry(to_);
            if (from_.at_end() && to_.at_end()) {
                return std::nullopt;
            }
            const int order = CompareSides();
            if (order == 0 && from_.leaf().Value(from_.index()) == to_.leaf().Value(to_.index())) {
                from_.Skip(0);
                to_.Skip(0);
                continue;
            }
            return order;
        }
    }

    // Moves `side` behind the largest subtrees that start here and end before the other side's entry, and
    // inside the range; the number of their entries, 0 if there are none.
    uint64_t SkipAlone(Side& side, const Side& other) {
        std::string_view other_key;
        if (!other.at_end()) {
            other_key = other.leaf().Key(other.index(), &key_);
        }
        for (int level = side.Top(); level > 0; --level) {
            if (const uint64_t entries = side.SkipBefore(level, other.at_end() ? nullptr : &other_key,
                                                         range_.end ? &*range_.end : nullptr)) {
                return entries;
            }
        }
        return 0;
    }

    // Goes down in both trees to the start of the range. A subtree that both share there is skipped.
    void SeekStart() {
        for (int level = std::max(from_.height(), to_.height()); level >= 0; --level) {
            for (Side* side : {&from_, &to_}) {
                if (!side->at_end() && level <= side->height()) {
                    side->SeekIn(level, range_.start);
                }
            }
            const bool both =
                !from_.at_end() && !to_.at_end() && level <= from_.height() && level <= to_.height();
            if (both && level > 0 && from_.ChildHash(level) == to_.ChildHash(level)) {
                from_.Skip(level);
                to_.Skip(level);
                return;
            }
        }
    }

    void StopBehindRange(Side& side) const {
        if (range_.end && !side.at_end() && side.IsBehind(*range_.end)) {
            side.SetAtEnd();
        }
    }

    // If equal subtrees start here in both trees, moves behind the largest of them.
    bool SkipEqualSubtrees() {
        for (int level = std::min(from_.Top(), to_.Top()); level > 0; --level) {
            from_.Load(level);
            to_.Load(level);
            if (from_.ChildHash(level) == to_.ChildHash(level)) {
                from_.Skip(level);
                to_.Skip(level);
                return true;
            }
        }
        return false;
    }

    void LoadEntry(Side& side) const {
        if (side.at_end()) {
            return;
        }
        side.Load(0);
        if (range_.end && side.leaf().CompareKey(side.index(), *range_.end) >= 0) {
            side.SetAtEnd();
        }
    }

    // Negative: the next key is that of `from` alone. Leaves the key in key_.
    int CompareSides() {
        if (from_.at_end()) {
            to_.leaf().Key(to_.index(), &key_);
            return 1;
        }
        from_.leaf().Key(from_.index(), &key_);
        if (to_.at_end()) {
            return -1;
        }
        const int order = to_.leaf().CompareKey(to_.index(), key_);
        if (order < 0) {
            to_.leaf().Key(to_.index(), &key_);
        }
        return -order;
    }

    TreeChange Emit(int order) {
        TreeChange change{key_, std::nullopt, std::nullopt};
        if (order <= 0) {
            change.from = from_.leaf().Value(from_.index());
            from_emitted_ = true;
        }
        if (order >= 0) {
            change.to = to_.leaf().Value(to_.index());
            to_emitted_ = true;
        }
        return change;
    }

    KeyRange range_;
    Side from_;
    Side to_;
    std::string key_;
    // Whether the change returned last stands on these entries: they are left only at the next call.
    bool from_emitted_ = false;
    bool to_emitted_ = false;
};

DiffCursor::DiffCursor(NodeStore& store, const Hash& from, const Hash& to, KeyRange range)
    : impl_(std::make_unique<Impl>(store, from, to, std::move(range))) {}

DiffCursor::~DiffCursor() = default;
DiffCursor::DiffCursor(DiffCursor&&) noexcept = default;
DiffCursor& DiffCursor::operator=(DiffCursor&&) noexcept = default;

std::optional<TreeChange> DiffCursor::Next() {
    return impl_->Next();
}

uint64_t DiffCursor::CountRest() {
    return impl_->CountRest();
}

namespace {

// The children of an internal node that reach into a range: from `first` to before `end`.
struct Children {
    size_t first;
    size_t end;
};

Children ChildrenIn(const Node& node, const KeyRange& range) {
    const size_t first = node.LowerBound(range.start);
    // The first one with a key that is not below the end is the last one.
    const size_t last = range.end ? node.LowerBound(*range.end) : node.count();
    return {first, std::max(first, std::min(last + 1, node.count()))};
}

}  // namespace

bool ShareRange(NodeStore& store, const Hash& a, const Hash& b, const KeyRange& range) {
    if (a == b) {
        return true;
    }
    if (a == kEmptyRoot || b == kEmptyRoot) {
        return false;
    }
    NodeRef node_a = store.BorrowNode(a);
    NodeRef node_b = store.BorrowNode(b);
    while (!node_a->is_leaf() && node_a->level() == node_b->level()) {
        const Children in_a = ChildrenIn(*node_a, range);
        const Children in_b = ChildrenIn(*node_b, range);
        const size_t count = in_a.end - in_a.first;
        if (count != in_b.end - in_b.first) {
            return false;
        }
        size_t same = 0;
        while (same < count &&
               node_a->ChildHashBytes(in_a.first + same) == node_b->ChildHashBytes(in_b.first + same)) {
            same++;
        }
        if (same == count) {
            return true;
        }
        if (count > 1 || node_a->level() == 1) {
            return false;
        }
        node_a = BorrowChild(store, *node_a, in_a.first);
        node_b = BorrowChild(store, *node_b, in_b.first);
    }
    return false;
}

}  // namespace kvs

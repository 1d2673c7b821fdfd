#include "kvs/tree/tree.h"

#include "read.h"

namespace kvs {

namespace {

// The smallest key that is larger than every key with this prefix; nullopt if there is none.
std::optional<std::string> PrefixEnd(std::string_view prefix) {
    std::string end(prefix);
    while (!end.empty() && static_cast<uint8_t>(end.back()) == 0xff) {
        end.pop_back();
    }
    if (end.empty()) {
        return std::nullopt;
    }
    end.back() = static_cast<char>(static_cast<uint8_t>(end.back()) + 1);
    return end;
}

// Looks up keys[first..last) below `node`.
void GetManyBelow(NodeStore& store, const Node& node, std::span<const std::string_view> keys, size_t first,
                  size_t last, const Tree::GetManyCallback& callback) {
    while (first < last) {
        const size_t i = node.LowerBound(keys[first]);
        if (i == node.count()) {
            for (; first < last; ++first) {
                callback(first, std::nullopt);
            }
        } else if (node.is_leaf()) {
            const bool found = node.CompareKey(i, keys[first]) == 0;
            callback(first, found ? std::optional(node.Value(i)) : std::nullopt);
            ++first;
        } else {
            // All the keys that child i may hold: those up to its last key.
            size_t end = first + 1;
            while (end < last && node.CompareKey(i, keys[end]) >= 0) {
                ++end;
            }
            const NodeRef child = node.level() == 1 ? BorrowChild(store, node, i) : ReadChild(store, node, i);
            GetManyBelow(store, *child, keys, first, end, callback);
            first = end;
        }
    }
}

}  // namespace

KeyRange KeyRange::Prefix(std::string_view prefix) {
    return {std::string(prefix), PrefixEnd(prefix)};
}

std::optional<FoundValue> Tree::Get(std::string_view key) const {
    if (empty()) {
        return std::nullopt;
    }
    // Each node is held until its child is: two at a time.
    NodeRef node = store_->BorrowNode(root_);
    while (!node->is_leaf()) {
        const size_t i = node->LowerBound(key);
        if (i == node->count()) {
            return std::nullopt;
        }
        node = BorrowChild(*store_, *node, i);
    }
    const std::optional<size_t> i = node->Find(key);
    if (!i) {
        return std::nullopt;
    }
    const std::string_view value = node->Value(*i);
    return FoundValue{value, std::move(node)};
}

void Tree::GetMany(std::span<const std::string_view> keys, const GetManyCallback& callback) const {
    for (size_t i = 1; i < keys.size(); ++i) {
        if (keys[i] < keys[i - 1]) {
            throw Error(ErrorCode::kInvalidArgument, "keys of a batch read must ascend");
        }
    }
    if (keys.empty()) {
        return;
    }
    if (empty()) {
        for (size_t i = 0; i < keys.size(); ++i) {
            callback(i, std::nullopt);
        }
        return;
    }
    GetManyBelow(*store_, *store_->ReadNode(root_), keys, 0, keys.size(), callback);
}

uint64_t Tree::Count() const {
    return empty() ? 0 : store_->ReadNode(root_)->entries();
}

uint64_t Tree::Rank(std::string_view key) const {
    if (empty()) {
        return 0;
    }
    uint64_t rank = 0;
    NodeRef node = store_->ReadNode(root_);
    while (true) {
        const size_t i = node->LowerBound(key);
        if (node->is_leaf()) {
            return rank + i;
        }
        if (i == node->count()) {
            return rank + node->entries();
        }
        for (size_t before = 0; before < i; ++before) {
            rank += node->ChildEntries(before);
        }
        node = ReadChild(*store_, *node, i);
    }
}

uint64_t Tree::Count(const KeyRange& range) const {
    const uint64_t begin = Rank(range.start);
    const uint64_t end = range.end ? Rank(*range.end) : Count();
    return end > begin ? end - begin : 0;
}

}  // namespace kvs

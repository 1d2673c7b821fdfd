#include "kvs/tree/node_builder.h"

#include <algorithm>

#include "kvs/error.h"
#include "kvs/tree/node.h"
#include "layout.h"

namespace kvs {

namespace {

size_t SharedPrefix(std::string_view a, std::string_view b) {
    const size_t limit = std::min(a.size(), b.size());
    return std::mismatch(a.begin(), a.begin() + limit, b.begin()).first - a.begin();
}

char* Append(char* at, std::string_view bytes) {
    return at + bytes.copy(at, bytes.size());
}

}  // namespace

void NodeBuilder::RequireBehindLast(std::string_view key) const {
    if (!empty() && key <= last_key()) {
        throw Error(ErrorCode::kInvalidArgument, "keys of a tree node must be added in ascending order");
    }
}

void NodeBuilder::AddKey(std::string_view key) {
    if (key.size() > kMaxKeySize) {
        throw Error(ErrorCode::kLimitExceeded, "key of " + std::to_string(key.size()) +
                                                   " bytes exceeds the limit of " +
                                                   std::to_string(kMaxKeySize) + " bytes");
    }
    RequireBehindLast(key);
    keys_.append(key);
    key_ends_.push_back(static_cast<uint32_t>(keys_.size()));
}

void NodeBuilder::AddEntry(std::string_view key, std::string_view value) {
    if (value.size() > kMaxItemValueSize) {
        throw Error(ErrorCode::kLimitExceeded,
                    "value of " + std::to_string(value.size()) + " bytes exceeds the limit of " +
                        std::to_string(kMaxItemValueSize) + " bytes inside a leaf");
    }
    AddKey(key);
    values_.append(value);
    value_ends_.push_back(static_cast<uint32_t>(values_.size()));
    ++entries_;
}

void NodeBuilder::AddChild(std::string_view last_key, const Hash& address, uint64_t entries) {
    AddKey(last_key);
    values_.append(address.AsBytes());
    child_entries_.push_back(entries);
    entries_ += entries;
}

void NodeBuilder::AddItems(const Node& node, size_t first, size_t last) {
    if (first == last) {
        return;
    }
    std::string first_key;
    RequireBehindLast(node.Key(first, &first_key));
    const std::string_view prefix = node.prefix();
    const size_t keys_size = keys_.size();
    keys_.resize(keys_size + (last - first) * prefix.size() + node.KeySuffixes(first, last).size());
    char* at = keys_.data() + keys_size;
    for (size_t i = first; i < last; ++i) {
        at = Append(Append(at, prefix), node.KeySuffix(i));
        key_ends_.push_back(static_cast<uint32_t>(at - keys_.data()));
    }
    if (level_ == 0) {
        for (size_t i = first; i < last; ++i) {
            value_ends_.push_back(static_cast<uint32_t>(values_.size() + node.Values(first, i + 1).size()));
        }
        values_.append(node.Values(first, last));
        entries_ += last - first;
    } else {
        values_.append(node.ChildHashes(first, last));
        for (size_t i = first; i < last; ++i) {
            child_entries_.push_back(node.ChildEntries(i));
            entries_ += child_entries_.back();
        }
    }
}

std::string NodeBuilder::Encode() const {
    const size_t count = key_ends_.size();
    const size_t prefix_size = empty() ? 0 : SharedPrefix(Key(0), last_key());
    const size_t item_fixed = level_ == 0 ? layout::kLeafItemFixed : layout::kInternalItemFixed - Hash::kSize;
    const size_t size = layout::kHeaderSize + count * item_fixed + prefix_size +
                        (keys_.size() - count * prefix_size) + values_.size();
    if (size > kMaxNodeSize) {
        throw Error(ErrorCode::kLimitExceeded, "tree node of " + std::to_string(size) +
                                                   " bytes exceeds the limit of " +
                                                   std::to_string(kMaxNodeSize) + " bytes");
    }
    std::string encoded(size, '\0');
    char* at = encoded.data();
    at = layout::Store<uint8_t>(at, kNodeFormatVersion);
    at = layout::Store<uint8_t>(at, static_cast<uint8_t>(level_));
    at = layout::Store<uint16_t>(at, static_cast<uint16_t>(count));
    at = layout::Store<uint16_t>(at, static_cast<uint16_t>(prefix_size));
    at = layout::Store<uint16_t>(at, 0);
    at = layout::Store<uint64_t>(at, entries_);
    for (size_t i = 0; i < count; ++i) {
        at = layout::Store<uint16_t>(at, static_cast<uint16_t>(key_ends_[i] - (i + 1) * prefix_size));
    }
    if (level_ == 0) {
        for (const uint32_t end : value_ends_) {
            at = layout::Store<uint16_t>(at, static_cast<uint16_t>(end));
        }
    } else {
        at = Append(at, {reinterpret_cast<const char*>(child_entries_.data()), count * sizeof(uint64_t)});
        at = Append(at, values_);
    }
    at = Append(at, std::string_view(keys_).substr(0, prefix_size));
    for (size_t i = 0; i < count; ++i) {
        at = Append(at, Key(i).substr(prefix_size));
    }
    if (level_ == 0) {
        Append(at, values_);
    }
    return encoded;
}

void NodeBuilder::Clear() {
    entries_ = 0;
    keys_.clear();
    key_ends_.clear();
    values_.clear();
    value_ends_.clear();
    child_entries_.clear();
}

}  // namespace kvs

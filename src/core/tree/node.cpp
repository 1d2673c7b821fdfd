#include "kvs/tree/node.h"

#include <algorithm>

#include "layout.h"

namespace kvs {

namespace {

using layout::Load;

Error Malformed(const char* what) {
    return Error(ErrorCode::kCorruption, std::string("malformed tree node: ") + what);
}

// The first eight bytes as a number that sorts as they do, a shorter string as if zeros followed. `end`
// bounds what may be read.
uint64_t Head(const char* at, size_t size, const char* end) {
    if (size >= sizeof(uint64_t)) {
        return __builtin_bswap64(Load<uint64_t>(at));
    }
    if (size == 0) {
        return 0;
    }
    uint64_t word = 0;
    if (end - at >= static_cast<ptrdiff_t>(sizeof(word))) [[likely]] {
        word = Load<uint64_t>(at);
    } else {
        std::memcpy(&word, at, size);
    }
    return __builtin_bswap64(word) & ~uint64_t{0} << (64 - 8 * size);
}

// memcmp order, a prefix before what it is a prefix of. For strings with equal heads.
int CompareBehindHeads(std::string_view a, std::string_view b) {
    const size_t common = std::min(a.size(), b.size());
    if (common > sizeof(uint64_t)) {
        const int order =
            std::memcmp(a.data() + sizeof(uint64_t), b.data() + sizeof(uint64_t), common - sizeof(uint64_t));
        if (order != 0) {
            return order;
        }
    }
    return a.size() < b.size() ? -1 : (a.size() > b.size() ? 1 : 0);
}

}  // namespace

Result<NodeRef> Node::Parse(std::string bytes) {
    if (std::optional<Error> fault = Validate(bytes)) {
        return *std::move(fault);
    }
    return NodeRef(std::make_shared<Node>(std::move(bytes)));
}

void Node::Attach(std::string_view bytes) {
    bytes_ = bytes;
    const char* base = bytes.data();
    level_ = Load<uint8_t>(base + layout::kLevelAt);
    count_ = Load<uint16_t>(base + layout::kCountAt);
    prefix_size_ = Load<uint16_t>(base + layout::kPrefixSizeAt);
    entries_ = Load<uint64_t>(base + layout::kEntriesAt);
    key_ends_ = base + layout::kHeaderSize;
    const char* arrays_end = key_ends_ + count_ * sizeof(uint16_t);
    if (level_ == 0) {
        value_ends_ = arrays_end;
        arrays_end += count_ * sizeof(uint16_t);
    } else {
        child_entries_ = arrays_end;
        child_hashes_ = child_entries_ + count_ * sizeof(uint64_t);
        arrays_end = child_hashes_ + count_ * Hash::kSize;
    }
    suffixes_ = arrays_end + prefix_size_;
    values_ = suffixes_ + (count_ == 0 ? 0 : Offset(key_ends_, count_ - 1));
}

std::optional<Error> Node::Validate(std::string_view bytes) {
    if (bytes.size() < layout::kHeaderSize) {
        return Malformed("shorter than its header");
    }
    if (bytes.size() > kMaxNodeSize) {
        return Malformed("larger than a node may be");
    }
    const char* base = bytes.data();
    if (Load<uint8_t>(base + layout::kVersionAt) != kNodeFormatVersion) {
        return Malformed("unknown format version");
    }
    const int level = Load<uint8_t>(base + layout::kLevelAt);
    if (level > kMaxLevel) {
        return Malformed("level out of range");
    }
    if (Load<uint16_t>(base + layout::kZeroAt) != 0) {
        return Malformed("reserved bytes are not zero");
    }
    const size_t count = Load<uint16_t>(base + layout::kCountAt);
    const size_t prefix_size = Load<uint16_t>(base + layout::kPrefixSizeAt);
    const uint64_t entries = Load<uint64_t>(base + layout::kEntriesAt);
    if (count == 0) {
        if (level != 0 || prefix_size != 0 || entries != 0 || bytes.size() != layout::kHeaderSize) {
            return Malformed("empty, and not the empty leaf");
        }
        return std::nullopt;
    }
    const size_t item_fixed = level == 0 ? layout::kLeafItemFixed : layout::kInternalItemFixed;
    const size_t fixed_size = layout::kHeaderSize + count * item_fixed + prefix_size;
    if (fixed_size > bytes.size()) {
        return Malformed("shorter than its arrays");
    }
    if (prefix_size > kMaxKeySize) {
        return Malformed("key too long");
    }

    const char* key_ends = base + layout::kHeaderSize;
    const char* suffixes = base + fixed_size;
    const size_t variable_size = bytes.size() - fixed_size;
    const size_t suffixes_size = Offset(key_ends, count - 1);
    if (suffixes_size > variable_size) {
        return Malformed("key beyond the end");
    }
    std::string_view previous;
    size_t begin = 0;
    for (size_t i = 0; i < count; ++i) {
        const size_t end = Offset(key_ends, i);
        if (end < begin || end > suffixes_size) {
            return Malformed("key offsets do not ascend");
        }
        const std::string_view suffix(suffixes + begin, end - begin);
        if (prefix_size + suffix.size() > kMaxKeySize) {
            return Malformed("key too long");
        }
        if (i > 0 && previous >= suffix) {
            return Malformed("keys do not ascend");
        }
        previous = suffix;
        begin = end;
    }
    // One form only: the prefix is all that the first and the last key share, and so all keys between.
    const std::string_view first(suffixes, Offset(key_ends, 0));
    if (count == 1 ? !first.empty() : !first.empty() && first[0] == previous[0]) {
        return Malformed("prefix not as long as it could be");
    }

    if (level == 0) {
        const char* value_ends = key_ends + count * sizeof(uint16_t);
        size_t value_begin = 0;
        for (size_t i = 0; i < count; ++i) {
            const size_t end = Offset(value_ends, i);
            if (end < value_begin) {
                return Malformed("value offsets do not ascend");
            }
            if (end - value_begin > kMaxItemValueSize) {
                return Malformed("value too long");
            }
            value_begin = end;
        }
        if (suffixes_size + value_begin != variable_size) {
            return Malformed("does not end where its values end");
        }
        if (entries != count) {
            return Malformed("wrong number of entries");
        }
        return std::nullopt;
    }

    if (suffixes_size != variable_size) {
        return Malformed("does not end where its keys end");
    }
    const char* child_entries = key_ends + count * sizeof(uint16_t);
    uint64_t sum = 0;
    for (size_t i = 0; i < count; ++i) {
        const uint64_t below = Load<uint64_t>(child_entries + i * sizeof(uint64_t));
        if (below == 0 || __builtin_add_overflow(sum, below, &sum)) {
            return Malformed("child without a possible number of entries");
        }
    }
    if (sum != entries) {
        return Malformed("wrong number of entries");
    }
    return std::nullopt;
}

void Node::AppendKey(size_t i, std::string* out) const {
    out->append(prefix());
    out->append(KeySuffix(i));
}

std::string_view Node::Key(size_t i, std::string* buffer) const {
    buffer->clear();
    AppendKey(i, buffer);
    return *buffer;
}

int Node::CompareKey(size_t i, std::string_view key) const {
    const int order = prefix().compare(key.substr(0, prefix_size_));
    return order != 0 ? order : KeySuffix(i).compare(key.substr(prefix_size_));
}

size_t Node::LowerBound(std::string_view key) const {
    // A key that ends inside the prefix comes before all keys, as one that is smaller there.
    const int order = key.substr(0, prefix_size_).compare(prefix());
    if (order != 0) {
        return order < 0 ? 0 : count_;
    }
    // Most comparisons are decided by the heads; that of the wanted key is made once.
    const std::string_view rest = key.substr(prefix_size_);
    const uint64_t rest_head = Head(rest.data(), rest.size(), rest.data() + rest.size());
    const char* const end = bytes_.data() + bytes_.size();
    size_t low = 0;
    size_t high = count_;
    while (low < high) {
        const size_t middle = (low + high) / 2;
        const std::string_view suffix = KeySuffix(middle);
        const uint64_t head = Head(suffix.data(), suffix.size(), end);
        if (head != rest_head ? head < rest_head : CompareBehindHeads(suffix, rest) < 0) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return low;
}

std::optional<size_t> Node::Find(std::string_view key) const {
    const size_t i = LowerBound(key);
    if (i == count_ || key.size() < prefix_size_ || key.substr(prefix_size_) != KeySuffix(i) ||
        key.substr(0, prefix_size_) != prefix()) {
        return std::nullopt;
    }
    return i;
}

}  // namespace kvs

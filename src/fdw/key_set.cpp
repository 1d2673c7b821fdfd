#include "fdw/key_set.h"

#include <algorithm>

namespace kvs::fdw {

namespace {

// The smallest key above `key`: no byte is smaller than NUL, and no key contains it.
std::string Successor(std::string_view key) {
    std::string next(key);
    next.push_back('\0');
    return next;
}

}  // namespace

void KeySet::RaiseStart(std::string start) {
    if (start > range_.start) {
        range_.start = std::move(start);
        DropKeysOutsideRange();
    }
}

void KeySet::LowerEnd(std::string end) {
    if (!range_.end || end < *range_.end) {
        range_.end = std::move(end);
        DropKeysOutsideRange();
    }
}

void KeySet::DropKeysOutsideRange() {
    if (keys_) {
        std::erase_if(*keys_, [this](const std::string& key) { return !range_.Contains(key); });
    }
}

void KeySet::RestrictToPrefix(std::string_view prefix) {
    KeyRange range = KeyRange::Prefix(prefix);
    RaiseStart(std::move(range.start));
    if (range.end) {
        LowerEnd(std::move(*range.end));
    }
}

void KeySet::RestrictToAtLeast(std::string_view key) {
    RaiseStart(std::string(key));
}
void KeySet::RestrictToAbove(std::string_view key) {
    RaiseStart(Successor(key));
}
void KeySet::RestrictToBelow(std::string_view key) {
    LowerEnd(std::string(key));
}
void KeySet::RestrictToAtMost(std::string_view key) {
    LowerEnd(Successor(key));
}

void KeySet::RestrictTo(std::string_view key) {
    std::vector<std::string> keys;
    keys.emplace_back(key);
    RestrictToAnyOf(std::move(keys));
}

void KeySet::RestrictToAnyOf(std::vector<std::string> keys) {
    if (keys.size() > 1) {
        std::sort(keys.begin(), keys.end());
        keys.erase(std::unique(keys.begin(), keys.end()), keys.end());
    }
    if (keys_) {
        std::erase_if(keys, [this](const std::string& key) {
            return !std::binary_search(keys_->begin(), keys_->end(), key);
        });
    }
    keys_ = std::move(keys);
    DropKeysOutsideRange();
}

void KeySet::Clear() {
    keys_.emplace();
}

bool KeySet::empty() const {
    return keys_ ? keys_->empty() : range_.end && *range_.end <= range_.start;
}

LikeShape ParseLike(std::string_view pattern, char* literal, size_t* literal_size) {
    *literal_size = 0;
    size_t i = 0;
    for (; i < pattern.size() && pattern[i] != '%' && pattern[i] != '_'; ++i) {
        if (pattern[i] == '\\' && ++i == pattern.size()) {
            return LikeShape::kMalformed;
        }
        literal[(*literal_size)++] = pattern[i];
    }
    if (i == pattern.size()) {
        return LikeShape::kLiteral;
    }
    return pattern.find_first_not_of('%', i) == std::string_view::npos ? LikeShape::kPrefix
                                                                       : LikeShape::kPrefixAndMore;
}

}  // namespace kvs::fdw

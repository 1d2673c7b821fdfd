// Which keys a scan is to read: what the conditions on the key come to once their operands have values.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "kvs/tree/tree.h"

namespace kvs::fdw {

// The intersection of ranges and lists of keys. Keys are compared as bytes and contain no NUL.
class KeySet {
  public:
    // All keys that start with `prefix`.
    explicit KeySet(std::string_view prefix) : range_(KeyRange::Prefix(prefix)) {}

    void RestrictToPrefix(std::string_view prefix);
    void RestrictToAtLeast(std::string_view key);
    void RestrictToAbove(std::string_view key);
    void RestrictToBelow(std::string_view key);
    void RestrictToAtMost(std::string_view key);
    void RestrictTo(std::string_view key);
    // In any order, with repetitions.
    void RestrictToAnyOf(std::vector<std::string> keys);
    void Clear();

    // True if no key can be in it.
    bool empty() const;

    // The single keys that are asked for, ascending; nullopt if it is a range.
    const std::optional<std::vector<std::string>>& keys() const { return keys_; }

    // The range that holds them all.
    const KeyRange& range() const { return range_; }

  private:
    void RaiseStart(std::string start);
    void LowerEnd(std::string end);
    void DropKeysOutsideRange();

    KeyRange range_;
    std::optional<std::vector<std::string>> keys_;
};

// What a LIKE pattern asks of a text.
enum class LikeShape {
    kLiteral,        // to equal the literal
    kPrefix,         // to begin with it
    kPrefixAndMore,  // to begin with it, and more
    kMalformed,      // ends in an escape character: LIKE raises an error
};

// Writes what stands before the first wildcard, unescaped, to `literal`, which must have room for as many
// bytes as the pattern has, and the number of bytes to `literal_size`.
LikeShape ParseLike(std::string_view pattern, char* literal, size_t* literal_size);

}  // namespace kvs::fdw

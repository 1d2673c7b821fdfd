// Numbers that stand for keys and states where a check compares more of them than memory holds. Two that are
// not the same have the same number once in 2^64: good enough to find damage, not a tamperer.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

namespace kvs::pg {

uint64_t KeyFingerprint(std::string_view key);

// Of an item of the metadata tree.
uint64_t MetadataFingerprint(std::string_view meta);

// Of an item of the data tree; nullopt: there is none.
uint64_t TreeItemFingerprint(const std::optional<std::string_view>& item);

// Of the item of a working row or a change, as a tree would hold it: with a large payload as a blob.
uint64_t LoggedItemFingerprint(const std::optional<std::string_view>& item);

}  // namespace kvs::pg

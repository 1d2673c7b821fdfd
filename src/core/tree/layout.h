// Offsets of the encoded node (docs/node-format.md), shared by its reader and its writer.
//
//   0  u8   format version
//   1  u8   level
//   2  u16  count
//   4  u16  size of the prefix
//   6  u16  zero
//   8  u64  entries below
//  16  u16  key_ends[count]
//      leaf:     u16 value_ends[count] | prefix | key suffixes | values
//      internal: u64 child_entries[count] | 32 bytes child_hashes[count] | prefix | key suffixes
#pragma once

#include <bit>
#include <cstddef>
#include <cstdint>
#include <cstring>

#include "kvs/hash.h"

namespace kvs::layout {

static_assert(std::endian::native == std::endian::little, "the encoded forms are read in place");

constexpr size_t kVersionAt = 0;
constexpr size_t kLevelAt = 1;
constexpr size_t kCountAt = 2;
constexpr size_t kPrefixSizeAt = 4;
constexpr size_t kZeroAt = 6;
constexpr size_t kEntriesAt = 8;
constexpr size_t kHeaderSize = 16;

// Bytes of the arrays per item.
constexpr size_t kLeafItemFixed = 2 * sizeof(uint16_t);
constexpr size_t kInternalItemFixed = sizeof(uint16_t) + sizeof(uint64_t) + Hash::kSize;

template <typename T>
T Load(const char* at) {
    T value;
    std::memcpy(&value, at, sizeof(value));
    return value;
}

template <typename T>
char* Store(char* at, T value) {
    std::memcpy(at, &value, sizeof(value));
    return at + sizeof(value);
}

}  // namespace kvs::layout

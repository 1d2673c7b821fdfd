// A node of a prolly tree, read in place from its encoded bytes (docs/node-format.md).
//
// A leaf maps keys to values. An internal node of level n maps the LAST key of each child of level n-1 to the
// child's address and number of entries. Keys are strictly ascending under memcmp and share one prefix, which
// is stored once.
//
// Ownership: a node owns its bytes, or borrows them from memory that its holder keeps alive (Node::Borrowed).
// Every view handed out lives as long as the node. A node never changes: it may be shared between threads.
// Errors: Parse and Validate report kCorruption; the accessors trust validated bytes and their index.
#pragma once

#include <cstdint>
#include <cstring>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "kvs/entry.h"
#include "kvs/error.h"
#include "kvs/hash.h"
#include "kvs/node_store.h"
#include "kvs/tree/chunk.h"

namespace kvs {

constexpr size_t kMaxItemValueSize = 4096;  // bytes of a value inside a leaf
constexpr size_t kMaxNodeSize = 65535;      // bytes of an encoded node
constexpr int kMaxLevel = 63;               // more levels than 2^64 entries can fill

class Node {
  public:
    // Bytes that somebody else owns and keeps alive and unchanged while the node lives.
    struct Borrowed {
        std::string_view bytes;
    };

    // Validates everything there is to validate and takes the bytes over.
    static Result<NodeRef> Parse(std::string bytes);

    // The first fault found in `bytes`, nullopt if they are a well-formed node in canonical form.
    static std::optional<Error> Validate(std::string_view bytes);

    // For bytes that were validated before, or were encoded by this process. No check at all.
    explicit Node(std::string validated) : storage_(std::move(validated)) { Attach(storage_); }
    explicit Node(Borrowed validated) { Attach(validated.bytes); }

    Node(const Node&) = delete;
    Node& operator=(const Node&) = delete;

    int level() const { return level_; }
    bool is_leaf() const { return level_ == 0; }
    size_t count() const { return count_; }
    // Entries in the leaves below this node; of a leaf its own count.
    uint64_t entries() const { return entries_; }
    std::string_view bytes() const { return bytes_; }

    // Key(i) is prefix() followed by KeySuffix(i).
    std::string_view prefix() const { return {suffixes_ - prefix_size_, prefix_size_}; }
    std::string_view KeySuffix(size_t i) const {
        const size_t begin = i == 0 ? 0 : Offset(key_ends_, i - 1);
        return {suffixes_ + begin, Offset(key_ends_, i) - begin};
    }
    // Assembles key i in `buffer` and returns a view of it.
    std::string_view Key(size_t i, std::string* buffer) const;
    // Appends key i to `out`.
    void AppendKey(size_t i, std::string* out) const;
    // Sign of the comparison of key i with `key`: negative if key i is the smaller one.
    int CompareKey(size_t i, std::string_view key) const;

    // The suffixes of the keys in [first, last), which must not be empty, one behind the other.
    std::string_view KeySuffixes(size_t first, size_t last) const {
        return {KeySuffix(first).data(), KeySuffix(last - 1).end()};
    }

    // Leaves only.
    std::string_view Value(size_t i) const {
        const size_t begin = i == 0 ? 0 : Offset(value_ends_, i - 1);
        return {values_ + begin, Offset(value_ends_, i) - begin};
    }
    std::string_view Values(size_t first, size_t last) const {
        return {Value(first).data(), Value(last - 1).end()};
    }

    // Internal nodes only.
    std::string_view ChildHashes(size_t first, size_t last) const {
        return {child_hashes_ + first * Hash::kSize, (last - first) * Hash::kSize};
    }
    Hash ChildHash(size_t i) const { return Hash::FromBytes(ChildHashBytes(i)); }
    std::string_view ChildHashBytes(size_t i) const { return {child_hashes_ + i * Hash::kSize, Hash::kSize}; }
    uint64_t ChildEntries(size_t i) const {
        uint64_t entries;
        std::memcpy(&entries, child_entries_ + i * sizeof(entries), sizeof(entries));
        return entries;
    }

    // Index of the first key >= `key`, count() if there is none.
    size_t LowerBound(std::string_view key) const;
    // Index of `key`, nullopt if it is not here.
    std::optional<size_t> Find(std::string_view key) const;

  private:
    static size_t Offset(const char* table, size_t i) {
        uint16_t offset;
        std::memcpy(&offset, table + i * sizeof(offset), sizeof(offset));
        return offset;
    }
    void Attach(std::string_view bytes);

    std::string storage_;  // empty when borrowed
    std::string_view bytes_;
    uint64_t entries_ = 0;
    uint16_t count_ = 0;
    uint16_t prefix_size_ = 0;
    uint8_t level_ = 0;
    const char* key_ends_ = nullptr;       // u16[count], relative to suffixes_
    const char* value_ends_ = nullptr;     // u16[count], relative to values_; leaf
    const char* child_entries_ = nullptr;  // u64[count]; internal
    const char* child_hashes_ = nullptr;   // 32 bytes[count]; internal
    const char* suffixes_ = nullptr;
    const char* values_ = nullptr;  // leaf
};

}  // namespace kvs

// Packs: chunks that resemble one another, compressed as one (docs/node-format.md).
//
//     u8 codec        1 zstd, 2 zstd with a dictionary
//     u32 raw size    of all members together
//     u32 id          of the dictionary; only codec 2
//     varint count    of members, 1 to kMaxPackMembers
//     varint size     of each raw member, at least 1
//     one zstd frame  without its magic number: the raw members, one behind the other
//
// A pack stands by itself: nothing outside of it is needed to read it but its dictionary. It holds no
// addresses; a member's is the hash of its bytes, as that of every chunk.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "kvs/codec/dictionary.h"
#include "kvs/error.h"

namespace kvs {

constexpr size_t kMaxPackMembers = 256;
constexpr size_t kMaxPackRawSize = size_t{4} << 20;

// The members of a pack, uncompressed.
class Pack {
  public:
    Pack() = default;
    Pack(std::string raw, std::vector<uint32_t> ends) : raw_(std::move(raw)), ends_(std::move(ends)) {}

    size_t count() const { return ends_.size(); }
    size_t raw_size() const { return raw_.size(); }

    // Valid as long as the pack, until the next Add.
    std::string_view Member(size_t i) const {
        const size_t begin = i == 0 ? 0 : ends_[i - 1];
        return std::string_view(raw_).substr(begin, ends_[i] - begin);
    }

    // Whether a member of this size may be added.
    bool HasRoomFor(size_t size) const {
        return count() < kMaxPackMembers && size > 0 && raw_.size() + size <= kMaxPackRawSize;
    }

    // Errors: kLimitExceeded if there is no room.
    void Add(std::string_view member);

  private:
    friend class PackCodec;

    std::string raw_;
    std::vector<uint32_t> ends_;  // where each member ends in raw_
};

// Encodes and decodes packs, and keeps the compression contexts. Not for two threads at once; movable.
class PackCodec {
  public:
    PackCodec();
    ~PackCodec();
    PackCodec(PackCodec&&) noexcept;
    PackCodec& operator=(PackCodec&&) noexcept;

    // `level` is zstd's, from 1. Errors: kInvalidArgument for a pack without members.
    std::string Encode(const Pack& pack, int level, const Dictionary* dictionary = nullptr);

    // Anything but a whole, well-formed pack gives Error(kCorruption), also where its dictionary is missing;
    // memory is taken only for sizes that the compressed bytes can really yield. Whether the members are the
    // right ones only their addresses tell.
    Result<Pack> Decode(std::string_view bytes, DictionarySource* dictionaries = nullptr);

    // The sizes of the members, from the head alone. Errors: as Decode, as far as the head tells.
    static Result<std::vector<uint32_t>> ReadSizes(std::string_view bytes);

  private:
    struct Contexts;
    std::unique_ptr<Contexts> contexts_;
};

}  // namespace kvs

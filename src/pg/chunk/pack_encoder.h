// How this store writes packs.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "kvs/codec/pack.h"
#include "pg/chunk/dictionary_cache.h"

namespace kvs::pg {

// Larger chunks stay rows.
constexpr size_t kMaxPackedChunkSize = size_t{1} << 20;

class PackEncoder {
  public:
    // With the newest dictionary for the class of the first member, if there is one.
    std::string Encode(const Pack& pack);

    Result<Pack> Decode(std::string_view body) { return codec_.Decode(body, &DictionaryCache::Get()); }

    // Whether another member of this size goes in: what is read of a pack is the whole of it.
    static bool HasRoomFor(const Pack& pack, size_t size);

  private:
    PackCodec codec_;
    std::optional<NewestDictionaries> dictionaries_;  // read at the first use
};

}  // namespace kvs::pg

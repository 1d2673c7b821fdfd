// The trained dictionaries of this database, _kvs.dictionary, as far as this backend has used them.
//
// Dictionaries never change, and none is deleted, so a miss reads the table and a hit reads nothing.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string_view>
#include <unordered_map>

#include "kvs/codec/dictionary.h"
#include "pg/wall/server.h"

namespace kvs::pg {

class DictionaryCache : public DictionarySource {
  public:
    // This backend's cache.
    static DictionaryCache& Get();

    const Dictionary* FindDictionary(uint32_t id) override;

    // What is asked for next is read from the table: for who does not trust what was read before.
    void Forget() { dictionaries_.clear(); }

  private:
    DictionaryCache() = default;

    Oid table_ = InvalidOid;  // that the dictionaries are from
    std::unordered_map<uint32_t, Dictionary> dictionaries_;
};

// The newest dictionary of each class, by id: what new chunks are compressed with.
using NewestDictionaries = std::array<std::optional<uint32_t>, kChunkClasses>;
NewestDictionaries ReadNewestDictionaries();

struct NewDictionary {
    ChunkClass chunk_class = ChunkClass::kLeaf;
    std::string_view bytes;
    int64 samples = 0;  // that it was trained on
    double saving = 0;  // of what chunks take without it, as measured
};

// Stores it under a new id.
uint32_t StoreDictionary(const NewDictionary& dictionary);

}  // namespace kvs::pg
